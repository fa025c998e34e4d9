"""The worker processes over one build: started, given jobs, and killed when a job exceeds its limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from time import monotonic

from kgbuild.project import Project
from kgbuild.server.jobs import Job, Message, Messages, Reply, job_message, read_reply, recall_message
from kgbuild.server.services import NotAllowedError, Services
from kgbuild.server.settings import Limits
from kgbuild.server.turns import BusyError, Turn, Turns

QUICK = 0.05
"""Seconds within which a worker that is given queries ahead must answer; else they are recalled."""
CALM = 1.0
"""Seconds after the end of a query that was not quick in which no worker is given queries ahead."""
LONG_AFTER = 0.2
"""Seconds after which a query counts as a long one."""
AHEAD = 7
"""Queries that a worker may have beside the one it is at, if it answered the one before at once."""
SWIFT = 0.0002
"""Seconds: where queries take no longer, one worker is given several before another is woken, which takes longer."""
ALLOCATOR = "glibc.malloc.tcache_count=2000"
"""What glibc is told in a worker: keep freed pieces at hand, for each query takes and frees thousands of one size."""
_RECALLED = Reply("recalled")
_TOO_MUCH = Reply("memory", message="the query needs more memory than one query may take")


class GoneError(Exception):
    """The build of this pool is no longer on the disk."""


class Worker(asyncio.Protocol):
    """One worker process, at the other end of a socket."""

    process: asyncio.subprocess.Process
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.messages = Messages()
        self.told: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.runs: deque[Run] = deque()
        self.ended: Callable[[Worker], None] = _nothing
        self.number = 0
        self.outgoing: list[bytes] = []
        self.loop = asyncio.get_running_loop()
        self.timer: asyncio.TimerHandle | None = None
        self.alive = True
        self.quick = False
        self.pace = QUICK

    @classmethod
    async def start(cls, folder: int, limits: Limits, project: Project, *, services: bool) -> Worker:
        """Start a process over the build whose folder is open as a file descriptor, and wait until it is ready."""
        settings = {
            "folder": folder, "memory": limits.memory, "seconds": limits.seconds, "rows": limits.rows,
            "bytes": limits.bytes, "services": services, "prefixes": project.prefixes,
            "base": project.base, "languages": project.fallback,
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        with theirs:
            _, made = await asyncio.get_running_loop().create_connection(cls, sock=ours)
            made.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "kgbuild.server.worker", json.dumps(settings)),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(folder,),
                start_new_session=True,
                env={**os.environ, "GLIBC_TUNABLES": ALLOCATOR},
            )
        if (await made.told).status != "ready":
            await made.stop()
            raise GoneError
        return made

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the socket."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a part of what comes: a reply to a job that was recalled too late is dropped."""
        for message in self.messages.take(data):
            if not message.number:
                self.told.set_result(read_reply(message))
            elif self.runs and self.runs[0].number == message.number:
                self._next(read_reply(message))

    def _next(self, reply: Reply) -> None:
        run = self.runs.popleft()
        self.pace += (run.lasted() - self.pace) / 8
        if self.runs:
            self.runs[0].begin()
        run.done(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the process has ended: of itself it does so only where it cannot have more memory."""
        self.alive = False
        if self.timer is not None:
            self.timer.cancel()
        if not self.told.done():
            self.told.set_result(_TOO_MUCH)
        self.ended(self)
        runs, self.runs = self.runs, deque()
        for place, run in enumerate(runs):
            run.done(_RECALLED if place else _TOO_MUCH)

    def give(self, run: Run, job: Job | None) -> None:
        """Give a job, or recall those that are not begun."""
        self.number += 1
        run.number = self.number
        self._send(job_message(job, self.number) if job else recall_message(self.number, self.runs[0].number))
        self.runs.append(run)
        if len(self.runs) == 1:
            run.begin()

    def _send(self, message: Message) -> None:
        """Send a message, together with those that follow at once: to wake a process is what costs."""
        if not self.outgoing:
            self.loop.call_soon(self._flush)
        self.outgoing.append(message.pack())

    def _flush(self) -> None:
        messages, self.outgoing = self.outgoing, []
        self.transport.write(b"".join(messages))

    def watch(self, seconds: float) -> None:
        """Look after so many seconds at the job that runs then; an earlier look remains."""
        due = self.loop.time() + seconds
        if self.timer is not None:
            if self.timer.when() <= due:
                return
            self.timer.cancel()
        self.timer = self.loop.call_at(due, self._look)

    def _look(self) -> None:
        self.timer = None
        if self.alive and self.runs:
            left = self.runs[0].step()
            if self.alive and left is not None:
                self.watch(left)

    def takes_ahead(self, client: str | None) -> bool:
        """Tell whether it may be given a query ahead; of a client named only behind one of that client."""
        if not (self.alive and self.quick and 0 < len(self.runs) <= AHEAD):
            return False
        turn = self.runs[-1].turn
        return client is None or (turn is not None and turn.client == client)

    def load(self) -> int:
        """Return how many jobs it has."""
        return len(self.runs)

    def recall(self) -> list[Run]:
        """Take back the jobs that are not begun."""
        first, *others = self.runs
        self.runs = deque([first])
        return others

    def kill(self) -> None:
        """End the process at once."""
        self.alive = False
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.transport.close()

    async def stop(self) -> None:
        """End the process and wait until it is gone."""
        self.kill()
        await self.process.wait()


def _nothing(_: Worker) -> None:
    """Do nothing."""


class Run:
    """A job that a worker has, until there is a reply or the worker is ended.

    It is ended when the job has had its time; when nobody waits any more, only if the job takes longer than a moment.
    """

    def __init__(self, pool: Pool, worker: Worker, turn: Turn | None) -> None:
        self.pool, self.worker, self.turn = pool, worker, turn
        self.reply: asyncio.Future[Reply] = worker.loop.create_future()
        self.number = self.stage = 0
        self.begun: float | None = None
        self.alone = turn is None

    def begin(self) -> None:
        """Note that the worker has come to the job."""
        self.begun = monotonic()
        self.worker.watch(QUICK)

    def lasted(self) -> float:
        """Return for how many seconds the worker has been at the job."""
        return monotonic() - self.begun if self.begun is not None else 0.0

    def step(self) -> float | None:
        """Do what the time it has run asks for; return the seconds until there is more to do, or None."""
        steps = (QUICK, self._slow), (LONG_AFTER, self._lengthen), (self.pool.limits.seconds, self._end)
        while self.begun is not None and self.stage < len(steps):
            after, step = steps[self.stage]
            left = after - self.lasted()
            if left > 0:
                return left
            self.stage += 1
            step()
        return None

    def _slow(self) -> None:
        self.pool.turns.slow += 1
        self.pool.slow(self.worker)

    def _lengthen(self) -> None:
        if self.alone or self.turn is None:
            self.worker.kill()
        else:
            self.pool.lengthen(self.turn)

    def _end(self) -> None:
        self.worker.kill()
        self._answer(Reply("time", message=f"the query ran longer than {self.pool.limits.seconds:g} seconds"))

    def leave(self) -> None:
        """Note that nobody waits any more."""
        self.alone = True
        if self.stage > 1:
            self.worker.kill()

    def done(self, reply: Reply) -> None:
        """Take the reply; the worker is free again."""
        if self.stage:
            self.worker.loop.call_later(CALM, self.pool.turns.calm)
        if self.turn is not None:
            self.turn.release()
        quick = self.turn is not None and self.begun is not None and not self.stage
        self.pool.take_back(self.worker, quick=quick)
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)


class Pool:
    """The workers over one build; turns are shared with the pools of other builds."""

    def __init__(
        self,
        folder: int,
        limits: Limits,
        project: Project,
        turns: Turns,
        services: Services | None = None,
    ) -> None:
        self.folder, self.limits, self.project, self.turns = os.dup(folder), limits, project, turns
        self.services = services
        self.idle: list[Worker] = []
        self.starting: set[asyncio.Task[None]] = set()
        self.workers: set[Worker] = set()
        self.closed = False

    async def start(self, workers: int) -> None:
        """Start so many workers, and return when the first of them is ready."""
        for _ in range(workers):
            self._spare()
        done, _ = await asyncio.wait(self.starting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def _spare(self) -> None:
        """Start a worker in the background."""
        task = asyncio.get_running_loop().create_task(self._start())
        self.starting.add(task)
        task.add_done_callback(self._started)

    def _started(self, task: asyncio.Task[None]) -> None:
        self.starting.discard(task)
        if not task.cancelled():
            task.exception()

    async def _start(self) -> None:
        worker = await Worker.start(self.folder, self.limits, self.project, services=self.services is not None)
        if self.closed or not worker.alive:
            await worker.stop()
            return
        worker.ended = self._ended
        self.workers.add(worker)
        self.idle.append(worker)

    def _ended(self, worker: Worker) -> None:
        self.workers.discard(worker)
        self._judge(worker, quick=False)

    def _judge(self, worker: Worker, *, quick: bool) -> None:
        """Note whether a worker answers at once: then there are places behind the query it is at."""
        if worker.quick != quick:
            worker.quick = quick
            self.turns.riding += AHEAD if quick else -AHEAD
            self.turns.grant()

    async def ask(self, job: Job, client: str) -> Reply:
        """Evaluate a job within the limits: `busy` if too many wait, `time` or `memory` if its worker was ended."""
        if self.services is not None and not job.task:
            try:
                job = job._replace(query=self.services.rewrite(job.query))
            except NotAllowedError as error:
                return Reply("service", message=str(error))
        while True:
            if self.closed:
                raise GoneError
            try:
                turn = await self.turns.take(client, self.limits.seconds)
            except BusyError as error:
                return Reply("busy", message=str(error))
            try:
                worker = self._ready(client) or await self._free(client)
            except BaseException:
                turn.release()
                raise
            if worker is None:
                turn.release()
                await asyncio.sleep(QUICK / 4)
                continue
            run = Run(self, worker, turn)
            worker.give(run, job)
            try:
                reply = await run.reply
            except asyncio.CancelledError:
                run.leave()
                raise
            if reply is not _RECALLED:
                return reply

    def slow(self, worker: Worker) -> None:
        """Take back what a worker has ahead, since it does not come to it: that waits for its turn again."""
        self._judge(worker, quick=False)
        if len(worker.runs) > 1:
            for run in worker.recall():
                run.done(_RECALLED)
            worker.give(Run(self, worker, None), None)

    def lengthen(self, turn: Turn) -> None:
        """Let a job that takes long go on in the long lane, and see to a worker for those that come."""
        if not self.idle and not self.starting and not self.closed:
            self._spare()
        turn.lengthen()

    def take_back(self, worker: Worker, *, quick: bool) -> None:
        """Keep a worker for the next job, or see to another where it has ended."""
        if not worker.alive:
            if not self.closed and not self.idle and not self.starting:
                self._spare()
        elif not worker.runs:
            self._judge(worker, quick=quick and not self.closed)
            if self.closed:
                worker.kill()
            elif worker not in self.idle:
                self.idle.append(worker)
        else:
            self._judge(worker, quick=quick and not self.closed)

    def _ready(self, client: str) -> Worker | None:
        """Return a worker that is swift, else one that is idle, else one that answers at once.

        A client that has many places may only have queries ahead of its own, so that it never has all workers.
        """
        many = self.turns.is_many(client)
        ahead = [worker for worker in self.workers if worker.takes_ahead(client if many else None)]
        swift = [worker for worker in ahead if worker.pace < SWIFT]
        if swift:
            return max(swift, key=Worker.load)
        while self.idle and not many:
            worker = self.idle.pop()
            if worker.alive:
                return worker
        return min(ahead, key=Worker.load) if ahead else None

    async def _free(self, client: str) -> Worker | None:
        """Return a worker that is ready, and wait for one that starts.

        None says that there is none: one that answered at once when the place was given does so no more.
        """
        while True:
            worker = self._ready(client)
            if worker is not None or self.turns.is_many(client):
                return worker
            if not self.starting:
                if len(self.workers) >= self.turns.short + self.turns.long:
                    return None
                self._spare()
            done, _ = await asyncio.wait(set(self.starting), return_when=asyncio.FIRST_COMPLETED)
            if not self.idle and not self.starting and all(task.exception() for task in done):
                raise GoneError

    async def close(self) -> None:
        """End all idle workers; those at work end with their job."""
        self.closed = True
        for task in list(self.starting):
            with contextlib.suppress(GoneError, asyncio.CancelledError):
                await task
        await asyncio.gather(*(worker.stop() for worker in self.idle))
        self.idle.clear()
        os.close(self.folder)
