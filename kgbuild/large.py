"""Datasets too large to hold: their statements are read, checked, written and screened shard by shard, in processes.

A shard that was compiled before, and whose inputs did not change, is taken from where it was kept; so a build that was
interrupted goes on where it stopped. The bytes are the same whatever the number of processes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kgbuild.checks import known_entities, known_records, known_terms, unique_ids
from kgbuild.claims import Place
from kgbuild.datasets import STATEMENT_FIELDS, Dataset, DatasetStatement
from kgbuild.diagnostics import Diagnostic, Report, Span
from kgbuild.lines import nquads, without_graphs
from kgbuild.pool import run
from kgbuild.read.datasets import LargeTable, read_statements
from kgbuild.read.streams import Batch
from kgbuild.sources import Sources, tool_digest
from kgbuild.tiers import describe_statement, evidence_of
from kgbuild.validate import Origins, Screen, Shapes, report_violations

Progress = Callable[[str], None]
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled shard of a large dataset: a file of N-Quads, and what it holds."""

    dataset: str
    number: int
    file: Path
    quads: int
    statements: int


@dataclass(frozen=True, slots=True)
class _Task:
    key: str
    number: int
    large: LargeTable
    batch: Batch


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What a worker tells of a shard; `used` are source records, `named` entities."""

    task: str
    lines: tuple[int, ...]
    ids: tuple[str, ...]
    used: tuple[str, ...]
    named: tuple[str, ...]
    quads: int
    findings: tuple[Diagnostic, ...]


def compile_large(
    sources: Sources,
    shapes: Shapes,
    engine: str,
    folder: Path,
    jobs: int,
    report: Report,
    progress: Progress | None = None,
) -> Generator[Part, None, None]:
    """Compile every large dataset into parts below `folder`, in the order of its rows; report what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = set()
    for large in sources.large:
        dataset = next((dataset for dataset in sources.datasets if dataset.id == large.dataset), None)
        if dataset is not None:
            for part in _Compiler(sources, dataset, large, shapes, engine, folder).parts(jobs, report, progress):
                kept.add(part.file.name.partition(".")[0])
                yield part
    for path in folder.iterdir():
        if path.name.partition(".")[0] not in kept:
            path.unlink()


class _Compiler:
    """Compiles the shards of one dataset; every process has a copy."""

    def __init__(
        self, sources: Sources, dataset: Dataset, large: LargeTable, shapes: Shapes, engine: str, folder: Path
    ) -> None:
        self.sources, self.dataset, self.large, self.folder = sources, dataset, large, folder
        self.shapes, self.engine = shapes, engine
        self.project, self.ontology = sources.project, sources.ontology
        self.evidence = evidence_of(dataset)
        self.entities = {entity.id: entity for entity in sources.entities}
        self.records = {record.id: record for record in dataset.records}
        self.screen: Screen | None = None
        settings = (self.project.base, self.project.language, large.dataset, sorted(large.prefixes.items()))
        laws = (self.ontology.shapes, engine, sorted(self.evidence.items()), sorted(self.ontology.predicates.items()))
        text = repr((tool_digest(), settings, laws, sorted(self.ontology.concepts.items())))
        self.salt = hashlib.sha256(text.encode("utf-8", "surrogatepass"))

    def parts(self, jobs: int, report: Report, progress: Progress | None) -> Generator[Part, None, None]:
        """Compile all shards, and check what can be told only from all of them."""
        started, done = time.monotonic(), 0
        total = self.large.table.count() if progress else 0
        seen = set(self.records)
        used: set[str] = set()
        results = run(self.compile, self.tasks(report), jobs, lambda task: _named(task.batch))
        for number, shard in enumerate(results, 1):
            report.extend(shard.findings)
            for line, name in zip(shard.lines, shard.ids, strict=True):
                if name in seen:
                    place = Span(self.large.table.path, line)
                    report.add("KG201", f"statement or record '{name}' is given twice", place)
            seen.update(shard.ids)
            used.update(shard.used)
            file = self.folder / f"{shard.task}.nq.gz"
            if shard.quads:
                yield Part(self.dataset.id, number, file, shard.quads, len(shard.ids))
            done += len(shard.ids)
            if len(report) > _MOST:
                break
            if progress:
                progress(_progress(self.dataset.id, done, total, time.monotonic() - started))
        for record in self.dataset.records:
            if record.id not in used and not report.has_errors:
                message = f"no statement is taken from the record '{record.id}'"
                report.add("KG708", message, record.place.of("id"), hint="state what it says, or remove it")

    def tasks(self, report: Report) -> Iterator[_Task]:
        """Cut the table into shards and name each by its inputs."""
        size = self.project.shard
        for number, batch in enumerate(self.large.table.batches(STATEMENT_FIELDS, size, report), 1):
            digest = self.salt.copy()
            digest.update(repr((batch.form, batch.heading, [row for _, row in batch.rows])).encode())
            yield _Task(digest.hexdigest()[:40], number, self.large, batch)

    def compile(self, task: _Task) -> _Compiled:
        """Compile one shard, or tell what is known of it."""
        known = self._kept(task)
        if known is not None:
            return known
        report = Report()
        statements = read_statements(task.batch, self.dataset.id, self.large.prefixes, self.project.language, report)
        self._check(statements, report)
        quads = 0
        if not report.has_errors:
            lines = (quad for statement in statements for quad in sorted(set(self._describe(statement))))
            text = nquads(dict.fromkeys(lines))
            quads = text.count("\n")
            self._validate(statements, text, report)
            self._keep(task, text)
        compiled = _Compiled(
            task=task.key,
            lines=tuple([statement.place.span.line for statement in statements]),
            ids=tuple([statement.id for statement in statements]),
            used=tuple(sorted({name for statement in statements for name in statement.records})),
            named=tuple(sorted(_entities(statements))),
            quads=quads,
            findings=tuple(report.sorted()),
        )
        if not compiled.findings:
            facts = {name: getattr(compiled, name) for name in ("ids", "used", "named", "quads")}
            _write(self.folder / f"{task.key}.json", json.dumps(facts).encode())
        return compiled

    def _kept(self, task: _Task) -> _Compiled | None:
        """Return what is known of a shard that was compiled without a finding and whose names are still described."""
        try:
            facts = json.loads((self.folder / f"{task.key}.json").read_bytes())
            ids, used, named, quads = (facts[name] for name in ("ids", "used", "named", "quads"))
        except (OSError, ValueError, KeyError):
            return None
        if not (self.records.keys() >= set(used) and self.entities.keys() >= set(named)):
            return None
        if not (self.folder / f"{task.key}.nq.gz").exists():
            return None
        lines = tuple([line for line, _ in task.batch.rows])
        return _Compiled(task.key, lines, tuple(ids), tuple(used), tuple(named), quads, ())

    def _check(self, statements: list[DatasetStatement], report: Report) -> None:
        """Run the checks of statements on those of a shard; where one fails, with all names at hand for the hints."""
        near = Report()
        _run_checks(self._view(statements, narrow=True), near)
        if near.findings:
            _run_checks(self._view(statements, narrow=False), report)

    def _view(self, statements: list[DatasetStatement], *, narrow: bool) -> Sources:
        entities, records = self.sources.entities, self.dataset.records
        if narrow:
            named = [self.entities[name] for name in _entities(statements) if name in self.entities]
            entities = tuple(replace(entity, broader=()) for entity in named)
            used = {name for statement in statements for name in statement.records}
            records = tuple(self.records[name] for name in used if name in self.records)
        dataset = replace(self.dataset, statements=tuple(statements), records=records)
        return replace(
            self.sources, articles=(), claims=(), mappings=(), alignments=(), entities=entities, datasets=(dataset,)
        )

    def _describe(self, statement: DatasetStatement) -> Iterator[tuple[str, str, str, str]]:
        return describe_statement(statement, self.evidence, self.project, self.ontology)

    def _validate(self, statements: list[DatasetStatement], text: str, report: Report) -> None:
        """Screen a shard: the shapes for one node need nothing beside it."""
        self.screen = self.screen or Screen(self.shapes, self.engine)
        violations = self.screen.violations(without_graphs(text))
        if violations:
            origins = Origins({self.project.dataset(statement.key): statement.place for statement in statements})
            report_violations(violations, self.shapes, origins, self.project, report)

    def _keep(self, task: _Task, text: str) -> None:
        _write(self.folder / f"{task.key}.nq.gz", gzip.compress(text.encode(), compresslevel=1, mtime=0))


def locate(sources: Sources, nodes: Iterable[str]) -> dict[str, Place]:
    """Find where the statements of large datasets that some nodes belong to are written, by their IRIs."""
    places: dict[str, Place] = {}
    for large in sources.large:
        prefix = sources.project.dataset(large.dataset) + "/"
        wanted = {node.removeprefix(prefix).partition("#")[0] for node in nodes if node.startswith(prefix)}
        quiet = Report()
        for batch in large.table.batches(STATEMENT_FIELDS, sources.project.shard, quiet) if wanted else ():
            for statement in read_statements(batch, large.dataset, large.prefixes, sources.project.language, quiet):
                if statement.id in wanted:
                    places[prefix + statement.id] = statement.place
    return places


def grouped(parts: Iterable[Part], quads: int) -> dict[str, tuple[Part, ...]]:
    """Put neighbouring parts of a dataset together into files of some `quads`, by name."""
    groups: dict[str, list[Part]] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        number = sizes.get(part.dataset, 0) // quads + 1
        sizes[part.dataset] = sizes.get(part.dataset, 0) + part.quads
        groups.setdefault(f"{part.dataset}-{number:04}.nq.gz", []).append(part)
    return {name: tuple(group) for name, group in groups.items()}


def _run_checks(view: Sources, report: Report) -> None:
    for check in (unique_ids, known_entities, known_terms, known_records):
        check(view, report)


def _entities(statements: list[DatasetStatement]) -> set[str]:
    things = (thing for statement in statements for thing in (statement.subject, statement.object))
    return {thing.id for thing in things if thing.kind == "entity"}


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.new")
    aside.write_bytes(data)
    aside.replace(path)


def _named(batch: Batch) -> str:
    return f"{batch.path}, rows {batch.rows[0][0]} to {batch.rows[-1][0]}"


def _progress(dataset: str, done: int, total: int, seconds: float) -> str:
    """Say how far the work is, how fast it goes, and how long it will take.

    >>> _progress("usda", 5000, 20000, 2.0)
    'usda: 5,000 of 20,000 statements, 2,500 a second, 0:06 left'
    """
    rate = done / seconds if seconds > 0 else 0.0
    left = int((total - done) / rate) if rate else 0
    return f"{dataset}: {done:,} of {total:,} statements, {rate:,.0f} a second, {left // 60}:{left % 60:02} left"
