"""Views of the second and third tier: datasets with their statements and records, and how claims align with them.

A statement of a dataset is never a claim: it has no certainty, modality or place in a text, and it says whose it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kgbuild.nodes import ConceptView, Link, Node, Reader, one
from kgbuild.store import lexical
from kgbuild.terms import DCTERMS, KGB, PREFIXES, PROV, RDF, RDFS, SCHEMA, SKOS

DCAT = PREFIXES["dcat"]
VERDICTS = ("supports", "disputes", "neutral", "not-covered")


@dataclass(frozen=True, slots=True)
class RecordView:
    """A source record: what anyone can look up."""

    iri: str
    id: str
    title: str
    identifiers: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    authors: str = ""
    published_in: str = ""
    issued: str = ""
    design: ConceptView | None = None
    participants: str = ""
    release: str = ""
    license: str = ""
    unseen: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement of a dataset, with its number, its limits and its records."""

    iri: str
    id: str
    statement: str
    dataset: Link
    release: str
    subject: Link
    predicate: Link
    object: Link
    polarity: ConceptView
    records: tuple[RecordView, ...]
    quantity: str = ""
    value: str = ""
    unit: str = ""
    measure: str = ""
    interval: str = ""
    observations: str = ""
    match: str = ""
    qualifiers: tuple[tuple[ConceptView, str], ...] = ()
    method: str = ""
    note: str = ""

    @property
    def design(self) -> ConceptView | None:
        """Return the design of the study it is taken from, if it is one."""
        return next((record.design for record in self.records if record.design), None)

    @property
    def participants(self) -> str:
        """Return the number of people in that study, or the empty string."""
        return next((record.participants for record in self.records if record.participants), "")


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset: its record, its statements and its source records."""

    iri: str
    id: str
    title: str
    description: str
    publisher: str
    release: str
    license: str
    citation: str
    method: str
    limits: str
    issued: str = ""
    landing_page: str = ""
    sources: tuple[str, ...] = ()
    statements: tuple[StatementView, ...] = ()
    records: tuple[RecordView, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of statements."""
        return len(self.statements)


@dataclass(frozen=True, slots=True)
class CriterionView:
    """A rule by which verdicts were given."""

    iri: str
    label: str
    definition: str
    source: str = ""
    least: str = ""
    """The number from which on a statement supports, where the number decides."""


@dataclass(frozen=True, slots=True)
class AlignmentView:
    """A claim judged by one statement, or by none where nothing covers it."""

    iri: str
    claim: str
    verdict: ConceptView
    statement: StatementView | None = None
    reason: str = ""
    criterion: CriterionView | None = None


@dataclass(frozen=True, slots=True)
class AlignmentSetView:
    """The judgements on one article: by whom, when, how."""

    iri: str
    article: Link
    judge: Link
    judged: str
    method: str


class Evidence:
    """Gathers the second and third tier from a store, each kind of node in one query."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @cached_property
    def datasets(self) -> tuple[DatasetView, ...]:
        """Return the datasets in the order of their identifiers, each with its statements and records."""
        statements, records = defaultdict(list), defaultdict(list)
        for statement in self.statements.values():
            statements[statement.dataset.iri].append(statement)
        for iri, record in self.records.items():
            records[iri.rpartition("/")[0]].append(record)
        return tuple(
            self._dataset(iri, node, tuple(statements[iri]), tuple(records[iri])) for iri, node in self._nodes.items()
        )

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return self.reader.nodes("?s a dcat:Dataset ; kgb:limits ?any .")

    @cached_property
    def records(self) -> dict[str, RecordView]:
        """Return all source records by IRI."""
        return {iri: self._record(iri, node) for iri, node in self.reader.nodes("?s a kgb:SourceRecord .").items()}

    @cached_property
    def statements(self) -> dict[str, StatementView]:
        """Return all dataset statements by IRI."""
        quantities = self.reader.nodes("?any a kgb:DatasetStatement ; kgb:objectQuantity ?s .")
        qualifiers = self.reader.nodes("?any a kgb:DatasetStatement ; kgb:qualifier ?s .")
        found = self.reader.nodes("?s a kgb:DatasetStatement .")
        return {iri: self._statement(iri, node, quantities, qualifiers) for iri, node in found.items()}

    @cached_property
    def criteria(self) -> dict[str, CriterionView]:
        """Return the criteria of verdicts by IRI."""
        text = self.reader.text
        thresholds = self.reader.nodes("?any a kgb:Criterion ; kgb:threshold ?s .")
        return {
            iri: CriterionView(
                iri=iri,
                label=text(node, RDFS + "label"),
                definition=text(node, SKOS + "definition"),
                source=one(node, DCTERMS + "source"),
                least=one(thresholds.get(one(node, KGB + "threshold"), {}), SCHEMA + "minValue"),
            )
            for iri, node in self.reader.nodes("?s a kgb:Criterion .").items()
        }

    @cached_property
    def judgements(self) -> tuple[AlignmentSetView, ...]:
        """Return who judged the claims of each article, when and how."""
        return tuple(
            AlignmentSetView(
                iri=iri,
                article=self.reader.link(one(node, DCTERMS + "subject"), "article"),
                judge=self.reader.link(one(node, PROV + "wasAttributedTo")),
                judged=one(node, DCTERMS + "created"),
                method=self.reader.text(node, KGB + "method"),
            )
            for iri, node in self.reader.nodes("?any a kgb:Alignment ; dcterms:isPartOf ?s .").items()
        )

    @cached_property
    def alignments(self) -> dict[str, tuple[AlignmentView, ...]]:
        """Return the alignments by the IRI of their claim: support first, then dispute, then what decides nothing."""
        found = defaultdict(list)
        for iri, node in self.reader.nodes("?s a kgb:Alignment .").items():
            view = AlignmentView(
                iri=iri,
                claim=one(node, KGB + "articleClaim"),
                verdict=self.reader.concept(one(node, KGB + "alignment")),
                statement=self.statements.get(one(node, KGB + "datasetStatement")),
                reason=self.reader.text(node, RDFS + "comment"),
                criterion=self.criteria.get(one(node, KGB + "criterion")),
            )
            found[view.claim].append(view)
        return {claim: tuple(sorted(views, key=_by_verdict)) for claim, views in sorted(found.items())}

    def about(self, iri: str) -> Iterator[StatementView]:
        """Return the statements that have a thing as subject or object."""
        return iter(self._about.get(iri, ()))

    @cached_property
    def _about(self) -> dict[str, list[StatementView]]:
        found = defaultdict(list)
        for statement in self.statements.values():
            for thing in dict.fromkeys((statement.subject.iri, statement.object.iri)):
                found[thing].append(statement)
        return found

    def _dataset(
        self, iri: str, node: Node, statements: tuple[StatementView, ...], records: tuple[RecordView, ...]
    ) -> DatasetView:
        text = self.reader.text
        return DatasetView(
            iri=iri,
            id=one(node, DCTERMS + "identifier"),
            title=text(node, DCTERMS + "title"),
            description=text(node, DCTERMS + "description"),
            publisher=self.reader.link(one(node, DCTERMS + "publisher")).label,
            release=one(node, DCAT + "version"),
            license=one(node, DCTERMS + "license"),
            citation=one(node, DCTERMS + "bibliographicCitation"),
            method=text(node, KGB + "method"),
            limits=text(node, KGB + "limits"),
            issued=one(node, DCTERMS + "issued"),
            landing_page=one(node, DCAT + "landingPage"),
            sources=tuple(lexical(term) for term in node.get(DCTERMS + "source", ())),
            statements=statements,
            records=records,
        )

    def _record(self, iri: str, node: Node) -> RecordView:
        design = one(node, KGB + "design")
        links = [lexical(term) for name in ("sameAs", "url") for term in node.get(SCHEMA + name, ())]
        return RecordView(
            iri=iri,
            id=iri.rpartition("/")[2],
            title=self.reader.text(node, RDFS + "label"),
            identifiers=tuple(lexical(term) for term in node.get(DCTERMS + "identifier", ())),
            links=tuple(links),
            authors=one(node, KGB + "authors"),
            published_in=one(node, KGB + "publishedIn"),
            issued=one(node, DCTERMS + "issued"),
            design=self.reader.concept(design) if design else None,
            participants=one(node, KGB + "participants"),
            release=one(node, DCAT + "version"),
            license=one(node, DCTERMS + "license"),
            unseen=self.reader.text(node, KGB + "unseen"),
            note=self.reader.text(node, SKOS + "note"),
        )

    def _statement(
        self, iri: str, node: Node, quantities: dict[str, Node], qualifiers: dict[str, Node]
    ) -> StatementView:
        reader, dataset = self.reader, one(node, DCTERMS + "isPartOf")
        quantity = quantities.get(one(node, KGB + "objectQuantity"), {})
        narrowing = [qualifiers.get(lexical(term), {}) for term in node.get(KGB + "qualifier", ())]
        return StatementView(
            iri=iri,
            id=iri.rpartition("/")[2],
            statement=reader.text(node, RDFS + "label"),
            dataset=reader.link(dataset, "dataset"),
            release=one(self._nodes.get(dataset, {}), DCAT + "version"),
            subject=reader.link(one(node, RDF + "subject")),
            predicate=reader.link(one(node, RDF + "predicate"), "predicate"),
            object=reader.link(one(node, RDF + "object")),
            polarity=reader.concept(one(node, KGB + "polarity")),
            records=tuple(
                self.records[lexical(term)]
                for term in node.get(PROV + "wasDerivedFrom", ())
                if lexical(term) in self.records
            ),
            quantity=amount(quantity),
            value=one(quantity, SCHEMA + "value"),
            unit=_unit(one(quantity, SCHEMA + "unitCode")),
            measure=reader.text(quantity, KGB + "measure"),
            interval=reader.text(quantity, KGB + "interval"),
            observations=one(quantity, KGB + "observations"),
            match=one(node, KGB + "subjectMatch").removeprefix(SKOS).removesuffix("Match"),
            qualifiers=tuple(
                (reader.concept(one(item, KGB + "qualifierType")), reader.text(item, RDF + "value"))
                for item in narrowing
            ),
            method=reader.text(node, KGB + "method"),
            note=reader.text(node, SKOS + "note"),
        )


def amount(quantity: Node) -> str:
    """Spell the number of a statement with its unit; the ends of an interval stand in brackets after the value."""
    value, low, high = (one(quantity, SCHEMA + name) for name in ("value", "minValue", "maxValue"))
    words = [value] if value else []
    if value and low and high:
        words.append(f"({low} to {high})")
    elif low and high:
        words.append(f"{low} to {high}")
    elif low or high:
        words.append(f"at least {low}" if low else f"at most {high}")
    for name, word in (("minExclusive", "more than"), ("maxExclusive", "less than")):
        if bound := one(quantity, KGB + name):
            words.append(f"{word} {bound}")
    unit = one(quantity, SCHEMA + "unitCode")
    return " ".join([*words, *([_unit(unit)] if unit != "1" and words else [])])


def _unit(code: str) -> str:
    """Spell a UCUM code for people: braces mark what is counted, brackets a unit's name, `100.g` is 100 g.

    >>> _unit("mg/(100.g)"), _unit("{enzyme}"), _unit("mm[Hg]")
    ('mg/100 g', 'enzyme', 'mm Hg')
    """
    return code.replace("(100.g)", "100 g").replace("[", " ").replace("]", "").strip("{}")


def _by_verdict(view: AlignmentView) -> tuple[int, str, str]:
    order = VERDICTS.index(view.verdict.slug) if view.verdict.slug in VERDICTS else len(VERDICTS)
    return order, view.statement.iri if view.statement else "", view.iri
