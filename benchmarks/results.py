"""What the pieces of work took: kept as CSV, told as Markdown, drawn as SVG, and compared with the targets.

Results of several runs stand in one file; a ratio is taken only between results of one work at one size, which are
always of one run.
"""

from __future__ import annotations

import csv
import os
import platform
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from math import log10
from pathlib import Path

OURS, TWO = "kgbuild", "two_processes"
UNITS = {
    "compile": ("quads", "cpu"),
    "shards": ("claims", "wall"),
    "load": ("quads", "cpu"),
    "query": ("rows", "cpu"),
    "validate": ("triples", "cpu"),
    "validate_all": ("triples", "cpu"),
    "render": ("pages", "wall"),
    "serve": ("requests", "wall"),
}
"""What is counted of each work, and the clock whose seconds it is divided by."""
LOAD = round(os.getloadavg()[0], 1)  # before anything is measured
CLOCKS = {"cpu": "CPU s", "wall": "s"}
_SECONDS = {"cpu": "CPU second", "wall": "second"}


def machine() -> str:
    """Describe the machine."""
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    size = f"{int(memory[1]) / 2**20:.0f} GB" if memory else "unknown memory"
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} processors, {size}, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Result:
    """What one piece of work took.

    `outcome` tells how the result is beside that of kgbuild: `equal`, `different`, `not compared`, or `cut off` where a
    peer did not come to its end; then `cpu` is what it had taken until then.
    """

    work: str
    case: str
    who: str
    claims: int
    count: int
    cpu: float
    wall: float
    peak_mb: int
    p99_ms: float | None = None
    outcome: str = "equal"
    day: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    load: float = LOAD
    machine: str = field(default_factory=machine)

    @property
    def rate(self) -> float:
        """Return what was done in a second of the clock of the work; of who was cut off, the most it can be."""
        seconds = getattr(self, UNITS[self.work][1])
        return self.count / seconds if seconds else 0.0


def read(path: Path) -> list[Result]:
    """Read results that were kept, those of works that are still measured."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["work"] in UNITS and row.keys() >= set(_NAMES)]
    return [_result(row) for row in rows]


def _result(row: dict[str, str]) -> Result:
    given: dict[str, object] = {name: row[name] for name in _NAMES}
    given |= {name: int(row[name]) for name in ("claims", "count")}
    given |= {name: float(row[name]) for name in ("cpu", "wall", "load")}
    given |= {"peak_mb": round(float(row["peak_mb"]))}
    return Result(**given | {"p99_ms": float(row["p99_ms"]) if row["p99_ms"] else None})  # type: ignore[arg-type]


_NAMES = [each.name for each in fields(Result)]


def write(results: list[Result], path: Path) -> None:
    """Keep results."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _NAMES, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(result) for result in results)


def together(kept: list[Result], new: list[Result]) -> list[Result]:
    """Put new results in the place of kept ones of the same work and size; those of another machine are dropped."""
    anew = {(result.work, result.claims) for result in new}
    left = [each for each in kept if (each.work, each.claims) not in anew and each.machine == machine()]
    return sorted([*left, *new], key=lambda result: (list(UNITS).index(result.work), result.claims))


def report(results: list[Result]) -> str:
    """Return the tables and the targets as Markdown."""
    lines = ["# Benchmark results", ""]
    lines += [
        "What kgbuild and its peers take for the same work on the same data, in seconds and memory; what they give is",
        "compared. Ratios are of figures of one run, on the machine that is named here; `benchmarks/README.md` in the",
        "sources tells what is done, and what is on the clock.",
        "",
        "![Work done in a second by kgbuild and its peers, on a logarithmic scale, "
        "at the largest number of claims that all did: figures of the tables below]"
        "(results.svg)",
    ]
    lines += ["", *(f"Machine: {name}." for name in dict.fromkeys(result.machine for result in results)), ""]
    for work in dict.fromkeys(result.work for result in results):
        lines += [f"## {work.replace('_', ' ').capitalize()}", "", *_table(results, work), ""]
    lines += ["## Targets", "", "| target | measured | met |", "|---|---|---|"]
    lines += [f"| {words} | {value} | {'yes' if met else 'no'} |" for words, value, met in targets(results)]
    return "\n".join(lines) + "\n"


def _table(results: list[Result], work: str) -> list[str]:
    found = [result for result in results if result.work == work]
    unit, clock = UNITS[work]
    cased, timed = any(result.case for result in found), any(result.p99_ms is not None for result in found)
    heads = ["claims", *(["asked"] if cased else []), "who", "CPU s", "s", f"{unit} per {CLOCKS[clock]}"]
    heads += [*(["p99 ms"] if timed else []), "peak MB", "kgbuild is", "result"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for result in found:
        most = "< " if result.outcome == "cut off" else ""
        cells = [f"{result.claims:,}", *([result.case] if cased else []), result.who]
        cells += [f"{result.cpu:.2f}", f"{result.wall:.2f}", f"{most}{result.rate:,.0f}"]
        cells += [f"{result.p99_ms:.1f}" if result.p99_ms is not None else ""] if timed else []
        cells += [f"{result.peak_mb:.0f}", times(results, result), result.outcome]
        lines.append(f"| {' | '.join(cells)} |")
    runs = dict.fromkeys(f"{result.day} (load {result.load})" for result in found if result.who == OURS)
    return [*lines, "", f"Measured {', '.join(runs)}."]


def find(results: list[Result], work: str, who: str, claims: int | None = None, case: str = "") -> Result | None:
    """Return a result, of the largest size where none is named."""
    found = [each for each in results if (each.work, each.who, each.case) == (work, who, case)]
    return max(
        (each for each in found if claims in {None, each.claims}), key=lambda each: each.claims, default=None
    )  # fmt: skip


def ratio(results: list[Result], peer: Result | None, who: str = OURS) -> float | None:
    """Return how many times as fast as a peer somebody is at the same work and size; of who was cut off, at least."""
    mine = peer and find(results, peer.work, who, peer.claims, peer.case)
    return mine.rate / peer.rate if peer and mine and peer.rate else None


def times(results: list[Result], peer: Result, who: str = OURS) -> str:
    """Return how many times as fast as a peer somebody is, in words."""
    found = ratio(results, peer, who) if peer.who != who else None
    more = "more than " if peer.outcome == "cut off" else ""
    return "" if found is None else f"{more}{found:.{0 if found >= 100 else 1 if found >= 10 else 2}f} ×"


PEERS_TARGETS = (
    ("compile", "", "morph_kgc", 6),
    ("compile", "", "maplib", 4),
    ("compile", "", "rdflib", 25),
    ("validate_all", "", "pyshacl", 60),
    ("validate", "", "pyshacl", 60),
    ("serve", "light, each new", "oxigraph", 0.5),
    ("serve", "join, each new", "oxigraph", 0.5),
    ("serve", "light, repeated", "oxigraph", 1.5),
    ("serve", "light, each new", "rdflib_endpoint", 4),
    ("serve", "join, each new", "rdflib_endpoint", 4),
)
"""How many times as fast as which peer kgbuild is to be."""


def targets(results: list[Result]) -> list[tuple[str, str, bool]]:
    """Compare what was measured with the targets; those that were not measured are left out."""
    told = [*_floors(results), *_ceilings(results)]
    for work, case, who, least in PEERS_TARGETS:
        peer = find(results, work, who, case=case)
        if peer and (measured := ratio(results, peer)) is not None:
            size = f"{peer.count:,} triples" if work.startswith("validate") else f"{peer.claims:,} claims"
            words = f"{work.replace('_', ' ')}{f' ({case})' if case else ''} {least} × {who} ({size})"
            told.append((words, times(results, peer), measured >= least))
    one = find(results, "shards", OURS)
    speed = ratio(results, one, TWO) if one and one.claims >= 10_000 else None  # fewer are too few shards to share
    if one and speed:
        told.append((f"two processes 1.7 × one ({one.claims:,} claims)", f"{speed:.2f} ×", speed >= 1.7))
    return told


def _floors(results: list[Result]) -> list[tuple[str, str, bool]]:
    """Compare rates with what is wanted at least."""
    wanted = (("compile", OURS, 500_000), ("validate", OURS, 80_000), ("render", TWO, 1500))
    told = []
    for work, who, least in wanted:
        if found := find(results, work, who):
            by = "CPU second" if UNITS[work][1] == "cpu" else "second on two processes"
            words = f"{work} {least:,} {UNITS[work][0]} per {by} ({found.claims:,} claims)"
            told.append((words, f"{found.rate:,.0f}", found.rate >= least))
    return told


def _ceilings(results: list[Result]) -> list[tuple[str, str, bool]]:
    """Compare memory, and how the cost of a claim grows, with what is wanted at most."""
    told = []
    for work, most in (("compile", 200), ("validate", 350)):
        if found := find(results, work, OURS):
            words = f"{work} {found.claims:,} claims in {most} MB"
            told.append((words, f"{found.peak_mb:.0f} MB", found.peak_mb <= most))
    many, few = find(results, "validate", OURS), find(results, "validate", OURS, 10_000)
    if many and few and few.claims < many.claims:
        grown = few.rate / many.rate
        told.append(
            (f"validate: a claim of {many.claims:,} costs 1.15 × one of 10,000", f"{grown:.2f} ×", grown <= 1.15)
        )
    return told


def plot(results: list[Result]) -> str:
    """Draw, for each work, the rate of each at the largest size that all did, as bars on a logarithmic scale (SVG)."""
    longest = log10(max((result.rate for result in results), default=10.0))
    parts = ['<text x="6" y="18" fill="#55606a">Bars on a logarithmic scale: the numbers tell how much</text>']
    top = 30
    for work, case in dict.fromkeys((result.work, result.case) for result in results):
        found = [result for result in results if (result.work, result.case) == (work, case)]
        sizes = [{each.claims for each in found if each.who == who} for who in {each.who for each in found}]
        common = max(set.intersection(*sizes), default=None)
        unit, clock = UNITS[work]
        words = f"{work.replace('_', ' ').capitalize()}{f', {case}' if case else ''}"
        size = "" if common is None else f" ({common:,} claims)"
        parts.append(
            f'<text x="6" y="{top + 16}" font-weight="bold">{words}{size}: {unit} in a {_SECONDS[clock]}</text>'
        )
        top += 24
        for result in (each for each in found if each.claims == common and each.rate):
            width = max(2.0, 240 * log10(max(result.rate, 1)) / longest)
            fill = "#0f5c6e" if result.who in {OURS, TWO} else "#9aa5ad"
            most = "&lt; " if result.outcome == "cut off" else ""
            parts.append(f'<text x="6" y="{top + 14}">{result.who}</text>')
            parts.append(f'<rect x="122" y="{top + 3}" width="{width:.1f}" height="14" fill="{fill}"/>')
            parts.append(f'<text x="{width + 130:.0f}" y="{top + 14}">{most}{result.rate:,.0f}</text>')
            top += 20
        top += 10
    start = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="470" viewBox="0 0 470 {top}" font-family="sans-serif" '
        'font-size="13">',
        "<title>Work done in a second, logarithmic scale</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    return "\n".join([*start, *parts, "</svg>", ""])
