"""The jinja2 environment: filters, links relative to a page, and the spelling of hostile values as HTML.

Every value of the data is taken as hostile: text is escaped and isolated (`bdi`), an IRI becomes a link only if it
starts with http:// or https://, characters that HTML forbids are replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
import pyoxigraph as ox
from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

import kgbuild
from kgbuild.evidence import AlignmentSetView, AlignmentView, CriterionView
from kgbuild.nodes import ConceptView, Link
from kgbuild.schemaorg import script
from kgbuild.site.bars import horizontal, stacked
from kgbuild.site.facts import SEGMENTS, covering, edge, facets, qualifiers, segments, stands, tally, weighed
from kgbuild.store import Term, lexical, tokens
from kgbuild.terms import XSD, compress
from kgbuild.views import ClaimView

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NONCHARACTERS = "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_FORBIDDEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
_CONTROLS = bytes({*range(32), 127} - {9, 10})
_C1 = re.compile(b"\xc2[\x80-\x9f]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 120
_UNSAID = frozenset(("en", "langString", "string", "boolean"))
"""Languages and datatypes that a page need not tell: its own language, and what the value shows."""
_KEYWORDS = re.compile(
    r"ADD|ALL|AS|ASC|ASK|AVG|BASE|BIND|BOUND|BY|COALESCE|CONCAT|CONSTRUCT|CONTAINS|COUNT|DATATYPE|DESC|DESCRIBE|DISTINCT"
    r"|EXISTS|FILTER|FROM|GRAPH|GROUP|GROUP_CONCAT|HAVING|IF|IN|ISIRI|ISLITERAL|LANG|LANGMATCHES|LCASE|LIMIT|MAX|MIN"
    r"|MINUS|NAMED|NOT|OFFSET|OPTIONAL|ORDER|PREFIX|REDUCED|REGEX|REPLACE|SAMPLE|SELECT|SEPARATOR|STR|STRAFTER|STRBEFORE"
    r"|STRENDS|STRLEN|STRSTARTS|SUBSTR|SUM|UCASE|UNDEF|UNION|VALUES|WHERE",
    re.IGNORECASE,
)
_NUMBERS = frozenset(XSD + name for name in ("integer", "decimal", "double", "float"))


class _Compiled(FileSystemBytecodeCache):
    """A cache of compiled templates in the user's cache folder: compiling them takes half the time of a first page."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template; a full or unwritable disk is no reason not to show a page."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> _Compiled | None:
    """Return the cache of compiled templates; none where the user has no folder that is theirs alone."""
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "kgbuild" / f"templates-{kgbuild.__version__}-{jinja2.__version__}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return None
    mine = found.st_uid == os.getuid() and not found.st_mode & 0o022 if hasattr(os, "getuid") else True
    return _Compiled(str(folder)) if mine else None


@cache
def environment() -> Environment:
    """Return the one environment: autoescape on, an unknown name is an error."""
    found = Environment(
        loader=PackageLoader("kgbuild"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )
    found.globals["sprite"] = SPRITE
    found.filters |= {
        "anchor": anchor,
        "certainty": certainty,
        "covering": covering,
        "edge": edge,
        "facets": facets,
        "horizontal": horizontal,
        "stacked": stacked,
        "ld_json": ld_json,
        "n": counted,
        "place": place,
        "plain": plain,
        "qualifiers": qualifiers,
        "short": short,
        "size": size,
        "sparql": highlighted,
        "stands": stands,
        "tally": tally,
        "weighed": weighed,
    }
    return found


def document(text: str) -> bytes:
    """Spell a page as UTF-8, with U+FFFD for every character that HTML forbids (WHATWG HTML §13.2.3.5).

    >>> document("a\x01b").decode()
    'a\ufffdb'
    """
    data = text.encode()
    if _suspect(data):
        data = _FORBIDDEN.sub("\ufffd", text).encode()
    return data


def _suspect(data: bytes) -> bool:
    """Tell, in a tenth of the time of looking at each character, whether a page may hold a forbidden one."""
    return (
        len(data.translate(None, _CONTROLS)) < len(data)
        or _C1.search(data) is not None
        or any(mark in data for mark in (b"\xef\xb7", b"\xbf\xbe", b"\xbf\xbf"))
    )


def plain(text: str, longest: int = _LONGEST) -> str:
    """Shorten a text for titles and attributes, where no element can isolate directions.

    >>> plain("a\u202e  b"), plain("abcdef", 4)
    ('a b', 'abc…')
    """
    words = " ".join(_BIDI.sub("", text).split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def anchor(text: str) -> str:
    """Spell an identifier as a fragment or file name: other characters than letters, digits, - and _ as ~hex.

    >>> anchor("restless-legs-syndrome"), anchor("../x")
    ('restless-legs-syndrome', '~2e~2e~2fx')
    """
    spelt = _UNSAFE.sub(lambda found: f"~{ord(found[0]):02x}", text) or "~"
    return spelt if len(spelt) <= _LONGEST else f"{spelt[:80]}~{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def place(judged: AlignmentView | AlignmentSetView | CriterionView) -> str:
    """Spell the fragment at which the page of a claim or of all datasets shows an alignment or a criterion."""
    tail = judged.iri.partition("/alignment/")[2] or judged.iri
    if isinstance(judged, AlignmentView):
        tail = "/".join(tail.split("/")[2:])
    return f"beside-{anchor(tail)}"


def size(count: int) -> str:
    """Spell a number of bytes for people.

    >>> size(999), size(12_345), size(2_000_000)
    ('999 bytes', '12 kB', '2.0 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def ld_json(node: Mapping[str, Any]) -> Markup:
    """Spell a node as JSON inside a script element: a data block, which no browser runs."""
    return Markup(script(node))  # noqa: S704  # `script` escapes what could end the element


def short(iri: str) -> str:
    """Leave out the scheme of a web address.

    >>> short("http://id.nlm.nih.gov/mesh/D008274")
    'id.nlm.nih.gov/mesh/D008274'
    """
    return iri.removeprefix("https://").removeprefix("http://")


def counted(count: int, one: str, many: str = "") -> str:
    """Spell a number with its noun.

    >>> counted(1, "claim"), counted(1200, "claim"), counted(2, "entity", "entities")
    ('1 claim', '1,200 claims', '2 entities')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def drawing(filled: int) -> str:
    """Draw the five segments of a certainty, 53 by 13: all in outline, so that it needs no colour, some filled."""
    outline = f'<path d="M.5 .5h8v12h-8z{"m11 0h8v12h-8z" * (SEGMENTS - 1)}" fill="none" stroke="currentColor"/>'
    line = f'<path d="M0 6.5h{11 * filled - 2}" stroke="currentColor" stroke-width="13" stroke-dasharray="9 2"/>'
    return outline + (line if filled else "")


def bar(filled: int) -> Markup:
    """Spell the bar of a certainty as a use of its drawing in the page's `SPRITE`."""
    label = f"Certainty {filled} of {SEGMENTS}:" if filled else "Certainty:"
    return Markup(  # noqa: S704  # numbers only
        f'<svg class="bar" role="img" aria-label="{label}" width="53" height="13"><use href="#_bar{filled}"/></svg>'
    )


SPRITE = Markup('<svg class="sprite" aria-hidden="true" width="0" height="0">{}</svg>').format(
    Markup("").join(
        Markup('<symbol id="_bar{}" viewBox="0 0 53 13">{}</symbol>').format(filled, Markup(drawing(filled)))  # noqa: S704
        for filled in range(SEGMENTS + 1)
    )
)
"""The bars of all certainties, drawn once in a page."""

_BARS = tuple(bar(filled) for filled in range(SEGMENTS + 1))


def certainty(concept: ConceptView) -> Markup:
    """Spell a certainty as bar and word."""
    label = concept.label or "not recorded"
    return Markup('<span class="certainty">%s <b>%s</b></span>') % (_BARS[segments(concept)], label)


def highlighted(sparql: str) -> Markup:
    """Mark up comments, IRIs, strings, variables and keywords of a query.

    >>> highlighted("ASK { ?s a <x:y> }")
    Markup('<b>ASK</b> { <var>?s</var> <b>a</b> <i>&lt;x:y&gt;</i> }')
    """
    return Markup("".join([_token(token) for token in tokens(sparql)]))  # noqa: S704  # each token is escaped


@lru_cache(4096)
def _token(token: str) -> str:
    safe = str(escape(token))
    if token.startswith("#"):
        return f'<i class="comment">{safe}</i>'
    if len(token) > 1 and token[0] in "<\"'":
        return f"<i>{safe}</i>"
    if len(token) > 1 and token[0] in "?$":
        return f"<var>{safe}</var>"
    if token == "a" or _KEYWORDS.fullmatch(token):  # noqa: S105  # a word of SPARQL
        return f"<b>{safe}</b>"
    return safe


class Site:
    """What all pages share: where each IRI has its page, the claims, the prefixes, links and cards already spelt."""

    def __init__(
        self,
        targets: Mapping[str, str],
        claims: Mapping[str, ClaimView],
        prefixes: dict[str, str],
        base: str,
        *,
        sparse: bool = False,
    ) -> None:
        self.targets, self.claims, self.prefixes, self.base = targets, claims, prefixes, base
        self.sparse = sparse
        self.curies: dict[str, str] = {}
        self.cards: dict[tuple[str, str], Markup] = {}
        self.links: dict[tuple[str, str, str], Markup] = {}
        self.macros = environment().get_template("claim-card.html").module

    def names(self, iri: str) -> bool:
        """Tell whether an IRI is one of the graph's things: a sparse site has no page at it."""
        return self.sparse and iri.startswith(self.base)

    def curie(self, iri: str) -> str:
        """Return the CURIE of an IRI, or the IRI, relative to the base where it is below."""
        if iri not in self.curies:
            self.curies[iri] = compress(iri, self.prefixes).removeprefix(self.base) or iri
        return self.curies[iri]


class Here:
    """The page that is being rendered: links are relative to it."""

    def __init__(self, site: Site, path: str) -> None:
        self.site, self.path = site, path
        self.root = "../" * path.count("/")

    def file(self, path: str) -> str:
        """Return the address of a file of the site, percent-encoded."""
        return self.root + quote(path, safe="/~")

    def absolute(self, path: str) -> str:
        """Return the address of a file of the site on the web."""
        return self.site.base + quote(path, safe="/~")

    def address(self, iri: str) -> str:
        """Return where an IRI leads: a page of the site, itself if it is http(s), or nowhere."""
        target = self.site.targets.get(iri)
        if target is not None:
            return self.root + target
        if self.site.names(iri):
            return ""
        return iri if iri.startswith(("http://", "https://")) else ""

    def link(self, thing: Link | ConceptView | str) -> Markup:
        """Spell a thing as a link to its page, or as text where it has none."""
        if isinstance(thing, str):
            return Markup("<bdi>%s</bdi>") % (thing,)
        return self.to(thing.iri, thing.label or self.site.curie(thing.iri))

    def to(self, iri: str, text: str = "") -> Markup:
        """Spell an IRI as a link with a text, by default its CURIE; out of the site it is marked as external."""
        key = (self.root, iri, text)
        found = self.site.links.get(key)
        if found is None:
            found = self.site.links[key] = self._link(iri, text or self.site.curie(iri))
        return found

    def _link(self, iri: str, text: str) -> Markup:
        address = self.address(iri)
        if not address:
            return Markup("<bdi>%s</bdi>") % (text,)
        if iri in self.site.targets:
            return Markup('<a href="%s"><bdi>%s</bdi></a>') % (address, text)
        return Markup('<a href="%s" rel="external"><bdi>%s</bdi></a>') % (address, text)

    def card(self, claim: ClaimView) -> Markup:
        """Render a claim with its certainty, facets, source and place."""
        key = (self.root, claim.iri)
        if key not in self.site.cards:
            self.site.cards[key] = Markup(self.site.macros.card(self, claim))  # type: ignore[attr-defined]  # noqa: S704
        return self.site.cards[key]

    def claim(self, link: Link) -> Markup:
        """Render the card of a claim by its link, or the link where the claim is not in the graph."""
        claim = self.site.claims.get(link.iri)
        return self.card(claim) if claim else self.link(link)

    def term(self, term: Term) -> Markup:
        """Spell an RDF term."""
        if isinstance(term, ox.NamedNode):
            return self.to(term.value)
        if isinstance(term, ox.Literal):
            note = term.language or term.datatype.value.partition("#")[2]
            note = "" if note in _UNSAID else note
            tag = Markup(' <small class="tag">%s</small>') % (note,) if note and not is_number(term) else ""
            return Markup("<bdi>%s</bdi>%s") % (term.value, tag)
        return Markup("<bdi>%s</bdi>") % (lexical(term),)


def is_number(term: Term | None) -> bool:
    """Tell whether a term is a numeric literal."""
    return isinstance(term, ox.Literal) and term.datatype.value in _NUMBERS
