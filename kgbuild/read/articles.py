"""Articles and their claims: `data/articles/NAME.yaml`, with the sentence table beside each.

Claims may also stand in a table, `NAME.claims.csv` and the like.
"""

from __future__ import annotations

from collections.abc import Iterable

from kgbuild import claims
from kgbuild.claims import Article, Claim, Section
from kgbuild.diagnostics import Report
from kgbuild.read.records import Record
from kgbuild.read.streams import Table
from kgbuild.read.yaml import Mapping, Sequence, Value, parse
from kgbuild.source import Source
from kgbuild.terms import is_iri


def read_article(source: Source, table: Table | None, report: Report) -> tuple[Article | None, list[Claim]]:
    """Read one article file and the table of claims beside it; what cannot be read is reported and left out."""
    root = parse(source, report)
    if root is None:
        return None, []
    top = top_level(root, {"article", "claims"}, source, report)
    if top is None:
        return None, []
    head = top.get("article")
    if not isinstance(head, Mapping):
        report.add("KG106", "the file has no 'article' record", root.span, hint="article: followed by its keys")
        return None, []
    record = Record(head, claims.ARTICLE_FIELDS, "the article", "en", report)
    article = _article(head, record, report) if record.complete else None
    name = str(record.values.get("id", ""))
    language = str(record.values.get("language", "en"))
    found = _claims(records(top.get("claims"), "claims", report), name, language, report)
    for batch in table.batches(claims.CLAIM_FIELDS, 1000, report) if table else ():
        found += _claims(batch.mappings(claims.CLAIM_FIELDS, report), name, language, report)
    return article, found


def top_level(root: Value, known: set[str], source: Source, report: Report) -> dict[str, Value] | None:
    """Return the top keys of a file, or None where it is no mapping; report unknown ones."""
    if not isinstance(root, Mapping):
        report.add("KG107", f"{source.path} must hold keys: {', '.join(sorted(known))}", root.span)
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
