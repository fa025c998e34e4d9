"""Real SPARQL stores on loopback for tests: `oxigraph serve` and Virtuoso, each in a folder of its own."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


def free_port() -> int:
    """Return a port that nobody listens at, below those that the system gives to clients.

    Of those, another client may take it meanwhile, or a client that tries it may meet itself.
    """
    while True:
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


VIRTUOSO_PACKAGE = "apt-get install virtuoso-opensource-7"
INSTALL = {"oxigraph": "pip install oxigraph", "virtuoso-t": VIRTUOSO_PACKAGE, "isql-vt": VIRTUOSO_PACKAGE}


def program(name: str) -> str:
    """Return the path of a program, or skip the test and say how to install it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed ({INSTALL.get(name, 'see .ci/run')})")
    return found


@dataclass(frozen=True)
class Running:
    """A server: its address, and its process."""

    url: str
    process: int


@contextlib.contextmanager
def running(command: list[str], folder: Path, address: str, seconds: float = 30) -> Iterator[Running]:
    """Run a server until the block ends; its address answers before the block starts."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(address, process, folder, seconds)
            yield Running(address, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no server at {address}: {(folder / 'server.log').read_text()[-2000:]}")


def oxigraph(folder: Path, dump: Path | None = None) -> contextlib.AbstractContextManager[Running]:
    """Run `oxigraph serve` on a store in a folder, with the quads of a dump."""
    folder.mkdir(parents=True, exist_ok=True)
    name, store, port = program("oxigraph"), str(folder / "store"), free_port()
    if dump is not None:
        subprocess.run([name, "load", "--location", store, "--file", str(dump)], check=True, capture_output=True)
    command = [name, "serve", "--location", store, "--bind", f"127.0.0.1:{port}"]
    return running(command, folder, f"http://127.0.0.1:{port}")


VIRTUOSO = """[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
[TempDatabase]
DatabaseFile = virtuoso-temp.db
TransactionFile = virtuoso-temp.trx
[Parameters]
ServerPort = {sql}
DisableUnixSocket = 1
ServerThreads = 10
NumberOfBuffers = 20000
MaxDirtyBuffers = 15000
DirsAllowed = .
[HTTPServer]
ServerPort = 127.0.0.1:{http}
ServerThreads = 5
[SPARQL]
ResultSetMaxRows = 10000
"""


@contextlib.contextmanager
def virtuoso(folder: Path, dump: Path | None = None) -> Iterator[Running]:
    """Run Virtuoso on a database in a folder, with the quads of a dump; user and password are `dba`."""
    folder.mkdir(parents=True, exist_ok=True)
    sql, port = free_port(), free_port()
    (folder / "virtuoso.ini").write_text(VIRTUOSO.format(sql=sql, http=port))
    command = [program("virtuoso-t"), "+foreground", "+configfile", "virtuoso.ini"]
    with running(command, folder, f"http://127.0.0.1:{port}", seconds=60) as server:
        if dump is not None:
            _load(shutil.copy(dump, folder / "dump.nq"), sql)
        yield server


def _load(dump: Path, sql: int) -> None:
    """Load N-Quads with Virtuoso's own tool (512), at its port for SQL."""
    statement = f"DB.DBA.TTLP_MT(file_to_string_output('{dump}'), '', 'urn:x-none', 512); checkpoint;"
    command = [program("isql-vt"), f"127.0.0.1:{sql}", "dba", "dba", f"exec={statement}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Error" not in done.stderr + done.stdout, done.stderr + done.stdout
