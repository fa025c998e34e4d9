"""A project: where its files are and what its settings say (`[tool.kgbuild]` or `kgbuild.toml`)."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgbuild.diagnostics import FindingsError, Report, Span, UnreadableError, UsageError, did_you_mean
from kgbuild.source import Source, forbidden, read_source, relative
from kgbuild.terms import PREFIXES, is_iri, is_language

SETTINGS = {
    "base": "IRI below which everything of the project is named; ends with a slash",
    "prefix": "prefix of the project's ontology, whose namespace is the base and `ns#`",
    "title": "title of the knowledge graph",
    "description": "what it is about, in a sentence or two",
    "language": "language of texts that name none (en)",
    "languages": "languages in which labels are shown, preferred first (the one of `language`)",
    "license": "IRI of the licence of the data",
    "version": "version of the data",
    "shard": "claims compiled at a time (1000)",
    "large": "statements of a dataset beyond which they are compiled in shards and have no pages (20000)",
    "pages": "entities, claims and articles beyond which none has a page of its own but on a server (50000)",
    "documents": "Markdown files that are pages of the site: imprint, method, results",
    "infer": "true: queries and the store of the build know the inferred graph (false)",
}
_REQUIRED = ("base", "prefix", "title", "license")


@dataclass(frozen=True, slots=True)
class Project:
    """The root folder and the settings of a project."""

    root: Path
    settings_path: str
    base: str
    prefix: str
    title: str
    license: str
    description: str = ""
    language: str = "en"
    languages: tuple[str, ...] = ()
    version: str = "0.0.0"
    shard: int = 1000
    large: int = 20_000
    pages: int = 50_000
    infer: bool = False
    documents: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        """Return the namespace of the project's ontology."""
        return self.base + "ns#"

    @property
    def fallback(self) -> tuple[str, ...]:
        """Return the languages of labels in the order they are tried; English, that of the tool's terms, is the last.

        >>> Project(Path(), "", "", "", "", "", language="es", languages=("de",)).fallback
        ('de', 'es', 'en')
        """
        return tuple(dict.fromkeys((*self.languages, self.language, "en")))

    @property
    def build(self) -> Path:
        """Return the folder that holds the output."""
        return self.root / "build"

    @property
    def prefixes(self) -> dict[str, str]:
        """Return the prefixes that queries and outputs use."""
        own = {
            self.prefix: self.namespace,
            "id": self.base + "id/",
            "claim": self.base + "claim/",
            "article": self.base + "article/",
            "dataset": self.base + "dataset/",
            "graph": self.base + "graph/",
        }
        return dict(sorted((PREFIXES | own).items()))

    def entity(self, slug: str) -> str:
        """Return the IRI of an entity."""
        return f"{self.base}id/{slug}"

    def claim(self, key: str) -> str:
        """Return the IRI of a claim by its article/id."""
        return f"{self.base}claim/{key}"

    def article(self, slug: str) -> str:
        """Return the IRI of an article."""
        return f"{self.base}article/{slug}"

    def dataset(self, key: str) -> str:
        """Return the IRI of a dataset, or by its dataset/id that of a statement or record in it."""
        return f"{self.base}dataset/{key}"

    def alignment(self, key: str) -> str:
        """Return the IRI of the alignments of an article, or of one of them."""
        return f"{self.base}alignment/{key}"

    def graph(self, name: str) -> str:
        """Return the IRI of a named graph."""
        return f"{self.base}graph/{name}"


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds a project; raise `UsageError` where none does."""
    start = start.absolute()
    if not start.exists():
        raise UnreadableError(f"{start} does not exist")
    for folder in (start, *start.parents):
        if (folder / "kgbuild.toml").is_file():
            return folder
        settings = folder / "pyproject.toml"
        if settings.is_file() and "[tool.kgbuild" in settings.read_text("utf-8", "replace"):
            return folder
    raise UsageError(f"no project at or above {start}: neither kgbuild.toml nor [tool.kgbuild] in pyproject.toml")


def load_project(start: Path) -> Project:
    """Read the settings of the project at or above `start`; raise `FindingsError` where they are wrong."""
    root = find_root(start)
    report = Report()
    own = root / "kgbuild.toml"
    path = own if own.is_file() else root / "pyproject.toml"
    source = read_source(root, path, report)
    project = None if source is None else _settings(root, source, own.is_file(), report)
    if project is None or report.has_errors:
        raise SettingsError(report)
    return project


class SettingsError(FindingsError):
    """Settings that are wrong (exit 2); carries the report."""

    exit_code = 2


def _settings(root: Path, source: Source, whole: bool, report: Report) -> Project | None:
    try:
        document = tomllib.loads(source.text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(found[2]), int(found[3])) if found else (1, 1)
        sound = isinstance(error, tomllib.TOMLDecodeError)
        words = (found[1] if found else str(error)) if sound else "a number too long or brackets too deep"
        report.add("KG110", f"broken TOML: {words}", Span(source.path, line, column))
        return None
    section = "" if whole else "tool.kgbuild"
    values: Any = document if whole else document.get("tool", {}).get("kgbuild", {})
    if not isinstance(values, dict):
        report.add("KG110", "the settings must be a table", Span(source.path))
        return None
    for key in values:
        if key not in SETTINGS:
            hint = did_you_mean(key, SETTINGS) or f"known settings: {', '.join(SETTINGS)}"
            report.add("KG109", f"unknown setting '{key}'", key_span(source, section, key), hint=hint)
    for key in _REQUIRED:
        if key not in values:
            report.add("KG110", f"the setting '{key}' is missing", Span(source.path), hint=f"{key}: {SETTINGS[key]}")
    good = {
        key: value for key, value in values.items() if key in SETTINGS and _fits(source, section, key, value, report)
    }
    if report.has_errors:
        return None
    good |= {key: tuple(value) for key, value in good.items() if isinstance(value, list)}
    return Project(root=root, settings_path=relative(root, root / source.path), **good)


def _fits(source: Source, section: str, key: str, value: Any, report: Report) -> bool:
    wrong = None
    if key in {"shard", "large", "pages"}:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            wrong = "a whole number from 1"
    elif key == "infer":
        if not isinstance(value, bool):
            wrong = "true or false"
    elif key == "languages":
        if not _are_languages(value):
            wrong = "a list of language tags, each once"
    elif key == "documents":
        if not _are_documents(value):
            wrong = "a list of paths of Markdown files (NAME.md) below the project's folder, each once"
    elif not isinstance(value, str) or (not value.strip() and key != "description"):
        wrong = "a text"
    elif forbidden(value) or "\n" in value:
        wrong = "one line without control characters"
    elif key == "base" and not (is_iri(value) and value.startswith(("http://", "https://")) and value.endswith("/")):
        wrong = "an http(s) IRI that ends with a slash"
    elif key == "license" and not is_iri(value):
        wrong = "an IRI"
    elif key == "language" and not is_language(value):
        wrong = "a language tag"
    elif key == "prefix" and (not re.fullmatch(r"[a-z][a-z0-9]*", value) or value in PREFIXES):
        wrong = "a short lower-case word that is no prefix of another vocabulary"
    if wrong is None:
        return True
    report.add("KG110", f"'{key}' must be {wrong}", key_span(source, section, key))
    return False


def _are_languages(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(tag, str) and is_language(tag) for tag in value):
        return False
    return 0 < len(value) == len({tag.lower() for tag in value})


def _are_documents(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(path, str) for path in value):
        return False
    return len(set(value)) == len(value) and all(_is_document(path) for path in value)


def _is_document(path: str) -> bool:
    """Tell whether a path is one of a Markdown file below the project, spelt in one way alone.

    >>> [_is_document(path) for path in ("about/us.md", "../us.md", "/us.md", "about//us.md", "us.txt", ".md")]
    [True, False, False, False, False, False]
    """
    parts = path.split("/")
    plain = not {"", ".", ".."} & set(parts) and not forbidden(path) and not set("\\\n\t") & set(path)
    return plain and path.endswith(".md") and parts[-1] != ".md"


def value_span(project: Project, key: str, value: str) -> Span:
    """Return the place of a text in the list that a setting holds, or of the setting where it cannot be seen."""
    source = Source(project.settings_path, (project.root / project.settings_path).read_text("utf-8", "replace"))
    place = key_span(source, "" if source.path.endswith("kgbuild.toml") else "tool.kgbuild", key)
    for number, line in enumerate(source.text.split("\n")[place.line - 1 :], place.line):
        if found := re.search(rf"[\"']({re.escape(value)})[\"']", line):
            return Span(source.path, number, found.start(1) + 1, len(value))
    return place


def key_span(source: Source, section: str, key: str) -> Span:
    """Return the place of a key in a TOML file, or of the file where it cannot be seen."""
    here = ""
    for number, line in enumerate(source.text.split("\n"), 1):
        heading = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if heading:
            here = heading[1]
            if here == f"{section}.{key}".lstrip("."):
                return Span(source.path, number, line.index(key) + 1, len(key))
        elif here == section and (found := re.match(rf"\s*[\"']?({re.escape(key)})[\"']?\s*[=.]", line)):
            return Span(source.path, number, found.start(1) + 1, len(key))
    return Span(source.path)


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Let only one build of a project run at a time."""
    with holding(project.root) as alone:
        if not alone:
            raise UsageError(f"another build of {project.root} is running")
        yield


@contextlib.contextmanager
def holding(folder: Path, *, shared: bool = False) -> Iterator[bool]:
    """Hold a folder, waiting to share it with others or else at once for oneself alone; tell whether it is held."""
    try:
        import fcntl
    except ImportError:
        yield True
        return
    handle, held = os.open(folder, os.O_RDONLY), True
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)
