"""A publisher's own documents (imprint, method, results): Markdown files of the project, checked, each for a page.

A document may show pictures of the project and link to other documents and to the web. What it refers to otherwise is
reported: a picture must be a file that no browser runs, a link must lead somewhere.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from xml.parsers import expat

from kgbuild.diagnostics import Report, Span, did_you_mean
from kgbuild.project import Project, value_span
from kgbuild.site.render import anchor
from kgbuild.source import is_within, read_source

if TYPE_CHECKING:
    from kgbuild.site.markdown import Reference, Text

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_WEB: Final = re.compile(r"https?://[^\s\x00-\x20]+|mailto:[^\s\x00-\x20]+")
_IN_URL: Final = "!#$%&'()*+,/:;=?@[]~"
_DOCUMENTS: Final = "list the file in the setting `documents`, or link to it on the web with https://"


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the publisher: its name, title, summary, HTML, and its pictures by their paths in the site."""

    name: str
    title: str
    summary: str = ""
    html: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Return the path of its page.

        >>> Document("imprint", "Imprint").path
        'document/imprint.html'
        """
        return f"document/{anchor(self.name)}.html"


@dataclass(frozen=True, slots=True)
class _Read:
    """A document that was read: its path in the project, and its text."""

    path: str
    text: Text

    @property
    def name(self) -> str:
        return Path(self.path).stem


def read_documents(project: Project, report: Report) -> tuple[Document, ...]:
    """Read the documents of a project in the order of the setting, and report all that is wrong with them."""
    texts = {found.path: found for name in project.documents if (found := _read(project, name, report)) is not None}
    _check_names(project, report)
    return tuple(_document(project, found, texts, report) for found in texts.values())


def document_files(project: Project) -> list[Path]:
    """Return the documents of a project and the pictures they name, whether they are there or not."""
    found = []
    for name in project.documents:
        found.append(project.root / name)
        if (document := _read(project, name, Report())) is not None:
            targets = (_target(name, each.address) for each in document.text.references if each.picture)
            found += [project.root / target for target in targets if target]
    return sorted(set(found))


def _read(project: Project, name: str, report: Report) -> _Read | None:
    from kgbuild.site.markdown import Text

    path = project.root / name
    if not is_within(project.root, path, report):
        return None
    if not path.is_file():
        place = value_span(project, "documents", name)
        hint = "the path starts at the folder of the project"
        report.add("KG101", f"cannot read {name}: there is no such file", place, hint=hint)
        return None
    source = read_source(project.root, path, report)
    return _Read(name, Text(source.text)) if source else None


def _check_names(project: Project, report: Report) -> None:
    """Report documents whose pages would be one."""
    seen: dict[str, str] = {}
    for name in project.documents:
        page = Document(Path(name).stem, "").path
        first = seen.setdefault(page.casefold(), name)
        if first != name:
            place = value_span(project, "documents", name)
            report.add("KG602", f"{first} and {name} are both {page}", place, hint="rename one of them")


def _document(project: Project, found: _Read, texts: Mapping[str, _Read], report: Report) -> Document:
    text = found.text
    if not text.headings:
        report.add("KG603", "the document has no heading", Span(found.path), hint="start it with # and its title")
    for words, line in text.headings:
        if not words:
            report.add("KG603", "the heading has no words", Span(found.path, line), hint="give it some, or remove it")
    addresses: dict[tuple[bool, str], str] = {}
    pictures: dict[str, bytes] = {}
    for each in text.references:
        place = Span(found.path, each.line, each.column, each.length)
        if not each.words:
            what = f"picture {each.address} has" if each.picture else f"link to {each.address} has"
            report.add("KG604", f"the {what} no words", place, hint="write between the brackets what is there")
        if each.picture:
            address = _picture(project, found, each, place, pictures, report)
        else:
            address = _link(project, found, each, place, texts, report)
        addresses[each.picture, each.address] = address
    return Document(found.name, text.title, text.summary, text.html(addresses), pictures)


def _target(document: str, address: str) -> str:
    """Return the path in the project of what a relative address in a document names; nothing where it leads out.

    >>> _target("about/us.md", "../tea.svg"), _target("us.md", "../tea.svg"), _target("us.md", "data:x")
    ('tea.svg', '', '')
    """
    path = unquote(address.partition("#")[0])
    if _SCHEME.match(path) or path.startswith("/") or "\\" in path or "\0" in path:
        return ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(document), path))
    return "" if target == ".." or target.startswith("../") else target


def _link(
    project: Project, found: _Read, link: Reference, place: Span, texts: Mapping[str, _Read], report: Report
) -> str:
    """Return where a link leads on the page, or report why it leads nowhere."""
    path, mark, fragment = link.address.partition("#")
    if _WEB.fullmatch(link.address):
        return quote(link.address, safe=_IN_URL)
    if _SCHEME.match(link.address):
        start = "//" if link.address.startswith("//") else link.address.partition(":")[0] + ":"
        hint = "a link leads to another document, or begins with https://, http:// or mailto:"
        report.add("KG606", f"a page has no links that begin with {start}", place, hint=hint)
        return ""
    target = _target(found.path, path) if path else found.path if mark else ""
    if target in project.documents and target not in texts:
        return ""  # what is wrong with it is told where it is read
    if target not in texts:
        known = {posixpath.relpath(name, posixpath.dirname(found.path) or "."): name for name in texts}
        there = bool(target) and (project.root / target).exists()
        hint = _DOCUMENTS if there else did_you_mean(unquote(path), known) or _DOCUMENTS
        report.add("KG601", f"broken link to {link.address or 'nowhere'}", place, hint=hint)
        return ""
    anchors = texts[target].text.anchors
    if fragment and unquote(fragment) not in anchors:
        words = f"broken link to {link.address}: the document has no heading '{unquote(fragment)}'"
        report.add("KG601", words, place, hint=did_you_mean(unquote(fragment), anchors))
        return ""
    page = "" if target == found.path else posixpath.basename(Document(texts[target].name, "").path)
    return page + (f"#{quote(unquote(fragment))}" if fragment else "") or "#_main"


def _picture(
    project: Project, found: _Read, picture: Reference, place: Span, pictures: dict[str, bytes], report: Report
) -> str:
    """Return the address of a picture on the page and keep its file, or report why it cannot be shown."""
    address = picture.address
    target = _target(found.path, address)
    ending = Path(target).suffix.lower()
    if not target or ending not in _FAULTS:
        words = "not a file of the project" if not target else "not SVG, PNG or JPEG"
        hint = f"name a file by its path from the document; it ends in {', '.join(_FAULTS)}"
        report.add("KG605", f"the picture {address} is {words}", place, hint=hint)
        return ""
    file = project.root / target
    if not is_within(project.root, file, report):
        return ""
    if not file.is_file():
        hint = f"there is no file {target}"
        report.add("KG601", f"broken link to the picture {address}", place, hint=hint)
        return ""
    try:
        data = file.read_bytes()
    except OSError as error:
        report.add("KG101", f"cannot read {target}: {error.strerror or error}", Span(target))
        return ""
    for words, line in _FAULTS[ending](data):
        report.add("KG605", f"the picture {target} {words}", Span(target, line), hint=_SAFE)
        return ""
    folder, _, name = target.rpartition("/")
    stem = "/".join([anchor(part) for part in (*filter(None, folder.split("/")), name[: -len(ending)])])
    pictures[f"document/{stem}{ending}"] = data
    return quote(f"{stem}{ending}", safe="/~")


# ---------------------------------------------------------------- pictures

_SAFE: Final = "save it again as a plain picture"
_ACTIVE: Final = frozenset({"script", "foreignobject", "iframe", "embed", "object", "handler", "listener"})
_RUNS: Final = re.compile(r"(?:java|vb)script:|^data:(?!image/(?:png|jpeg|gif|webp)[;,])")
Fault = tuple[str, int]
"""What is wrong with a picture, and the line where."""


def _signed(name: str, signature: bytes) -> Callable[[bytes], Iterator[Fault]]:
    def fault(data: bytes) -> Iterator[Fault]:
        if not data.startswith(signature):
            yield f"is no {name} file", 1

    return fault


def _svg_faults(data: bytes) -> Iterator[Fault]:
    """Yield why an SVG file is none, or could do more than be seen when it is opened on its own.

    >>> list(_svg_faults(b'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>'))
    [("has the attribute 'onload'", 1)]
    """
    faults: list[Fault] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def add(words: str) -> None:
        faults.append((words, parser.CurrentLineNumber))

    def start(name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if not seen and (local, space) != ("svg", "http://www.w3.org/2000/svg"):
            add("is no SVG file: its first element is not `svg` of http://www.w3.org/2000/svg")
        seen.append(local)
        if local.lower() in _ACTIVE:
            add(f"has the element '{local}'")
        for key, value in attributes.items():
            short = key.rpartition(" ")[2].lower()
            if short.startswith("on"):
                add(f"has the attribute '{short}'")
            elif _RUNS.search(_squeezed(value)):
                add(f"has the address '{value[:40]}'")

    def instruction(name: str, text: str) -> None:
        if name == "xml-stylesheet":
            add("has a style sheet of its own")

    seen: list[str] = []
    parser.StartElementHandler = start
    parser.EntityDeclHandler = lambda *rest: add("declares an entity")
    parser.ProcessingInstructionHandler = instruction
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        faults.append((f"is no SVG file: {error}", getattr(error, "lineno", 1)))
    yield from faults


def _squeezed(value: str) -> str:
    """Return an address as browsers read it: without blanks and control characters, small."""
    return re.sub(r"[\x00-\x20]", "", value).lower()


_JPEG: Final = _signed("JPEG", b"\xff\xd8\xff")
_FAULTS: Final[Mapping[str, Callable[[bytes], Iterator[Fault]]]] = {
    ".svg": _svg_faults,
    ".png": _signed("PNG", b"\x89PNG\r\n\x1a\n"),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
}
"""What is wrong with a file, by the ending of its name."""
