"""Shards: some thousand records with what they refer to, compiled and screened by one pure function.

A shard of a project that is held whole is compiled inline. Those of large tables are read where they are compiled;
`kinds` says for each kind of table what its rows are read into and become.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from kgbuild import checks
from kgbuild.claims import Claim, Entity, Field, Place
from kgbuild.diagnostics import Diagnostic, Report
from kgbuild.folders import Folder
from kgbuild.lines import without_graphs
from kgbuild.mint import Context, Nanopublication, plain_triple
from kgbuild.moulds import Minter
from kgbuild.read.streams import Batch
from kgbuild.sources import LargeTable, Sources, tool_digest
from kgbuild.validate import Screen, Shapes, origins_of, report_violations


@dataclass(frozen=True, slots=True)
class Shard:
    """The claims of a shard that is held: picklable."""

    number: int
    claims: tuple[Claim, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class CompiledShard:
    """What a shard became: its nanopublications and the plain triples they license."""

    number: int
    nanopublications: tuple[Nanopublication, ...]
    asserted: frozenset[tuple[str, str, str]]


def plan(claims: tuple[Claim, ...], context: Context, size: int) -> Iterator[Shard]:
    """Cut the claims into shards of `size`, in their order."""
    for number, start in enumerate(range(0, len(claims), size)):
        yield Shard(number, claims[start : start + size], context)


def compile_shard(shard: Shard, minter: Minter | None = None) -> CompiledShard:
    """Mint every claim of a shard; a `minter` keeps its moulds from shard to shard."""
    minter = minter.within(shard.context) if minter else Minter(shard.context)
    triples = (plain_triple(claim, shard.context) for claim in shard.claims)
    return CompiledShard(
        number=shard.number,
        nanopublications=tuple(map(minter.mint, shard.claims)),
        asserted=frozenset(triple for triple in triples if triple is not None),
    )


@dataclass(frozen=True, slots=True)
class Task:
    """A shard of a large table that is to be compiled: the digest of all that it is made of, and its rows."""

    key: str
    number: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Compiled:
    """What is told of a compiled shard, so that all can be put together.

    `names` are those that must be unique, `rows` their lines; `used` are source records or sentences,
    `named` entities, `asks` the claims that are referred to and not held: key, name as written, line. `index` is the
    index of its nanopublications, `recorded` the day and the agent of the newest article, `sha256` tells whether its
    file is whole.
    """

    task: str
    names: tuple[str, ...]
    rows: tuple[int, ...]
    used: tuple[str, ...]
    named: tuple[str, ...]
    asks: tuple[tuple[str, str, int], ...]
    index: str
    recorded: tuple[str, str]
    counts: dict[str, int]
    quads: int
    findings: tuple[Diagnostic, ...]
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The texts that a shard becomes, and the index of its nanopublications where it has any."""

    texts: tuple[str, ...] = ()
    index: str = ""


class Shards:
    """Compiles the shards of one large table; every process has a copy."""

    fields: ClassVar[tuple[Field, ...]]
    what: ClassVar[str]
    """What the rows are, in words."""

    def __init__(
        self, sources: Sources, large: LargeTable, shapes: Shapes, engine: str, folder: Folder, *inputs: object
    ) -> None:
        self.sources, self.table, self.folder = sources, large.table, folder
        self.shapes, self.engine = shapes, engine
        self.project, self.ontology = sources.project, sources.ontology
        self.screen: Screen | None = None
        laws = (
            self.ontology.shapes,
            engine,
            sorted(self.ontology.predicates.items()),
            sorted(self.ontology.concepts.items()),
        )
        settings = (self.project.base, self.project.language, self.project.license)
        text = repr((tool_digest(), self.what, settings, laws, inputs))
        self.salt = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    @property
    @abstractmethod
    def name(self) -> str:
        """Return how files of this table begin."""

    @property
    def size(self) -> int:
        """Return the rows of a shard."""
        return self.project.shard

    @abstractmethod
    def read(self, batch: Batch, report: Report) -> Sources:
        """Read some rows, as sources that hold nothing else but what all rows can refer to."""

    def narrow(self, view: Sources) -> Sources:
        """Leave out of a view what its rows do not name, so that checks are quick."""
        return view

    @abstractmethod
    def write(self, view: Sources) -> Written:
        """Return what some rows become."""

    @abstractmethod
    def names(self, view: Sources) -> Iterator[tuple[str, Place]]:
        """Return the names that must be unique: in the table, or among all tables of articles and claims."""

    def knows(self, used: Iterable[str]) -> bool:
        """Tell whether what some rows used is still there."""
        return True

    def used(self, view: Sources) -> Iterator[str]:
        """Return what is used of what the table can refer to and must be used."""
        return iter(())

    def recorded(self, view: Sources) -> tuple[str, str]:
        """Return day and agent of the newest article of a view."""
        return max(((article.recorded, article.extractor) for article in view.articles), default=("", ""))

    @property
    def known(self) -> Iterable[str]:
        """Return the names that are taken before the table is read."""
        return ()

    def finish(self, used: Container[str], report: Report) -> None:
        """Report what no row uses."""

    def tasks(self, report: Report) -> Iterator[Task]:
        """Cut the table into shards and name each by its inputs."""
        for number, batch in enumerate(self.table.batches(self.fields, self.size, report), 1):
            yield self.task(number, batch)

    def task(self, number: int, batch: Batch) -> Task:
        """Name a shard by its inputs: the rows, and all that they are compiled with."""
        rows = repr((batch.form, batch.heading, [row for _, row in batch.rows]))
        digest = hashlib.sha256(self.salt + rows.encode("utf-8", "surrogatepass"))
        return Task(digest.hexdigest()[:40], number, batch)

    def compile(self, task: Task) -> Compiled:
        """Compile one shard into a file of the folder, or tell what is known of it."""
        known = self._kept(task)
        if known is not None:
            return known
        report = Report()
        view = self.read(task.batch, report)
        if not report.has_errors:
            view = self._check(view, report)
        written, digest = Written(), ""
        if not report.has_errors:
            written = self.write(view)
            self._validate(view, written.texts, report)
            data = gzip.compress("".join(written.texts).encode(), compresslevel=1, mtime=0)
            self.folder.write(file_of(task.key), data)
            digest = hashlib.sha256(data).hexdigest()
        names = dict(self.names(view))
        compiled = Compiled(
            task=task.key,
            names=tuple(names),
            rows=tuple([place.span.line for place in names.values()]),
            used=tuple(sorted(set(self.used(view)))),
            named=tuple(sorted(entities_of(view))),
            asks=tuple(sorted({(key, name, span.line) for key, name, span in checks.asked_elsewhere(view)})),
            index=written.index,
            recorded=self.recorded(view),
            counts=_counts(view),
            quads=sum(text.count("\n") for text in written.texts),
            findings=tuple(report.sorted()),
            sha256=digest,
        )
        if not compiled.findings:
            self._keep(task, compiled)
        return compiled

    def places(self, wanted: Container[str]) -> Iterator[tuple[str, Place]]:
        """Read the table again for the places of some names."""
        quiet = Report()
        for batch in self.table.batches(self.fields, self.size, quiet):
            for name, place in self.names(self.read(batch, quiet)):
                if name in wanted:
                    yield name, place

    @abstractmethod
    def names_of(self, nodes: Iterable[str]) -> dict[str, str]:
        """Return the names in the table that some nodes of the graph may belong to, with the IRIs of these."""

    def _kept(self, task: Task) -> Compiled | None:
        """Return what is known of a shard without a finding, where its file is whole and its names are described."""
        lines = [line for line, _ in task.batch.rows]
        try:
            facts = json.loads(self.folder.read(facts_of(task.key)))
            facts["rows"] = tuple([lines[row] for row in facts["rows"]])
            facts["asks"] = tuple([(key, name, lines[row]) for key, name, row in facts["asks"]])
            for name in ("names", "used", "named", "recorded"):
                facts[name] = tuple(facts[name])
            known = Compiled(task=task.key, findings=(), **facts)
            if not (self.knows(known.used) and self._entities.keys() >= set(known.named)):
                return None
            whole = hashlib.sha256(self.folder.read(file_of(task.key))).hexdigest() == known.sha256
            return known if whole else None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def _keep(self, task: Task, compiled: Compiled) -> None:
        """Keep what is told of a shard, rows by their number in it."""
        numbers = {line: number for number, (line, _) in enumerate(task.batch.rows)}
        names = ("names", "used", "named", "index", "recorded", "counts", "quads", "sha256")
        facts = {name: getattr(compiled, name) for name in names}
        facts["rows"] = [numbers[line] for line in compiled.rows]
        facts["asks"] = [(key, name, numbers[line]) for key, name, line in compiled.asks]
        self.folder.write(facts_of(task.key), json.dumps(facts).encode())

    def _check(self, view: Sources, report: Report) -> Sources:
        """Run all checks on a shard; where one fails, with all names at hand for the hints."""
        near = Report()
        checked = checks.check_sources(self._narrow(view), near)
        if near.findings:
            checks.check_sources(view, report)
        return replace(view, claims=checked.claims)

    def _narrow(self, view: Sources) -> Sources:
        named = [self._entities[name] for name in entities_of(view) if name in self._entities]
        return self.narrow(replace(view, entities=tuple(replace(entity, broader=()) for entity in named)))

    @cached_property
    def _entities(self) -> dict[str, Entity]:
        return {entity.id: entity for entity in self.sources.entities}

    def _validate(self, view: Sources, texts: Iterable[str], report: Report) -> None:
        """Judge a shard by the local shapes, which need nothing beside it."""
        self.screen = self.screen or Screen(self.shapes.local, self.engine, parts=True)
        violations = self.screen.violations(*map(without_graphs, texts))
        if violations:
            report_violations(violations, self.shapes, origins_of(view, ()), self.project, report)


def file_of(key: str) -> str:
    """Return the name of the file of a shard.

    >>> file_of("af01")
    'af01.nq.gz'
    """
    return f"{key}.nq.gz"


def facts_of(key: str) -> str:
    """Return the name of the file that says what is known of a shard.

    >>> facts_of("af01")
    'af01.json'
    """
    return f"{key}.json"


def entities_of(view: Sources) -> set[str]:
    """Return the entities that the records of a view name."""
    found = {name for claim in view.claims for name in claim.entities()}
    for article in view.articles:
        found |= {article.publisher, article.extractor, *article.author}
    for statement in checks.statements_of(view):
        found |= {thing.id for thing in (statement.subject, statement.object) if thing.kind == "entity"}
    return found


def _counts(view: Sources) -> dict[str, int]:
    """Count what a shard holds; of its articles only those that stand in its rows."""
    counts: Counter[str] = Counter(claims=len(view.claims), statements=sum(1 for _ in checks.statements_of(view)))
    here = [article for article in view.articles if not article.large]
    covered = {(claim.article, number) for claim in view.claims for number in claim.sentences}
    names = {article.id for article in here}
    counts["articles"] = len(here)
    counts["covered"] = sum(1 for article, _ in covered if article in names)
    for article in here:
        counts["sentences"] += len(article.sentences)
        counts.update(f"anchor {sentence.state}" for sentence in article.sentences)
    return {name: count for name, count in sorted(counts.items()) if count}
