"""Sentence tables: `data/articles/NAME.sentences.tsv`, and what the article's text says of them when it is at hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from kgbuild.claims import SENTENCE_COLUMNS, AnchorState, Article, Place, Sentence
from kgbuild.diagnostics import Related, Report, did_you_mean
from kgbuild.read.tables import Row, read_table
from kgbuild.source import Source

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def read_sentences(source: Source, article: Article | None, report: Report) -> tuple[Sentence, ...]:
    """Read the sentence table of an article."""
    return sentences_of(read_table(source, SENTENCE_COLUMNS, SENTENCE_COLUMNS[:4], report), article, report)


def sentences_of(rows: Iterable[Row], article: Article | None, report: Report) -> tuple[Sentence, ...]:
    """Read the sentences of an article; offsets are code points, start before end, within the text and in order.

    Without the article, which could not be read, they are checked for themselves.
    """
    known = {section.id for section in article.sections} if article else set()
    length = article.characters if article else None
    found: dict[int, Sentence] = {}
    for row in rows:
        sentence = _sentence(row, report)
        if sentence is None:
            continue
        if sentence.number in found:
            first = Related(found[sentence.number].place.span, "first given here")
            report.add("KG201", f"sentence {sentence.number} is given twice", row.span("number"), related=[first])
            continue
        if article is not None and sentence.section not in known:
            hint = did_you_mean(sentence.section, known)
            report.add("KG213", f"unknown section '{sentence.section}'", row.span("section"), hint=hint)
        if length is not None and sentence.end > length:
            message = f"sentence {sentence.number} ends at {sentence.end}, the article has {length} characters"
            report.add("KG214", message, row.span("end"))
        found[sentence.number] = sentence
    ordered = sorted(found.values(), key=lambda sentence: sentence.number)
    for before, after in pairwise(ordered):
        if after.start < before.end:
            message = f"sentence {after.number} starts at {after.start}, before sentence {before.number} ends"
            report.add("KG214", message, after.place.of("start"))
    return tuple(ordered)


def _sentence(row: Row, report: Report) -> Sentence | None:
    numbers = {}
    for column in ("number", "start", "end"):
        text = row.cells.get(column, "")
        if re.fullmatch(r"[0-9]{1,9}", text):
            numbers[column] = int(text)
        else:
            report.add("KG107", f"'{column}' must be a whole number, not '{text}'", row.span(column))
    if len(numbers) < 3:
        return None
    if numbers["start"] >= numbers["end"]:
        message = f"the sentence starts at {numbers['start']} and ends at {numbers['end']}"
        report.add("KG214", message, row.span("start"), hint="offsets count code points from 0; the end is exclusive")
        return None
    digest = row.cells.get("sha256")
    if digest is not None and not _DIGEST.match(digest):
        report.add("KG217", "not a SHA-256 digest", row.span("sha256"), hint="64 digits 0-9 a-f")
        return None
    place = Place(row.span("number"), {column: row.span(column) for column in SENTENCE_COLUMNS})
    state: AnchorState = "unchecked" if digest is None else "digest only"
    return Sentence(
        numbers["number"], row.cells.get("section", ""), numbers["start"], numbers["end"], digest, state, place
    )


def verify_sentences(article: Article, text: str, report: Report) -> Article:
    """Check length and digests of an article against its text; return it with the state of each anchor."""
    if article.characters is not None and article.characters != len(text):
        message = f"the text has {len(text)} characters, the record says {article.characters}"
        report.add("KG215", message, article.place.of("characters"))
    if article.sha256 is not None and article.sha256 != digest(text):
        report.add("KG215", "the text is not the one of the record: its digest differs", article.place.of("sha256"))
    checked = []
    for sentence in article.sentences:
        matches = sentence.end <= len(text) and digest(text[sentence.start : sentence.end]) == sentence.sha256
        if sentence.sha256 is not None and not matches:
            message = f"sentence {sentence.number} does not match the text at {sentence.start}-{sentence.end}"
            hint = "run `kgbuild anchor` if the text was corrected"
            report.add("KG215", message, sentence.place.of("sha256"), hint=hint)
        state: AnchorState = "unchecked" if sentence.sha256 is None else "verified" if matches else "mismatch"
        checked.append(replace(sentence, state=state))
    return replace(article, sentences=tuple(checked))


def digest(text: str) -> str:
    """Return the SHA-256 of a text as UTF-8, in hexadecimal.

    >>> digest("magnesium")[:12]
    '9041bd65105f'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
