"""Excerpts: the part of a graph that the page of one thing needs, asked for in a few bounded queries.

Each is a generator that yields queries and is sent their rows, so that a build asks its store and a server its workers.
Claims come whole: with their nanopublication, the sentences they stand on, and what data say beside them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import pyoxigraph as ox

from kgbuild.store import Solutions, Store, Term
from kgbuild.terms import RDFS

Rows = tuple[tuple[Term | None, ...], ...]
T = TypeVar("T")
Asking = Generator[str, Rows, T]

PORTION: Final = 200
"""Claims, or sentences of an article, on one page."""
CLAIMS: Final = 600
"""Claims on one page of an article, on average: where more stand on so many sentences, a page has fewer of these."""
BESIDE: Final = 50
"""Claims that stand beside one claim, and statements of datasets beside one thing, that an excerpt holds at most."""
_AT_ONCE: Final = 500
_CONSTANT: Final = ("ontology", "schemes")
_QUADS: Final = "SELECT DISTINCT ?s ?p ?o ?g WHERE {{ {} GRAPH ?g {{ ?s ?p ?o }} }}"
_LINKS: Final = "kgb:hasRationale|kgb:contrastsWithClaim|kgb:derivedFromClaim|rdf:object"
_SAYS: Final = "{{ ?s rdf:subject <{0}> }} UNION {{ ?s rdf:object <{0}> }}"
_NAMES: Final = (
    f"{_SAYS} UNION {{{{ ?s kgb:comparedDimension <{{0}}> }}}} "
    "UNION {{ ?s kgb:qualifier/kgb:qualifierEntity <{0}> }}"
)


@dataclass(frozen=True, slots=True)
class Portion:
    """One page of a long list: which, of how many things in all, and how many a page shows.

    >>> Portion(2, 401).pages, Portion(2, 401).first, Portion(3, 401).last
    (3, 201, 401)
    """

    number: int
    total: int
    size: int = PORTION

    @classmethod
    def all(cls, total: int, size: int = PORTION) -> list[Portion]:
        """Return every page of a list, at least one."""
        return [cls(number, total, size) for number in range(1, cls(1, total, size).pages + 1)]

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Return what stands on the page."""
        return items[self.first - 1 : self.last]

    def path(self, stem: str, number: int = 0) -> str:
        """Return the path of the page, or of another one of the list; an identifier never holds a dot.

        >>> Portion(1, 401).path("id/x"), Portion(2, 401).path("id/x"), Portion(2, 401).path("id/x", 3)
        ('id/x.html', 'id/x.2.html', 'id/x.3.html')
        """
        number = number or self.number
        return f"{stem}.html" if number == 1 else f"{stem}.{number}.html"

    @property
    def near(self) -> list[int]:
        """Return the numbers of the pages to offer: the first, the last, and those around this one; 0 is a gap.

        >>> Portion(6, 10_000).near
        [1, 0, 4, 5, 6, 7, 8, 0, 50]
        """
        kept = sorted({1, self.pages, *range(max(1, self.number - 2), min(self.pages, self.number + 2) + 1)})
        found: list[int] = []
        for number in kept:
            if found and number - found[-1] > 1:
                found.append(0)
            found.append(number)
        return found

    @property
    def pages(self) -> int:
        """Return how many pages there are, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Return the number of the first thing on the page."""
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        """Return the number of the last thing on the page."""
        return min(self.number * self.size, self.total)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a graph; `portion` says which part of the claims or sentences it holds.

    `named` are the claims it is about, in order; it may hold others beside them. `statements` is how many statements
    of datasets there are about the thing, by the IRI of the dataset; it holds the first of each.
    """

    quads: frozenset[ox.Quad]
    portion: Portion
    named: tuple[str, ...] = ()
    statements: Mapping[str, int] = field(default_factory=dict)

    @property
    def cut(self) -> bool:
        """Tell whether there is more about the thing than the excerpt holds."""
        return self.portion.pages > 1 or any(count > BESIDE for count in self.statements.values())

    @property
    def nquads(self) -> bytes:
        """Return the quads as N-Quads, sorted."""
        return "".join(sorted(f"{quad} .\n" for quad in self.quads)).encode("utf-8")


def ask(asking: Asking[T], store: Store, prefixes: dict[str, str]) -> T:
    """Ask a store all that an excerpt needs, and return it."""
    rows: Rows | None = None
    try:
        while True:
            answer = store.query(next(asking) if rows is None else asking.send(rows), prefixes)
            assert isinstance(answer, Solutions)
            rows = answer.rows
    except StopIteration as stop:
        made: T = stop.value
        return made


def constant(base: str) -> Asking[frozenset[ox.Quad]]:
    """Ask for what every page needs: the ontology, the schemes, and the records of the datasets."""
    graphs = _values("g", (f"{base}graph/{name}" for name in _CONSTANT))
    records = "?s a dcat:Dataset ; kgb:limits ?any ."
    return frozenset({*_quads((yield _QUADS.format(graphs))), *_quads((yield _QUADS.format(records)))})


def about_entity(base: str, slug: str, number: int = 1) -> Asking[Excerpt | None]:
    """Ask for what the page of an entity shows, with one portion of its claims; None where there is no such entity."""
    iri = f"{base}id/{slug}"
    made = _Gathered(base, iri)
    if not (yield f"SELECT ?any WHERE {{ <{iri}> a kgb:Entity ; ?any ?o }} LIMIT 1"):
        return None
    yield from made.describe([iri])
    # what no claim says stands in the graphs of the datasets and of the ontology: to look at each is slow
    datasets = _first((yield "SELECT DISTINCT ?s WHERE { ?s a dcat:Dataset ; kgb:limits ?any } ORDER BY ?s"))
    graphs = {dataset: f"<{base}graph/dataset-{dataset.rpartition('/')[2]}>" for dataset in datasets}
    others = ", ".join((f"<{base}graph/ontology>", *graphs.values()))
    names = f"GRAPH ?g {{ {_NAMES.format(iri)} }} FILTER(?g NOT IN ({others}))"
    total = _count((yield f"SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ {names} }}"))
    portion = Portion(number, total)
    if number > portion.pages:
        return None
    claims = _first((yield _paged("?s", names, portion)))
    yield from made.claims(claims)
    made.add((yield _QUADS.format(f"?s a sssom:Mapping ; sssom:subject_id <{iri}> .")))
    narrower = _paged("?s", f"?s skos:broader <{iri}>", Portion(1, 0))
    made.add((yield _QUADS.format(f"{{ {narrower} }}")))
    statements = {}
    for dataset, graph in graphs.items():
        inside = f"GRAPH {graph} {{ {_SAYS.format(iri)} }}"
        count = _count((yield f"SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ {inside} }}"))
        if count:
            statements[dataset] = count
            yield from made.describe(_first((yield _paged("?s", inside, Portion(1, 0, BESIDE)))))
    yield from made.close()
    return Excerpt(frozenset(made.quads), portion, claims, statements)


def about_claim(base: str, key: str) -> Asking[Excerpt | None]:
    """Ask for what the page of a claim shows: it, and the claims it refers to, that refer to it or say the same."""
    iri, made = f"{base}claim/{key}", _Gathered(base)
    if not (yield f"SELECT ?any WHERE {{ <{iri}> a kgb:Claim ; ?any ?o }} LIMIT 1"):
        return None
    near = (
        f"{{ <{iri}> {_LINKS} ?claim }} UNION {{ ?claim {_LINKS} <{iri}> }} UNION "
        f"{{ <{iri}> rdf:subject ?x ; rdf:predicate ?y ; rdf:object ?z . "
        "?claim rdf:subject ?x ; rdf:predicate ?y ; rdf:object ?z } FILTER EXISTS { ?claim a kgb:Claim }"
    )
    others = _first((yield _paged("?claim", near, Portion(1, 0, BESIDE))))
    yield from made.claims(dict.fromkeys((iri, *others)))
    yield from made.close()
    return Excerpt(frozenset(made.quads), Portion(1, 1), (iri,))


def about_article(base: str, slug: str, number: int = 1) -> Asking[Excerpt | None]:
    """Ask for what the page of an article shows: its record, and one portion of its sentences with their claims."""
    iri, made = f"{base}article/{slug}", _Gathered(base)
    if not (yield f"SELECT ?any WHERE {{ <{iri}> a kgb:Article ; ?any ?o }} LIMIT 1"):
        return None
    yield from made.describe([iri, f"{iri}#extraction"])
    inside = f"?s a kgb:Sentence ; oa:hasSource <{iri}> ; kgb:sentenceNumber ?number ."
    total = _count((yield f"SELECT (MAX(?number) AS ?n) WHERE {{ {inside} }}"))
    on_all = f"?s oa:hasSource <{iri}> . ?assertion prov:wasDerivedFrom ?s ."
    claims = _count((yield f"SELECT (COUNT(*) AS ?n) WHERE {{ {on_all} }}"))
    portion = Portion(number, total, max(1, min(PORTION, CLAIMS * total // max(1, claims))))
    if number > portion.pages:
        return None
    within = f"FILTER(?number >= {portion.first} && ?number <= {portion.last})"
    sentences = _first((yield f"SELECT DISTINCT ?s WHERE {{ {inside} {within} }} ORDER BY ?s"))
    yield from made.describe(sentences)
    standing = "?assertion prov:wasDerivedFrom ?s . ?np np:hasAssertion ?assertion ; npx:introduces ?claim ."
    on_these = f"{_values('s', sentences)} {standing}"
    named = _first((yield f"SELECT DISTINCT ?claim WHERE {{ {on_these} }} ORDER BY ?claim"))
    yield from made.claims(named)
    yield from made.close()
    return Excerpt(frozenset(made.quads), portion, named)


def about_statement(base: str, key: str) -> Asking[Excerpt | None]:
    """Ask for a statement or a source record of a dataset, and what is named there."""
    iri, made = f"{base}dataset/{key}", _Gathered(base)
    kinds = "VALUES ?kind { kgb:DatasetStatement kgb:SourceRecord }"
    if not (yield f"SELECT ?kind WHERE {{ {kinds} <{iri}> a ?kind }} LIMIT 1"):
        return None
    yield from made.describe([iri])
    judged = f"?alignment kgb:datasetStatement <{iri}> ; kgb:articleClaim ?claim ."
    claims = _first((yield _paged("?claim", judged, Portion(1, 0, BESIDE))))
    yield from made.claims(claims)
    yield from made.close()
    return Excerpt(frozenset(made.quads), Portion(1, 1), claims)


def list_entities(base: str, number: int = 1) -> Asking[Excerpt | None]:
    """Ask for one portion of all entities."""
    portion = Portion(number, _count((yield "SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE { ?s a kgb:Entity }")))
    if number > portion.pages:
        return None
    things = _first((yield _paged("?s", "?s a kgb:Entity", portion)))
    return replace((yield from about_claims(base, (), things)), portion=portion)


def introduced(base: str, digest: str) -> Asking[str]:
    """Ask for the key of the claim that a nanopublication introduces; the empty string where there is none."""
    rows = yield f"SELECT ?claim WHERE {{ <{base}np/{digest}> npx:introduces ?claim . ?claim a kgb:Claim }} LIMIT 1"
    return "".join(_first(rows)).removeprefix(f"{base}claim/")


def about_claims(base: str, claims: Iterable[str], things: Iterable[str] = ()) -> Asking[Excerpt]:
    """Ask for some claims, and some other things, by their IRIs."""
    made, named = _Gathered(base), tuple(claims)
    yield from made.claims(named)
    yield from made.describe(things)
    yield from made.close()
    return Excerpt(frozenset(made.quads), Portion(1, len(named)), named)


@dataclass(slots=True)
class _Gathered:
    """Quads as they come in, and the things whose description is among them; `own` is what the excerpt is about."""

    base: str
    own: str = ""
    quads: set[ox.Quad] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    def add(self, rows: Rows) -> None:
        """Keep quads."""
        self.quads.update(_quads(rows))

    def describe(self, iris: Iterable[str]) -> Asking[None]:
        """Ask for the triples about things, but no plain triples: these stand with their claims alone."""
        wanted = sorted(set(iris) - self.known)
        self.known.update(wanted)
        for start in range(0, len(wanted), _AT_ONCE):
            values = _values("s", wanted[start : start + _AT_ONCE])
            plain = f"FILTER(?g NOT IN (<{self.base}graph/asserted>, <{self.base}graph/inferred>))"
            self.add((yield _QUADS.format(values).removesuffix("}") + f"{plain} }}"))

    def claims(self, iris: Iterable[str]) -> Asking[None]:
        """Ask for claims with their nanopublications, the plain triples they license, and what data say beside them."""
        wanted = [iri for iri in iris if iri not in self.whole]
        self.whole.update(wanted)
        self.known.update(wanted)
        for start in range(0, len(wanted), _AT_ONCE // 2):
            some = wanted[start : start + _AT_ONCE // 2]
            values = _values("claim", some)
            parts = "np:hasAssertion ?a ; np:hasProvenance ?p ; np:hasPublicationInfo ?i"
            rows = yield (
                f"SELECT DISTINCT ?h ?a ?p ?i WHERE {{ {values} ?np npx:introduces ?claim . "
                f"GRAPH ?h {{ ?np {parts} }} }}"
            )
            self.add((yield _QUADS.format(_values("g", _iris(rows)))))
            judged = f"{values} ?s kgb:articleClaim ?claim ."
            self.add((yield _QUADS.format(judged)))
            said = f"{values} ?claim rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ."
            graph = f"<{self.base}graph/asserted>"
            plain = f"{said} FILTER EXISTS {{ GRAPH {graph} {{ ?s ?p ?o }} }} BIND({graph} AS ?g)"
            self.add((yield f"SELECT DISTINCT ?s ?p ?o ?g WHERE {{ {plain} }}"))

    def close(self) -> Asking[None]:
        """Ask for what is named: of a claim that is not whole its label alone, else all that is said about it."""
        for _ in range(3):
            named = sorted(set(self._named()) - self.known)
            claims = [iri for iri in named if iri.startswith(f"{self.base}claim/")]
            self.known.update(claims)
            if claims:
                labels = f"GRAPH ?g {{ ?s <{RDFS}label> ?o }} BIND(<{RDFS}label> AS ?p)"
                self.add((yield f"SELECT DISTINCT ?s ?p ?o ?g WHERE {{ {_values('s', claims)} {labels} }}"))
            yield from self.describe(set(named) - set(claims))

    def _named(self) -> Iterator[str]:
        """Return the things below the base that quads name, but not those that the record of another entity names."""
        graphs, things = f"{self.base}np/", f"{self.base}id/"
        for quad in self.quads:
            subject = quad.subject.value if isinstance(quad.subject, ox.NamedNode) else ""
            if subject.startswith(things) and subject != self.own:
                continue
            value = quad.object.value if isinstance(quad.object, ox.NamedNode) else ""
            if value.startswith(self.base) and not value.startswith((graphs, f"{self.base}graph/", f"{self.base}ns#")):
                yield value


def _quads(rows: Rows) -> Iterator[ox.Quad]:
    for subject, predicate, target, graph in rows:
        assert isinstance(subject, ox.NamedNode)
        assert isinstance(predicate, ox.NamedNode)
        assert isinstance(graph, ox.NamedNode)
        assert target is not None
        yield ox.Quad(subject, predicate, target, graph)


def _iris(rows: Rows) -> list[str]:
    return sorted({term.value for row in rows for term in row if isinstance(term, ox.NamedNode)})


def _first(rows: Rows) -> tuple[str, ...]:
    return tuple([row[0].value for row in rows if isinstance(row[0], ox.NamedNode)])


def _count(rows: Rows) -> int:
    term = rows[0][0] if rows else None
    return int(term.value) if isinstance(term, ox.Literal) else 0


def _paged(variable: str, pattern: str, portion: Portion) -> str:
    """Ask for a page of IRIs in their order: by a text that no store holds, so that it need not be fetched to compare.

    Oxigraph fetches each IRI anew for each comparison, which takes five times as long.
    """
    page = f"LIMIT {portion.size} OFFSET {portion.first - 1}"
    keyed = f"SELECT DISTINCT {variable} (CONCAT('=', STR({variable})) AS ?key) WHERE {{ {pattern} }}"
    return f"SELECT {variable} WHERE {{ {{ {keyed} }} }} ORDER BY ?key {page}"


def _values(variable: str, iris: Iterable[str]) -> str:
    return f"VALUES ?{variable} {{ {' '.join(f'<{iri}>' for iri in iris)} }}"
