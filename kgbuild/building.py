"""The build: compile, ask the queries, plan the site, check its links, write to the side and swap.

A failed or killed build leaves the last good one untouched.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kgbuild.claims import ANCHOR_STATES, AnchorState
from kgbuild.compilation import Compilation, Timings, compile_project, gate, kept_shards
from kgbuild.diagnostics import Report, UnreadableError
from kgbuild.editions.edition import Material
from kgbuild.editions.records import robots, sitemaps
from kgbuild.editions.registry import EDITIONS, find_edition, name_editions, path_of, write_edition, write_editions
from kgbuild.inference import GRAPH, with_inferred
from kgbuild.large import Part, clear, grouped
from kgbuild.names import FOLDER as NAMES
from kgbuild.names import write_names
from kgbuild.pool import default_jobs, share
from kgbuild.project import Project, load_project, locked
from kgbuild.queries import Query, read_queries, run, write
from kgbuild.site.documents import Document, document_files, read_documents
from kgbuild.site.hosting import hosting_files
from kgbuild.site.indexing import INDEXED, can_index
from kgbuild.site.links import check_links, pages_by_path
from kgbuild.site.plan import RESOURCE_FORMATS, Download, QueryPage, SiteInput, answer_formats, plan_site
from kgbuild.site.scripts import absences, has_workbench, web_files, web_parts
from kgbuild.site.totals import Overview, overview
from kgbuild.sources import OF_GRAPH, fingerprint
from kgbuild.store import Answer, OxigraphStore, Solutions

_WORTH = 100
"""Things with files of their own for which another process is worth starting."""
_QUADS = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What a build holds, in numbers."""

    articles: int
    sentences: int
    covered: int
    claims: int
    entities: int
    mappings: int
    plain: int
    quads: int
    queries: int
    pages: int
    anchors: dict[AnchorState, int]


@dataclass(frozen=True, slots=True)
class Built:
    """The outcome of a check or a build."""

    project: Project
    figures: Figures
    report: Report
    timings: Timings
    engine: str
    unchanged: bool = False
    written: bool = False
    compilation: Compilation | None = None
    notes: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """Return the first page of the site."""
        return self.project.build / "site" / "index.html"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a build would write below `build/site`, by path."""

    files: dict[str, bytes]
    figures: Figures
    notes: tuple[str, ...] = ()
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    sparse: bool = False
    documents: tuple[Document, ...] = ()


def check(
    start: Path | str = ".",
    *,
    texts: Mapping[str, Path] | None = None,
    engine: str = "auto",
    timings: Timings | None = None,
    jobs: int | None = None,
) -> Built:
    """Do everything a build does but writing; raise `FindingsError` at the gate of a broken stage."""
    compilation = compile_project(start, texts=texts, engine=engine, timings=timings, jobs=jobs)
    plan = plan_build(compilation, render=False, jobs=jobs)
    return Built(
        compilation.project,
        plan.figures,
        compilation.report,
        compilation.timings,
        compilation.engine,
        compilation=compilation,
        notes=plan.notes,
    )


def build(
    start: Path | str = ".",
    *,
    texts: Mapping[str, Path] | None = None,
    engine: str = "auto",
    force: bool = False,
    infer: bool | None = None,
    timings: Timings | None = None,
    jobs: int | None = None,
) -> Built:
    """Check a project and write its `build/` folder; a build whose inputs did not change is not made again.

    With `infer`, or the setting of that name, the store and an edition of its own hold the inferred graph as well.
    """
    timings = timings or Timings()
    project = load_project(Path(start))
    infer = project.infer if infer is None else infer
    with timings.stage("fingerprint"):
        digest = fingerprint(project, texts, files=document_files(project))
        inputs = f"{digest}-{engine}{'-inferred' if infer else ''}{_missing()}"
    with locked(project):
        _recover(project)
        if not force and (last := _unchanged(project, inputs)) is not None:
            figures, report, used, notes = last
            return Built(project, figures, report, timings, used, unchanged=True, notes=notes)
        with timings.stage("fingerprint"):
            graph = fingerprint(project, texts, OF_GRAPH)
        store = _large_store(project)
        try:
            compilation = compile_project(
                project.root, texts=texts, engine=engine, timings=timings, jobs=jobs, folder=store
            )
            plan = plan_build(compilation, infer=infer, jobs=jobs)
            with timings.stage("write"):
                _write(compilation, plan, (inputs, graph), infer)
                clear(kept_shards(project), compilation.parts)
        finally:
            shutil.rmtree(store, ignore_errors=True)
    return Built(
        project,
        plan.figures,
        compilation.report,
        timings,
        compilation.engine,
        written=True,
        compilation=compilation,
        notes=plan.notes,
    )


def _missing() -> str:
    """Return what an output lacks for want of a package, so that installing one makes the next build new."""
    packages = sorted({item.package for item in EDITIONS.values() if not item.available})
    packages += [] if can_index() else ["pagefind"]
    return "".join(f"-without-{package}" for package in packages)


def plan_build(compilation: Compilation, *, render: bool = True, infer: bool = False, jobs: int | None = None) -> Plan:
    """Plan every file of the site and check links and paths; raise `FindingsError` where one is broken.

    Without `render` the files beside the pages are named but empty; RDF/XML, which can refuse a term, is still checked.
    """
    project, report, timings = compilation.project, compilation.report, compilation.timings
    material = Material(compilation, infer)
    jobs = default_jobs() if jobs is None else jobs
    with timings.stage("query"):
        queries, documents = read_queries(project, report), read_documents(project, report)
        gate(report)
        answers = [(query, run(query, compilation.whole, project.prefixes, report)) for query in queries]
        gate(report)
        asked = [(query, answer) for query, answer in answers if answer is not None]
    with timings.stage("export"):
        if render:
            files = {path: file.data for path, file in write_editions(material, jobs=jobs).items()}
        else:
            files = dict.fromkeys(name_editions(material), b"")
    if infer:
        count, withheld = len(material.inference.steps), len(material.inference.withheld)
        material.note(f"inferred: {count} triples that no claim says, in graph/{GRAPH}; withheld: {withheld}")
    with timings.stage("resources"):
        overview = _overview(compilation)
        described = _described(compilation, sparse=overview is not None)
        files |= _resources(material, described, jobs) if render else dict.fromkeys(described, b"")
    with timings.stage("site"):
        for query, answer in asked:
            files |= {path: write() if render else b"" for path, write in _answer_files(query, answer)}
        pages = pages_by_path(plan_site(site_input(material, asked, files, overview, documents), jobs), report)
        files |= _addresses(pages, material)
        files |= {path: write() if render else b"" for path, write in web_parts(compilation.size, compilation.nquads)}
        if overview is not None:
            few = overview.things <= project.pages
            why = (
                "those of large tables are in the store alone"
                if few
                else f"the setting `pages` allows {project.pages:,}"
            )
            material.note(
                f"the site has no page for each of {overview.things:,} entities, claims and articles: {why}; "
                "`kgbuild serve` makes them when they are asked for"
            )
        if (count := len(compilation.sources.entities) + len(compilation.sources.claims)) > INDEXED and not can_index():
            material.note(
                f"pages load all {count:,} names to search them; with pip install 'kgbuild[search]' they load parts"
            )
        for words in absences(compilation.size, len(compilation.sources.entities), len(compilation.sources.claims)):
            material.note(words)
    with timings.stage("links"):
        check_links(pages, [*files, "SHA256SUMS"], report)
        gate(report)
        files |= pages
        parts = {f"data/{name}": group for name, group in grouped(compilation.parts, _QUADS).items()}
        if render:
            files["SHA256SUMS"] = _sums(files, parts)
    notes = (*material.notes, *_large_notes(parts))
    figures = _figures(compilation, len(asked), len(pages))
    return Plan(files, figures, notes, parts, overview is not None, documents)


def _large_notes(parts: Mapping[str, tuple[Part, ...]]) -> Iterator[str]:
    """Say of each large table where its records are."""
    tables: dict[str, list[tuple[Part, ...]]] = {}
    for group in parts.values():
        tables.setdefault(group[0].table, []).append(group)
    for name, groups in tables.items():
        count = sum(part.records for group in groups for part in group)
        files = f"{len(groups)} file{'' if len(groups) == 1 else 's'} data/{name}-….nq.gz"
        what = groups[0][0].what
        owner = name.removesuffix(f".{what}")
        yield f"{count:,} {what} of {owner} stand in the store and in {files}, not on pages"


def _described(compilation: Compilation, *, sparse: bool) -> dict[str, tuple[str, str]]:
    """Return the files about one thing each, by path: how each is written, and the IRI of the thing.

    A sparse site has only those of datasets.
    """
    project, found = compilation.project, dict[str, tuple[str, str]]()
    always = {"ns.ttl": ("graph", project.graph("ontology")), "void.ttl": ("graph", project.graph("void"))}

    def beside(path: str, iri: str) -> None:
        found[f"{path}.ttl"], found[f"{path}.jsonld"] = ("turtle", iri), ("jsonld", iri)

    for dataset in compilation.sources.datasets:
        beside(f"dataset/{dataset.id}", project.dataset(dataset.id))
    if sparse:
        return found | always
    for entity in compilation.sources.entities:
        beside(f"id/{entity.id}", project.entity(entity.id))
    for article in compilation.sources.articles:
        beside(f"article/{article.id}", project.article(article.id))
    for item in compilation.nanopublications():
        found[f"np/{item.iri.rsplit('/', 1)[-1]}.trig"] = ("trig", item.iri)
        if item is not compilation.index:
            beside(f"claim/{item.claim}", project.claim(item.claim))
            found[f"claim/{item.claim}.trig"] = ("trig", item.iri)
    return found | always


def _resources(material: Material, described: Mapping[str, tuple[str, str]], jobs: int) -> dict[str, bytes]:
    """Write the files about one thing each; what stands at two paths is written once."""
    forms: dict[str, list[str]] = {}
    for form, iri in dict.fromkeys(described.values()):
        forms.setdefault(iri, []).append(form)
    resources = material.resources

    def write(iri: str) -> list[bytes]:
        return [getattr(resources, form)(iri) for form in forms[iri]]

    made = share(write, list(forms), min(jobs, len(forms) // _WORTH))
    written = {
        (form, iri): data
        for iri, files in zip(forms, made, strict=True)
        for form, data in zip(forms[iri], files, strict=True)
    }
    return {path: written[each] for path, each in described.items()}


def _addresses(pages: Mapping[str, bytes], material: Material) -> dict[str, bytes]:
    """Return what tells crawlers which pages there are, and web servers how to hand them out."""
    base = material.project.base
    found = [path for path in pages if path.endswith(".html") and path != "404.html"]
    return sitemaps(found, base, material.recorded) | {"robots.txt": robots(base)} | hosting_files()


def _answer_files(query: Query, answer: Answer) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return the files of a question's answer, by path, to be written when asked for."""
    for form, _ in answer_formats(answer):
        yield f"query/{query.name}.{form}", partial(write, answer, form, {})


def _overview(compilation: Compilation) -> Overview | None:
    """Return what a sparse site shows, or None where there are few enough things for a page of each.

    Claims of large tables are held nowhere but in the store: with them, too, there is no page of each.
    """
    sources = compilation.sources
    held = len(sources.claims) + len(sources.entities) + len(sources.articles)
    if held <= compilation.project.pages and not compilation.counts["claims"]:
        return None
    return overview(compilation.whole, compilation.project)


def site_input(
    material: Material,
    asked: list[tuple[Query, Answer]],
    files: Mapping[str, bytes],
    overview: Overview | None = None,
    documents: tuple[Document, ...] = (),
) -> SiteInput:
    """Return what the site shows: the views of the graph, the questions with their answers, files, documents."""
    compilation, project = material.compilation, material.project
    return SiteInput(
        project=project,
        views=overview.views if overview else material.views,
        queries=tuple(QueryPage.of(query, answer, project.prefixes) for query, answer in asked),
        downloads=tuple(_downloads(material, files)),
        shapes=compilation.shapes,
        findings=tuple(compilation.report.sorted()),
        engine=compilation.engine,
        triples=compilation.total if overview else compilation.size,
        formats=RESOURCE_FORMATS,
        scripts=bool(web_files()),
        workbench=has_workbench(compilation.size),
        indexed=can_index(),
        sparse=overview is not None,
        totals=overview.totals if overview else None,
        documents=documents,
    )


def _downloads(material: Material, files: Mapping[str, bytes]) -> Iterator[Download]:
    for path, file in (material.files | material.records).items():
        edition = file.edition
        yield Download(path, edition.label, edition.media_type, len(file.data), edition.description)
    for path, label, media_type, words in (
        ("ns.ttl", "Ontology", "text/turtle", "classes and predicates, with the tool's vocabulary"),
        ("void.ttl", "Dataset record", "text/turtle", "what the graph is (DCAT, VoID)"),
    ):
        if path in files:
            yield Download(path, label, media_type, len(files[path]), words)


def _figures(compilation: Compilation, queries: int, pages: int) -> Figures:
    sources, counts = compilation.sources, compilation.counts
    states = Counter[AnchorState](sentence.state for article in sources.articles for sentence in article.sentences)
    for state in ANCHOR_STATES:
        states[state] += counts[f"anchor {state}"]
    covered = {(claim.article, number) for claim in sources.claims for number in claim.sentences}
    covered |= {(article, number) for article, numbers in compilation.covered.items() for number in numbers}
    return Figures(
        articles=len(sources.articles) + counts["articles"],
        sentences=sum(len(article.sentences) for article in sources.articles) + counts["sentences"],
        covered=len(covered) + counts["covered"],
        claims=len(sources.claims) + counts["claims"],
        entities=len(sources.entities),
        mappings=sum(len(mapping_set.mappings) for mapping_set in sources.mappings),
        plain=_plain(compilation),
        quads=compilation.total,
        queries=queries,
        pages=pages,
        anchors={state: count for state, count in sorted(states.items()) if count},
    )


def _plain(compilation: Compilation) -> int:
    """Count the plain triples, each once whatever the shards that license it."""
    graph = compilation.project.graph("asserted")
    plain = frozenset().union(*(shard.asserted for shard in compilation.shards))
    if not compilation.counts["claims"]:
        return len(plain)
    answer = compilation.whole.query(f"SELECT (COUNT(*) AS ?n) WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}")
    assert isinstance(answer, Solutions)
    return int(next(answer.dicts())["n"])


def _sums(files: Mapping[str, bytes], parts: Mapping[str, tuple[Part, ...]]) -> bytes:
    sums = {path: hashlib.sha256(data) for path, data in files.items()}
    for path, group in parts.items():
        sums[path] = hashlib.sha256()
        for part in group:
            sums[path].update(part.file.read_bytes())
    return "".join([f"{digest.hexdigest()}  {path}\n" for path, digest in sorted(sums.items())]).encode("utf-8")


def _write(compilation: Compilation, plan: Plan, inputs: tuple[str, str], infer: bool) -> None:
    """Write everything beside the last build, then swap."""
    from concurrent.futures import ThreadPoolExecutor

    project = compilation.project
    aside, old = _aside(project), _old(project)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        site = aside / "site"
        for folder in sorted({(site / path).parent for path in plan.files}):
            folder.mkdir(parents=True, exist_ok=True)
        graphs = ["nquads", "inferred"] if infer else ["nquads"]
        dumps = [path_of(EDITIONS[name], project) for name in graphs]
        for path in dumps:
            (site / path).write_bytes(plan.files[path])
        with ThreadPoolExecutor(1) as beside:
            stored = beside.submit(_write_store, compilation, aside, [site / path for path in dumps])
            for path, data in plan.files.items():
                if path not in dumps:
                    _put(site / path, data, project.build / "site" / path)
            _write_parts(site, plan.parts)
            (aside / "report.json").write_bytes(_report_json(compilation, plan, inputs, infer))
            stored.result()
        _swap(aside, project.build, old)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        words = "no space left on the disk" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise UnreadableError(f"cannot write {project.build}: {words}; the last build is untouched") from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _write_store(compilation: Compilation, aside: Path, dumps: list[Path]) -> None:
    """Write the names, and the store, or put the one of a project with large datasets where it belongs."""
    write_names(compilation.whole, compilation.project.base, aside / NAMES)
    folder = aside / "store"
    if compilation.parts:
        compilation.whole.add_all(path.read_bytes() for path in dumps[1:])
        compilation.whole.flush()
        _large_store(compilation.project).rename(folder)
    else:
        OxigraphStore.write(folder, *dumps)


def _put(path: Path, data: bytes, last: Path) -> None:
    """Write a file, or take over the one of the last build with its date, so that only what changed is deployed."""
    with contextlib.suppress(OSError):
        if last.stat().st_size == len(data) and last.read_bytes() == data:
            os.link(last, path)
            return
    path.write_bytes(data)


def _write_parts(site: Path, parts: Mapping[str, tuple[Part, ...]]) -> None:
    """Write each file of a large dataset: gzip members one after the other are one gzip file (RFC 1952 §2.2)."""
    for path, group in parts.items():
        with open(site / path, "wb") as file:
            for part in group:
                file.write(part.file.read_bytes())


def _report_json(compilation: Compilation, plan: Plan, inputs: tuple[str, str], infer: bool) -> bytes:
    from kgbuild.reporting import as_json

    figures = {name: getattr(plan.figures, name) for name in Figures.__slots__}
    document = {
        "inputs": inputs[0],
        "graph": inputs[1],
        "output": hashlib.sha256(plan.files["SHA256SUMS"]).hexdigest(),
        "engine": compilation.engine,
        "inferred": infer,
        "sparse": plan.sparse,
        "documents": {document.name: document.title for document in plan.documents},
        "figures": figures,
        "notes": list(plan.notes),
        **as_json(compilation.report.sorted()),
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _aside(project: Project) -> Path:
    return project.build.with_name(f".{project.build.name}.new")


def _large_store(project: Project) -> Path:
    return project.build.with_name(f".{project.build.name}.store")


def _old(project: Project) -> Path:
    return project.build.with_name(f".{project.build.name}.old")


def _swap(new: Path, current: Path, old: Path) -> None:
    """Put the new folder in the place of the current one, in one step where the system can."""
    shutil.rmtree(old, ignore_errors=True)
    if current.exists():
        if _exchange(new, current):
            shutil.rmtree(new, ignore_errors=True)
            return
        current.rename(old)
    new.rename(current)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically (Linux renameat2); return False where the system cannot."""
    import ctypes

    here, exchange = -100, 2
    try:
        call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


def _recover(project: Project) -> None:
    """Put the last good build back after a kill between the two steps of a swap, and clear what a kill left."""
    old = _old(project)
    if old.exists() and not project.build.exists():
        old.rename(project.build)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(_aside(project), ignore_errors=True)
    shutil.rmtree(_large_store(project), ignore_errors=True)


def _unchanged(project: Project, inputs: str) -> tuple[Figures, Report, str, tuple[str, ...]] | None:
    """Return figures, findings, engine and notes of the last build when it was made of the same inputs and is whole."""
    from kgbuild.reporting import from_json

    try:
        document = json.loads((project.build / "report.json").read_bytes())
        sums = (project.build / "site" / "SHA256SUMS").read_bytes()
    except (OSError, ValueError):
        return None
    if document.get("inputs") != inputs or hashlib.sha256(sums).hexdigest() != document.get("output"):
        return None
    for line in sums.decode("utf-8").splitlines():
        digest, _, path = line.partition("  ")
        try:
            if hashlib.sha256((project.build / "site" / path).read_bytes()).hexdigest() != digest:
                return None
        except OSError:
            return None
    if not all((project.build / name).is_dir() for name in ("store", NAMES)):
        return None
    notes = tuple(map(str, document.get("notes", ())))
    return Figures(**document["figures"]), Report(from_json(document)), str(document["engine"]), notes


def current_store(project: Project) -> Path | None:
    """Return the store of the last build when its graph was made of the inputs as they are now."""
    made_of = _last_report(project).get("graph")
    folder = project.build / "store"
    return folder if folder.is_dir() and made_of == fingerprint(project, folders=OF_GRAPH) else None


def _last_report(project: Project) -> dict[str, object]:
    try:
        document = json.loads((project.build / "report.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def open_store(
    start: Path | str = ".",
    *,
    infer: bool | None = None,
    services: bool = False,
    timings: Timings | None = None,
) -> OxigraphStore:
    """Return the store of the build where it is current, or else the project compiled, of which `timings` tell.

    With `infer`, or the setting of that name, it holds the inferred graph; without, never, whatever the build has.
    """
    project = load_project(Path(start))
    infer = project.infer if infer is None else infer
    folder = current_store(project)
    if folder is None:
        store, inferred = compile_project(project.root, timings=timings).whole, False
    else:
        store, inferred = OxigraphStore.open(folder), _last_report(project).get("inferred") is True
    if inferred and not infer:
        store = store.copy(but=project.graph(GRAPH))
    elif infer and not inferred:
        store = with_inferred(store if folder is None else store.copy(), project.base)
    store.services = services
    return store


def export(name: str, start: Path | str = ".", *, notes: list[str] | None = None) -> bytes:
    """Compile a project and return one edition of its graph; raise `UsageError` for an unknown one.

    `notes` gets what people must be told of it: what it had to leave out.
    """
    edition = find_edition(name)
    material = Material(compile_project(start))
    data = write_edition(edition, material)
    if notes is not None:
        notes += material.notes
    return data
