"""Markdown as HTML of a page (CommonMark with tables), by markdown-it: the one door to it.

Raw HTML is text like any other. Knows no files: what a text refers to is told, judged elsewhere, and given back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from markupsafe import Markup

_WORDS = frozenset({"text", "code_inline"})
_BREAKS = frozenset({"softbreak", "hardbreak"})
_ALIGNED = {"text-align:right": "number", "text-align:center": "center"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A link or picture in a text: its address as written, the words that stand for it, and its place."""

    picture: bool
    address: str
    words: str
    line: int
    column: int
    length: int


class Text:
    """A Markdown text: its headings with their lines, its title and summary, its anchors, references, and its HTML.

    >>> text = Text("# Über uns\\n\\nWe *read*.\\n\\n## How\\n")
    >>> text.title, text.summary, sorted(text.anchors)
    ('Über uns', 'We read.', ['how', 'über-uns'])
    """

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.tokens = _parser().parse(text)
        self.headings = [
            (_words(inline), (opening.map or [0])[0] + 1) for opening, inline in self._blocks("heading_open")
        ]
        self.title = self.headings[0][0] if self.headings else ""
        self.summary = next(
            (_words(inline) for opening, inline in self._blocks("paragraph_open") if not opening.level), ""
        )
        self.anchors: set[str] = set()
        self._name_headings()
        self._name_regions()

    def _blocks(self, kind: str) -> Iterator[tuple[Token, Token]]:
        """Yield the blocks of a kind with what they hold."""
        for number, token in enumerate(self.tokens):
            if token.type == kind:
                yield token, self.tokens[number + 1]

    def _name_headings(self) -> None:
        """Give every heading its anchor; the first is the page's own, and none leaves out a level."""
        last = 0
        closing = [token for token in self.tokens if token.type == "heading_close"]
        for (opening, inline), end in zip(self._blocks("heading_open"), closing, strict=True):
            last = max(2, min(int(opening.tag[1:]), last + 1)) if last else 1
            opening.tag = end.tag = f"h{last}"
            stem = slug(_words(inline))
            name, count = stem, 0
            while name in self.anchors:
                count += 1
                name = f"{stem}-{count}"
            self.anchors.add(name)
            opening.attrSet("id", name)

    def _name_regions(self) -> None:
        """Number what may be wider than a phone, so that its region has a name of its own."""
        counts = {"table_open": 0, "fence": 0}
        for token in self.tokens:
            kind = "fence" if token.type == "code_block" else token.type
            if kind in counts:
                counts[kind] += 1
                token.meta["name"] = f"{'Table' if kind == 'table_open' else 'Example'} {counts[kind]}"
            style = str(token.attrs.pop("style", ""))  # how a column is aligned; the policy refuses styles in the page
            if style in _ALIGNED:
                token.attrSet("class", _ALIGNED[style])

    @property
    def references(self) -> list[Reference]:
        """Return the links and pictures in the order of the text."""
        found, lines = [], [0, len(self.lines)]
        for token in self.tokens:
            lines = token.map or lines
            children = token.children or []
            for number, child in enumerate(children):
                if child.type in {"link_open", "image"}:
                    picture = child.type == "image"
                    words = _words(child) if picture else _until_closed(children[number + 1 :])
                    address = _address(child)
                    found.append(Reference(picture, address, words, *self._place(address, *lines)))
        return found

    def _place(self, address: str, first: int, end: int) -> tuple[int, int, int]:
        """Return line, column and length of an address: in its block, where defined, or the block's first line."""
        written = re.compile(rf"[(<\s]({re.escape(address)})(?=[)>\s]|$)") if address else re.compile(r"(\(\))")
        for number in (*range(first, end), *range(len(self.lines))):
            if number < len(self.lines) and (found := written.search(self.lines[number])):
                return number + 1, found.start(1) + 1, max(1, len(found[1]))
        return first + 1, 1, 1

    def html(self, addresses: Mapping[tuple[bool, str], str]) -> Markup:
        """Spell the text; `addresses` has the address on the page of each picture (True) and link (False)."""
        for token in self.tokens:
            for child in token.children or []:
                if child.type in {"link_open", "image"}:
                    picture = child.type == "image"
                    address = addresses[picture, _address(child)]
                    child.attrSet("src" if picture else "href", address)
                    if address.startswith(("http://", "https://")):
                        child.attrSet("rel", "external")
        parser = _parser()
        return Markup(parser.renderer.render(self.tokens, parser.options, {}))  # noqa: S704  # raw HTML is off


def slug(text: str) -> str:
    """Spell a heading as an anchor, as GitHub does; those that begin with `_` belong to the page.

    >>> slug("Who we are, and why"), slug("1.5 × faster"), slug("??")
    ('who-we-are-and-why', '15--faster', 'section')
    """
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-").lstrip("_") or "section"


def _address(token: Token) -> str:
    return str(token.attrGet("src" if token.type == "image" else "href") or "")


def _words(token: Token) -> str:
    """Return the plain words of what stands in a line."""
    parts = []
    for child in token.children or []:
        if child.type in _WORDS:
            parts.append(child.content)
        elif child.type in _BREAKS:
            parts.append(" ")
        elif child.type == "image":
            parts.append(_words(child))
    return " ".join("".join(parts).split())


def _until_closed(tokens: list[Token]) -> str:
    """Return the plain words of a link, whose opening stands before these tokens: no link holds another."""
    end = next((number for number, token in enumerate(tokens) if token.type == "link_close"), len(tokens))
    return _words(Token("inline", "", 0, children=tokens[:end]))


class _Parser(MarkdownIt):
    """CommonMark with tables and without raw HTML, which takes every address as it is written."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "xhtmlOut": False})
        self.enable("table")
        for kind, rule in (
            ("table_open", _table),
            ("table_close", _table_end),
            ("fence", _code),
            ("code_block", _code),
        ):
            self.add_render_rule(kind, rule)

    def validateLink(self, url: str) -> bool:  # noqa: N802  # a name of markdown-it
        """Take every address: whoever reads the text judges them and says where."""
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802  # a name of markdown-it
        """Leave an address as it is written, so that it can be found."""
        return url


@cache
def _parser() -> _Parser:
    return _Parser()


def _region(token: Token) -> str:
    return f'role="region" aria-label="{token.meta["name"]}" tabindex="0"'


def _table(renderer: Any, tokens: list[Token], number: int, options: Any, env: Any) -> str:
    return f'<div class="scroll" {_region(tokens[number])}>\n<table>\n'


def _table_end(renderer: Any, tokens: list[Token], number: int, options: Any, env: Any) -> str:
    return "</table>\n</div>\n"


def _code(renderer: Any, tokens: list[Token], number: int, options: Any, env: Any) -> str:
    token = tokens[number]
    return f'<pre class="code" {_region(token)}><code>{escapeHtml(token.content)}</code></pre>\n'
