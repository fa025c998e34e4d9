"""The worker processes over one build: started, given jobs, and killed when a job exceeds its limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from kgbuild.project import Project
from kgbuild.server.jobs import Job, Messages, Reply, pack_job, read_reply
from kgbuild.server.services import NotAllowedError, Services
from kgbuild.server.settings import Limits
from kgbuild.server.turns import BusyError, Turn, Turns

LONG_AFTER = 0.2
"""Seconds after which a query counts as a long one."""
ALLOCATOR = "glibc.malloc.tcache_count=2000"
"""What glibc is told in a worker: keep freed pieces at hand, for each query takes and frees thousands of one size."""
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
        self.tell: Callable[[Reply], None] = self.told.set_result
        self.alive = True

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
        """Take a part of a reply."""
        message = self.messages.take(data)
        if message is not None:
            self._tell(read_reply(message))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the process has ended: of itself it does so only where it cannot have more memory."""
        self.alive = False
        self._tell(_TOO_MUCH)

    def _tell(self, reply: Reply) -> None:
        tell, self.tell = self.tell, _nobody
        tell(reply)

    def give(self, job: Job, tell: Callable[[Reply], None]) -> None:
        """Give a job, and say who is told what becomes of it."""
        self.tell = tell
        self.transport.write(pack_job(job))

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


def _nobody(_: Reply) -> None:
    """Tell nobody: no job was given."""


class Run:
    """A job that a worker has, until there is a reply or the worker is ended.

    It is ended when the job has had its time; when nobody waits any more, only if the job takes longer than a moment.
    """

    def __init__(self, pool: Pool, worker: Worker, turn: Turn, job: Job) -> None:
        self.pool, self.worker, self.turn = pool, worker, turn
        self.loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[Reply] = self.loop.create_future()
        self.left = pool.limits.seconds
        self.long = self.alone = False
        self.timer = self._wait(min(LONG_AFTER, self.left))
        pool.running.add(self)
        worker.give(job, self.done)

    def _wait(self, seconds: float) -> asyncio.TimerHandle:
        self.left -= seconds
        return self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self.alone:
            self.worker.kill()
        elif self.left > 0:
            self.long = True
            self.pool.lengthen(self.turn)
            self.timer = self._wait(self.left)
        else:
            self.worker.kill()
            seconds = self.pool.limits.seconds
            self._answer(Reply("time", message=f"the query ran longer than {seconds:g} seconds"))

    def leave(self) -> None:
        """Note that nobody waits any more."""
        self.alone = True
        if self.long:
            self.worker.kill()

    def done(self, reply: Reply) -> None:
        """Take the reply; the worker is free again."""
        self.timer.cancel()
        self.pool.running.discard(self)
        self.turn.release()
        self.pool.take_back(self.worker)
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
        self.running: set[Run] = set()
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
        if self.closed:
            await worker.stop()
        else:
            self.idle.append(worker)

    async def ask(self, job: Job, client: str) -> Reply:
        """Evaluate a job within the limits: `busy` if too many wait, `time` or `memory` if its worker was ended."""
        if self.services is not None and not job.task:
            try:
                job = replace(job, query=self.services.rewrite(job.query))
            except NotAllowedError as error:
                return Reply("service", message=str(error))
        try:
            turn = await self.turns.take(client, self.limits.seconds)
        except BusyError as error:
            return Reply("busy", message=str(error))
        try:
            run = Run(self, await self._idle(), turn, job)
        except BaseException:
            turn.release()
            raise
        try:
            return await run.reply
        except asyncio.CancelledError:
            run.leave()
            raise

    def lengthen(self, turn: Turn) -> None:
        """Let a job that takes long go on in the long lane, and see to a worker for those that come."""
        if not self.idle and not self.starting and not self.closed:
            self._spare()
        turn.lengthen()

    def take_back(self, worker: Worker) -> None:
        """Keep a worker for the next job, or see to another where it has ended."""
        if self.closed:
            worker.kill()
        elif worker.alive:
            self.idle.append(worker)
        elif not self.idle and not self.starting:
            self._spare()

    async def _idle(self) -> Worker:
        while True:
            while self.idle:
                worker = self.idle.pop()
                if worker.alive:
                    return worker
            if not self.starting:
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
