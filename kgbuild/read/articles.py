"""Articles and their claims: `data/articles/NAME.yaml`, with the sentence table beside each.

Claims may also stand in a table, `NAME.claims.csv` and the like, and whole articles in a table of their own, an article
a row. Claims of a table beyond a limit are not held: their table is named instead, and read where they are compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kgbuild import claims
from kgbuild.claims import Article, Claim, Section
from kgbuild.diagnostics import Report
from kgbuild.read.records import Record
from kgbuild.read.sentences import sentences_of
from kgbuild.read.streams import Batch, Table
from kgbuild.read.tables import Row
from kgbuild.read.yaml import Mapping, Scalar, Sequence, Value, parse
from kgbuild.source import Source
from kgbuild.terms import is_iri


@dataclass(frozen=True, slots=True)
class ClaimTable:
    """The claims of an article that are read in batches, each where it is compiled."""

    article: str
    language: str
    table: Table


@dataclass(frozen=True, slots=True)
class ArticleTable:
    """Articles that are read in batches, each where it is compiled."""

    table: Table


ARTICLES_OF_A_SHARD = 20
"""A batch of articles has the rows of a shard divided by this: so many claims an article are usual."""


def read_article(
    source: Source, table: Table | None, limit: int, report: Report
) -> tuple[Article | None, list[Claim], ClaimTable | None]:
    """Read one article file and the table of claims beside it, up to a limit; what cannot be read is reported."""
    root = parse(source, report)
    top = None if root is None else top_level(root, {"article", "claims"}, source.path, report)
    if root is None or top is None:
        return None, [], None
    article, found, name, language = _whole(top, root, report)
    batch, more = (None, False) if table is None else table.first(claims.CLAIM_FIELDS, limit, report)
    if table is not None and more and article is not None:
        return replace(article, large=True), found, ClaimTable(name, language, table)
    if batch is not None:
        found += read_claims(batch, name, language, report)
    return article, found, None


def read_claims(batch: Batch, article: str, language: str, report: Report) -> list[Claim]:
    """Read a batch of the claims of an article; what cannot be read is reported and left out."""
    return _claims(batch.mappings(claims.CLAIM_FIELDS, report), article, language, report)


def read_article_table(
    table: Table, limit: int, size: int, report: Report
) -> tuple[list[tuple[Article, list[Claim]]], ArticleTable | None]:
    """Read a table of articles as long as they hold no more claims than a limit."""
    found: list[tuple[Article, list[Claim]]] = []
    count, seen = 0, Report()
    for batch in table.batches(claims.ARTICLE_ROW_FIELDS, articles_of(size), seen):
        made = read_articles(batch, seen)
        count += sum(len(held) for _, held in made)
        if count > limit:
            return [], ArticleTable(table)
        found += made
    report.extend(seen)
    return found, None


def articles_of(shard: int) -> int:
    """Return how many articles make a shard of so many claims.

    >>> articles_of(1000)
    50
    """
    return max(1, shard // ARTICLES_OF_A_SHARD)


def read_articles(batch: Batch, report: Report) -> list[tuple[Article, list[Claim]]]:
    """Read a batch of articles with their sentences and claims; what cannot be read is reported and left out."""
    known = {field.key for field in claims.ARTICLE_ROW_FIELDS}
    found = []
    for root in batch.mappings(claims.ARTICLE_ROW_FIELDS, report):
        top = top_level(root, known, batch.path, report)
        article, held, _, _ = _whole(top or {}, root, report)
        if article is not None:
            rows = _sentence_rows(records((top or {}).get("sentences"), "sentences", report), batch.path, report)
            found.append((replace(article, sentences=sentences_of(rows, article, report)), held))
    return found


def _sentence_rows(nodes: Iterable[Mapping], path: str, report: Report) -> Iterator[Row]:
    """Turn sentences as records into rows of a sentence table."""
    for node in nodes:
        cells = {}
        for key, (span, value) in node.entries.items():
            if key not in claims.SENTENCE_COLUMNS or not isinstance(value, Scalar):
                known = f"a sentence has {', '.join(claims.SENTENCE_COLUMNS)}"
                report.add("KG105", f"unknown key '{key}' in the sentence", span, hint=known)
                continue
            cells[key] = value.text
        columns = dict.fromkeys(cells, node.span.column)
        yield Row(path, node.span.line, cells, columns)


def _whole(top: dict[str, Value], root: Value, report: Report) -> tuple[Article | None, list[Claim], str, str]:
    """Read an article's record and the claims beside it; return its name and language, whatever else is wrong."""
    head = top.get("article")
    if not isinstance(head, Mapping):
        report.add("KG106", "the file has no 'article' record", root.span, hint="article: followed by its keys")
        return None, [], "", "en"
    record = Record(head, claims.ARTICLE_FIELDS, "the article", "en", report)
    article = _article(head, record, report) if record.complete else None
    name, language = str(record.values.get("id", "")), str(record.values.get("language", "en"))
    return article, _claims(records(top.get("claims"), "claims", report), name, language, report), name, language


def top_level(root: Value, known: set[str], path: str, report: Report) -> dict[str, Value] | None:
    """Return the top keys of a file or row, or None where it is no mapping; report unknown ones."""
    if not isinstance(root, Mapping):
        report.add("KG107", f"{path} must hold keys: {', '.join(sorted(known))}", root.span)
        return None
    for key, (span, _) in root.entries.items():
        if key not in known:
            report.add("KG105", f"unknown key '{key}'", span, hint=f"known keys: {', '.join(sorted(known))}")
    return {key: value for key, (_, value) in root.entries.items() if key in known}


def records(value: Value | None, what: str, report: Report) -> list[Mapping]:
    """Return the records of a list, reporting what is no record."""
    if value is None:
        return []
    if not isinstance(value, Sequence):
        report.add("KG107", f"'{what}' must be a list", value.span)
        return []
    found = []
    for item in value.items:
        if isinstance(item, Mapping):
            found.append(item)
        else:
            report.add("KG107", f"each of '{what}' must be a record of keys and values", item.span)
    return found


def _article(head: Mapping, record: Record, report: Report) -> Article:
    values = record.values
    if values["rights"] not in claims.RIGHTS:
        hint = "one of: " + ", ".join(claims.RIGHTS)
        report.add("KG206", f"unknown rights '{values['rights']}'", record.keys["rights"], hint=hint)
    sections = []
    for node in records(values["sections"], "sections", report):
        part = Record(node, claims.SECTION_FIELDS, "the section", "en", report)
        if part.complete:
            sections.append(Section(part.values["id"], part.values["title"], part.place(node)))
    record.tag(values["language"], record.keys["language"])
    if "url" in values and not (is_iri(values["url"]) and values["url"].startswith(("http://", "https://"))):
        report.add(
            "KG306", f"'{values['url']}' is no address", record.keys["url"], hint="such as https://example.org/a"
        )
    return Article(
        id=values["id"],
        title=values["title"],
        publisher=values["publisher"],
        language=values["language"],
        recorded=values["recorded"],
        extractor=values["extractor"],
        rights=values["rights"],
        sections=tuple(sections),
        place=record.place(head),
        author=values.get("author", ()),
        url=values.get("url"),
        published=values.get("published"),
        characters=values.get("characters"),
        sha256=values.get("sha256"),
    )


def _claims(nodes: Iterable[Mapping], article: str, language: str, report: Report) -> list[Claim]:
    found = []
    for node in nodes:
        record = Record(node, claims.CLAIM_FIELDS, "the claim", language, report)
        if record.complete:
            found.append(claim_of(record, article, record.place(node)))
    return found


def claim_of(record: Record, article: str, place: claims.Place) -> Claim:
    """Make the claim of a complete record."""
    values = record.values
    return Claim(
        id=values["id"],
        article=article,
        statement=values["statement"],
        subject=values["subject"],
        predicate=values["predicate"],
        object=values["object"],
        sentences=values["sentence"],
        certainty=values["certainty"],
        basis=values["basis"],
        place=place,
        kind=values.get("kind", "factual"),
        modality=values.get("modality", "actual"),
        polarity=values.get("polarity", "affirmed"),
        frequency=values.get("frequency"),
        cues=values.get("cues", ()),
        subject_quantity=values.get("subject-quantity"),
        object_quantity=values.get("object-quantity"),
        qualifiers=values.get("qualifiers", ()),
        rationale=values.get("rationale", ()),
        contrasts_with=values.get("contrasts-with", ()),
        derived_from=values.get("derived-from", ()),
        attributed_to=values.get("attributed-to"),
        stated_evidence=values.get("stated-evidence"),
        presupposed=values.get("presupposed", False),
        implied=values.get("implied", False),
        compared_dimension=values.get("compared-dimension"),
        confidence=values.get("confidence"),
        quote=values.get("quote"),
        note=values.get("note"),
    )
