"""What views are made of: nodes as a store gives them, named things, and terms of schemes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kgbuild.store import Term, lexical

Node = dict[str, list[Term]]


@dataclass(frozen=True, slots=True)
class Link:
    """A named thing: its IRI, its label, and what it is (entity, claim, article, sentence, dataset, term)."""

    iri: str
    label: str
    kind: str = "term"

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class ConceptView:
    """A term of a scheme: slug, label, definition, and rank where the scheme is ordered."""

    iri: str
    slug: str
    label: str
    definition: str = ""
    rank: int | None = None

    def __str__(self) -> str:
        return self.label


class Reader(Protocol):
    """What gathers nodes from a store and names them."""

    def nodes(self, pattern: str) -> dict[str, Node]:
        """Return the properties of every `?s` that a pattern binds."""

    def text(self, node: Node, predicate: str) -> str:
        """Return a text of a node in the first language there is."""

    def link(self, iri: str, kind: str = "") -> Link:
        """Return a thing by name."""

    def concept(self, iri: str) -> ConceptView:
        """Return a term of a scheme."""


def one(node: Node, predicate: str) -> str:
    """Return the first value of a property in lexical form, or the empty string."""
    values = node.get(predicate)
    return lexical(values[0]) if values else ""
