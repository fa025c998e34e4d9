"""Anchors: cut the local copy of an article's text into sentences, and write or verify its sentence table.

The text itself is never written anywhere: a sentence is a number, a section, offsets in code points and a digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kgbuild.claims import SENTENCE_COLUMNS, Article
from kgbuild.diagnostics import FindingsError, Report, Span, UnreadableError, UsageError, did_you_mean
from kgbuild.project import Project, load_project
from kgbuild.read.articles import read_article
from kgbuild.read.sentences import digest, read_sentences, verify_sentences
from kgbuild.source import decode, read_source, relative, walk
from kgbuild.sources import SENTENCES

_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|cf|al|Fig|No|approx|e\.g|i\.e)|\b[A-Z])\.$")
_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
_LONGEST_HEADING = 80


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a text: offsets in code points, and whether it is a heading."""

    start: int
    end: int
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Anchoring:
    """The outcome for one article: its sentences with their states, whether the table was written, the findings."""

    article: Article
    path: Path
    written: bool
    report: Report


def stretches(text: str) -> Iterator[Stretch]:
    """Cut a text into headings and sentences; a line of a list is one sentence.

    >>> [(s.start, s.end, s.heading) for s in stretches("Title\\n\\nOne. Two?\\n- item")]
    [(0, 5, True), (7, 11, False), (12, 16, False), (17, 23, False)]
    """
    start = 0
    for line in text.split("\n"):
        stripped = line.strip()
        begin = start + len(line) - len(line.lstrip())
        end = begin + len(stripped)
        if stripped and _ITEM.match(line):
            yield Stretch(begin, end)
        elif stripped and len(stripped) <= _LONGEST_HEADING and stripped[-1] not in ".:;,!":
            parts = list(_sentences(stripped))
            if len(parts) == 1:
                yield Stretch(begin, end, heading=True)
            else:
                yield from (Stretch(begin + a, begin + b) for a, b in parts)
        elif stripped:
            yield from (Stretch(begin + a, begin + b) for a, b in _sentences(stripped))
        start += len(line) + 1


def _sentences(line: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _END.finditer(line):
        if _ABBREVIATION.search(line[start : found.end()]):
            continue
        yield start, found.end()
        start = found.end() + len(line[found.end() :]) - len(line[found.end() :].lstrip())
    if start < len(line):
        yield start, len(line)


def anchor(start: Path | str, article_id: str, text_path: Path | str, *, write: bool = False) -> Anchoring:
    """Verify the sentence table of an article against a local copy of its text, or write it where there is none.

    With `write` an existing table is written anew. Raises `FindingsError` where the sources are broken, `UsageError`
    for an unknown article, `UnreadableError` where the text or the table cannot be read or written.
    """
    project = load_project(Path(start))
    report = Report()
    article = _find(project, article_id, report)
    source = _text(Path(text_path))
    table = project.root / (article.place.span.path.removesuffix(".yaml") + SENTENCES)
    written = write or not table.exists()
    if written:
        rows = _rows(article, source, report)
        if report.has_errors:
            raise FindingsError(report)
        _write(table, rows)
    read = read_source(project.root, table, report)
    if read is None:
        raise FindingsError(report)
    sentences = read_sentences(read, article, report)
    if report.has_errors:
        raise FindingsError(report)
    article = verify_sentences(replace(article, sentences=sentences), source, report)
    return Anchoring(article, table, written, report)


def _find(project: Project, article_id: str, report: Report) -> Article:
    articles = {}
    for path in walk(project.root, "data/articles", report):
        if path.suffix == ".yaml" and (source := read_source(project.root, path, report)):
            article, _, _ = read_article(source, None, 0, report)
            if article is not None:
                articles[article.id] = article
    if article_id not in articles:
        if report.has_errors:
            raise FindingsError(report)
        hint = did_you_mean(article_id, articles) or f"known articles: {', '.join(articles) or 'none'}"
        raise UsageError(f"unknown article '{article_id}'; {hint}")
    return articles[article_id]


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror or error}") from error
    report = Report()
    source = decode(path.as_posix(), data, report)
    if source is None:
        raise FindingsError(report)
    return source.text


def _rows(article: Article, text: str, report: Report) -> list[str]:
    found = list(stretches(text))
    headings = [stretch for stretch in found if stretch.heading]
    if len(headings) != len(article.sections):
        sections = len(article.sections)
        message = f"the text has {len(headings)} headings, its title among them; the record has {sections} sections"
        hint = "a section starts at each heading; the first follows the title"
        report.add("KG213", message, article.place.of("sections"), hint=hint)
        return []
    for what, given, actual in (
        ("characters", article.characters, len(text)),
        ("sha256", article.sha256, digest(text)),
    ):
        if given is not None and given != actual:
            message = f"the text is not the one of the record: its {what} is {actual}"
            report.add("KG215", message, article.place.of(what), hint="correct the record first")
    lines = ["\t".join(SENTENCE_COLUMNS)]
    section = -1
    for stretch in found:
        if stretch.heading:
            section += 1
            continue
        if section < 0:
            report.add("KG213", "the text does not start with its title", Span(article.place.span.path))
            return []
        words = text[stretch.start : stretch.end]
        cells = (len(lines), article.sections[section].id, stretch.start, stretch.end, digest(words))
        lines.append("\t".join(str(cell) for cell in cells))
    return lines


def _write(table: Path, rows: list[str]) -> None:
    aside = table.with_name(f".{table.name}.new")
    try:
        aside.write_text("\n".join(rows) + "\n", encoding="utf-8")
        aside.replace(table)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UnreadableError(f"cannot write {relative(table.parent, table)}: {error.strerror or error}") from error
