"""Time the commands a user types, on the article: `python benchmarks/commands.py`.

Each command runs in a process of its own; the median of five runs is shown beside the limit the project sets itself.
`kgbuild check --engine pyshacl` is the peer: the same validation by pySHACL alone.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 5


def seconds(project: Path, *arguments: str) -> float:
    """Run a command once and return its wall time."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "kgbuild", "-C", str(project), *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print a table of medians."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        for name in ("ontology", "data", "queries"):
            shutil.copytree(ROOT / name, project / name)
        (project / "benchmarks").mkdir()
        for path in (ROOT / "benchmarks").glob("results.*"):
            shutil.copy(path, project / "benchmarks")
        shutil.copy(ROOT / "pyproject.toml", project)
        cases: list[tuple[str, tuple[str, ...], float | None, int]] = [
            ("python -c pass (start of Python itself)", (), None, RUNS),
            ("kgbuild --help", ("--help",), 0.2, RUNS),
            ("kgbuild check", ("check",), 1.5, RUNS),
            ("kgbuild check --engine pyshacl (peer)", ("check", "--engine", "pyshacl"), None, 1),
            ("kgbuild build --force", ("build", "--force"), 3.0, RUNS),
            ("kgbuild build, nothing changed", ("build",), 0.7, RUNS),
            ("kgbuild query foods", ("query", "foods"), None, RUNS),
            ("kgbuild test", ("test",), None, RUNS),
        ]
        print(f"{'command':<42} {'median s':>9} {'limit s':>8}")
        for words, arguments, limit, runs in cases:
            if arguments:
                taken = statistics.median(seconds(project, *arguments) for _ in range(runs))
            else:
                taken = statistics.median(_bare() for _ in range(runs))
            print(f"{words:<42} {taken:>9.2f} {limit if limit is not None else '':>8}")


def _bare() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
