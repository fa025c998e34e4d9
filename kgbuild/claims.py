"""The model: what an article, a claim, an entity and a mapping are, and the keys they are written with.

The `*_FIELDS` tables are the one definition of the source format: readers, checks, `explain` and the documentation
follow them. The values are frozen; identifiers are slugs, not IRIs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from kgbuild.diagnostics import Span
from kgbuild.terms import BIOLINK, DCTERMS, KGB, PROV, RDF, RDFS, SKOS


class Kind(StrEnum):
    """What may stand under a key."""

    SLUG = "identifier (lower case, digits, hyphens)"
    REFERENCE = "identifier of something described elsewhere"
    REFERENCES = "identifier, or a list of them"
    OBJECT = "entity, or {claim: id}"
    TERM = "term of a scheme"
    TEXT = "text"
    TEXTS = "text, or a list of texts"
    LOCALIZED = "text, or texts by language"
    LOCALIZED_LIST = "list of texts, or lists by language"
    INTEGER = "whole number"
    INTEGERS = "whole number, or a list of them"
    FRACTION = "number from 0 to 1"
    BOOLEAN = "true or false"
    DATE = "date as YYYY-MM-DD"
    DIGEST = "SHA-256 in hexadecimal"
    PERIOD = "date as YYYY, YYYY-MM or YYYY-MM-DD"
    ADDRESS = "address that starts with http:// or https://"
    ADDRESSES = "address, or a list of them"
    NUMBER = "number in decimal digits"
    THING = "entity, or a term of another vocabulary as prefix:name"
    QUANTITY = "quantity: value, min, max, more-than or less-than, and unit"
    QUALIFIERS = "qualifiers by type"
    RECORD = "keys and values"
    RECORDS = "list of records"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a source record: what it holds, whether it must be there, and the RDF property it becomes."""

    key: str
    kind: Kind
    doc: str
    required: bool = False
    scheme: str | None = None
    property: str | None = None


ARTICLE_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier; part of the IRIs of its claims", required=True),
    Field("title", Kind.TEXT, "title of the article", required=True, property=DCTERMS + "title"),
    Field("publisher", Kind.REFERENCE, "entity that published it", required=True, property=DCTERMS + "publisher"),
    Field("author", Kind.REFERENCES, "entities that wrote it", property=DCTERMS + "creator"),
    Field("url", Kind.TEXT, "address of the article", property=DCTERMS + "source"),
    Field("published", Kind.DATE, "day of publication", property=DCTERMS + "issued"),
    Field("language", Kind.TEXT, "language tag of the text", required=True, property=DCTERMS + "language"),
    Field("recorded", Kind.DATE, "day on which the claims were recorded", required=True, property=DCTERMS + "created"),
    Field("extractor", Kind.REFERENCE, "entity that read the article and wrote the claims", required=True),
    Field("rights", Kind.TEXT, "`unclear`, or `open` where the text may be quoted", required=True),
    Field("characters", Kind.INTEGER, "length of the text in Unicode code points", property=KGB + "characterCount"),
    Field("sha256", Kind.DIGEST, "digest of the text as UTF-8", property=KGB + "sha256"),
    Field("sections", Kind.RECORDS, "the sections in order", required=True),
)
ARTICLE_ROW_FIELDS: Final = (
    Field("article", Kind.RECORD, "record of the article", required=True),
    Field("sentences", Kind.RECORDS, "its sentences: number, section, start, end, sha256"),
    Field("claims", Kind.RECORDS, "its claims"),
)
"""What one row of a table of articles holds, as the keys of an article's YAML file and its sentence table."""
SECTION_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier within the article", required=True),
    Field("title", Kind.TEXT, "title in our own words", required=True, property=RDFS + "label"),
)
CLAIM_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier within the article", required=True),
    Field("statement", Kind.TEXT, "the claim as a sentence in our own words", required=True, property=RDFS + "label"),
    Field("subject", Kind.REFERENCE, "entity it is about", required=True, property=RDF + "subject"),
    Field("predicate", Kind.REFERENCE, "relation, from the ontology", required=True, property=RDF + "predicate"),
    Field("object", Kind.OBJECT, "entity, or {claim: id}", required=True, property=RDF + "object"),
    Field("sentence", Kind.INTEGERS, "number of the sentence it stands on", required=True),
    Field("certainty", Kind.TERM, "how sure the author is", True, "certainty", KGB + "certainty"),
    Field("basis", Kind.TERM, "what the author rests it on", True, "basis", KGB + "evidenceBasis"),
    Field("kind", Kind.TERM, "factual, causal, advice, comparison, rationale or meta"),
    Field("modality", Kind.TERM, "actual, potential, obligation, recommendation", False, "modality", KGB + "modality"),
    Field("polarity", Kind.TERM, "affirmed, negated or neutral", False, "polarity", KGB + "polarity"),
    Field("frequency", Kind.TERM, "how often it holds", False, "frequency", KGB + "frequency"),
    Field("cues", Kind.TEXTS, "hedge words that stand in the sentence", property=KGB + "cue"),
    Field("subject-quantity", Kind.QUANTITY, "how many or how much of the subject", property=KGB + "subjectQuantity"),
    Field("object-quantity", Kind.QUANTITY, "how many or how much of the object", property=KGB + "objectQuantity"),
    Field("qualifiers", Kind.QUALIFIERS, "what narrows or colours it, by type", property=KGB + "qualifier"),
    Field("rationale", Kind.REFERENCES, "claims given as its reason", property=KGB + "hasRationale"),
    Field("contrasts-with", Kind.REFERENCES, "claims it is set against", property=KGB + "contrastsWithClaim"),
    Field("derived-from", Kind.REFERENCES, "claims it follows from", property=KGB + "derivedFromClaim"),
    Field("attributed-to", Kind.REFERENCE, "who says so, when not the publisher", property=PROV + "wasAttributedTo"),
    Field(
        "stated-evidence", Kind.TEXT, "the author's own word for the evidence", property=KGB + "statedEvidenceStrength"
    ),
    Field("presupposed", Kind.BOOLEAN, "true when only presupposed", property=KGB + "presupposed"),
    Field("implied", Kind.BOOLEAN, "true when only implied", property=KGB + "implied"),
    Field("compared-dimension", Kind.REFERENCE, "what is compared", property=KGB + "comparedDimension"),
    Field("confidence", Kind.FRACTION, "the extractor's confidence", property=KGB + "extractionConfidence"),
    Field("quote", Kind.TEXT, "the words of an article with open rights", property=KGB + "quote"),
    Field("note", Kind.TEXT, "a remark of ours", property=SKOS + "note"),
)
ENTITY_FIELDS: Final = (
    Field("id", Kind.SLUG, "identifier; part of its IRI", required=True),
    Field("label", Kind.LOCALIZED, "preferred name", required=True, property=RDFS + "label"),
    Field("aliases", Kind.LOCALIZED_LIST, "other names people search for", property=SKOS + "altLabel"),
    Field("category", Kind.REFERENCE, "class of the ontology", required=True, property=RDF + "type"),
    Field("definition", Kind.LOCALIZED, "what it is, in our own words", required=True, property=SKOS + "definition"),
    Field("broader", Kind.REFERENCES, "entities it is a kind or part of", property=SKOS + "broader"),
)
QUANTITY_FIELDS: Final = (
    Field("value", Kind.TEXT, "exactly"),
    Field("min", Kind.TEXT, "at least"),
    Field("max", Kind.TEXT, "at most"),
    Field("more-than", Kind.TEXT, "more than"),
    Field("less-than", Kind.TEXT, "less than"),
    Field("unit", Kind.TEXT, "UCUM code", required=True),
)
MAPPING_COLUMNS: Final = (
    "subject_id", "subject_label", "predicate_id", "object_id", "object_label", "mapping_justification",
    "object_source", "object_source_version", "confidence", "comment",
)  # fmt: skip
SENTENCE_COLUMNS: Final = ("number", "section", "start", "end", "sha256")

KINDS: Final = {
    "factual": KGB + "FactualClaim",
    "causal": KGB + "CausalClaim",
    "advice": KGB + "AdviceClaim",
    "comparison": KGB + "ComparisonClaim",
    "rationale": KGB + "RationaleClaim",
    "meta": KGB + "MetaClaim",
}
PLAIN_KINDS: Final = frozenset({"factual", "causal", "comparison"})
RIGHTS: Final = ("unclear", "open")
EVIDENCE_TYPE: Final = BIOLINK + "has_evidence_of_type"

AnchorState = Literal["verified", "digest only", "mismatch", "unchecked"]
ANCHOR_STATES: Final[tuple[AnchorState, ...]] = ("verified", "digest only", "mismatch", "unchecked")


def digits(value: Decimal) -> str:
    """Spell a number in decimal digits, as xsd:decimal takes it.

    >>> digits(Decimal("0.50")), digits(Decimal("0.0000005"))
    ('0.50', '0.0000005')
    """
    return format(value, "f")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands, and where each of its keys' values stands."""

    span: Span
    keys: dict[str, Span] = field(default_factory=dict, compare=False)

    def of(self, key: str) -> Span:
        """Return the place of a key's value, or of the record when the key is absent."""
        return self.keys.get(key, self.span)


@dataclass(frozen=True, slots=True)
class Reference:
    """The object of a claim: an entity, or a claim."""

    kind: Literal["entity", "claim"]
    id: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount with its unit (UCUM); strict bounds are kept apart from inclusive ones."""

    unit: str
    value: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    more_than: Decimal | None = None
    less_than: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Qualifier:
    """What narrows or colours a claim: a type, and a text or an entity."""

    type: str
    text: str | None = None
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A section of an article."""

    id: str
    title: str
    place: Place


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an article: offsets in Unicode code points, digest of its span, state of the anchor."""

    number: int
    section: str
    start: int
    end: int
    sha256: str | None
    state: AnchorState
    place: Place


@dataclass(frozen=True, slots=True)
class Article:
    """An article: its record, its sections, its sentences. Never its text.

    The claims of a `large` one are not held: they are compiled where they are read.
    """

    id: str
    title: str
    publisher: str
    language: str
    recorded: str
    extractor: str
    rights: str
    sections: tuple[Section, ...]
    place: Place
    author: tuple[str, ...] = ()
    url: str | None = None
    published: str | None = None
    characters: int | None = None
    sha256: str | None = None
    sentences: tuple[Sentence, ...] = ()
    large: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What an article says, with how surely, how often, on what basis, and where."""

    id: str
    article: str
    statement: str
    subject: str
    predicate: str
    object: Reference
    sentences: tuple[int, ...]
    certainty: str
    basis: str
    place: Place
    kind: str = "factual"
    modality: str = "actual"
    polarity: str = "affirmed"
    frequency: str | None = None
    cues: tuple[str, ...] = ()
    subject_quantity: Quantity | None = None
    object_quantity: Quantity | None = None
    qualifiers: tuple[Qualifier, ...] = ()
    rationale: tuple[str, ...] = ()
    contrasts_with: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()
    attributed_to: str | None = None
    stated_evidence: str | None = None
    presupposed: bool = False
    implied: bool = False
    compared_dimension: str | None = None
    confidence: Decimal | None = None
    quote: str | None = None
    note: str | None = None

    @property
    def key(self) -> str:
        """Return the identifier that is unique in the project: article/id."""
        return f"{self.article}/{self.id}"

    def entities(self) -> tuple[str, ...]:
        """Return the entities the claim names, subject first, each once."""
        named = [self.subject]
        if self.object.kind == "entity":
            named.append(self.object.id)
        named += [qualifier.entity for qualifier in self.qualifiers if qualifier.entity]
        named += [entity for entity in (self.attributed_to, self.compared_dimension) if entity]
        return tuple(dict.fromkeys(named))

    def claims(self) -> tuple[str, ...]:
        """Return the keys (article/id) of the claims this one refers to, each once."""
        named = [self.object.id] if self.object.kind == "claim" else []
        named += [*self.rationale, *self.contrasts_with, *self.derived_from]
        return tuple(dict.fromkeys(name if "/" in name else f"{self.article}/{name}" for name in named))


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that claims are about. Texts are by language tag."""

    id: str
    labels: dict[str, str]
    category: str
    definitions: dict[str, str]
    place: Place
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broader: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """A link from an entity to a term of another dataset (SSSOM 1.0). IRIs are expanded."""

    subject: str
    predicate: str
    object: str
    object_curie: str
    object_label: str | None
    justification: str
    place: Place
    object_source: str | None = None
    object_source_version: str | None = None
    confidence: Decimal | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class MappingSet:
    """A file of mappings with the IRI, licence and version of the set, its prefixes and what else its head says."""

    id: str
    title: str | None
    license: str | None
    version: str | None
    mappings: tuple[Mapping, ...]
    place: Place
    prefixes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    creators: tuple[str, ...] = ()
