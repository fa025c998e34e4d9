"""Which of several formats a client likes best. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Syntax:
    """A format that can be asked for: file ending, media type, and the other names that clients use for it."""

    extension: str
    media_type: str
    aliases: tuple[str, ...] = ()


RESULTS: Final = (
    Syntax("json", "application/sparql-results+json", ("application/json",)),
    Syntax("xml", "application/sparql-results+xml", ("application/xml", "text/xml")),
    Syntax("csv", "text/csv"),
    Syntax("tsv", "text/tab-separated-values"),
)
"""Formats of SELECT and ASK; the first is given to a client that takes any."""

GRAPHS: Final = (
    Syntax("ttl", "text/turtle", ("application/x-turtle", "turtle", "n3")),
    Syntax("nt", "application/n-triples", ("text/plain", "ntriples", "n-triples")),
    Syntax("jsonld", "application/ld+json", ("application/json", "json-ld")),
    Syntax("rdf", "application/rdf+xml", ("application/xml", "text/xml", "rdf+xml", "rdfxml")),
    Syntax("trig", "application/trig"),
    Syntax("nq", "application/n-quads", ("nquads", "n-quads")),
)
"""Syntaxes of RDF; the first is given to a client that takes any."""

HTML: Final = Syntax("html", "text/html", ("application/xhtml+xml",))
TABLES: Final = (*RESULTS, HTML)
"""What an answer to SELECT and ASK can be shown as."""

_USUAL: Final = 500
"""Characters of a header that is worth remembering."""


def accepted(header: str) -> tuple[tuple[str, float], ...]:
    """Read an Accept header (RFC 9110 §12.5.1): media ranges with their weights; what is malformed counts for nothing.

    >>> accepted("text/turtle;q=0.5, */*;q=0.1")
    (('text/turtle', 0.5), ('*/*', 0.1))
    """
    found = []
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = _weight(value.strip())
        if media.count("/") == 1:
            found.append((media, weight))
    return tuple(found)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def weigh(header: str, media_type: str) -> float:
    """Return the weight of a media type: the most specific range that fits it counts.

    >>> weigh("text/*;q=0.3, text/turtle;q=0, */*", "text/turtle"), weigh("text/*;q=0.3, */*", "text/csv")
    (0.0, 0.3)
    """
    return _weigh(accepted(header), media_type)


def _weigh(ranges: Iterable[tuple[str, float]], media_type: str) -> float:
    best, weight = -1, 0.0
    kind = media_type.partition("/")[0]
    for media, given in ranges:
        rank = 2 if media == media_type else 1 if media == f"{kind}/*" else 0 if media == "*/*" else -1
        if rank > best or (rank == best and given > weight):
            best, weight = rank, given
    return weight if best >= 0 else 0.0


def choose(header: str, offers: tuple[Syntax, ...]) -> Syntax | None:
    """Return the offer that an Accept header likes best, or None; among equals the first, and no header takes all.

    An alias counts only where it is asked for by its own name.

    >>> choose("text/csv;q=0.9, application/sparql-results+xml", RESULTS).extension
    'xml'
    >>> choose("application/json", RESULTS).extension, choose("image/png", RESULTS)
    ('json', None)
    """
    return _chosen(header, offers) if len(header) <= _USUAL else _chosen.__wrapped__(header, offers)


@lru_cache(maxsize=1024)
def _chosen(header: str, offers: tuple[Syntax, ...]) -> Syntax | None:
    if not header.strip():
        return offers[0]
    ranges = accepted(header)
    named = {media for media, _ in ranges}
    best, weight = None, 0.0
    for offer in offers:
        names = (offer.media_type, *(alias for alias in offer.aliases if alias in named))
        given = max(_weigh(ranges, name) for name in names)
        if given > weight:
            best, weight = offer, given
    return best


def by_extension(extension: str, offers: Sequence[Syntax]) -> Syntax | None:
    """Return the offer with a file ending or media type, or None.

    >>> by_extension("ttl", GRAPHS).media_type, by_extension("docx", GRAPHS)
    ('text/turtle', None)
    """
    name = extension.lower()
    return next((offer for offer in offers if name in {offer.extension, offer.media_type, *offer.aliases}), None)


def choose_encoding(header: str, offers: Sequence[str]) -> str:
    """Return the content coding that an Accept-Encoding header likes best (RFC 9110 §12.5.3), or `identity`.

    >>> choose_encoding("gzip, br;q=0.5", ("br", "gzip")), choose_encoding("", ("br",)), choose_encoding("*", ("br",))
    ('gzip', 'identity', 'br')
    """
    weights = {}
    for part in header.lower().split(","):
        name, _, rest = part.partition(";")
        weights[name.strip()] = _weight(rest.partition("=")[2].strip()) if "q=" in rest else 1.0
    ranked = [(weights.get(offer, weights.get("*", 0.0)), offer) for offer in offers]
    weight, name = max(ranked, key=lambda item: item[0], default=(0.0, "identity"))
    return name if weight > 0 else "identity"
