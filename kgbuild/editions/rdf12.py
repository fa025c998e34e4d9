"""RDF 1.2: each claim reifies a triple term, which is not asserted, in place of rdf:subject, predicate and object.

Pure: quads in, N-Quads 1.2 out, and back to the same quads (RDF 1.2 Concepts §1.5; RDF 1.2 N-Quads).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from kgbuild.formats import read_quads
from kgbuild.terms import RDF
from kgbuild.trusty import Quad

REIFIES: Final = f"<{RDF}reifies>"
_PARTS: Final = tuple(f"<{RDF}{name}>" for name in ("subject", "predicate", "object"))
_TERM: Final = r"(?:<[^>]*>|\"(?:[^\"\\]|\\.)*\"(?:@[A-Za-z0-9-]+|\^\^<[^>]*>)?)"
_REIFIED: Final = re.compile(
    rf"(<[^>]*>) {re.escape(REIFIES)} <<\( (<[^>]*>) (<[^>]*>) ({_TERM}) \)>>(?: (<[^>]*>))? \."
)


def write_rdf12(quads: Iterable[Quad]) -> bytes:
    """Write quads as N-Quads 1.2, sorted; what says its subject, predicate and object once each becomes a triple term.

    >>> said = [("", "<c:1>", f"<{RDF}{part}>", f"<x:{part}>") for part in ("subject", "predicate", "object")]
    >>> write_rdf12(said).decode().partition("reifies> ")[2]
    '<<( <x:subject> <x:predicate> <x:object> )>> .\\n'
    """
    return "".join(sorted(f"{line} .\n" for line in _lines(quads))).encode("utf-8")


def read_rdf12(nquads: bytes) -> tuple[Quad, ...]:
    """Read N-Quads 1.2 back into quads, each triple term as rdf:subject, predicate and object of what reifies it."""
    quads: list[Quad] = []
    others = []
    for line in nquads.decode("utf-8").split("\n"):
        found = _REIFIED.fullmatch(line)
        if found is None:
            others.append(line)
            continue
        node, *parts, graph = found.groups("")
        quads += [(graph, node, name, part) for name, part in zip(_PARTS, parts, strict=True)]
    return tuple(sorted({*quads, *read_quads("\n".join(others).encode("utf-8"))}))


def _lines(quads: Iterable[Quad]) -> Iterator[str]:
    parts: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for graph, subject, predicate, target in set(quads):
        if predicate in _PARTS:
            parts[graph, subject][predicate].append(target)
        else:
            yield _line(graph, subject, predicate, target)
    for (graph, node), said in parts.items():
        values = [said.get(name, []) for name in _PARTS]
        if all(len(value) == 1 for value in values) and values[0][0][0] == values[1][0][0] == "<":
            term = " ".join(value[0] for value in values)
            yield _line(graph, node, REIFIES, f"<<( {term} )>>")
        else:
            for name in _PARTS:
                for value in said.get(name, ()):
                    yield _line(graph, node, name, value)


def _line(graph: str, subject: str, predicate: str, target: str) -> str:
    return f"{subject} {predicate} {target} {graph}" if graph else f"{subject} {predicate} {target}"
