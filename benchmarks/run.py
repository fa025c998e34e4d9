"""Measure kgbuild beside its peers.

    python benchmarks/run.py [--quick | --large | --claims N…] [--only WORK…] [--patience S] [--cache FOLDER]

Builds an environment for each peer below the cache folder (from PyPI), lays the same data for all, runs each piece of
work in a process of its own, and checks that the results are equal. Prints tables and whether the targets are met;
writes `results.csv`, `results.md` and `results.svg` beside this file, where results of other works and sizes that were
measured on this machine stay. Compare ratios of one run, not figures of two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path

from peers import CACHE, environment, memory
from results import OURS, TWO, UNITS, Result, plot, read, report, together, write

HERE = Path(__file__).parent
WORK: dict[str, dict[str, int]] = {
    "compile": {
        OURS: 10**7, "pyoxigraph": 10**5, "maplib": 10**5, "morph_kgc": 10**5, "rdflib": 10**4, "linkml": 4 * 10**3,
    },
    "shards": {OURS: 10**6, TWO: 10**6},
    "load": {OURS: 10**6, "oxigraph": 10**6, "rdflib": 10**4},
    "query": {OURS: 10**6, "oxigraph": 10**6, "rdflib": 10**4},
    "validate": {OURS: 10**7, "pyshifty": 10**5, "pyshacl": 4 * 10**3},
    "validate_all": {OURS: 10**5, "pyshacl": 4 * 10**3},
    "render": {OURS: 10**4, TWO: 10**4, "jinja2": 10**4},
}  # fmt: skip
"""Who does which work, up to how many claims: beyond, a peer takes too long or too much memory."""
USUAL = (1000, 4000, 10_000, 100_000)
SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "shards": ((1000,), (10_000, 100_000)),
    "validate_all": ((100,), (300, 4000, 10_000)),
    "render": ((1000,), (10_000,)),
}
"""Works with sizes of their own, quick and usual: few shards, few pages tell nothing, and pySHACL takes minutes."""
NEEDED = {"compile": ({"load", "query"}, {OURS}), "load": ({"query"}, {OURS, "oxigraph"})}
"""Works whose results others need, and of whom."""
_STRING = "^^<http://www.w3.org/2001/XMLSchema#string>"


def main() -> int:
    """Measure, print and write; the exit code is 1 where results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="1,000 claims only, and one short round of the servers")
    size.add_argument("--large", action="store_true", help="a million claims as well")
    size.add_argument("--claims", nargs="+", type=int, help="these numbers of claims")
    parser.add_argument("--only", nargs="*", choices=sorted(UNITS), default=sorted(UNITS), help="these pieces of work")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of environments and data")
    parser.add_argument(
        "--patience", type=int, default=300, metavar="S", help="CPU seconds after which a peer is cut off (300)"
    )
    options = parser.parse_args()
    results: list[Result] = []
    for claims, works in planned(options).items():
        results += measure(claims, works, options.cache, options.patience)
    if "serve" in options.only:
        from serve import compare

        results += compare(options.cache, *((1, 1, 2) if options.quick else ()))
    results = together(read(HERE / "results.csv"), results)
    told = report(results)
    print(told)
    write(results, HERE / "results.csv")
    (HERE / "results.md").write_text(told, "utf-8")
    (HERE / "results.svg").write_text(plot(results), "utf-8")
    return int(any(result.outcome == "different" for result in results))


def planned(options: argparse.Namespace) -> dict[int, set[str]]:
    """Return which works are done at which size, the smallest first."""
    plan: dict[int, set[str]] = {}
    for work in WORK.keys() & set(options.only):
        quick, usual = SIZES.get(work, (USUAL[:1], USUAL))
        sizes = options.claims or (quick if options.quick else (*usual, *([1_000_000] if options.large else ())))
        for claims in sizes:
            plan.setdefault(claims, set()).add(work)
    return dict(sorted(plan.items()))


def measure(claims: int, works: Collection[str], cache: Path, patience: int) -> list[Result]:
    """Do all work at one size, and what it needs."""
    from data import lay

    folder = cache.resolve() / "data"
    shutil.rmtree(folder, ignore_errors=True)
    lay(folder, claims, works)
    results: list[Result] = []
    for work, workers in WORK.items():
        others, needed = NEEDED.get(work, (set(), set()))
        for who, most in workers.items():
            if claims <= most and (work in works or (others & set(works) and who in needed)):
                print(f"{work} by {who}, {claims:,} claims", file=sys.stderr, flush=True)
                results.append(run(work, who, claims, folder, cache, patience, results))
        for path in folder.glob("compile-*.nq"):
            if path.stem != f"compile-{OURS}":
                path.unlink()
    shutil.rmtree(folder)
    return [result for result in results if result.work in works]


def run(
    work: str, who: str, claims: int, folder: Path, cache: Path, patience: int, before: Collection[Result]
) -> Result:
    """Run one job and watch its memory; a peer that is cut off counts as if it had done what kgbuild did `before`."""
    limit = "0" if who in {OURS, TWO} else str(patience)
    command = [str(environment(who, cache)), str(HERE / "jobs.py"), f"{work}_{who}", str(folder), limit]
    env = os.environ | {"PYTHONHASHSEED": "0", "POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as process:
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{work} by {who} failed")
    told = json.loads(out.splitlines()[-1])
    count = told["count"]
    if count is None:
        count = next(result.count for result in before if (result.work, result.who) == (work, OURS))
        outcome = "cut off"
    else:
        outcome = same(work, who, folder)
    return Result(
        work, "", who, claims, count, round(told["cpu"], 3), round(told["wall"], 3), round(peak[0]), outcome=outcome
    )


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], memory(process.pid))
        time.sleep(0.02)


def same(work: str, who: str, folder: Path) -> str:
    """Tell whether a peer's result is ours."""
    if who == OURS or work == "load":
        return "equal"  # what was loaded, the queries tell
    ending = "nq" if work == "compile" else "json"
    ours, theirs = (folder / f"{work}-{name}.{ending}" for name in (OURS, who))
    if not theirs.exists():
        return "not compared"
    if work != "compile":
        equal = json.loads(ours.read_text("utf-8")) == json.loads(theirs.read_text("utf-8"))
    else:
        plain = who in {"maplib", "linkml"}
        equal = _lines(ours, plain=plain) == _lines(theirs, plain=plain)
    return "equal" if equal else "different"


def _lines(path: Path, *, plain: bool) -> list[str]:
    """Return sorted lines; for who cannot write graphs and languages by row, without these."""
    with path.open(encoding="utf-8") as file:
        lines = [line.strip().replace(_STRING, "") for line in file if line.strip()]
    if plain:
        lines = [re.sub(r" <[^<>]*np/RA[^<>]*#(?:Head|assertion|provenance|pubinfo)> \.$", " .", line) for line in lines
                 ] if path.stem.endswith(OURS) else lines  # fmt: skip
        lines = [re.sub(r'"@[a-z-]+ \.$', '" .', line) for line in lines]
        lines = [line.replace("+00:00", "Z").replace(".000000000", "") for line in lines]
    return sorted(lines)


if __name__ == "__main__":
    sys.exit(main())
