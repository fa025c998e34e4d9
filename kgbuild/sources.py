"""All sources of a project, read into values: settings, ontologies, and the files below `data/`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kgbuild.claims import Article, Claim, Entity, MappingSet
from kgbuild.datasets import AlignmentSet, Dataset
from kgbuild.diagnostics import Report, Span
from kgbuild.ontology import Ontology, read_ontology
from kgbuild.project import Project
from kgbuild.read.alignments import read_alignments
from kgbuild.read.articles import read_article
from kgbuild.read.datasets import read_dataset
from kgbuild.read.entities import read_entities
from kgbuild.read.mappings import read_mappings
from kgbuild.read.sentences import read_sentences, verify_sentences
from kgbuild.source import Source, decode, read_source, relative, walk

SENTENCES = ".sentences.tsv"
MAPPINGS = ".sssom.tsv"
RECORDS = ".records.tsv"


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, in the order of the files' names; `texts` holds every file for showing findings."""

    project: Project
    ontology: Ontology
    articles: tuple[Article, ...]
    claims: tuple[Claim, ...]
    entities: tuple[Entity, ...]
    mappings: tuple[MappingSet, ...]
    datasets: tuple[Dataset, ...] = ()
    alignments: tuple[AlignmentSet, ...] = ()


def read_sources(project: Project, report: Report, texts: Mapping[str, Path] | None = None) -> Sources:
    """Read everything a project compiles; `texts` gives local copies of articles' texts by article id."""
    ontology = read_ontology(project, report)
    entities: list[Entity] = []
    for source in _files(project, "data/entities", (".yaml",), report):
        entities += read_entities(source, project.language, report)
    articles: list[Article] = []
    claims: list[Claim] = []
    tables = {}
    for source in _files(project, "data/articles", (".yaml", SENTENCES), report):
        if source.path.endswith(SENTENCES):
            tables[source.path.removesuffix(SENTENCES)] = source
            continue
        article, found = read_article(source, report)
        claims += found
        if article is not None:
            articles.append(article)
    anchored = [_anchored(project, article, tables, texts or {}, report) for article in articles]
    read = {article.place.span.path for article in articles}
    for stem, source in tables.items():
        if not (project.root / f"{stem}.yaml").exists():
            report.add("KG113", f"no article belongs to {source.path}", Span(source.path))
        elif f"{stem}.yaml" not in read:
            read_sentences(source, None, report)
    sets = [
        mapping_set
        for source in _files(project, "data/mappings", (MAPPINGS,), report)
        if (mapping_set := read_mappings(source, project.base, report)) is not None
    ]
    judged = [
        alignments
        for source in _files(project, "data/alignments", (".yaml",), report)
        if (alignments := read_alignments(source, project.language, report)) is not None
    ]
    return Sources(
        project,
        ontology,
        tuple(anchored),
        tuple(claims),
        tuple(entities),
        tuple(sets),
        tuple(_datasets(project, report)),
        tuple(judged),
    )


def _datasets(project: Project, report: Report) -> Iterator[Dataset]:
    """Read every dataset with the tables beside it."""
    sources = {source.path: source for source in _files(project, "data/datasets", (".yaml", ".tsv"), report)}
    for path, source in sources.items():
        if path.endswith(".yaml"):
            stem = path.removesuffix(".yaml")
            statements, records = sources.get(f"{stem}.tsv"), sources.get(f"{stem}{RECORDS}")
            dataset = read_dataset(source, statements, records, project.language, report)
            if dataset is not None:
                yield dataset
        elif f"{path.removesuffix('.tsv').removesuffix('.records')}.yaml" not in sources:
            report.add("KG113", f"no dataset belongs to {path}", Span(path))


def _files(project: Project, folder: str, endings: tuple[str, ...], report: Report) -> list[Source]:
    sources = []
    for path in walk(project.root, folder, report):
        if path.name.endswith(endings):
            if source := read_source(project.root, path, report):
                sources.append(source)
        elif not (folder == "data/articles" and path.suffix == ".txt"):
            name = relative(project.root, path)
            hint = f"files here end in {' or '.join(endings)}; start the name with a dot to keep it aside"
            report.add("KG113", f"nothing reads {name}", Span(name), hint=hint)
    return sources


def _anchored(
    project: Project, article: Article, tables: Mapping[str, Source], texts: Mapping[str, Path], report: Report
) -> Article:
    stem = article.place.span.path.removesuffix(".yaml")
    if stem not in tables:
        message = f"the article '{article.id}' has no sentence table"
        hint = f"run `kgbuild anchor {article.id} TEXT`"
        report.add("KG218", message, article.place.span, hint=hint)
        return article
    article = replace(article, sentences=read_sentences(tables[stem], article, report))
    path = texts.get(article.id, project.root / f"{stem}.txt")
    if not path.exists() and article.id not in texts:
        return article
    try:
        data = path.read_bytes()
    except OSError as error:
        report.add("KG101", f"cannot read {path}: {error.strerror or error}", Span(relative(project.root, path)))
        return article
    source = decode(relative(project.root, path), data, report)
    return article if source is None else verify_sentences(article, source.text, report)


def fingerprint(project: Project, texts: Mapping[str, Path] | None = None) -> str:
    """Return a digest of every input file of a project and of the tool itself: equal inputs, equal output."""
    running = hashlib.sha256()
    tool = Path(__file__).parent
    roots = [(tool, path) for path in sorted(tool.rglob("*")) if "__pycache__" not in path.parts]
    for folder in ("ontology", "data", "queries"):
        roots += [(project.root, path) for path in sorted((project.root / folder).rglob("*"))]
    roots.append((project.root, project.root / project.settings_path))
    for article, path in sorted((texts or {}).items()):
        running.update(f"text {article}\n".encode())
        roots.append((path.parent, path))
    for root, path in roots:
        if path.is_file():
            data = path.read_bytes()
            running.update(f"{path.relative_to(root).as_posix()}\n{len(data)}\n".encode("utf-8", "surrogateescape"))
            running.update(data)
    return running.hexdigest()
