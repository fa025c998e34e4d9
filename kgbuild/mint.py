"""Claims become RDF: one nanopublication each, as N-Quads text with a trusty URI, and the plain triples it licenses.

Pure: claims and a context in, text and origins out. No clock, no files, no network, no blank nodes. What a claim
becomes is written once, as quads; `moulds` makes of it a text to fill for claims of the same shape.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from kgbuild import terms
from kgbuild.claims import EVIDENCE_TYPE, KINDS, PLAIN_KINDS, Claim, Qualifier, Quantity, digits
from kgbuild.lines import nquads, quads_of
from kgbuild.ontology import Concept
from kgbuild.sources import Sources
from kgbuild.terms import BIOLINK, DCTERMS, KGB, KGBUILD, NP, NPX, PROV, RDF, RDFS, SCHEMA, SKOS, XSD, literal
from kgbuild.trusty import HOLE, Quad, artifact_code

TYPE = f"<{terms.TYPE}>"
_KGB = {
    name: f"<{KGB}{name}>"
    for name in (
        "Claim", "Qualifier", "certainty", "comparedDimension", "contrastsWithClaim", "cue", "derivedFromClaim",
        "evidenceBasis", "extractionConfidence", "frequency", "hasRationale", "implied", "maxExclusive",
        "minExclusive", "modality", "objectQuantity", "polarity", "presupposed", "qualifier", "qualifierEntity",
        "qualifierType", "quote", "statedEvidenceStrength", "subjectQuantity",
    )
}  # fmt: skip
_TRUE = literal("true", datatype=XSD + "boolean")
_FALSE = literal("false", datatype=XSD + "boolean")


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a nanopublication takes from its article."""

    publisher: str
    language: str
    recorded: str
    extractor: str


@dataclass(frozen=True, slots=True)
class Context:
    """All that minting needs beside the claims; small, frozen and picklable."""

    base: str
    license: str
    predicates: dict[str, str]
    concepts: dict[str, dict[str, Concept]]
    articles: dict[str, Attribution]


@dataclass(frozen=True, slots=True)
class Nanopublication:
    """One minted claim: the IRIs and the N-Quads lines, sorted by graph, subject, predicate and object."""

    claim: str
    iri: str
    text: str

    @property
    def quads(self) -> tuple[Quad, ...]:
        """Return the quads, in the order of the lines."""
        return tuple(quads_of(self.text))


def context_of(sources: Sources) -> Context:
    """Gather what minting needs from the sources."""
    return Context(
        base=sources.project.base,
        license=sources.project.license,
        predicates={slug: predicate.iri for slug, predicate in sources.ontology.predicates.items()},
        concepts=sources.ontology.concepts,
        articles={
            article.id: Attribution(article.publisher, article.language, article.recorded, article.extractor)
            for article in sources.articles
        },
    )


def mint(claim: Claim, context: Context) -> Nanopublication:
    """Mint the nanopublication of a claim (nanopub.net guidelines; four graphs, trusty URI)."""
    return nanopublication(claim.key, context.base, draft(claim, context))


def draft(claim: Claim, context: Context) -> list[Quad]:
    """Return the quads of a claim's nanopublication, with `\\0` where its code will stand."""
    article = context.articles[claim.article]
    me = f"<{context.base}claim/{claim.key}>"
    assertion = _assertion(claim, me, article.language, context)
    provenance = _provenance(claim, article, context)
    publication = [
        (f"<{DCTERMS}created>", literal(f"{article.recorded}T00:00:00Z", datatype=XSD + "dateTime")),
        (f"<{DCTERMS}creator>", _entity(article.extractor, context)),
        (f"<{DCTERMS}license>", f"<{context.license}>"),
        (f"<{NPX}hasNanopubType>", f"<{KINDS[claim.kind]}>"),
        (f"<{NPX}introduces>", me),
        (f"<{NPX}wasCreatedWith>", f"<{KGBUILD}>"),
    ]
    return four_graphs(context.base, assertion, provenance, publication)


def four_graphs(
    base: str,
    assertion: Iterable[tuple[str, str, str]],
    provenance: Iterable[tuple[str, str]],
    publication: Iterable[tuple[str, str]],
) -> list[Quad]:
    """Put assertion, provenance and publication info into the graphs of a nanopublication."""
    own = f"{base}np/{HOLE}"
    me, head = f"<{own}>", f"<{own}#Head>"
    said, known, about = f"<{own}#assertion>", f"<{own}#provenance>", f"<{own}#pubinfo>"
    return [
        (head, me, TYPE, f"<{NP}Nanopublication>"),
        (head, me, f"<{NP}hasAssertion>", said),
        (head, me, f"<{NP}hasProvenance>", known),
        (head, me, f"<{NP}hasPublicationInfo>", about),
        *((said, *triple) for triple in assertion),
        *((known, said, predicate, target) for predicate, target in provenance),
        *((about, me, predicate, target) for predicate, target in publication),
    ]


def nanopublication(name: str, base: str, quads: Collection[Quad]) -> Nanopublication:
    """Name quads by their content."""
    code = artifact_code(quads)
    named: set[Quad] = {tuple(term.replace(HOLE, code) for term in quad) for quad in quads}  # type: ignore[misc]
    return Nanopublication(name, f"{base}np/{code}", nquads(sorted(named)))


def index(
    nanopublications: Iterable[Nanopublication],
    context: Context,
    recorded: str,
    creator: str,
    indexes: Iterable[str] = (),
) -> Nanopublication:
    """Mint an index that lists nanopublications, and those that other indexes list (npx:NanopubIndex)."""
    me = f"<{context.base}np/{HOLE}>"
    elements = [(me, f"<{NPX}includesElement>", f"<{item.iri}>") for item in nanopublications]
    elements += [(me, f"<{NPX}includesSubindex>", f"<{iri}>") for iri in indexes]
    publication = [
        (TYPE, f"<{NPX}NanopubIndex>"),
        (f"<{DCTERMS}created>", literal(f"{recorded}T00:00:00Z", datatype=XSD + "dateTime")),
        (f"<{DCTERMS}creator>", _entity(creator, context)),
        (f"<{DCTERMS}license>", f"<{context.license}>"),
        (f"<{NPX}wasCreatedWith>", f"<{KGBUILD}>"),
    ]
    provenance = [(f"<{PROV}wasAttributedTo>", _entity(creator, context))]
    return nanopublication("index", context.base, four_graphs(context.base, elements, provenance, publication))


def plain_triple(claim: Claim, context: Context) -> tuple[str, str, str] | None:
    """Return the plain triple a claim licenses, or None where it would lose a hedge, a limit or a negation.

    A claim licenses it when it is asserted, actual, affirmed, without restricting qualifier, without a frequency other
    than always, said outright, and factual, causal or comparing.
    """
    types = context.concepts["qualifierType"]
    if (
        claim.certainty != "asserted"
        or claim.modality != "actual"
        or claim.polarity != "affirmed"
        or claim.frequency not in {None, "always"}
        or claim.presupposed
        or claim.implied
        or claim.kind not in PLAIN_KINDS
        or claim.object.kind != "entity"
        or any(types[qualifier.type].restricts for qualifier in claim.qualifiers)
    ):
        return None
    subject, target = _entity(claim.subject, context), _entity(claim.object.id, context)
    return subject, f"<{context.predicates[claim.predicate]}>", target


def _entity(slug: str, context: Context) -> str:
    return f"<{context.base}id/{slug}>"


def _assertion(claim: Claim, me: str, language: str, context: Context) -> list[tuple[str, str, str]]:
    concepts = context.concepts

    def claim_iri(name: str) -> str:
        return f"<{context.base}claim/{name if '/' in name else f'{claim.article}/{name}'}>"

    target = _entity(claim.object.id, context) if claim.object.kind == "entity" else claim_iri(claim.object.id)
    facets = [
        (TYPE, _KGB["Claim"]),
        (TYPE, f"<{KINDS[claim.kind]}>"),
        (f"<{RDFS}label>", literal(claim.statement, language=language)),
        (f"<{RDF}subject>", _entity(claim.subject, context)),
        (f"<{RDF}predicate>", f"<{context.predicates[claim.predicate]}>"),
        (f"<{RDF}object>", target),
        (_KGB["certainty"], f"<{concepts['certainty'][claim.certainty].iri}>"),
        (_KGB["modality"], f"<{concepts['modality'][claim.modality].iri}>"),
        (_KGB["polarity"], f"<{concepts['polarity'][claim.polarity].iri}>"),
        (f"<{BIOLINK}negated>", _TRUE if claim.polarity == "negated" else _FALSE),
        *((_KGB["cue"], literal(cue, language=language)) for cue in claim.cues),
        *((_KGB["hasRationale"], claim_iri(name)) for name in claim.rationale),
        *((_KGB["contrastsWithClaim"], claim_iri(name)) for name in claim.contrasts_with),
        *((_KGB["derivedFromClaim"], claim_iri(name)) for name in claim.derived_from),
    ]
    if claim.frequency:
        facets.append((_KGB["frequency"], f"<{concepts['frequency'][claim.frequency].iri}>"))
    if claim.stated_evidence:
        facets.append((_KGB["statedEvidenceStrength"], literal(claim.stated_evidence, language=language)))
    if claim.compared_dimension:
        facets.append((_KGB["comparedDimension"], _entity(claim.compared_dimension, context)))
    if claim.presupposed:
        facets.append((_KGB["presupposed"], _TRUE))
    if claim.implied:
        facets.append((_KGB["implied"], _TRUE))
    if claim.note:
        facets.append((f"<{SKOS}note>", literal(claim.note, language=language)))
    triples = [(me, predicate, value) for predicate, value in facets]
    for name, quantity in (("subject-quantity", claim.subject_quantity), ("object-quantity", claim.object_quantity)):
        if quantity is not None:
            node = f"{me[:-1]}#{name}>"
            triples.append((me, _KGB["subjectQuantity" if name[0] == "s" else "objectQuantity"], node))
            triples += [(node, predicate, value) for predicate, value in quantity_pairs(quantity)]
    counts: dict[str, int] = {}
    for qualifier in claim.qualifiers:
        counts[qualifier.type] = counts.get(qualifier.type, 0) + 1
        node = f"{me[:-1]}#{qualifier.type}-{counts[qualifier.type]}>"
        triples.append((me, _KGB["qualifier"], node))
        triples += [(node, predicate, value) for predicate, value in _qualifier(qualifier, language, context)]
    return triples


def quantity_pairs(quantity: Quantity) -> list[tuple[str, str]]:
    """Return the properties of a quantity: its type, unit and numbers."""
    bounds = {
        f"<{SCHEMA}value>": quantity.value,
        f"<{SCHEMA}minValue>": quantity.minimum,
        f"<{SCHEMA}maxValue>": quantity.maximum,
        _KGB["minExclusive"]: quantity.more_than,
        _KGB["maxExclusive"]: quantity.less_than,
    }
    return [
        (TYPE, f"<{SCHEMA}QuantitativeValue>"),
        (f"<{SCHEMA}unitCode>", literal(quantity.unit)),
        *((predicate, number(bound)) for predicate, bound in bounds.items() if bound is not None),
    ]


def number(value: Decimal) -> str:
    """Spell a number as xsd:integer where it is whole as written, else as xsd:decimal.

    >>> number(Decimal("300"))
    '"300"^^<http://www.w3.org/2001/XMLSchema#integer>'
    >>> number(Decimal("0.0000005"))
    '"0.0000005"^^<http://www.w3.org/2001/XMLSchema#decimal>'
    """
    text = digits(value)
    return literal(text, datatype=XSD + ("decimal" if "." in text else "integer"))


def _qualifier(qualifier: Qualifier, language: str, context: Context) -> list[tuple[str, str]]:
    pairs = [
        (TYPE, _KGB["Qualifier"]),
        (_KGB["qualifierType"], f"<{context.concepts['qualifierType'][qualifier.type].iri}>"),
    ]
    if qualifier.entity is not None:
        pairs.append((_KGB["qualifierEntity"], _entity(qualifier.entity, context)))
    if qualifier.text is not None:
        pairs.append((f"<{RDF}value>", literal(qualifier.text, language=language)))
    return pairs


def _provenance(claim: Claim, article: Attribution, context: Context) -> list[tuple[str, str]]:
    source = f"{context.base}article/{claim.article}"
    basis = context.concepts["basis"][claim.basis]
    pairs = [
        *((f"<{PROV}wasDerivedFrom>", f"<{source}#s{sentence}>") for sentence in claim.sentences),
        (f"<{PROV}wasAttributedTo>", _entity(claim.attributed_to or article.publisher, context)),
        (f"<{PROV}wasGeneratedBy>", f"<{source}#extraction>"),
        (_KGB["evidenceBasis"], f"<{basis.iri}>"),
        (f"<{BIOLINK}knowledge_level>", literal("knowledge_assertion")),
        (f"<{BIOLINK}agent_type>", literal("text_mining_agent")),
    ]
    if basis.evidence_type:
        pairs.append((f"<{EVIDENCE_TYPE}>", f"<{basis.evidence_type}>"))
    if claim.confidence is not None:
        pairs.append((_KGB["extractionConfidence"], literal(digits(claim.confidence), datatype=XSD + "decimal")))
    if claim.quote is not None:
        pairs.append((_KGB["quote"], literal(claim.quote, language=article.language)))
    return pairs
