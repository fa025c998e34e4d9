"""What the scripts of the pages are given: the entries of the search, the workbench's terms and queries, and its data.

Data scripts are JSON behind an assignment, so that a page opened from disk can load them too. The scripts themselves
and the fonts are made when kgbuild is installed (`hatch_build.py`); this module knows where they go.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from kgbuild.site.facts import edge, segments
from kgbuild.site.vocabulary import Term
from kgbuild.views import ClaimView, EntityView

WORKBENCH_QUADS = 1_000_000
"""More statements than a browser loads in some ten seconds; beyond them the workbench is left out, with a note."""

SEARCHED = 50_000
"""More entities and claims than a browser indexes in a second; beyond them claims are not searched, with a note."""

_PLACES = {"search.js": "search/", "workbench.js": "workbench/", "engine.js": "workbench/"}
_NOTES = frozenset(("made-of.txt", "missing.txt"))
_KINDS = {
    "Classes": "Class",
    "Predicates of claims": "Predicate of claims",
    "Other relations": "Relation",
    "Properties with a value": "Property",
    "Annotation properties": "Property",
    "Schemes": "Scheme",
    "Concepts": "Concept",
    "Other terms": "Term",
}

Entry = tuple[str, str, str, list[str], str, list[object] | None]
"""Path, label, kind, other names, short IRI, and for a claim its certainty, filled segments, edge and place."""


def _vendor() -> Traversable:
    return files("kgbuild").joinpath("assets", "vendor")


@cache
def web_files() -> Mapping[str, bytes]:
    """Return the scripts and fonts by their paths in a site; none where they were not made at install."""
    folder = _vendor()
    if not folder.joinpath("made-of.txt").is_file():
        return {}
    found = {_PLACES.get(item.name, "") + item.name: item for item in folder.iterdir() if item.is_file()}
    found |= {f"fonts/{item.name}": item for item in folder.joinpath("fonts").iterdir()}
    return {path: item.read_bytes() for path, item in sorted(found.items()) if path not in _NOTES}


def has_workbench(quads: int) -> bool:
    """Tell whether a site of so many statements has a workbench."""
    return bool(web_files()) and quads <= WORKBENCH_QUADS


def searches_claims(entities: int, claims: int) -> bool:
    """Tell whether the search of a site finds claims beside entities and terms.

    >>> searches_claims(99, 100), searches_claims(10_000, 100_000)
    (True, False)
    """
    return entities + claims <= SEARCHED


def absences(quads: int, entities: int, claims: int) -> Iterator[str]:
    """Return what people must be told of the scripts that a site is without."""
    if not web_files():
        note = _vendor().joinpath("missing.txt")
        reason = note.read_text("utf-8").strip() if note.is_file() else "they were never made"
        yield f"the site is without search, workbench and fonts: {reason}; `make assets` makes them, or a new install"
        return
    if not has_workbench(quads):
        yield (
            f"the site is without a workbench: {quads:,} statements are more than a browser holds well"
            f" (the limit is {WORKBENCH_QUADS:,}); ask with `kgbuild query`"
        )
    if not searches_claims(entities, claims):
        yield (
            f"the search of the site finds no claims: {entities + claims:,} entities and claims are more than a browser"
            f" indexes well (the limit is {SEARCHED:,})"
        )


def data_script(name: str, value: object) -> bytes:
    """Write a script that leaves a value in a global.

    >>> data_script("kgbuildEntries", [["a", "é"]])
    b'globalThis.kgbuildEntries=[["a","\\xc3\\xa9"]];\\n'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"globalThis.{name}={text};\n".encode()


def quads_script(nquads: bytes) -> bytes:
    """Write the script that holds the data of the workbench: N-Quads in base64 of gzip."""
    return data_script("kgbuildData", base64.b64encode(gzip.compress(nquads, 6, mtime=0)).decode("ascii"))


def web_parts(quads: int, nquads: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return the scripts and fonts of a site by path, and the data of its workbench, to be written when asked for."""
    workbench = has_workbench(quads)
    for path, data in web_files().items():
        if workbench or not path.startswith("workbench/"):
            yield path, partial(bytes, data)
    if workbench:
        yield "workbench/data.js", partial(quads_script, nquads)


def entity_entry(entity: EntityView, path: str, name: str) -> Entry:
    """Return the entry of an entity: found by its labels and aliases in every language."""
    called = [text for names in entity.names for text in (names.label, *names.aliases) if text]
    others = [text for text in dict.fromkeys((*called, *entity.aliases)) if text != entity.label]
    return path, entity.label or entity.slug, entity.category.label, others, name, None


def claim_entry(claim: ClaimView, path: str, name: str) -> Entry:
    """Return the entry of a claim, which never stands without its certainty, its place and its source."""
    numbers = ", ".join(str(sentence.number) for sentence in claim.sentences)
    place = f"sentence{'s' if len(claim.sentences) > 1 else ''} {numbers}" if numbers else ""
    beside = ", ".join(filter(None, (claim.attributed_to.label, place, *_manner(claim))))
    said: list[object] = [claim.certainty.label or "not recorded", segments(claim.certainty), edge(claim), beside]
    return path, claim.statement or claim.key, "Claim", [claim.id], name, said


def _manner(claim: ClaimView) -> Iterator[str]:
    """Return in words how a claim is made, beyond its certainty and a plain denial."""
    if claim.modality.slug != "actual":
        yield claim.modality.label.lower()
    if claim.polarity.slug not in {"affirmed", "negated"}:
        yield claim.polarity.label.lower()
    if claim.frequency:
        yield claim.frequency.label.lower()
    if claim.presupposed:
        yield "presupposed"
    if claim.implied:
        yield "implied"


def term_entry(term: Term, name: str) -> Entry:
    """Return the entry of a term of the vocabularies."""
    said = [text for _, texts in term.said[:1] for text in texts]
    others = [text for text in dict.fromkeys((term.id, *said)) if text != term.label]
    return f"ns.html#{term.id}", term.label, _KINDS.get(term.kind, term.kind), others, name, None


def graph_script(
    prefixes: Mapping[str, str], base: str, pages: Mapping[str, str], queries: Iterable[Mapping[str, Any]]
) -> bytes:
    """Write what the workbench knows beside the entries: prefixes, pages of other things by short IRI, and queries."""
    known = {"prefixes": dict(prefixes), "base": base, "pages": dict(pages), "queries": list(queries)}
    return data_script("kgbuildGraph", known)
