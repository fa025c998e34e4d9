"""What the site says to machines beside its pages: a guide for language models, a feed of changes, a poster for links.

Pure: dates come from the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from kgbuild.nodes import ConceptView
from kgbuild.schemaorg import NOTICE, said
from kgbuild.site.facts import segments
from kgbuild.site.pictures import wrapped
from kgbuild.site.render import counted, document, drawing, plain

if TYPE_CHECKING:
    from kgbuild.site.plan import SiteInput

PICTURE: Final = "poster.svg"
ENTRIES: Final = 200
"""Claims in the feed: those recorded last."""


def guide(site: SiteInput) -> bytes:
    """Write llms.txt (llmstxt.org): what the site is, how it must be quoted, and where to read on."""
    project, base = site.project, site.project.base
    lines = [
        f"# {plain(project.title)}",
        "",
        f"> {plain(project.description or project.title, 400)} {NOTICE}",
        "",
        "Every statement here is a claim of an article, not a fact. When you quote one, say whose claim it is, how",
        "sure its author is (asserted, probable, suggested, possible, unknown), whether it is negated, and where.",
        "Statements of datasets and studies are marked as such and stand apart. Nothing here is medical advice.",
        "",
        "## Pages",
        "",
        *(f"- [{name}]({base}{path}): {words}" for name, path, words in _PAGES if not site.sparse or path in _ALWAYS),
        *(f"- [{_name(item.title)}]({base}{item.path}): {plain(item.summary, 200)}" for item in site.documents),
        *(() if site.sparse else _articles(site)),
        "",
        "## Questions with their answers",
        "",
        *(
            f"- [{_name(query.title)}]({base}query/{quote(query.name)}.html): {plain(query.question, 200)}"
            for query in site.queries
        ),
        "",
        "## Data",
        "",
        *(
            f"- [{_name(item.label)}]({base}{quote(item.path, safe='/~')}): {item.media_type}, "
            f"{plain(item.description, 200)}"
            for item in site.downloads
        ),
        "",
        "Entities, claims and articles have no pages of their own in this copy: take them from the data, or from a "
        "server of this graph."
        if site.sparse
        else f"Beside the page of every entity and claim stand its files: replace `.html` by "
        f"{', '.join(f'`.{extension}` ({label})' for extension, label in site.formats)}.",
    ]
    return document("\n".join(lines) + "\n")


def _articles(site: SiteInput) -> list[str]:
    lines = [
        f"- [{_name(article.title)}]({article.iri}.html): {counted(len(article.claims), 'claim')} of "
        f"{_name(article.publisher.label)}, sentence by sentence"
        for article in site.views.articles
    ]
    return ["", "## Articles", "", *lines]


_ALWAYS: Final = frozenset(("query/index.html", "ns.html", "downloads.html", "about.html"))
_PAGES: Final = (
    ("Entities", "id/index.html", "the things that claims are about, by category"),
    ("Claims", "claim/index.html", "every claim with certainty, source and place"),
    ("Browse", "browse/index.html", "claims by certainty, tone, basis, kind, category, and by what data say"),
    ("Evidence", "evidence.html", "claims against datasets and studies"),
    ("Contradictions", "contradictions.html", "claims that data, studies or other claims speak against"),
    ("Queries", "query/index.html", "questions in SPARQL, with answers"),
    ("Vocabulary", "ns.html", "classes, predicates and schemes"),
    ("Data", "downloads.html", "the whole graph as files"),
    ("About", "about.html", "method, licence, citation"),
)


def _name(text: str) -> str:
    """Spell a text between the brackets of a Markdown link."""
    return plain(text).replace("[", "(").replace("]", ")")


def feed(site: SiteInput, path_of: Callable[[str], str]) -> bytes:
    """Write feed.xml (Atom, RFC 4287): the claims recorded last; one that changes is a new entry.

    The identifier of an entry is that of the nanopublication, which changes with its content.
    """
    project = site.project
    claims = sorted(site.views.claims, key=lambda claim: (claim.created, claim.key), reverse=True)[:ENTRIES]
    updated = _moment(max((claim.created for claim in claims), default=""))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">',
        f"<id>{escape(project.base)}feed.xml</id>",
        f"<title>{escape(plain(project.title))}: claims as they are recorded</title>",
        f"<subtitle>{escape(NOTICE)}</subtitle>",
        f"<updated>{updated}</updated>",
        f'<link rel="self" type="application/atom+xml" href="{_address(project.base, "feed.xml")}"/>',
        f'<link rel="alternate" type="text/html" href="{_address(project.base, "index.html")}"/>',
        "<generator>kgbuild</generator>",
    ]
    for claim in claims:
        page = escape(claim.iri) if site.sparse else _address(project.base, path_of(claim.key))
        lines += [
            "<entry>",
            f"<id>{escape(claim.nanopublication or claim.iri)}</id>",
            f"<title>{escape(plain(claim.statement or claim.id, 300))}</title>",
            f"<updated>{_moment(claim.created)}</updated>",
            f"<author><name>{escape(plain(claim.attributed_to.label or 'Unrecorded source'))}</name></author>",
            f'<link rel="alternate" type="text/html" href="{page}"/>',
            f"<summary>{escape(plain(said(claim), 600))}</summary>",
            "</entry>",
        ]
    return document("\n".join([*lines, "</feed>"]) + "\n")


def _address(base: str, path: str) -> str:
    return escape(base + quote(path, safe="/~"))


def _moment(date: str) -> str:
    return f"{date or '1970-01-01'}T00:00:00Z"


def poster(site: SiteInput, counts: Sequence[tuple[ConceptView, int]]) -> bytes:
    """Draw the picture that a link to the site shows (Open Graph), 1200 by 630: title, promise, certainty profile."""
    project = site.project
    title = wrapped(project.title, 28, 3)
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 630" width="1200" height="630">',
        f"<title>{escape(plain(project.title))}</title>",
        '<path fill="#fcfbf8" d="M0 0h1200v630H0z"/><path fill="#0f5c6e" d="M0 0h18v630H0z"/>',
        '<g fill="#1d2329" font-family="Source Serif 4, Georgia, serif" font-size="68" font-weight="600">',
        *(f'<text x="90" y="{150 + 82 * number}">{escape(line)}</text>' for number, line in enumerate(title)),
        '</g><g fill="#4f575f" font-family="Source Sans 3, system-ui, sans-serif" font-size="32">',
        '<text x="90" y="410">What articles say, not what is so: every claim</text>',
        '<text x="90" y="454">with its certainty, its source and its place.</text>',
    ]
    for number, (concept, count) in enumerate(counts[:5]):
        x = 90 + 215 * number
        word = escape(plain(concept.label or "unrecorded", 14).lower())
        lines += [
            f'<text x="{x}" y="570" font-size="26">{count:,} {word}</text>',
            f'<svg x="{x}" y="500" color="#1d2329" width="134" height="33" viewBox="0 0 53 13">',
            f"{drawing(segments(concept))}</svg>",
        ]
    lines.append("</g></svg>")
    return document("\n".join(lines) + "\n")
