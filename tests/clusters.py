"""A standalone cluster of Apache Spark on loopback for tests, one master and two workers, and a store that speaks S3."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stores import free_port, running

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".spark" / "bin" / "python"
CALM = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


@dataclass
class Cluster:
    """A running cluster: its address, and the processes of its workers."""

    address: str
    ui: str
    workers: list[subprocess.Popen[bytes]]

    def kill(self, number: int) -> None:
        """Kill a worker with all that it started, as a machine that fails."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait()

    def alive(self) -> int:
        """Return how many workers the master knows to be alive."""
        with urllib.request.urlopen(f"{self.ui}/json/", timeout=5) as answer:
            return answer.read().decode().count('"ALIVE"') - 1  # the master says so of itself


@contextlib.contextmanager
def object_store(folder: Path, bucket: str) -> Iterator[str]:
    """Run a store that speaks S3 until the block ends, with an empty bucket; its address is that of the bucket."""
    port = free_port()
    command = [str(PYTHON.with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder, f"http://127.0.0.1:{port}"):
        made = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}", method="PUT")
        urllib.request.urlopen(made, timeout=10).close()
        yield f"s3://reader:secret@{bucket}/graph?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of drivers and workers: nothing of this machine's settings of Spark."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "PYTHON"))}
    return kept | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(folder / "scratch")}


@contextlib.contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Run a master and workers until the block ends; skip the test where Spark or Java is not there."""
    if not PYTHON.exists():
        pytest.skip("Apache Spark is not installed: .ci/spark installs it")
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    home = next((ROOT / ".spark/lib").glob("python*/site-packages/pyspark"))
    made: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        jars = f"{home / 'jars'}/*"
        kind = f"org.apache.spark.deploy.{name}"
        with (folder / f"{name}-{len(made)}.log").open("wb") as log:
            process = subprocess.Popen(
                ["java", *CALM, "-cp", jars, kind, "--host", "127.0.0.1", *arguments],
                cwd=folder,
                env=environment(folder) | {"SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.13"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        made.append(process)
        return process

    port, ui = free_port(), free_port()
    address = f"spark://127.0.0.1:{port}"
    try:
        start("master.Master", "--port", str(port), "--webui-port", str(ui))
        found = Cluster(address, f"http://127.0.0.1:{ui}", [])
        for number in range(workers):
            options = ["-c", "1", "-m", "1g", "-d", str(folder / f"work-{number}"), "--webui-port", "0", address]
            found.workers.append(start("worker.Worker", *options))
        _wait(found, workers, folder)
        yield found
    finally:
        for process in made:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(found: Cluster, workers: int, folder: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found.alive() >= workers:
                return
        time.sleep(0.2)
    logs = "\n".join(path.read_text("utf-8", "replace") for path in folder.glob("*.log"))
    raise AssertionError(f"the cluster did not start:\n{logs}")
