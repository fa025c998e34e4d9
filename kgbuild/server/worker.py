"""A worker process: opens the store of a build, gives up what it does not need, and answers jobs until told to stop.

The process can be killed at any time. So that no query reaches out, it cannot open files or sockets once it is ready,
but as many as its store still has to open. It takes no more memory than allowed, and ends by itself when its job
outlives the limit or its server.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pyoxigraph as ox

from kgbuild.diagnostics import AbsentError
from kgbuild.names import FOLDER, Names
from kgbuild.server.jobs import Job, Message, Messages, Reply, evaluate, read_job, recalled_after, reply_message
from kgbuild.server.lookup import Lookup
from kgbuild.store import OxigraphStore

NICENESS = 2
_PART = 1 << 18
_AWAKE = 0.0001
"""Seconds for which a worker that has nothing to do looks for a job again and again."""


def main() -> None:
    """Answer the jobs that come through the socket on standard input, as the settings in the first argument say."""
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    tied = _tie()
    os.fchdir(settings["folder"])
    server = socket.socket(fileno=0)
    try:
        store, names = ox.Store.read_only("store"), Names.open(Path(FOLDER))
    except OSError as error:
        server.sendall(reply_message(Reply("gone", message=str(error)), 0).pack())
        return
    lookup = Lookup(OxigraphStore(store), names, settings["base"], settings["prefixes"], tuple(settings["languages"]))
    _confine(settings["memory"], services=settings["services"])
    gc.freeze()
    server.sendall(reply_message(Reply("ready"), 0).pack())
    for message in _messages(server):
        if not tied:
            signal.setitimer(signal.ITIMER_REAL, settings["seconds"] + 1)
        reply = _reply(store, lookup, read_job(message), settings) if message.head else Reply("ok")
        if not tied:
            signal.setitimer(signal.ITIMER_REAL, 0)
        server.sendall(reply_message(reply, message.number).pack())


def _reply(store: ox.Store, lookup: Lookup, job: Job, settings: dict[str, Any]) -> Reply:
    if not job.task:
        return evaluate(
            store, job, settings["prefixes"], settings["rows"], settings["bytes"], services=settings["services"]
        )
    try:
        return Reply("ok", lookup.answer(job.task, job.query), "application/json")
    except (AbsentError, OSError, RuntimeError) as error:
        return Reply("storage", message=str(error))
    except ValueError as error:
        return Reply("syntax", message=str(error))


def _messages(server: socket.socket) -> Iterator[Message]:
    """Yield the messages of the server, without the jobs that it has recalled meanwhile, until it has gone."""
    messages, waiting = Messages(), deque[Message]()
    while True:
        with contextlib.suppress(BlockingIOError):
            part = server.recv(_PART, socket.MSG_DONTWAIT) if waiting else _receive(server)
            if not part:
                return
            for message in messages.take(part):
                begun = recalled_after(message)
                while begun is not None and waiting and waiting[-1].number > begun:
                    waiting.pop()
                waiting.append(message)
        if waiting:
            yield waiting.popleft()


def _receive(server: socket.socket) -> bytes:
    """Wait for what the server sends: awake at first, for to be woken takes longer than many a query."""
    asleep = monotonic() + _AWAKE
    while monotonic() < asleep:
        with contextlib.suppress(BlockingIOError):
            return server.recv(_PART, socket.MSG_DONTWAIT)
        os.sched_yield()
    return server.recv(_PART)


def _tie() -> bool:
    """End with the server, even in the middle of a job (Linux prctl); return False where the system cannot."""
    import ctypes

    parent_death_signal = 1
    try:
        return int(ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)) == 0
    except (AttributeError, OSError):
        return False


def _confine(memory: int, *, services: bool) -> None:
    """Bound the memory that is left to take; let no more files or sockets be opened."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if not services:
        places = [os.dup(0) for _ in range(_unread(Path("store")) + 1)]
        for place in places:
            os.close(place)
        resource.setrlimit(resource.RLIMIT_NOFILE, (places[-1], places[-1]))


def _unread(store: Path) -> int:
    """Return how many files of a store are not open yet: of many, it opens the most when it needs them."""
    files = {path.name for path in store.glob("*.sst")}
    with contextlib.suppress(OSError):
        files -= {link.readlink().name for link in list(Path("/proc/self/fd").iterdir()) if link.is_symlink()}
    return len(files)


if __name__ == "__main__":
    main()
