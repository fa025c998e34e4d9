"""The graph for Python users: `load` a project or a dump, then ask for claims, entities, answers, rdflib's dataset."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pyoxigraph as ox

from kgbuild.diagnostics import UnreadableError, UsageError, did_you_mean
from kgbuild.editions.tables import TABLES, Tabular, claims_table, table
from kgbuild.queries import Labels, Query, find_query
from kgbuild.store import Answer, Graph, OxigraphStore, Store, lexical
from kgbuild.terms import PREFIXES
from kgbuild.views import ArticleView, ClaimView, EntityView, Views

if TYPE_CHECKING:
    import pandas
    import rdflib

    from kgbuild.project import Project

COLUMNS_SHOWN = 13
"""Columns of the table of claims that a notebook shows."""


class Table(Sequence[tuple[str, ...]]):
    """Rows of text under column names: iterates as tuples, shows itself in notebooks, turns into a pandas frame.

    >>> Table(("a",), [("1",)]).records()
    [{'a': '1'}]
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self.columns = tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | Table:
        if isinstance(index, slice):
            return Table(self.columns, self.rows[index])
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Table of {len(self.rows)} rows: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def records(self) -> list[dict[str, str]]:
        """Return each row as a dictionary."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas frame (needs the extra `kgbuild[pandas]`)."""
        import pandas

        return pandas.DataFrame(self.records(), columns=list(self.columns))


class Claims(Sequence[ClaimView]):
    """Claims in the order of their identifiers; as a table they keep certainty and source beside the statement."""

    def __init__(self, claims: Iterable[ClaimView]) -> None:
        self.items = tuple(claims)

    @overload
    def __getitem__(self, index: int) -> ClaimView: ...
    @overload
    def __getitem__(self, index: slice) -> Claims: ...
    def __getitem__(self, index: int | slice) -> ClaimView | Claims:
        return Claims(self.items[index]) if isinstance(index, slice) else self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ClaimView]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"<{len(self.items)} claims>"

    @property
    def table(self) -> Table:
        """Return the claims as rows of text: what must be read beside each statement."""
        found = claims_table(self.items)
        return Table(
            found.heading[:COLUMNS_SHOWN], ([str(value) for value in row[:COLUMNS_SHOWN]] for row in found.rows)
        )

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def to_pandas(self) -> pandas.DataFrame:
        """Return all columns of the CSV and Parquet tables as a pandas frame (needs the extra `kgbuild[pandas]`)."""
        return claims_table(self.items).to_pandas()


class KnowledgeGraph:
    """A compiled graph: ask it for claims, entities and answers."""

    def __init__(
        self, store: Store, base: str, prefixes: dict[str, str], nquads: bytes = b"", project: Project | None = None
    ) -> None:
        self.store, self.base, self.prefixes, self.nquads, self.project = store, base, prefixes, nquads, project
        self.views = Views(store, base, prefixes, project.fallback if project else ("en",))

    def __repr__(self) -> str:
        return f"<KnowledgeGraph {self.base}: {len(self.views.claims)} claims, {len(self.views.entities)} entities>"

    def query(self, query: str, *, labels: bool = False, **parameters: str) -> Table | rdflib.Graph | bool:
        """Ask a named query of the project, a `.rq` file, or SPARQL text.

        A SELECT gives a `Table` of lexical values, or of labels; a CONSTRUCT an rdflib graph; an ASK a bool. Raises
        `QuerySyntaxError` for text that cannot be parsed and `UsageError` for unknown names and parameters.
        """
        if any(char in query for char in "{\n"):
            found = Query("text", "", "", query, "<text>")
        elif self.project is None:
            raise UsageError(f"'{query}' is no SPARQL text, and this graph has no named queries")
        else:
            found = find_query(self.project, query)
        answer = self.store.query(found.replayed(self.prefixes, parameters), self.prefixes)
        return self._shown(answer, labels)

    def _shown(self, answer: Answer, labels: bool) -> Table | rdflib.Graph | bool:
        if isinstance(answer, bool):
            return answer
        if isinstance(answer, Graph):
            import rdflib

            graph = rdflib.Graph()
            data = ox.serialize(answer.triples, format=ox.RdfFormat.N_TRIPLES) or b""
            return graph.parse(data=data.decode("utf-8"), format="nt")
        if labels:
            words = Labels(self.store, self.prefixes, answer, self.views.languages)
            return Table(answer.variables, ([words.show(term) for term in row] for row in answer.rows))
        return Table(
            answer.variables, ([lexical(term) if term is not None else "" for term in row] for row in answer.rows)
        )

    def claims(
        self,
        *,
        about: str | None = None,
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
        certainty: str | None = None,
        basis: str | None = None,
        article: str | None = None,
    ) -> Claims:
        """Return the claims that fit; entities are given by identifier, label, alias or IRI, terms by slug."""
        wanted = {
            "subject": self.entity(subject).iri if subject else None,
            "object": self.entity(object).iri if object else None,
        }
        found: Iterable[ClaimView] = self.entity(about).claims if about else self.views.claims
        return Claims(
            claim
            for claim in found
            if (wanted["subject"] in {None, claim.subject.iri})
            and (wanted["object"] in {None, claim.object.iri})
            and (predicate is None or self._is_predicate(claim, predicate))
            and (certainty in {None, claim.certainty.slug})
            and (basis in {None, claim.basis.slug})
            and (article in {None, claim.key.rpartition("/")[0]})
        )

    def _is_predicate(self, claim: ClaimView, predicate: str) -> bool:
        from kgbuild.terms import compress, kebab

        iri = claim.predicate.iri
        return predicate in {iri, compress(iri, self.prefixes), kebab(iri.rpartition("#")[2]), claim.predicate.label}

    def claim(self, key: str) -> ClaimView:
        """Return a claim by article/id, by id where only one article has it, or by IRI; raise `KeyError` otherwise."""
        found = [claim for claim in self.views.claims if key in {claim.iri, claim.key, claim.id}]
        if len(found) != 1:
            raise KeyError(f"{'no' if not found else 'more than one'} claim '{key}'")
        return found[0]

    def entity(self, name: str) -> EntityView:
        """Return an entity by identifier, label, alias or IRI; raise `KeyError` with the nearest name otherwise."""
        found = self._names.get(name.casefold())
        if found is None:
            hint = did_you_mean(name.casefold(), self._names)
            raise KeyError(f"no entity '{name}'" + (f"; {hint}" if hint else ""))
        return found

    @cached_property
    def _names(self) -> dict[str, EntityView]:
        names: dict[str, EntityView] = {}
        for entity in self.views.entities:
            for alias in entity.aliases:
                names.setdefault(alias.casefold(), entity)
        for entity in self.views.entities:
            names |= {word.casefold(): entity for word in (entity.iri, entity.slug, *entity.labels.values())}
        return names

    def table(self, name: str) -> Tabular:
        """Return a table of the build: claims, entities or links; `.to_pandas()` makes a frame, `.to_csv()` bytes."""
        if name not in TABLES:
            raise UsageError(f"unknown table '{name}'; {did_you_mean(name, TABLES) or 'one of ' + ', '.join(TABLES)}")
        return table(name, self.views)

    @property
    def entities(self) -> tuple[EntityView, ...]:
        """Return all entities in the order of their identifiers."""
        return self.views.entities

    @property
    def articles(self) -> tuple[ArticleView, ...]:
        """Return all articles in the order of their identifiers."""
        return self.views.articles

    @cached_property
    def dataset(self) -> rdflib.Dataset:
        """Return the graph as an rdflib dataset with its prefixes bound; the default graph is the union."""
        import rdflib

        dataset = rdflib.Dataset(default_union=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # rdflib 7.6 warns of what its own parser calls
            dataset.parse(data=self.nquads.decode("utf-8"), format="nquads")
        for prefix, space in self.prefixes.items():
            dataset.bind(prefix, space)
        return dataset


def load(path: Path | str = ".", *, infer: bool | None = None) -> KnowledgeGraph:
    """Load a project, compiled in memory, or a dump (N-Quads or TriG); raise `FindingsError` for a broken project.

    A dump must describe itself: its dataset record names the base IRI. With `infer`, or the setting of that name,
    queries know the inferred graph as well; claims, tables and the rdflib dataset never hold it.
    """
    path = Path(path)
    if path.is_file() and path.suffix in {".nq", ".trig"}:
        graph = _load_dump(path)
        return _inferring(graph) if infer else graph
    from kgbuild.compilation import compile_project

    made = compile_project(path)
    graph = KnowledgeGraph(made.store, made.project.base, made.project.prefixes, made.nquads, made.project)
    return _inferring(graph) if (made.project.infer if infer is None else infer) else graph


def _inferring(graph: KnowledgeGraph) -> KnowledgeGraph:
    from kgbuild.inference import with_inferred

    assert isinstance(graph.store, OxigraphStore)
    with_inferred(graph.store, graph.base)
    return graph


def _load_dump(path: Path) -> KnowledgeGraph:
    form = ox.RdfFormat.N_QUADS if path.suffix == ".nq" else ox.RdfFormat.TRIG
    try:
        quads = list(ox.parse(path=str(path), format=form))
    except (OSError, SyntaxError) as error:
        raise UnreadableError(f"cannot read {path}: {error}") from error
    data = ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
    space = ox.NamedNode("http://rdfs.org/ns/void#uriSpace")
    base = next((quad.object.value for quad in quads if quad.predicate == space), None)
    if not isinstance(base, str):
        raise UnreadableError(f"{path} has no dataset record with void:uriSpace, so its base IRI is unknown")
    own = {name: f"{base}{name}/" for name in ("id", "claim", "article", "graph")}
    return KnowledgeGraph(OxigraphStore.of(data), base, PREFIXES | own, data)


def query(query: str, path: Path | str = ".", *, labels: bool = False, **parameters: str) -> Any:
    """Load a project or a dump and ask it one query; see `KnowledgeGraph.query`."""
    return load(path).query(query, labels=labels, **parameters)
