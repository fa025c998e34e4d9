"""Tables too large to hold: their shards are compiled in processes, and what is told of each is put together.

A shard that was compiled before, and whose inputs did not change, is taken from where it was kept; so a build that was
interrupted goes on where it stopped. The bytes are the same whatever the number of processes.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kgbuild.checks import asked_elsewhere
from kgbuild.claims import Place
from kgbuild.diagnostics import Report, Severity, Span
from kgbuild.folders import HeldFolder, LocalFolder
from kgbuild.kinds import shards_of
from kgbuild.pool import run
from kgbuild.project import holding
from kgbuild.read.datasets import StatementTable
from kgbuild.read.streams import Batch
from kgbuild.shards import Compiled, Shards, facts_of, file_of
from kgbuild.sources import LargeTable, Sources
from kgbuild.validate import Shapes, has_screened

Progress = Callable[[str], None]
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled shard of a large table: a file of N-Quads, and what it holds."""

    table: str
    what: str
    number: int
    file: Path
    quads: int
    records: int


class Names:
    """Names that must be unique, kept as digests of eight bytes each.

    >>> names = Names(["a", "b"]); names.add(["c", "a"]); len(names.repeated())
    1
    >>> "b" in names, "d" in names
    (True, False)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.digests = array("Q")
        self.sorted = True
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        """Take some names."""
        self.digests.extend(map(digest, names))
        self.sorted = False

    def repeated(self) -> frozenset[int]:
        """Return the digests that more than one name has: most likely the same name twice."""
        digests = self._in_order()
        return frozenset(digests[place] for place in range(1, len(digests)) if digests[place] == digests[place - 1])

    def __contains__(self, name: str) -> bool:
        digests, wanted = self._in_order(), digest(name)
        place = bisect_left(digests, wanted)
        return place < len(digests) and digests[place] == wanted

    def _in_order(self) -> array[int]:
        if not self.sorted:
            self.digests = array("Q", sorted(self.digests))
            self.sorted = True
        return self.digests


def digest(name: str) -> int:
    """Return the digest of a name: eight bytes."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class _Digests:
    """The names that have one of some digests."""

    def __init__(self, digests: frozenset[int]) -> None:
        self.digests = digests

    def __contains__(self, name: object) -> bool:
        return digest(str(name)) in self.digests


class Gathered:
    """What is told of the shards of all large tables of a project, put together, wherever they are compiled."""

    def __init__(self, sources: Sources, report: Report) -> None:
        self.sources, self.report, self.broken = sources, report, False
        self.counts: Counter[str] = Counter()
        self.covered: dict[str, set[int]] = {}
        self.indexes: list[str] = []
        self.recorded = ("", "")
        self.asks: list[tuple[str, str, Span]] = list(asked_elsewhere(sources)) if sources.large else []

    @property
    def overflows(self) -> bool:
        """Tell whether so much is wrong that the rest of a table is not looked at; warnings never end the work."""
        return self.broken and len(self.report) > _MOST

    def add(self, shard: Compiled, shards: Shards) -> None:
        """Take what is told of a shard, in the order of its table."""
        self.report.extend(shard.findings)
        self.broken = self.broken or any(finding.severity is Severity.ERROR for finding in shard.findings)
        self.counts.update(shard.counts)
        self.recorded = max(self.recorded, shard.recorded)
        self.indexes += [shard.index] if shard.index else []
        self.asks += [(key, name, Span(shards.table.path, line)) for key, name, line in shard.asks]

    def finish(self, shards: Shards, used: set[str]) -> None:
        """Check what can be told only from all shards of a table: what is used."""
        if not self.report.has_errors:
            shards.finish(used, self.report)
        if shards.what == "claims":
            self.covered[shards.name.removesuffix(".claims")] = {int(name) for name in used}

    def report_unknown(self, asks: Iterable[tuple[str, str, Span]]) -> None:
        """Report claims that are referred to and nowhere."""
        for _, name, span in asks:
            self.report.add("KG208", f"unknown claim '{name}'", span)

    def report_repeated(self, tables: Sequence[Shards], repeated: Container[str]) -> None:
        """Report names given twice in tables whose names must differ: of those that may be, those that are."""
        seen = {name for shards in tables for name in shards.known if name in repeated}
        for shards in tables:
            for name, place in shards.places(repeated):
                if name in seen:
                    words = {"statements": "statement or record", "claims": "claim"}.get(shards.what)
                    what = words or ("claim" if "/" in name else "article")
                    message = f"{what} '{name.rpartition('/')[2]}' is given twice"
                    self.report.add("KG201", message, place.of("id"))
                seen.add(name)


class Large(Gathered):
    """The large tables of a project, compiled one after the other; what is told of all is whole when `parts` ended."""

    def __init__(
        self,
        sources: Sources,
        shapes: Shapes,
        engine: str,
        folder: Path,
        jobs: int,
        report: Report,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(sources, report)
        self.shapes, self.engine, self.folder = shapes, engine, folder
        self.jobs, self.progress = jobs, progress
        self.claims = Names(article.id for article in sources.articles)
        self.claims.add(claim.key for claim in sources.claims)

    def parts(self) -> Generator[Part, None, None]:
        """Compile every table into parts below the folder, in the order of its rows; report what was found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with holding(self.folder, shared=True):
            yield from self._parts(LocalFolder(self.folder))

    def _parts(self, folder: LocalFolder) -> Generator[Part, None, None]:
        made = (shards_of(self.sources, large, self.shapes, self.engine, folder) for large in self.sources.large)
        tables = [shards for shards in made if shards is not None]
        for shards in tables:
            yield from self._table(shards, self.claims if of_claims(shards) else Names(shards.known))
        if self.overflows:  # what was not looked at may hold any name
            return
        self._report_repeated([shards for shards in tables if of_claims(shards)], self.claims)
        self.report_unknown(asked for asked in self.asks if asked[0] not in self.claims)

    def _table(self, shards: Shards, names: Names) -> Generator[Part, None, None]:
        """Compile all shards of a table, and check what can be told only from all of them."""
        started, done = time.monotonic(), 0
        total = shards.table.count() if self.progress else 0
        used: set[str] = set()
        jobs = 1 if has_screened() else self.jobs  # forks could not screen any more
        results = run(shards.compile, shards.tasks(self.report), jobs, lambda task: _named(task.batch))
        for number, shard in enumerate(results, 1):
            self.add(shard, shards)
            names.add(shard.names)
            used.update(shard.used)
            records = shard.counts.get(shards.what, 0)
            if shard.quads:
                yield Part(shards.name, shards.what, number, self.folder / file_of(shard.task), shard.quads, records)
            done += records
            if self.overflows:
                return
            if self.progress:
                self.progress(_progress(shards.name, shards.what, done, total, time.monotonic() - started))
        if not of_claims(shards):
            self._report_repeated([shards], names)
        self.finish(shards, used)

    def _report_repeated(self, tables: Sequence[Shards], names: Names) -> None:
        if repeated := names.repeated():
            self.report_repeated(tables, _Digests(repeated))


def of_claims(shards: Shards) -> bool:
    """Tell whether a table holds articles or claims, whose names differ in a whole project."""
    return shards.what != "statements"


def locate(sources: Sources, shapes: Shapes, nodes: Iterable[str]) -> dict[str, Place]:
    """Find where the records of large tables that some nodes belong to are written, by their IRIs."""
    places: dict[str, Place] = {}
    nodes = list(nodes)
    for large in sources.large if nodes else ():
        shards = shards_of(sources, large, shapes, "auto", HeldFolder())
        if shards is not None and (wanted := shards.names_of(nodes)):
            places |= {wanted[name]: place for name, place in shards.places(wanted)}
    return places


def clear(folder: Path, parts: Iterable[Part]) -> None:
    """Remove what is kept beside some parts, or the whole folder where there are none; not while it is in use."""
    if not folder.is_dir():
        return
    keys = {part.file.name.partition(".")[0] for part in parts}
    kept = {name for key in keys for name in (file_of(key), facts_of(key))}
    with holding(folder) as alone:
        if alone and not kept:
            shutil.rmtree(folder)
        elif alone:
            for path in folder.iterdir():
                if path.name not in kept:
                    path.unlink()


def grouped(parts: Iterable[Part], quads: int) -> dict[str, tuple[Part, ...]]:
    """Put neighbouring parts of a table together into files of some `quads`, by name."""
    groups: dict[str, list[Part]] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        number = sizes.get(part.table, 0) // quads + 1
        sizes[part.table] = sizes.get(part.table, 0) + part.quads
        groups.setdefault(f"{part.table}-{number:04}.nq.gz", []).append(part)
    return {name: tuple(group) for name, group in groups.items()}


def holds_claims(large: Iterable[LargeTable]) -> bool:
    """Tell whether some large tables hold claims, not only statements of datasets."""
    return any(not isinstance(table, StatementTable) for table in large)


def _named(batch: Batch) -> str:
    return f"{batch.path}, rows {batch.rows[0][0]} to {batch.rows[-1][0]}"


def _progress(name: str, what: str, done: int, total: int, seconds: float) -> str:
    """Say how far the work is, how fast it goes, and how long it will take.

    >>> _progress("usda", "statements", 5000, 20000, 2.0)
    'usda: 5,000 of 20,000 statements, 2,500 a second, 0:06 left'
    """
    rate = done / seconds if seconds > 0 else 0.0
    left = int((total - done) / rate) if rate else 0
    return f"{name}: {done:,} of {total:,} {what}, {rate:,.0f} a second, {left // 60}:{left % 60:02} left"
