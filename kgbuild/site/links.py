"""The check of a planned site before it is written: links, fragments, and paths that would overwrite each other.

Reads the pages that `plan` renders, where every attribute is quoted and escaped; it is no parser of arbitrary HTML.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from kgbuild.diagnostics import Report, Span
from kgbuild.site.plan import Page

_LINKS = tuple(re.compile(rf' {name}="([^"]*)"') for name in ("href", "src"))  # a literal start is found fast
_ID = re.compile(r' id="([^"]*)"')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


def pages_by_path(pages: Iterable[Page], report: Report) -> dict[str, bytes]:
    """Return the pages by path, and report two at the same one.

    >>> report = Report()
    >>> pages_by_path([Page("a.html", b"1"), Page("a.html", b"2")], report), report.counts()
    ({'a.html': b'1'}, {'KG602': 1})
    """
    found: dict[str, bytes] = {}
    for page in pages:
        if page.path in found:
            report.add("KG602", f"two pages at {page.path}", Span(page.path), hint="rename one of the two things")
        found.setdefault(page.path, page.content)
    return found


def check_links(pages: Mapping[str, bytes], others: Iterable[str], report: Report) -> None:
    """Report broken internal links and fragments (KG601) and paths that collide (KG602).

    `others` are the files that stand beside the pages. A link must name a file, so that the site works from disk. A
    fragment such as `name=foods` is read by the script of a page; it is no place in it.

    >>> report = Report()
    >>> check_links({"a.html": b'<p id="x"><a href="#x">x</a> <a href="b.html">b</a></p>'}, ["A.html"], report)
    >>> [finding.message for finding in report.sorted()]
    ['broken link to b.html', 'A.html and a.html are one path where letter case does not count']
    """
    files = list(others)
    _check_paths([*pages, *files], report)
    links = _Links(pages, files)
    for path in sorted(links.texts):
        for wrong in links.faults(path):
            report.add("KG601", wrong, Span(path))


class _Links:
    """The links of all pages: a target is looked at once for all pages of a folder that name it alike."""

    def __init__(self, pages: Mapping[str, bytes], files: Iterable[str]) -> None:
        self.texts = {path: content.decode("utf-8") for path, content in pages.items() if path.endswith(".html")}
        self.known = {*pages, *files}
        self.anchors: dict[str, set[str]] = {}
        self.found: dict[tuple[str, str], str] = {}

    def faults(self, page: str) -> Iterator[str]:
        """Return what is wrong with the links of one page."""
        folder = posixpath.dirname(page)
        for link in sorted({link for kind in _LINKS for link in kind.findall(self.texts[page])}):
            key = (page if link.startswith("#") else folder, link)
            if key not in self.found:
                self.found[key] = self._fault(page, folder, html.unescape(link))
            if self.found[key]:
                yield self.found[key]

    def _fault(self, page: str, folder: str, link: str) -> str:
        if _SCHEME.match(link) and not link.startswith("//"):
            return ""
        path, _, fragment = link.partition("#")
        target = posixpath.normpath(posixpath.join(folder, unquote(path))) if path else page
        if path.startswith("/") or target.startswith(".."):
            return f"the link to {link} leads out of the site"
        if target not in self.known or path.endswith("/"):
            return f"broken link to {link}"
        if fragment and "=" not in fragment and target in self.texts and unquote(fragment) not in self._anchors(target):
            return f"broken link to {link}: the page has no '{unquote(fragment)}'"
        return ""

    def _anchors(self, page: str) -> set[str]:
        if page not in self.anchors:
            self.anchors[page] = {html.unescape(name) for name in _ID.findall(self.texts[page])}
        return self.anchors[page]


def _check_paths(paths: list[str], report: Report) -> None:
    folded = defaultdict(list)
    for path in paths:
        folded[path.casefold()].append(path)
    for group in folded.values():
        if len(group) > 1:
            names = sorted(set(group))
            words = f"{' and '.join(names)} are one path where letter case does not count"
            report.add("KG602", words if len(names) > 1 else f"two files at {names[0]}", Span(names[-1]))
    for path in sorted(paths):
        for folder in _folders(path.casefold()):
            if folder in folded:
                report.add("KG602", f"{folded[folder][0]} is a file, and a folder for {path}", Span(path))


def _folders(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
