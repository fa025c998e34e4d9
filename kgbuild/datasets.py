"""The model of the second and third tier: what datasets and studies state, and how claims align with it.

A dataset is a record (`data/datasets/NAME.yaml`), a table of statements (`NAME.tsv`) and a table of the source records
they are taken from (`NAME.records.tsv`). The `*_FIELDS` tables are the one definition of the keys and columns. Nothing
here is a claim: claims live in `claims`, and the two never share a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from kgbuild.claims import Field, Kind, Place, Qualifier, Quantity
from kgbuild.terms import DCTERMS, KGB, PREFIXES, PROV, RDF, RDFS, SCHEMA, SKOS

DCAT = PREFIXES["dcat"]

DATASET_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier; part of the IRIs of its statements", required=True),
    Field("title", Kind.TEXT, "title of the dataset", required=True, property=DCTERMS + "title"),
    Field("description", Kind.TEXT, "what it holds, in a sentence", required=True, property=DCTERMS + "description"),
    Field("publisher", Kind.TEXT, "name of who publishes it", required=True, property=DCTERMS + "publisher"),
    Field("release", Kind.TEXT, "the release that was read", required=True, property=DCAT + "version"),
    Field("issued", Kind.PERIOD, "when that release was published", property=DCTERMS + "issued"),
    Field("license", Kind.ADDRESS, "licence, by its address", required=True, property=DCTERMS + "license"),
    Field("citation", Kind.TEXT, "how to cite it", required=True, property=DCTERMS + "bibliographicCitation"),
    Field("landing-page", Kind.ADDRESS, "page of the dataset", property=DCAT + "landingPage"),
    Field("sources", Kind.ADDRESSES, "where the copy that was read came from", property=DCTERMS + "source"),
    Field("method", Kind.TEXT, "how its values were obtained", required=True, property=KGB + "method"),
    Field("limits", Kind.TEXT, "what it cannot tell", required=True, property=KGB + "limits"),
    Field("prefixes", Kind.RECORD, "prefixes of other vocabularies used in the table, with their IRIs"),
)
STATEMENT_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier within the dataset", required=True),
    Field("statement", Kind.TEXT, "what is stated, as a sentence", required=True, property=RDFS + "label"),
    Field("subject", Kind.THING, "entity it is about", required=True, property=RDF + "subject"),
    Field("subject-label", Kind.TEXT, "name of a subject that is a term of another vocabulary"),
    Field("subject-match", Kind.TERM, "how the record's thing fits the subject", property=KGB + "subjectMatch"),
    Field("predicate", Kind.REFERENCE, "relation, from the ontology", required=True, property=RDF + "predicate"),
    Field("object", Kind.THING, "entity, or prefix:name", required=True, property=RDF + "object"),
    Field("object-label", Kind.TEXT, "name of an object that is a term of another vocabulary"),
    Field("polarity", Kind.TERM, "affirmed, negated or neutral", False, "polarity", KGB + "polarity"),
    Field("measure", Kind.TEXT, "what the number measures", property=KGB + "measure"),
    Field("value", Kind.NUMBER, "the number, exactly", property=KGB + "objectQuantity"),
    Field("min", Kind.NUMBER, "at least; with a value, the lower end of its interval"),
    Field("max", Kind.NUMBER, "at most; with a value, the upper end of its interval"),
    Field("more-than", Kind.NUMBER, "more than"),
    Field("less-than", Kind.NUMBER, "less than"),
    Field("unit", Kind.TEXT, "UCUM code; required with a number"),
    Field("interval", Kind.TEXT, "what min and max are to the value", property=KGB + "interval"),
    Field("observations", Kind.INTEGER, "how many values the number rests on", property=KGB + "observations"),
    Field("qualifiers", Kind.QUALIFIERS, "what narrows it: type=text, joined by |", property=KGB + "qualifier"),
    Field("method", Kind.TEXT, "how the number was obtained", property=KGB + "method"),
    Field("record", Kind.REFERENCES, "source records, joined by |", True, property=PROV + "wasDerivedFrom"),
    Field("note", Kind.TEXT, "a remark of ours", property=SKOS + "note"),
)
RECORD_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier within the dataset", required=True),
    Field("kind", Kind.TERM, "entry, release, publication or web-page", required=True, property=RDF + "type"),
    Field("title", Kind.TEXT, "title, as its source gives it", required=True, property=RDFS + "label"),
    Field("identifier", Kind.TEXT, "identifier in the source", property=DCTERMS + "identifier"),
    Field("authors", Kind.TEXT, "authors, in the order of the source", property=KGB + "authors"),
    Field("journal", Kind.TEXT, "where it was published", property=KGB + "publishedIn"),
    Field("issued", Kind.PERIOD, "when it was published", property=DCTERMS + "issued"),
    Field("design", Kind.TERM, "design of the study", False, "design", KGB + "design"),
    Field("participants", Kind.INTEGER, "number of participants", property=KGB + "participants"),
    Field("doi", Kind.TEXT, "DOI, without address", property=SCHEMA + "sameAs"),
    Field("pmid", Kind.TEXT, "PubMed identifier", property=SCHEMA + "sameAs"),
    Field("url", Kind.ADDRESS, "address of the record", property=SCHEMA + "url"),
    Field("release", Kind.TEXT, "its release, where it is a dataset of its own", property=DCAT + "version"),
    Field("license", Kind.ADDRESS, "its licence, where it has one of its own", property=DCTERMS + "license"),
    Field("evidence", Kind.TEXT, "type of evidence, as ECO:…", property=KGB + "evidenceType"),
    Field("unseen", Kind.TEXT, "what could not be verified, and so is not given", property=KGB + "unseen"),
    Field("note", Kind.TEXT, "a remark of ours", property=SKOS + "note"),
)
ALIGNMENT_SET_FIELDS: Final = (
    Field("article", Kind.REFERENCE, "article whose claims are judged", required=True),
    Field("judged", Kind.DATE, "day on which they were judged", required=True, property=DCTERMS + "created"),
    Field("judge", Kind.REFERENCE, "entity that judged", required=True, property=PROV + "wasAttributedTo"),
    Field("method", Kind.TEXT, "how the verdicts were reached", required=True, property=KGB + "method"),
)
CRITERION_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier within the file", required=True),
    Field("statement", Kind.TEXT, "when a statement supports a claim", required=True, property=SKOS + "definition"),
    Field("threshold", Kind.QUANTITY, "the number that decides", property=KGB + "threshold"),
    Field("source", Kind.ADDRESS, "where the criterion comes from", property=DCTERMS + "source"),
)
JUDGEMENT_FIELDS: Final = (
    Field("claim", Kind.REFERENCE, "claim that is judged", required=True, property=KGB + "articleClaim"),
    Field("verdicts", Kind.RECORDS, "the verdicts on it", required=True),
)
VERDICT_FIELDS: Final = (
    Field("verdict", Kind.TERM, "supports, disputes or neutral", True, "alignment", KGB + "alignment"),
    Field("on", Kind.REFERENCES, "statements it rests on, as dataset/id", True, property=KGB + "datasetStatement"),
    Field("reason", Kind.TEXT, "why, in a sentence", required=True, property=RDFS + "comment"),
    Field("criterion", Kind.REFERENCE, "criterion it follows", property=KGB + "criterion"),
)
RECORD_KINDS: Final = {
    "entry": None,
    "release": DCAT + "Dataset",
    "publication": SCHEMA + "MedicalScholarlyArticle",
    "web-page": SCHEMA + "WebPage",
}
"""The kinds of source records, with the class that other vocabularies have for each."""
FITS: Final = {name: f"{SKOS}{name}Match" for name in ("exact", "close", "broad", "narrow", "related")}
"""How the thing of a record can fit the subject, as a mapping from the subject to it."""
NOT_COVERED: Final = "not-covered"


@dataclass(frozen=True, slots=True)
class Thing:
    """A subject or object: an entity by its slug, or a term of another vocabulary by its IRI."""

    kind: Literal["entity", "term"]
    id: str
    curie: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What a statement is taken from: an entry of a dataset, a publication, a page."""

    id: str
    kind: str
    title: str
    place: Place
    identifier: str | None = None
    authors: str | None = None
    journal: str | None = None
    issued: str | None = None
    design: str | None = None
    participants: int | None = None
    doi: str | None = None
    pmid: str | None = None
    url: str | None = None
    release: str | None = None
    license: str | None = None
    evidence: str | None = None
    unseen: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetStatement:
    """What a dataset states: subject, predicate, object, with its number, limits, method and records."""

    id: str
    dataset: str
    statement: str
    subject: Thing
    predicate: str
    object: Thing
    records: tuple[str, ...]
    place: Place
    polarity: str = "affirmed"
    subject_match: str | None = None
    measure: str | None = None
    quantity: Quantity | None = None
    interval: str | None = None
    observations: int | None = None
    qualifiers: tuple[Qualifier, ...] = ()
    method: str | None = None
    note: str | None = None

    @property
    def key(self) -> str:
        """Return the identifier that is unique in the project: dataset/id."""
        return f"{self.dataset}/{self.id}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: its record, its statements, and the source records they are taken from."""

    id: str
    title: str
    description: str
    publisher: str
    release: str
    license: str
    citation: str
    method: str
    limits: str
    place: Place
    issued: str | None = None
    landing_page: str | None = None
    sources: tuple[str, ...] = ()
    statements: tuple[DatasetStatement, ...] = ()
    records: tuple[SourceRecord, ...] = ()
    large: bool = False

    def places(self) -> Iterator[tuple[str, Place]]:
        """Return the key (dataset/id) and the place of each record and statement."""
        yield from ((f"{self.id}/{record.id}", record.place) for record in self.records)
        yield from ((statement.key, statement.place) for statement in self.statements)


@dataclass(frozen=True, slots=True)
class Criterion:
    """A rule by which verdicts are given; `threshold` decides where it has a number."""

    id: str
    statement: str
    place: Place
    threshold: Quantity | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Alignment:
    """One claim judged by one dataset statement."""

    claim: str
    verdict: str
    statement: str
    reason: str
    place: Place
    criterion: str | None = None


@dataclass(frozen=True, slots=True)
class AlignmentSet:
    """The judgements on the claims of one article: by whom, when, how."""

    article: str
    judged: str
    judge: str
    method: str
    criteria: tuple[Criterion, ...]
    alignments: tuple[Alignment, ...]
    place: Place
