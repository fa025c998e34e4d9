"""The compiler's stages up to the checked graph: read, check, shards of mint and validate, merge, store, rules.

A stage reports all it finds; the next does not start on a broken one.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kgbuild import describe, tiers
from kgbuild.checks import check_sources
from kgbuild.diagnostics import FindingsError, Report, UsageError
from kgbuild.large import Gathered, Large, Part, holds_claims, locate
from kgbuild.lines import nquads, ntriples, without_graphs
from kgbuild.mint import Nanopublication, context_of, index
from kgbuild.moulds import Minter
from kgbuild.pool import default_jobs
from kgbuild.project import Project, load_project
from kgbuild.shards import CompiledShard, compile_shard, plan
from kgbuild.sources import Sources, read_sources
from kgbuild.store import OxigraphStore
from kgbuild.trusty import Quad
from kgbuild.validate import (
    ENGINES,
    BrokenShapesError,
    Origins,
    Rule,
    Screen,
    Shapes,
    Violation,
    check_rules,
    fast_engine,
    judge,
    load_shapes,
    origins_of,
    report_violations,
    rules_beyond,
)

Elsewhere = Callable[[Sources, Shapes, Report], Gathered]
"""What compiles large tables on other machines."""


@dataclass(slots=True)
class Timings:
    """Seconds by stage, in the order the stages ran; `announce` is told each stage as it starts."""

    seconds: dict[str, float] = field(default_factory=dict)
    announce: Callable[[str], None] | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        if self.announce is not None:
            self.announce(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Compilation:
    """A compiled project: its sources, its quads by graph, and what was found.

    `nquads` holds `size` quads. `store` holds all but the records of large tables, which are in `parts` and counted in
    `counts`; `whole` holds everything, `total` quads.
    """

    project: Project
    sources: Sources
    descriptions: tuple[Quad, ...]
    shards: tuple[CompiledShard, ...]
    index: Nanopublication
    nquads: bytes
    size: int
    store: OxigraphStore
    shapes: Shapes
    engine: str
    violations: frozenset[Violation]
    origins: Origins
    report: Report
    timings: Timings
    whole: OxigraphStore
    total: int
    parts: tuple[Part, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    covered: Mapping[str, set[int]] = field(default_factory=dict)
    recorded: str = "1970-01-01"
    unasked: tuple[Rule, ...] = ()

    @property
    def quads(self) -> tuple[Quad, ...]:
        """Return all quads: the nanopublications in their order, then the descriptions."""
        return (*(quad for item in self.nanopublications() for quad in item.quads), *self.descriptions)

    def nanopublications(self) -> Iterator[Nanopublication]:
        """Return the nanopublications in the order of their claims, the index last."""
        for shard in self.shards:
            yield from shard.nanopublications
        yield self.index


def compile_project(
    start: Path | str = ".",
    *,
    texts: Mapping[str, Path] | None = None,
    engine: str = "auto",
    timings: Timings | None = None,
    jobs: int | None = None,
    folder: Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> Compilation:
    """Compile the project at or above `start` in memory; raise `FindingsError` at the gate of a broken stage.

    Large tables are compiled in `jobs` processes (one for each processor) and loaded into a store on disk, in `folder`
    or where temporary files go. What compiles them `elsewhere` keeps what it makes: no store holds it, and rules that
    may look at it are not run.

    `texts` gives local copies of articles' texts, by article id, against which anchors are verified. `engine` is `auto`
    (fast screen, pySHACL as judge) or `pyshacl` (pySHACL alone, over the whole graph at once).
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine '{engine}': one of {', '.join(ENGINES)}")
    timings = timings or Timings()
    report = Report()
    with timings.stage("read"):
        project = load_project(Path(start))
        sources = read_sources(project, report, texts)
        gate(report)
    with timings.stage("check"):
        sources = check_sources(sources, report)
        gate(report)
    with timings.stage("mint"):
        context = context_of(sources)
        minter = Minter(context)
        shards = tuple(compile_shard(shard, minter) for shard in plan(sources.claims, context, project.shard))
        made = [item for shard in shards for item in shard.nanopublications]
    with timings.stage("large" if sources.large else "shapes"):
        shapes = load_shapes(sources.ontology.shapes, report)
        with _usable(shapes, report):
            if elsewhere is not None:
                large, everything, parts = elsewhere(sources, shapes, report), None, tuple[Part, ...]()
            else:
                large, everything, parts = _compile_large(
                    sources, shapes, engine, jobs or default_jobs(), folder, report, timings
                )
        gate(report)
    with timings.stage("describe"):
        newest = max(((article.recorded, article.extractor) for article in sources.articles), default=("", ""))
        newest = max(newest, large.recorded)
        recorded, creator = newest if any(newest) else ("1970-01-01", "nobody")
        whole = index(made, context, recorded, creator, large.indexes)
        descriptions = tuple(sorted(set(_descriptions(sources, shards, whole, recorded))))
        text = "".join([item.text for item in (*made, whole)]) + nquads(descriptions)
        data = text.encode("utf-8")
    with timings.stage("load"):
        store = OxigraphStore.of(data)
        if everything is not None:
            everything.add_all(iter([data]))
        size = data.count(b"\n")
        total = size if everything is None else len(everything.store)  # shards may say the same
    with timings.stage("validate"):
        beyond = rules_beyond(shapes, bool(sources.large), holds_claims(sources.large))
        with _usable(shapes, report):
            violations = _validate(shards, whole, descriptions, shapes, engine)
            if engine != "pyshacl":
                violations |= check_rules(shapes, store, report, everything, beyond)
        origins = origins_of(sources, ((item.iri, item.claim) for item in made))
        origins.places.update(locate(sources, shapes, [violation.focus for violation in violations]))
        report_violations(violations, shapes, origins, project, report)
        gate(report)
    return Compilation(
        project=project,
        sources=sources,
        descriptions=descriptions,
        shards=shards,
        index=whole,
        nquads=data,
        size=size,
        store=store,
        shapes=shapes,
        engine="pyshacl" if engine == "pyshacl" else fast_engine() or "pyshacl",
        violations=frozenset(violations),
        origins=origins,
        report=report,
        timings=timings,
        whole=everything or store,
        total=total,
        parts=parts,
        counts=large.counts,
        covered=large.covered,
        recorded=recorded,
        unasked=beyond if everything is None else (),
    )


@contextmanager
def _usable(shapes: Shapes, report: Report) -> Iterator[None]:
    """Report shapes that cannot be used, and end the work."""
    try:
        yield
    except BrokenShapesError as error:
        report.add("KG502", f"the shapes cannot be used: {error}", shapes.place, hint="correct the shapes file")
        gate(report)
        raise


def _compile_large(
    sources: Sources,
    shapes: Shapes,
    engine: str,
    jobs: int,
    folder: Path | None,
    report: Report,
    timings: Timings,
) -> tuple[Gathered, OxigraphStore | None, tuple[Part, ...]]:
    """Compile the large tables and load them into a store on disk; without any there is none."""
    large = Large(sources, shapes, engine, kept_shards(sources.project), jobs, report, timings.announce)
    if not sources.large:
        return large, None, ()
    parts: list[Part] = []
    made = large.parts()

    def pieces(first: Part | None) -> Iterator[bytes]:
        for part in made if first is None else itertools.chain([first], made):
            parts.append(part)
            if not large.report.has_errors:
                yield gzip.decompress(part.file.read_bytes())

    with contextlib.closing(made):
        # the processes start with the first part, before the store does: its threads must not be there at a fork
        first = next(made, None)
        whole = OxigraphStore.create(folder) if folder else OxigraphStore.temporary()
        whole.add_all(pieces(first))
    return large, whole, tuple(parts)


def kept_shards(project: Project) -> Path:
    """Return the folder in which compiled shards are kept for the next build."""
    return project.build.with_name(f".{project.build.name}.shards")


def gate(report: Report) -> None:
    """Raise `FindingsError` when a stage found errors."""
    if report.has_errors:
        raise FindingsError(report)


def _descriptions(
    sources: Sources, shards: tuple[CompiledShard, ...], whole: Nanopublication, recorded: str
) -> Iterator[Quad]:
    project, ontology = sources.project, sources.ontology
    for article in sources.articles:
        yield from describe.describe_article(article, project)
    for entity in sources.entities:
        yield from describe.describe_entity(entity, project, ontology)
    for mapping_set in sources.mappings:
        yield from describe.describe_mappings(mapping_set, project)
    yield from tiers.describe_datasets(sources)
    yield from tiers.describe_alignments(sources)
    yield from describe.describe_ontology(ontology, project)
    yield from describe.describe_whole(sources, whole.iri, recorded)
    asserted = f"<{project.graph('asserted')}>"
    for shard in shards:
        for subject, predicate, target in shard.asserted:
            yield asserted, subject, predicate, target


def _validate(
    shards: tuple[CompiledShard, ...],
    whole: Nanopublication,
    descriptions: tuple[Quad, ...],
    shapes: Shapes,
    engine: str,
) -> set[Violation]:
    """Judge what is held by the local shapes: the descriptions, and each shard for itself."""
    parts = [[ntriples(descriptions), without_graphs(whole.text)]]
    parts += [[without_graphs(item.text) for item in shard.nanopublications] for shard in shards]
    if engine == "pyshacl":
        return judge("".join(itertools.chain.from_iterable(parts)), shapes.whole)
    screen = Screen(shapes.local, engine, parts=True)
    return set().union(*(screen.violations(*pieces) for pieces in parts))
