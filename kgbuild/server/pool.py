"""The worker processes over one build: started, given jobs, and killed when a job exceeds its limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from kgbuild.server.jobs import HEAD, Job, Reply, pack_job
from kgbuild.server.services import NotAllowedError, Services
from kgbuild.server.settings import Limits
from kgbuild.server.turns import BusyError, Turn, Turns

LONG_AFTER = 0.2
"""Seconds after which a query counts as a long one."""


class GoneError(Exception):
    """The build of this pool is no longer on the disk."""


class Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, folder: int, limits: Limits, prefixes: Mapping[str, str], *, services: bool) -> Worker:
        """Start a process over the build whose folder is open as a file descriptor, and wait until it is ready."""
        settings = {
            "folder": folder, "memory": limits.memory, "seconds": limits.seconds, "rows": limits.rows,
            "bytes": limits.bytes, "prefixes": dict(prefixes), "services": services,
        }  # fmt: skip
        made = cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "kgbuild.server.worker", json.dumps(settings)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(folder,),
                limit=1 << 20,
                start_new_session=True,
            )
        )
        try:
            head, _ = await made._read()
        except (asyncio.IncompleteReadError, OSError):
            head = {"status": "gone"}
        if head["status"] != "ready":
            await made.stop()
            raise GoneError
        return made

    async def _read(self) -> tuple[dict[str, str], bytes]:
        assert self.process.stdout is not None
        size, body = HEAD.unpack(await self.process.stdout.readexactly(HEAD.size))
        head = json.loads(await self.process.stdout.readexactly(size))
        return head, await self.process.stdout.readexactly(body)

    async def ask(self, job: Job) -> Reply:
        """Give a job and wait for what becomes of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(pack_job(job))
        await self.process.stdin.drain()
        head, body = await self._read()
        return Reply(body=body, **head)  # type: ignore[arg-type]  # the worker spells what `Reply` takes

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def stop(self) -> None:
        """End the process and wait until it is gone."""
        self.kill()
        await self.process.wait()


class Pool:
    """The workers over one build; turns are shared with the pools of other builds."""

    def __init__(
        self,
        folder: int,
        limits: Limits,
        prefixes: Mapping[str, str],
        turns: Turns,
        services: Services | None = None,
    ) -> None:
        self.folder, self.limits, self.prefixes, self.turns = os.dup(folder), limits, prefixes, turns
        self.services = services
        self.idle: list[Worker] = []
        self.starting: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.closed = False
        self.killed = 0

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
        worker = await Worker.start(self.folder, self.limits, self.prefixes, services=self.services is not None)
        if self.closed:
            await worker.stop()
        else:
            self.idle.append(worker)

    async def ask(self, job: Job, client: str) -> Reply:
        """Evaluate a job within the limits: `busy` if too many wait, `time` or `memory` if its worker was ended."""
        if self.services is not None:
            try:
                job = replace(job, query=self.services.rewrite(job.query))
            except NotAllowedError as error:
                return Reply("service", message=str(error))
        try:
            async with asyncio.timeout(self.limits.seconds):
                turn = await self.turns.take(client)
        except BusyError:
            return Reply("busy", message="too many queries wait; try again in a moment")
        except TimeoutError:
            return Reply("busy", message="no worker was free in time; try again in a moment")
        self.busy += 1
        timer = asyncio.get_running_loop().call_later(LONG_AFTER, self._lengthen, turn)
        try:
            return await self._run(job)
        finally:
            timer.cancel()
            self.busy -= 1
            turn.release()

    def _lengthen(self, turn: Turn) -> None:
        if not self.idle and not self.starting and not self.closed:
            self._spare()
        turn.lengthen()

    async def _run(self, job: Job) -> Reply:
        worker = await self._idle()
        try:
            async with asyncio.timeout(self.limits.seconds):
                reply = await worker.ask(job)
        except TimeoutError:
            self._kill(worker)
            return Reply("time", message=f"the query ran longer than {self.limits.seconds:g} seconds")
        except (asyncio.IncompleteReadError, OSError):
            self._kill(worker)
            return Reply("memory", message="the query needs more memory than one query may take")
        except BaseException:
            self._kill(worker)
            raise
        if self.closed:
            worker.kill()
        else:
            self.idle.append(worker)
        return reply

    async def _idle(self) -> Worker:
        while True:
            if not self.idle:
                if not self.starting:
                    self._spare()
                await asyncio.wait(set(self.starting), return_when=asyncio.FIRST_COMPLETED)
                if not self.idle and not self.starting:
                    raise GoneError
                continue
            worker = self.idle.pop()
            if worker.process.returncode is None:
                return worker

    def _kill(self, worker: Worker) -> None:
        worker.kill()
        self.killed += 1
        if not self.closed and not self.idle and not self.starting:
            self._spare()

    async def close(self) -> None:
        """End all idle workers; those at work end with their job."""
        self.closed = True
        for task in list(self.starting):
            with contextlib.suppress(GoneError, asyncio.CancelledError):
                await task
        await asyncio.gather(*(worker.stop() for worker in self.idle))
        self.idle.clear()
        os.close(self.folder)
