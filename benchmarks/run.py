"""Measure kgbuild beside its peers.

    python benchmarks/run.py [--quick | --large | --claims N…] [--only WORK…] [--cache FOLDER]

Builds an environment for each peer below the cache folder (from PyPI, versions below), lays the same data for all, runs
each piece of work in a process of its own, and checks that the results are equal. Prints tables and whether the targets
are met; writes `results.csv`, `results.md` and `results.svg` beside this file. Figures are CPU seconds of the work
alone and the peak of the resident memory of all its processes; compare ratios of one run, not figures of two machines.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, os.fspath(HERE))
OURS = "kgbuild"
PEERS = {
    "rdflib": "rdflib==7.6.0",
    "pyshacl": "pyshacl==0.40.1",
    "pyshifty": "pyshifty==0.5.1 rdflib==7.6.0",
    "morph_kgc": "morph-kgc==2.10.0",
    "maplib": "maplib==0.20.26",
}
WORK: dict[str, dict[str, int]] = {
    "compile": {OURS: 10**7, "pyoxigraph": 10**5, "maplib": 10**5, "morph_kgc": 10**5, "rdflib": 10**4},
    "load": {OURS: 10**6, "rdflib": 10**4},
    "query": {OURS: 10**6, "rdflib": 10**4},
    "validate": {OURS: 10**7, "two_processes": 10**6, "pyshifty": 10**5, "pyshacl": 4 * 10**3},
}
"""Who does which work, up to how many claims: beyond, a peer takes too long or too much memory."""
_STRING = "^^<http://www.w3.org/2001/XMLSchema#string>"
UNITS = {"compile": "quads", "load": "quads", "query": "rows", "validate": "triples"}


@dataclass(frozen=True, slots=True)
class Result:
    """What one piece of work took."""

    work: str
    who: str
    claims: int
    count: int
    cpu: float
    wall: float
    peak_mb: float
    equal: bool

    @property
    def rate(self) -> float:
        """Return what was done in a CPU second."""
        return self.count / self.cpu if self.cpu else 0.0


def main() -> int:
    """Measure, print and write; the exit code is 1 where results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="1,000 claims only")
    size.add_argument("--large", action="store_true", help="a million claims as well")
    size.add_argument("--claims", nargs="+", type=int, help="these numbers of claims")
    parser.add_argument("--only", nargs="*", choices=sorted(WORK), default=sorted(WORK), help="these pieces of work")
    parser.add_argument(
        "--cache", type=Path, default=HERE.parent / ".benchmarks", help="folder of environments and data"
    )
    options = parser.parse_args()
    usual = [1000] if options.quick else [1000, 4000, 10_000, 100_000, *([1_000_000] if options.large else [])]
    results: list[Result] = []
    for claims in options.claims or usual:
        results += measure(claims, options.only, options.cache)
    told = report(results)
    print(told)
    (HERE / "results.md").write_text(told, "utf-8")
    (HERE / "results.svg").write_text(plot(results), "utf-8")
    with (HERE / "results.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(result) for result in results)
    return int(not all(result.equal for result in results))


def measure(claims: int, works: Iterable[str], cache: Path) -> list[Result]:
    """Do all work at one size."""
    from data import lay

    folder = cache / "data"
    shutil.rmtree(folder, ignore_errors=True)
    lay(folder, claims, peers=claims <= 10**5)
    results: list[Result] = []
    for work in ("compile", "load", "query", "validate"):
        if work not in works and not (work in {"compile", "load"} and {"load", "query"} & set(works)):
            continue
        for who, most in WORK[work].items():
            if claims <= most:
                print(f"{work} by {who}, {claims:,} claims", file=sys.stderr, flush=True)
                results.append(run(work, who, claims, folder, cache))
        for path in folder.glob("compile-*.nq"):
            if path.stem != "compile-kgbuild":
                path.unlink()
    shutil.rmtree(folder)
    return results


def environment(who: str, cache: Path) -> Path:
    """Return the Python of a peer's environment, made where it is not there."""
    if who not in PEERS:
        return Path(sys.executable)
    folder = cache / who
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        print(f"making the environment of {who}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS[who].split()]
        subprocess.run(install, check=True)
        (folder / "ready").touch()
    return python


def run(work: str, who: str, claims: int, folder: Path, cache: Path) -> Result:
    """Run one job and watch its memory."""
    command = [str(environment(who, cache)), str(HERE / "jobs.py"), f"{work}_{who}", str(folder)]
    env = os.environ | {"PYTHONHASHSEED": "0", "POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    if who == "two_processes":
        env.pop("RAYON_NUM_THREADS")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as process:
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{work} by {who} failed")
    told = json.loads(out.splitlines()[-1])
    equal = who == OURS or same(work, who, folder)
    return Result(
        work, who, claims, told["count"], round(told["cpu"], 3), round(told["wall"], 3), round(peak[0]), equal
    )


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], _memory(process.pid))
        time.sleep(0.02)


def _memory(pid: int) -> float:
    """Return the resident memory of a process and its children in MB; pages that they share count once (PSS)."""
    total, todo = 0.0, [pid]
    while todo:
        each = todo.pop()
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{each}/smaps_rollup").read_text(), re.M)
            total += int(found[1]) / 1024 if found else 0.0
            for task in Path(f"/proc/{each}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def same(work: str, who: str, folder: Path) -> bool:
    """Tell whether a peer's result is ours."""
    if work == "load":
        return True  # the queries tell
    ending = "nq" if work == "compile" else "json"
    ours, theirs = (folder / f"{work}-{name}.{ending}" for name in (OURS, who))
    if work != "compile":
        return bool(json.loads(ours.read_text("utf-8")) == json.loads(theirs.read_text("utf-8")))
    plain = who == "maplib"
    return _lines(ours, plain=plain) == _lines(theirs, plain=plain)


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


def machine() -> str:
    """Describe the machine."""
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    size = f"{int(memory[1]) / 2**20:.0f} GB" if memory else "unknown memory"
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors, {size}, "
        f"{platform.system()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""


def report(results: list[Result]) -> str:
    """Return the tables and the targets as Markdown."""
    lines = ["# Results", "", machine() + ".", ""]
    for work in dict.fromkeys(result.work for result in results):
        lines += [f"## {work.capitalize()}", ""]
        lines += [f"| claims | who | CPU s | {UNITS[work]} per CPU s | peak MB | kgbuild is | same result |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for result in (each for each in results if each.work == work):
            ours = find(results, work, OURS, result.claims)
            times = f"{ours.rate / result.rate:.1f} ×" if ours and result.rate and result.who != OURS else ""
            row = (
                f"{result.claims:,}",
                result.who,
                f"{result.cpu:.2f}",
                f"{result.rate:,.0f}",
                f"{result.peak_mb:.0f}",
            )
            lines.append(f"| {' | '.join(row)} | {times} | {'yes' if result.equal else 'NO'} |")
        lines.append("")
    lines += ["## Targets", "", "| target | measured | met |", "|---|---|---|"]
    lines += [f"| {words} | {value} | {'yes' if met else 'no'} |" for words, value, met in targets(results)]
    return "\n".join(lines) + "\n"


def find(results: list[Result], work: str, who: str, claims: int | None = None) -> Result | None:
    """Return a result, of the largest size where none is named."""
    found = [each for each in results if (each.work, each.who) == (work, who) and claims in {None, each.claims}]
    return max(found, key=lambda each: each.claims, default=None)


def targets(results: list[Result]) -> list[tuple[str, str, bool]]:
    """Compare what was measured with the targets; those that were not measured are left out."""
    told = []
    ours = find(results, "compile", OURS)
    if ours:
        told.append(("compile 500,000 quads per CPU second", f"{ours.rate:,.0f}", ours.rate >= 500_000))
        met = ours.peak_mb <= 200
        told.append((f"compile {ours.claims:,} claims in 200 MB", f"{ours.peak_mb:.0f} MB", met))
    for who, least in (("morph_kgc", 6), ("maplib", 4), ("rdflib", 25)):
        peer = find(results, "compile", who)
        mine = peer and find(results, "compile", OURS, peer.claims)
        if peer and mine:
            ratio = mine.rate / peer.rate
            told.append((f"compile {least} × {who} ({peer.claims:,} claims)", f"{ratio:.1f} ×", ratio >= least))
    ours = find(results, "validate", OURS)
    if ours:
        told.append(("validate 80,000 triples per CPU second", f"{ours.rate:,.0f}", ours.rate >= 80_000))
        told.append((f"validate {ours.claims:,} claims in 350 MB", f"{ours.peak_mb:.0f} MB", ours.peak_mb <= 350))
        small = find(results, "validate", OURS, 10_000)
        if small and small.claims < ours.claims:
            grown = small.rate / ours.rate
            told.append((f"a claim of {ours.claims:,} costs 1.15 × one of 10,000", f"{grown:.2f} ×", grown <= 1.15))
    peer = find(results, "validate", "pyshacl")
    mine = peer and find(results, "validate", OURS, peer.claims)
    if peer and mine:
        ratio = mine.rate / peer.rate
        told.append((f"validate 60 × pySHACL ({peer.count:,} triples)", f"{ratio:.0f} ×", ratio >= 60))
    two = find(results, "validate", "two_processes")
    one = two and find(results, "validate", OURS, two.claims)
    if two and one:
        ratio = one.wall / two.wall
        told.append((f"two processes 1.7 × one ({two.claims:,} claims)", f"{ratio:.2f} ×", ratio >= 1.7))
    return told


def plot(results: list[Result]) -> str:
    """Draw, for each work, the rate of each at its largest size as bars on a logarithmic scale (SVG)."""
    from math import log10

    rows: list[tuple[str, str, float]] = []
    for work in dict.fromkeys(result.work for result in results):
        for who in dict.fromkeys(result.who for result in results if result.work == work):
            best = find(results, work, who)
            if best and best.rate:
                rows.append((work, who, best.rate))
    most = max((log10(rate) for _, _, rate in rows), default=1.0)
    height = 22 * len(rows) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif" font-size="13">',
        "<title>Work done in a CPU second, logarithmic scale</title>",
    ]
    for number, (work, who, rate) in enumerate(rows):
        top = 8 + 22 * number
        width = max(2.0, 380 * log10(max(rate, 1)) / most)
        fill = "#0f5c6e" if who in {OURS, "two_processes"} else "#9aa5ad"
        parts.append(f'<text x="0" y="{top + 14}">{work}: {who}</text>')
        parts.append(f'<rect x="190" y="{top + 3}" width="{width:.1f}" height="14" fill="{fill}"/>')
        parts.append(f'<text x="{width + 198:.0f}" y="{top + 14}">{rate:,.0f} {UNITS[work]}/s</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main())
