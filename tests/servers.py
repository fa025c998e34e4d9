"""Servers for tests: `kgbuild serve` in a process of its own, spoken to over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from kgbuild.building import build
from kgbuild.project import load_project
from kgbuild.site.documents import document_files

ROOT = Path(__file__).parents[1]
T = TypeVar("T")


def copy_project(folder: Path) -> Path:
    """Copy the article's project, so that a test may build and change it."""
    for name in ("data", "ontology", "queries"):
        shutil.copytree(ROOT / name, folder / name)
    for path in (ROOT / "pyproject.toml", *document_files(load_project(ROOT))):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in a thread of its own: a browser may have a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def built_project(folder: Path) -> Path:
    """Copy the article's project and build it."""
    build(copy_project(folder))
    return folder


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}/"

    def connect(self, source: str = "") -> http.client.HTTPConnection:
        found = (source, 0) if source else None
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=found)

    def ask(
        self, path: str, method: str = "GET", body: bytes | str | None = None, source: str = "", **headers: str
    ) -> Answer:
        """Send a request; `content_type` and the like become headers."""
        connection = self.connect(source)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, f"/{path}", body, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def query(self, sparql: str, accept: str = "application/sparql-results+json", **more: Any) -> Answer:
        return self.ask("sparql?" + urlencode({"query": sparql, **more}, doseq=True), accept=accept)

    def stop(self) -> int:
        """Ask the server to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextlib.contextmanager
def serving(project: Path, *options: str, command: str = "serve") -> Iterator[Server]:
    """Run a server at a free port until the test is done."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kgbuild", "-C", str(project), command, "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"serving http://[^ ]*?:(\d+)/", said)):
            line = process.stderr.readline()
            assert line, f"the server ended: {said}"
            said += line
        yield Server(process, int(found[1]))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stderr is not None
        process.stderr.close()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def seconds(pid: int) -> float:
    """Return how long a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(condition: Any, seconds: float = 10) -> bool:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
