"""Work in processes: the order of the tasks, whatever happens to those who do them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import until

from kgbuild.diagnostics import UsageError
from kgbuild.pool import WorkerError, run


def slow_first(number: int) -> int:
    time.sleep(0.1 if number == 0 else 0)
    return number * number


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert list(run(slow_first, range(40), jobs, str)) == [number * number for number in range(40)]


def die(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_dies_is_named_with_its_task() -> None:
    results = run(die, range(40), 2, lambda number: f"shard {number}")
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(WorkerError, match=r"a worker died at shard 7 \(signal SIGKILL\)"):
        next(results)


def refuse(number: int) -> int:
    if number == 3:
        raise UsageError("not three")
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_work_raises_is_raised(jobs: int) -> None:
    with pytest.raises(UsageError, match="not three"):
        list(run(refuse, range(9), jobs, str))


def broken() -> Iterator[int]:
    yield 1
    raise UsageError("no more")


def test_what_tasks_raise_is_raised() -> None:
    with pytest.raises(UsageError, match="no more"):
        list(run(abs, broken(), 2, str))


def test_tasks_are_not_read_far_ahead() -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = run(abs, tasks(), 2, str)
    assert next(results) == 0
    time.sleep(0.2)
    assert len(taken) < 20
    results.close()


def test_nothing_runs_on_when_the_results_are_left() -> None:
    results = run(lambda number: os.getpid(), range(100), 2, str)
    worker = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_forks_that_share_work_end_with_the_process_that_asked() -> None:
    code = "import os, time; from kgbuild.pool import share; asked = os.getpid()\n"
    code += "def work(n):\n    os.write(1, b'%d\\n' % os.getpid())  # one call: lines of two processes do not mix\n"
    code += "    time.sleep(30 if os.getpid() == asked else 0.5); return 'x' * 1_000_000\n"
    code += "share(work, [1, 2], 2)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    fork = ({int(process.stdout.readline()) for _ in range(2)} - {process.pid}).pop()
    process.kill()
    process.wait()
    process.stdout.close()
    assert until(lambda: not Path(f"/proc/{fork}").exists(), 5)
