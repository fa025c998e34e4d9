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

_LINK = re.compile(r'\s(?:href|src)="([^"]*)"')
_ID = re.compile(r'\sid="([^"]*)"')
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

    `others` are the files that stand beside the pages. A link must name a file, so that the site works from disk.

    >>> report = Report()
    >>> check_links({"a.html": b'<p id="x"><a href="#x">x</a> <a href="b.html">b</a></p>'}, ["A.html"], report)
    >>> [finding.message for finding in report.sorted()]
    ['broken link to b.html', 'A.html and a.html are one path where letter case does not count']
    """
    files = list(others)
    _check_paths([*pages, *files], report)
    texts = {path: content.decode("utf-8") for path, content in pages.items() if path.endswith(".html")}
    anchors = {path: {html.unescape(name) for name in _ID.findall(text)} for path, text in texts.items()}
    known = {*pages, *files}
    for path, text in sorted(texts.items()):
        for link in sorted(set(_LINK.findall(text))):
            wrong = _fault(path, html.unescape(link), known, anchors)
            if wrong:
                report.add("KG601", wrong, Span(path))


def _fault(page: str, link: str, known: set[str], anchors: Mapping[str, set[str]]) -> str:
    if _SCHEME.match(link) and not link.startswith("//"):
        return ""
    path, _, fragment = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path))) if path else page
    if path.startswith("/") or target.startswith(".."):
        return f"the link to {link} leads out of the site"
    if target not in known or path.endswith("/"):
        return f"broken link to {link}"
    if fragment and unquote(fragment) not in anchors.get(target, {unquote(fragment)}):
        return f"broken link to {link}: the page has no '{unquote(fragment)}'"
    return ""


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
