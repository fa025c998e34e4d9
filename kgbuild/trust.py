"""Which engine may judge which shape, and on which part of the graph: told from the shapes alone. Pure.

A shape is local where its results need no more than the focus node with its parts and its nanopublication; such a shape
may be judged shard by shard. A shape is screened where the fast engine is known to find whatever pySHACL finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyoxigraph as ox

from kgbuild.terms import BIOLINK, DCTERMS, KGB, NP, NPX, OA, OWL, PROV, RDF, RDFS, SCHEMA, SH, SKOS, SSSOM, XSD

Term = ox.NamedNode | ox.BlankNode | ox.Literal
Description = dict[str, list[Term]]
PARTS = frozenset(
    {f"{KGB}{name}" for name in ("subjectQuantity", "objectQuantity", "qualifier")}
    | {f"{NP}{name}" for name in ("hasAssertion", "hasProvenance", "hasPublicationInfo")}
)
"""Predicates that lead from a node to what is written with it."""
INTRODUCES = f"{NPX}introduces"
_OWN = (KGB, RDF, RDFS, SKOS, DCTERMS, SCHEMA, PROV, NP, NPX, OA, BIOLINK, SSSOM, OWL, "http://www.w3.org/ns/dcat#")
"""Namespaces of what the tool writes of a node; other predicates are those of plain triples, which stand elsewhere."""
_ABOVE = frozenset({f"{KGB}Statement", f"{PROV}Entity", f"{SCHEMA}Claim"})
"""Classes above those of records, whose instances cannot be told without the vocabulary."""
_TARGETS = tuple(f"{SH}target{name}" for name in ("Class", "Node", "SubjectsOf", "ObjectsOf"))
_PARTS_OF_SHAPES = frozenset(f"{SH}{name}" for name in ("sparql", "prefixes", "declare")) | {f"{RDF}rest"}
_CLASSES = (f"{RDFS}Class", f"{OWL}Class")
_RANGES = tuple(f"{SH}{name}" for name in ("minExclusive", "minInclusive", "maxExclusive", "maxInclusive"))
_NUMBERS = frozenset({f"{XSD}integer", f"{XSD}decimal"})
_PLAIN = re.compile(
    r"(?:[^\\\[\](){}*+?|]|\\[.^$*+?{}()\[\]|/\\-]|\\d|[|*+?](?<![*+?}]\+)|\{\d+(?:,\d*)?\}|\((?:\?:)?(?!\?)|\)"
    r"|\[\^?(?:[^\\\[\]&~-]|\\[.^$*+?{}()\[\]|/\\-]|\\d|(?<=\w)-(?=\w)|-(?=\]))+\])*"
)
"""Regular expressions that mean the same in XPath, Python and Rust, but for `$`."""


class Laws:
    """A shapes graph, to be looked into."""

    def __init__(self, triples: Iterable[ox.Triple]) -> None:
        self.triples = [triple for triple in triples if not isinstance(triple.object, ox.Triple)]
        self.about: dict[str, Description] = {}
        for triple in self.triples:
            described = self.about.setdefault(str(triple.subject), {})
            described.setdefault(triple.predicate.value, []).append(triple.object)  # type: ignore[arg-type]
        components = f"{SH}ConstraintComponent"
        self.extended = any(_has(body, f"{RDF}type", components) for body in self.about.values())

    def focused(self) -> list[str]:
        """Return the shapes that have targets of their own."""
        return [shape for shape, body in self.about.items() if any(name in body for name in _TARGETS) or implicit(body)]

    def without_targets(self, shapes: Iterable[str]) -> list[ox.Triple]:
        """Return the triples without the targets of some shapes, which are then used by others only."""
        idle = set(shapes)
        return [triple for triple in self.triples if not (str(triple.subject) in idle and _aims(triple))]

    def only(self, shapes: Iterable[str]) -> list[ox.Triple]:
        """Return what is said of some shapes, of all that they use, and of nothing else that is not needed."""
        if self.extended:
            return self.without_targets(set(self.focused()).difference(shapes))
        kept = {each for shape in shapes for each in self.within(shape)}
        idle = kept.difference(shapes)
        todo = list(kept)
        while todo:
            for predicate, terms in self.about.get(todo.pop(), {}).items():
                for term in terms:
                    part = isinstance(term, ox.BlankNode) or predicate in _PARTS_OF_SHAPES
                    if part and str(term) not in kept:
                        kept.add(str(term))
                        todo.append(str(term))
        return [
            triple
            for triple in self.triples
            if str(triple.subject) in kept and not (str(triple.subject) in idle and _aims(triple))
        ]

    def within(self, shape: str) -> set[str]:
        """Return a shape and all that it uses."""
        found, todo = {shape}, [shape]
        while todo:
            for child, _ in self._uses(todo.pop()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found

    def is_local(self, shape: str) -> bool:
        """Tell whether the results of a shape need the focus node with its parts and its nanopublication alone."""
        body = self.about[shape]
        aims = [term.value for term in body.get(f"{SH}targetObjectsOf", ())]
        classes = {term.value for term in body.get(f"{SH}targetClass", ())}
        repeated = {term.value for term in body.get(f"{SH}targetSubjectsOf", ())} & {
            f"{RDFS}label",
            f"{DCTERMS}identifier",
        }
        if self.extended or f"{SH}targetNode" in body or classes & _ABOVE or repeated:
            return False
        return {*aims} <= PARTS | {INTRODUCES} and self._stays(shape, home=True, seen=set())

    def _stays(self, shape: str, *, home: bool, seen: set[tuple[str, bool]]) -> bool:
        """Tell whether nothing is looked at but what is at `home`: with the focus node, or where a path led."""
        if (shape, home) in seen:
            return True
        seen.add((shape, home))
        body = self.about.get(shape, {})
        afar = (
            ("class", "closed", "sparql") if home else ("class", "closed", "sparql", "equals", "disjoint", "lessThan")
        )
        if any(f"{SH}{name}" in body for name in (*afar, *(() if home else ("lessThanOrEquals",)))):
            return False
        for path in body.get(f"{SH}path", ()):
            leads = self._leads(path)
            if not home or leads is None:
                return False
            home = leads
        return all(self._stays(child, home=home, seen=seen) for child, _ in self._uses(shape))

    def _leads(self, path: Term) -> bool | None:
        """Tell whether a path ends at home; None where it leaves on the way."""
        if isinstance(path, ox.NamedNode):
            return path.value in PARTS if path.value.startswith(_OWN) else None
        body = self.about.get(str(path), {})
        if inverse := body.get(f"{SH}inversePath"):
            return True if inverse[0] == ox.NamedNode(INTRODUCES) else None
        if choice := body.get(f"{SH}alternativePath"):
            ends = [self._leads(member) for member in self._members(choice[0])]
            return None if None in ends else all(ends)
        steps = [self._leads(member) for member in self._members(path)]
        return steps[-1] if steps and all(steps[:-1]) else None

    def is_screened(self, shape: str) -> bool:
        """Tell whether the fast engine finds whatever pySHACL finds by a shape."""
        if self.extended or _has(self.about[shape], f"{RDF}type", f"{OWL}Class"):
            return False  # an owl:Class is an implicit target for pySHACL alone
        return self._agrees(shape, denied=False, seen=set())

    def _agrees(self, shape: str, *, denied: bool, seen: set[tuple[str, bool]]) -> bool:
        """Tell whether the engines agree; `denied` where a result less in the shape is one more outside."""
        if (shape, denied) in seen:
            return True
        seen.add((shape, denied))
        body = self.about.get(shape, {})
        path = body.get(f"{SH}path", ())
        if any(f"{SH}{name}" in body for name in ("sparql", "lessThan", "lessThanOrEquals")):
            return False  # values that cannot be compared
        if any(name in body for name in _RANGES) and not _numeric(body):
            return False  # pySHACL lets pass, or not, what cannot be compared
        if (path and f"{SH}closed" in body) or any(self._turns(step) for step in path):
            return False  # pySHACL takes sh:closed of the focus node, and reads an inverse sequence in its order
        if f"{SH}pattern" in body and not _plain(body, denied=denied):
            return False
        if denied and any(term.value == "0" for term in body.get(f"{SH}minLength", ())):
            return False  # pySHACL finds blank nodes long enough for that
        return all(self._agrees(child, denied=denied or turned, seen=seen) for child, turned in self._uses(shape))

    def _turns(self, path: Term) -> bool:
        """Tell whether a path holds the inverse of something other than a predicate."""
        if isinstance(path, ox.NamedNode):
            return False
        body = self.about.get(str(path), {})
        if any(not isinstance(term, ox.NamedNode) for term in body.get(f"{SH}inversePath", ())):
            return True
        inner = [term for values in body.values() for term in values if isinstance(term, ox.BlankNode)]
        return any(self._turns(term) for term in inner)

    def _uses(self, shape: str) -> Iterator[tuple[str, bool]]:
        """Return the shapes that a shape uses, and whether it turns their results round."""
        body = self.about.get(shape, {})
        for name in ("property", "node", "not", "qualifiedValueShape"):
            for term in body.get(SH + name, ()):
                yield str(term), name in {"not", "qualifiedValueShape"}
        for name in ("and", "or", "xone"):
            for term in body.get(SH + name, ()):
                yield from ((str(member), name == "xone") for member in self._members(term))

    def _members(self, head: Term) -> Iterator[Term]:
        seen = set()
        while (body := self.about.get(str(head), {})) and str(head) not in seen:
            seen.add(str(head))
            yield from body.get(f"{RDF}first", ())
            head = next(iter(body.get(f"{RDF}rest", ())), ox.NamedNode(f"{RDF}nil"))


def implicit(body: Description) -> bool:
    """Tell whether a shape is a class, and so its own target (SHACL §2.1.3.3)."""
    types = {term.value for term in body.get(f"{RDF}type", ())}
    return bool(types & {*_CLASSES}) and bool(types & {f"{SH}NodeShape", f"{SH}PropertyShape"})


def _aims(triple: ox.Triple) -> bool:
    if triple.predicate.value == f"{RDF}type":
        return isinstance(triple.object, ox.NamedNode) and triple.object.value in _CLASSES
    return triple.predicate.value in _TARGETS


def _has(body: Description, predicate: str, value: str) -> bool:
    return any(term.value == value for term in body.get(predicate, ()))


def _numeric(body: Description) -> bool:
    """Tell whether only whole and decimal numbers are compared, since all else breaks sh:datatype beside."""
    bounds = {bound.datatype.value for name in _RANGES for bound in body.get(name, ()) if isinstance(bound, ox.Literal)}
    datatypes = {term.value for term in body.get(f"{SH}datatype", ())}
    return bool(datatypes) and bounds | datatypes <= _NUMBERS


def _plain(body: Description, *, denied: bool) -> bool:
    """Tell whether a pattern means the same to all; `$` stands before a last line break as well for Python alone.

    >>> pattern = ox.Literal("^a+$")
    >>> [_plain({SH + "pattern": [pattern]}, denied=denied) for denied in (False, True)]
    [True, False]
    """
    texts = [term.value for term in body[f"{SH}pattern"]]
    return f"{SH}flags" not in body and all(_PLAIN.fullmatch(text) and not (denied and "$" in text) for text in texts)
