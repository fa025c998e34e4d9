"""All sources of a project, read into values: settings, ontologies, and the files below `data/`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kgbuild.claims import Article, Claim, Entity, MappingSet
from kgbuild.datasets import AlignmentSet, Dataset
from kgbuild.diagnostics import Report, Span
from kgbuild.ontology import Ontology, read_ontology
from kgbuild.project import Project
from kgbuild.read.alignments import read_alignments
from kgbuild.read.articles import ArticleTable, ClaimTable, read_article, read_article_table
from kgbuild.read.datasets import StatementTable, read_dataset
from kgbuild.read.entities import read_entities, read_entity_table
from kgbuild.read.mappings import read_mappings
from kgbuild.read.sentences import read_sentences, verify_sentences
from kgbuild.read.streams import Table, is_table, stem_of
from kgbuild.source import Source, decode, read_source, relative, walk

SENTENCES = ".sentences.tsv"
MAPPINGS = ".sssom.tsv"
RECORDS = ".records"
CLAIMS = ".claims"
LargeTable = StatementTable | ClaimTable | ArticleTable
"""Records that are not held: each is read where it is compiled."""
OF_GRAPH = ("ontology", "data")
"""The folders that the graph is made of; what else a project holds makes its site."""
_TABLED = frozenset({"data/articles", "data/datasets", "data/entities"})


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, in the order of the files' names; a `part` of it holds some articles of them all."""

    project: Project
    ontology: Ontology
    articles: tuple[Article, ...]
    claims: tuple[Claim, ...]
    entities: tuple[Entity, ...]
    mappings: tuple[MappingSet, ...]
    datasets: tuple[Dataset, ...] = ()
    alignments: tuple[AlignmentSet, ...] = ()
    large: tuple[LargeTable, ...] = ()
    part: bool = False

    def elsewhere(self) -> Callable[[str], bool]:
        """Return what tells whether a claim, by its key, may be one of those that are not held."""
        here = {article.id: article.large for article in self.articles}
        others = self.part or any(isinstance(large, ArticleTable) for large in self.large)
        return lambda key: here.get(key.partition("/")[0], others)


def read_sources(project: Project, report: Report, texts: Mapping[str, Path] | None = None) -> Sources:
    """Read everything a project compiles; `texts` gives local copies of articles' texts by article id."""
    ontology = read_ontology(project, report)
    entities: list[Entity] = []
    for source in _files(project, "data/entities", (".yaml",), report):
        entities += read_entities(source, project.language, report)
    for table in _tables(project, "data/entities", report).values():
        entities += read_entity_table(table, project.language, report)
    articles: list[Article] = []
    claims: list[Claim] = []
    large: list[LargeTable] = []
    tables = {}
    rows = _tables(project, "data/articles", report)
    for source in _files(project, "data/articles", (".yaml", SENTENCES), report):
        if source.path.endswith(SENTENCES):
            tables[source.path.removesuffix(SENTENCES)] = source
            continue
        beside = rows.pop(source.path.removesuffix(".yaml") + CLAIMS, None)
        article, found, rest = read_article(source, beside, project.large, report)
        claims += found
        articles += [article] if article is not None else []
        large += [rest] if rest is not None else []
    anchored = [_anchored(project, article, tables, texts or {}, report) for article in articles]
    for stem, table in rows.items():
        if stem.endswith(CLAIMS):
            report.add("KG113", f"no article belongs to {table.path}", Span(table.path))
            continue
        several, others = read_article_table(table, project.large, project.shard, report)
        anchored += [article for article, _ in several]
        claims += [claim for _, found in several for claim in found]
        large += [others] if others is not None else []
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
    datasets, statements = _datasets(project, report)
    return Sources(
        project,
        ontology,
        tuple(anchored),
        tuple(claims),
        tuple(entities),
        tuple(sets),
        tuple(datasets),
        tuple(judged),
        (*statements, *large),
    )


def _datasets(project: Project, report: Report) -> tuple[list[Dataset], list[StatementTable]]:
    """Read every dataset with the tables beside it."""
    datasets, large = [], []
    tables = _tables(project, "data/datasets", report)
    for source in _files(project, "data/datasets", (".yaml", ".tsv"), report):
        stem = source.path.removesuffix(".yaml")
        statements, records = tables.pop(stem, None), tables.pop(stem + RECORDS, None)
        dataset, rest = read_dataset(source, statements, records, project.language, project.large, report)
        datasets += [dataset] if dataset is not None else []
        large += [rest] if rest is not None else []
    for table in tables.values():
        report.add("KG113", f"no dataset belongs to {table.path}", Span(table.path))
    return datasets, large


def _tables(project: Project, folder: str, report: Report) -> dict[str, Table]:
    """Find the tables in a folder, by their paths without endings."""
    found: dict[str, Table] = {}
    for path in walk(project.root, folder, report):
        if is_table(path) and not path.name.endswith(SENTENCES):
            table = Table.of(project.root, path)
            first = found.setdefault(stem_of(table.path), table)
            if first is not table:
                message = f"{table.path} and {first.path} are one table twice"
                report.add("KG113", message, Span(table.path), hint="keep one of them")
    return found


def _files(project: Project, folder: str, endings: tuple[str, ...], report: Report) -> list[Source]:
    sources = []
    for path in walk(project.root, folder, report):
        if is_table(path) and folder in _TABLED and not path.name.endswith(SENTENCES):
            continue
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


def fingerprint(
    project: Project,
    texts: Mapping[str, Path] | None = None,
    folders: Iterable[str] = (*OF_GRAPH, "queries"),
    files: Iterable[Path] = (),
) -> str:
    """Return a digest of the input files of a project and of the tool itself: equal inputs, equal output.

    `files` are further ones beside those in `folders`.
    """
    running = hashlib.sha256(tool_digest().encode())
    roots: list[tuple[Path, Path]] = []
    for folder in folders:
        roots += [(project.root, path) for path in sorted((project.root / folder).rglob("*"))]
    roots += [(project.root, path) for path in (*files, project.root / project.settings_path)]
    for article, path in sorted((texts or {}).items()):
        running.update(f"text {article}\n".encode())
        roots.append((path.parent, path))
    _add_files(running, roots)
    return running.hexdigest()


def tool_digest() -> str:
    """Return a digest of the tool's own files."""
    running = hashlib.sha256()
    tool = Path(__file__).parent
    _add_files(running, [(tool, path) for path in sorted(tool.rglob("*")) if "__pycache__" not in path.parts])
    return running.hexdigest()


def _add_files(running: hashlib._Hash, roots: list[tuple[Path, Path]]) -> None:
    for root, path in roots:
        if path.is_file():
            name = path.relative_to(root).as_posix()
            running.update(f"{name}\n{path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    running.update(block)
