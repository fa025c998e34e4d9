"""Work in several processes: tasks in, results out in the order of the tasks, whatever the number of processes.

Knows nothing of what the work is. At most a few tasks a process are under way, so that memory is bounded.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kgbuild.diagnostics import KgbuildError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Task = TypeVar("Task")
Result = TypeVar("Result")
_AHEAD = 4


class WorkerError(KgbuildError):
    """A process that died at its work: killed, or out of memory."""


def default_jobs() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def run(
    work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int, named: Callable[[Task], str]
) -> Iterator[Result]:
    """Do `work` on each task in `jobs` processes and yield the results in order; raise `WorkerError` where one dies.

    The processes are forks, so `work` may be a method of any object. They end with the iterator: at its end, when it is
    closed, and at Ctrl-C.

    >>> list(run(abs, [-1, 2, -3], 2, str))
    [1, 2, 3]
    """
    import multiprocessing

    if jobs < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(work, tasks)
        return
    crew = _Crew(work, ((task,) for task in tasks), jobs, named)
    try:
        yield from crew.results()
    finally:
        crew.end()


def share(work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> list[Result]:
    """Do `work` on an even share of the tasks here, and on the others in `jobs` - 1 forks; return the results in order.

    For work of well under a second, where starting a crew would cost more than it gains. The forks must not need any
    thread of this process. What goes wrong in one is raised here.

    >>> share(abs, [-1, 2, -3], 2)
    [1, 2, 3]
    """
    jobs = max(1, min(jobs, len(tasks))) if hasattr(os, "fork") else 1
    results: list[Any] = [None] * len(tasks)
    forks: list[tuple[int, int]] = []
    try:
        forks.extend(_fork(work, tasks[number::jobs]) for number in range(1, jobs))
        results[::jobs] = [work(task) for task in tasks[::jobs]]
        for number, (process, pipe) in enumerate(forks, 1):
            with open(pipe, "rb", closefd=False) as file:
                data = file.read()
            if not data:
                raise WorkerError(f"a process that helped died (status {os.waitpid(process, os.WNOHANG)[1]})")
            good, value = pickle.loads(data)  # noqa: S301  # our own fork wrote it
            if not good:
                raise value
            results[number::jobs] = value
    finally:
        for process, pipe in forks:
            os.close(pipe)
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
    return results


def _fork(work: Callable[[Any], Any], tasks: Sequence[Any]) -> tuple[int, int]:
    """Start a fork that does some tasks, and return its number and the pipe that its results come from."""
    here, there = os.pipe()
    process = os.fork()
    if process:
        os.close(there)
        return process, here
    code = 1
    try:
        os.close(here)  # or writing would never fail once nobody reads
        _end_with_parent()
        gc.disable()  # to look at each value of the parent's would copy its memory
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            outcome: tuple[bool, Any] = True, [work(task) for task in tasks]
        except Exception as error:  # noqa: BLE001  # raised in the process that asked
            outcome = False, error
        with open(there, "wb") as file:
            pickle.dump(outcome, file, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


class _Crew:
    """Some processes, each with a thread that hands it one task after the other."""

    def __init__(
        self, work: Callable[[Any], Any], tasks: Iterator[tuple[Any]], jobs: int, named: Callable[[Any], str]
    ) -> None:
        self.tasks, self.named = tasks, named
        self.taken = 0
        self.taking = threading.Lock()
        self.ready = threading.Condition()
        self.room = threading.Semaphore(jobs * _AHEAD)
        self.done: dict[int, tuple[bool, Any]] = {}
        self.busy = jobs
        self.ended = False
        import multiprocessing

        fork = multiprocessing.get_context("fork")
        self.members: list[tuple[Any, Connection]] = []
        for _ in range(jobs):
            here, there = fork.Pipe()
            inherited = [connection for _, connection in self.members] + [here]
            process = fork.Process(target=_labour, args=(work, there, inherited), daemon=True)
            process.start()
            there.close()
            self.members.append((process, here))
        for process, connection in self.members:
            threading.Thread(target=self._serve, args=(process, connection), daemon=True).start()

    def results(self) -> Iterator[Any]:
        """Yield the results in order; raise what went wrong at the first task that did."""
        number = 0
        while True:
            with self.ready:
                while number not in self.done:
                    if self.busy == 0:
                        return
                    self.ready.wait(0.5)
                good, value = self.done.pop(number)
            self.room.release()
            if not good:
                raise value
            number += 1
            yield value

    def end(self) -> None:
        """End all processes, at whatever they are."""
        self.ended = True
        for process, _ in self.members:
            process.terminate()
        for _ in self.members:
            self.room.release()
        for process, connection in self.members:
            process.join()
            connection.close()

    def _serve(self, process: Any, connection: Connection) -> None:
        while not self.ended:
            self.room.acquire()
            if self.ended:
                break
            try:
                with self.taking:
                    number = self.taken
                    taken = next(self.tasks, None)
                    if taken is None:
                        break
                    self.taken, task = number + 1, taken[0]
                connection.send(task)
                outcome = connection.recv()
            except (EOFError, OSError):
                process.join(5)
                code = process.exitcode
                how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
                message = (
                    f"a worker died at {self.named(task)} ({how}); what is finished is kept: run it again to go on"
                )
                outcome = False, WorkerError(message)
            except Exception as error:  # noqa: BLE001  # raised in the thread that asked for the results
                outcome = False, error
            with self.ready:
                self.done[number] = outcome
                self.ready.notify()
            if not outcome[0]:
                break
        with self.ready:
            self.busy -= 1
            self.ready.notify()


def _labour(work: Callable[[Any], Any], connection: Connection, inherited: list[Connection]) -> None:
    """Do what is sent until the other end closes, and leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    gc.freeze()
    for other in inherited:
        other.close()
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            outcome = True, work(task)
        except Exception as error:  # noqa: BLE001  # sent to the process that asked
            outcome = False, error
        try:
            connection.send(outcome)
        except OSError:
            return


def _end_with_parent() -> None:
    """Ask the system to kill this process when the one that started it ends (Linux prctl; elsewhere after its task)."""
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
