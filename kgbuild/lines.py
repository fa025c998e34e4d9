"""Quads as lines: N-Quads and N-Triples text, written and read back. Pure.

Reading here is for text that was written here, letter for letter; `formats` reads what others wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kgbuild.trusty import Quad

_GRAPH = re.compile(r" <[^<>]*> \.\n")


def nquads(quads: Iterable[Quad]) -> str:
    """Write quads as N-Quads lines, in their order.

    >>> nquads([("<g:>", "<s:>", "<p:>", '"o"')])
    '<s:> <p:> "o" <g:> .\\n'
    """
    return "".join([f"{subject} {predicate} {target} {graph} .\n" for graph, subject, predicate, target in quads])


def ntriples(quads: Iterable[Quad]) -> str:
    """Write quads as N-Triples lines, their graphs left out.

    >>> ntriples([("<g:>", "<s:>", "<p:>", '"o"')])
    '<s:> <p:> "o" .\\n'
    """
    return "".join([f"{subject} {predicate} {target} .\n" for _, subject, predicate, target in quads])


def quads_of(text: str) -> Iterator[Quad]:
    """Read N-Quads lines back, in their order.

    >>> list(quads_of('<s:> <p:> "an o" <g:> .\\n'))
    [('<g:>', '<s:>', '<p:>', '"an o"')]
    """
    for line in text.split("\n")[:-1]:
        subject, predicate, rest = line.split(" ", 2)
        target, graph, _ = rest.rsplit(" ", 2)
        yield graph, subject, predicate, target


def without_graphs(text: str) -> str:
    """Turn N-Quads lines into N-Triples lines.

    >>> without_graphs('<s:> <p:> "<o> ." <g:> .\\n')
    '<s:> <p:> "<o> ." .\\n'
    """
    return _GRAPH.sub(" .\n", text)
