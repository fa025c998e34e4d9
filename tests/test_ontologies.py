"""The vocabulary of the tool and the ontology of the project: complete, publishable, consistent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import owlrl
import pyoxigraph as ox
import pytest
from rdflib import OWL, RDF, RDFS, SKOS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS

from kgbuild.terms import kebab

ROOT = Path(__file__).resolve().parents[1]
ONTOLOGIES = {
    "https://w3id.org/kgbuild/ns": ROOT / "kgbuild" / "vocabulary" / "claims.ttl",
    "https://w3id.org/magnesium-rls/ns": ROOT / "ontology" / "magnesium-rls.ttl",
}
SCHEMES = ROOT / "kgbuild" / "vocabulary" / "schemes.ttl"
FILES = (*ONTOLOGIES.values(), SCHEMES)
SHAPES = (ROOT / "kgbuild" / "vocabulary" / "shapes.ttl", ROOT / "ontology" / "shapes.ttl")
ECO_FILE = ROOT.parent / "shared" / "reference" / "ontologies" / "eco.obo"

KGB = Namespace("https://w3id.org/kgbuild/ns#")
MR = Namespace("https://w3id.org/magnesium-rls/ns#")
ECO = Namespace("http://purl.obolibrary.org/obo/ECO_")
SCHEMA = Namespace("https://schema.org/")
PROV = Namespace("http://www.w3.org/ns/prov#")
EX = Namespace("https://example.org/")
MISTAKE = URIRef("http://www.daml.org/2002/03/agents/agent-ont#error")  # how owlrl reports a contradiction

KINDS = {OWL.Class, OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty}
PREDICATES = """is-a causes contributes-to has-symptom exacerbates relieves treats used-to-treat useful-in-treating
    prevents-condition regulates negatively-regulates increases increases-risk-of improves cofactor-of has-role-in
    required-for important-for supports located-in stored-in source-of counteracts higher-than contrasts-with safe-for
    benefits should-consult explains has-property related-to"""
CATEGORIES = """condition deficiency symptom substance supplement enzyme food food-group body-part process measure
    population role practice property agent organization software-agent"""
NOTATIONS = {
    "certaintyScheme": "asserted probable suggested possible unknown",
    "modalityScheme": "actual potential obligation recommendation",
    "polarityScheme": "affirmed negated neutral",
    "frequencyScheme": "always generally mostly frequently sometimes never",
    "basisScheme": """unsourced definition unnamed-research single-unnamed-study named-study author-reasoning author-opinion
        author-advice publisher-advice publisher-statement general-opinion common-practice dataset-record""",
    "qualifierTypeScheme": """population route form timing dose scope condition cause context part subject-amount embedded topic
        intensity degree extent mechanism role importance rank location alternative-object completeness""",
    "alignmentScheme": "supports disputes neutral not-covered",
    "designScheme": """randomized-trial uncontrolled-trial meta-analysis-of-trials systematic-review meta-analysis-of-cohorts
        case-control-study in-vitro-study computational-study narrative-review fact-sheet""",
}
UNRESTRICTING = "intensity degree extent mechanism role importance rank alternative-object completeness"
EVIDENCE_LABELS = {
    "0000313": "imported information used in automatic assertion",
    "0006016": "author statement supported from referenced clinical study",
    "0006217": "author inference used in automatic assertion",
    "0007319": "author statement used in automatic assertion",
    "0007320": "author statement without traceable support used in automatic assertion",
    "0007539": "author statement supported from referenced clinical study used in automatic assertion",
}


@cache
def read(*paths: Path) -> Graph:
    graph = Graph()
    for path in paths:
        graph.parse(path, format="turtle")
    return graph


def terms(graph: Graph, ontology: str) -> list[URIRef]:
    """Return the classes and properties of the ontology's own namespace."""
    own = {term for kind in KINDS for term in graph.subjects(RDF.type, kind) if str(term).startswith(f"{ontology}#")}
    return sorted(term for term in own if isinstance(term, URIRef))


def local(term: URIRef) -> str:
    return str(term).rpartition("#")[2]


ALL_TERMS = [
    pytest.param(path, term, id=local(term)) for iri, path in ONTOLOGIES.items() for term in terms(read(path), iri)
]
CONCEPTS = sorted(str(concept) for concept in read(SCHEMES).subjects(RDF.type, SKOS.Concept))
CLAIM_PREDICATES = sorted(str(term) for term in read(*FILES).subjects(RDF.type, KGB.ClaimPredicate))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_parsers_read_the_same_triples(path: Path) -> None:
    """pyoxigraph and rdflib read each file, without error and to the same number of triples."""
    assert len(set(ox.parse(path=str(path), format=ox.RdfFormat.TURTLE))) == len(read(path)) > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_blank_nodes(path: Path) -> None:
    """Whatever is loaded into the store has an IRI."""
    assert [triple for triple in read(path) if any(isinstance(node, BNode) for node in triple)] == []


@pytest.mark.parametrize(("iri", "path"), ONTOLOGIES.items(), ids=lambda value: Path(value).name)
def test_header(iri: str, path: Path) -> None:
    """An ontology says its version, licence, title, description and prefix, and names no creator."""
    graph, ontology = read(path), URIRef(iri)
    version = str(graph.value(ontology, OWL.versionInfo))
    assert (ontology, RDF.type, OWL.Ontology) in graph
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert graph.value(ontology, OWL.versionIRI) == URIRef(f"{iri}/{version}")
    assert graph.value(ontology, DCTERMS.license) == URIRef("https://creativecommons.org/licenses/by/4.0/")
    for said in (DCTERMS.title, DCTERMS.description, URIRef("http://purl.org/vocab/vann/preferredNamespacePrefix")):
        assert graph.value(ontology, said), said
    assert graph.value(ontology, DCTERMS.creator) is None


def test_the_project_imports_the_tool() -> None:
    """The project's ontology stands on the tool's vocabulary and says how to cite it."""
    graph, ontology = read(ONTOLOGIES[str(MR).rstrip("#")]), URIRef(str(MR).rstrip("#"))
    assert graph.value(ontology, OWL.imports) == URIRef(str(KGB).rstrip("#"))
    assert graph.value(ontology, DCTERMS.bibliographicCitation)


@pytest.mark.parametrize(("path", "term"), ALL_TERMS)
def test_a_term_is_documented(path: Path, term: URIRef) -> None:
    """A class or property has one English label, definition, example and scope note, and says where it is defined."""
    graph = read(path)
    for said in (RDFS.label, SKOS.definition, SKOS.example, SKOS.scopeNote):
        values = list(graph.objects(term, said))
        assert [value.language for value in values if isinstance(value, Literal)] == ["en"], said
        assert str(values[0]).strip() == str(values[0]) != "", said
    for said in (SKOS.definition, SKOS.scopeNote):
        assert re.search(r"[.”]$", str(graph.value(term, said))), said
    assert graph.value(term, RDFS.isDefinedBy) == URIRef(str(term).partition("#")[0])


@pytest.mark.parametrize(("path", "term"), ALL_TERMS)
def test_a_name_survives_the_kebab(path: Path, term: URIRef) -> None:
    """The slug in source files and the local name in the ontology determine each other."""
    first, *rest = kebab(local(term)).split("-")
    is_class = (term, RDF.type, OWL.Class) in read(path)
    assert (first.capitalize() if is_class else first) + "".join(part.capitalize() for part in rest) == local(term)


@pytest.mark.parametrize(("iri", "path"), ONTOLOGIES.items(), ids=lambda value: Path(value).name)
def test_labels_and_definitions_are_unique(iri: str, path: Path) -> None:
    """No two terms of an ontology share a label (whatever the case) or a definition."""
    graph = read(path)
    for said in (RDFS.label, SKOS.definition):
        counted = Counter(str(value).casefold() for term in terms(graph, iri) for value in graph.objects(term, said))
        assert [value for value, count in counted.items() if count > 1] == []


def test_the_fixed_lists() -> None:
    """The predicates, categories and notations are those of the data model."""
    graph = read(*FILES)
    below = set(graph.transitive_subjects(RDFS.subClassOf, KGB.Entity)) - {KGB.Entity}
    assert {kebab(local(URIRef(term))) for term in CLAIM_PREDICATES} == set(PREDICATES.split())
    assert {kebab(local(URIRef(str(term)))) for term in below} == set(CATEGORIES.split())
    for scheme, notations in NOTATIONS.items():
        found = [str(graph.value(concept, SKOS.notation)) for concept in graph.subjects(SKOS.inScheme, KGB[scheme])]
        assert sorted(found) == sorted(notations.split()), scheme


@pytest.mark.parametrize("name", CLAIM_PREDICATES, ids=lambda name: name.rpartition("#")[2])
def test_a_predicate_says_what_it_joins(name: str) -> None:
    """A predicate is an object property that names admissible categories on both sides, all of them declared."""
    graph, term = read(*FILES), URIRef(name)
    assert (term, RDF.type, OWL.ObjectProperty) in graph
    for side in (SCHEMA.domainIncludes, SCHEMA.rangeIncludes):
        admissible = set(graph.objects(term, side))
        assert admissible, side
        assert all((category, RDF.type, OWL.Class) in graph for category in admissible), side


@pytest.mark.parametrize("name", CLAIM_PREDICATES, ids=lambda name: name.rpartition("#")[2])
def test_a_predicate_has_an_inverse(name: str) -> None:
    """A predicate is symmetric or has one inverse, which points back and is no claim predicate itself."""
    graph, term = read(*FILES), URIRef(name)
    inverses = list(graph.objects(term, OWL.inverseOf))
    if (term, RDF.type, OWL.SymmetricProperty) in graph:
        assert inverses == []
        return
    (inverse,) = inverses
    assert (inverse, OWL.inverseOf, term) in graph
    assert (inverse, RDF.type, OWL.ObjectProperty) in graph
    assert (inverse, RDF.type, KGB.ClaimPredicate) not in graph


@pytest.mark.parametrize("name", CLAIM_PREDICATES, ids=lambda name: name.rpartition("#")[2])
def test_a_predicate_reaches_the_top(name: str) -> None:
    """Every relation between entities is a relation; `explains` leads to a claim and stands alone."""
    graph, term = read(*FILES), URIRef(name)
    assert (term == MR.explains) != (MR.relatedTo in set(graph.transitive_objects(term, RDFS.subPropertyOf)))


@pytest.mark.parametrize("name", CLAIM_PREDICATES, ids=lambda name: name.rpartition("#")[2])
def test_a_predicate_is_mapped_to_biolink(name: str) -> None:
    """A predicate has one Biolink predicate of its nearest match, unless the export leaves it out."""
    graph, term = read(*FILES), URIRef(name)
    found = {
        match: [
            value for value in graph.objects(term, match) if str(value).startswith("https://w3id.org/biolink/vocab/")
        ]
        for match in (SKOS.exactMatch, SKOS.closeMatch, SKOS.broadMatch)
    }
    nearest = next((values for values in found.values() if values), [])
    assert len(nearest) == (0 if term in {MR.explains, MR.shouldConsult} else 1)


def test_aliases_are_unambiguous() -> None:
    """A hedged alias belongs to one predicate and is no slug of another."""
    aliases = Counter(str(alias) for alias in read(*FILES).objects(None, KGB.hedgedAlias))
    assert {"may-cause", "may-benefit"} <= set(aliases)
    assert [alias for alias, count in aliases.items() if count > 1 or alias in PREDICATES.split()] == []


@pytest.mark.parametrize("name", CONCEPTS, ids=lambda name: name.rpartition("#")[2])
def test_a_concept_is_documented(name: str) -> None:
    """A concept has a notation, an English title, definition and example, and tops one scheme that its IRI names."""
    graph, concept = read(SCHEMES), URIRef(name)
    for said in (SKOS.prefLabel, SKOS.definition, SKOS.example):
        (value,) = graph.objects(concept, said)
        assert isinstance(value, Literal)
        assert (value.language, bool(str(value).strip())) == ("en", True), said
    assert str(graph.value(concept, SKOS.prefLabel))[0].isupper()
    (scheme,) = graph.objects(concept, SKOS.inScheme)
    assert list(graph.objects(concept, SKOS.topConceptOf)) == [scheme]
    assert (scheme, RDF.type, SKOS.ConceptScheme) in graph
    prefix = local(URIRef(str(scheme))).removesuffix("Scheme").removesuffix("Type")
    assert local(concept) == f"{prefix}-{graph.value(concept, SKOS.notation)}"


@pytest.mark.parametrize("scheme", NOTATIONS)
def test_a_scheme_is_whole(scheme: str) -> None:
    """A scheme has a title, licence and version; notations and titles in it are unique."""
    graph = read(SCHEMES)
    for said in (DCTERMS.title, SKOS.definition, DCTERMS.license, OWL.versionInfo):
        assert graph.value(KGB[scheme], said), said
    for said in (SKOS.notation, SKOS.prefLabel):
        values = [str(graph.value(concept, said)) for concept in graph.subjects(SKOS.inScheme, KGB[scheme])]
        assert len(values) == len(set(values)), said


def test_ranks() -> None:
    """Certainty and frequency are ordered by whole numbers from 0 without gaps or ties."""
    graph = read(SCHEMES)
    for scheme, order in (("certainty", NOTATIONS["certaintyScheme"]), ("frequency", NOTATIONS["frequencyScheme"])):
        concepts = [KGB[f"{scheme}-{notation}"] for notation in reversed(order.split())]
        assert [Literal(rank) for rank in range(len(concepts))] == [
            graph.value(concept, KGB.rank) for concept in concepts
        ]


def test_cues() -> None:
    """A hedge cue is in lower case, in English, and signals one concept; flat statements have none."""
    cues = list(read(SCHEMES).subject_objects(KGB.cue))
    assert all(isinstance(cue, Literal) and cue.language == "en" and str(cue) == str(cue).lower() for _, cue in cues)
    assert max(Counter(str(cue) for _, cue in cues).values()) == 1
    hedging = {"certainty-" + level for level in ("probable", "suggested", "possible", "unknown")}
    hedging |= {"modality-" + mode for mode in ("potential", "obligation", "recommendation")}
    assert {local(URIRef(str(concept))) for concept, _ in cues} == hedging


def test_restricting_qualifiers() -> None:
    """Each qualifier type says whether it restricts, and those that do not are the harmless ones."""
    graph = read(SCHEMES)
    said = {
        str(graph.value(c, SKOS.notation)): graph.value(c, KGB.restricts)
        for c in graph.subjects(SKOS.inScheme, KGB.qualifierTypeScheme)
    }
    assert {notation for notation, value in said.items() if value == Literal(False)} == set(UNRESTRICTING.split())
    assert {notation for notation, value in said.items() if value == Literal(True)} == set(said) - set(
        UNRESTRICTING.split()
    )


def test_every_basis_has_one_evidence_type() -> None:
    """An evidence basis is written as one ECO class, to which it is also mapped."""
    graph = read(SCHEMES)
    for concept in graph.subjects(SKOS.inScheme, KGB.basisScheme):
        (evidence,) = graph.objects(concept, KGB.evidenceType)
        assert evidence in {*graph.objects(concept, SKOS.closeMatch), *graph.objects(concept, SKOS.broadMatch)}, concept


def test_evidence_classes_are_the_known_ones() -> None:
    """No ECO class is mentioned but those listed here with their labels."""
    found = {str(value).removeprefix(ECO) for value in read(SCHEMES).objects() if str(value).startswith(ECO)}
    assert found == set(EVIDENCE_LABELS)


@pytest.mark.shared
@pytest.mark.skipif(not ECO_FILE.exists(), reason="needs ../shared/reference/ontologies/eco.obo")
def test_evidence_classes_exist() -> None:
    """Each ECO class exists with its label and is not obsolete."""
    stanzas = ECO_FILE.read_text("utf-8").split("\n[")
    named = {
        match[1]: match[2]
        for stanza in stanzas
        if "\nis_obsolete: true" not in stanza and (match := re.search(r"\nid: ECO:(\d+)\nname: (.+)", stanza))
    }
    assert {number: named.get(number) for number in EVIDENCE_LABELS} == EVIDENCE_LABELS


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shapes_speak_of_declared_terms(path: Path) -> None:
    """A shape or its query names no term that the ontologies lack."""
    declared = {str(term) for term in (*read(*FILES).subjects(), *read(path).subjects())}
    text = path.read_text("utf-8")
    named = {KGB[name] for name in re.findall(r"\bkgb:([A-Za-z][\w-]*)", text)} | {
        MR[name] for name in re.findall(r"\bmr:([A-Za-z][\w-]*)", text)
    }
    assert {str(term) for term in named} <= declared


SOUND = (
    (EX.claim, RDF.type, KGB.FactualClaim),
    (EX.claim, KGB.certainty, KGB["certainty-possible"]),
    (EX.claim, KGB.qualifier, EX.qualifier),
    (EX.qualifier, KGB.qualifierEntity, EX.adults),
    (EX.record, RDF.type, KGB.DatasetStatement),
    (EX.record, KGB.objectQuantity, EX.quantity),
    (EX.verdict, KGB.articleClaim, EX.claim),
    (EX.verdict, KGB.datasetStatement, EX.record),
    (EX.adults, RDF.type, MR.Population),
    (EX.lentil, RDF.type, MR.Food),
    (EX.lentil, MR.sourceOf, EX.iron),
    (EX.liver, RDF.type, MR.BodyPart),
    (EX.iron, MR.storedIn, EX.liver),
    (EX.scurvy, RDF.type, MR.Deficiency),
    (EX.scurvy, MR.causes, EX.bleeding),
    (EX.bleeding, RDF.type, MR.Symptom),
    (EX.first, MR.higherThan, EX.second),
    (EX.second, MR.higherThan, EX.third),
    (EX.lentil, MR.explains, EX.claim),
)


def reason(more: Iterable[tuple[URIRef, URIRef, URIRef]]) -> tuple[Graph, list[str]]:
    """Return the OWL 2 RL closure of the ontologies with more triples, and the contradictions in it."""
    graph = Graph()
    for triple in (*read(*FILES), *more):
        graph.add(triple)
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(graph)
    nothing = [f"{member} is nothing" for member in graph.subjects(RDF.type, OWL.Nothing)]
    return graph, nothing + sorted(str(message) for message in graph.objects(None, MISTAKE))


def test_the_ontologies_are_consistent() -> None:
    """Sound data contradicts nothing, and what should follow from it follows."""
    graph, contradictions = reason(SOUND)
    assert contradictions == []
    for follows in (
        (EX.claim, RDF.type, SCHEMA.Claim),
        (EX.claim, RDF.type, PROV.Entity),
        (EX.iron, RDF.type, MR.Substance),
        (EX.iron, MR.hasSource, EX.lentil),
        (EX.iron, MR.locatedIn, EX.liver),
        (EX.scurvy, MR.contributesTo, EX.bleeding),
        (EX.bleeding, MR.relatedTo, EX.scurvy),
        (EX.first, MR.higherThan, EX.third),
        (EX.third, MR.lowerThan, EX.first),
    ):
        assert follows in graph, follows
    assert (EX.claim, RDF.type, KGB.Entity) not in graph


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((EX.claim, RDF.type, KGB.DatasetStatement), id="a claim is no dataset statement"),
        pytest.param((EX.claim, RDF.type, KGB.AdviceClaim), id="a description is no advice"),
        pytest.param((EX.claim, RDF.type, KGB.Entity), id="a claim is no entity"),
        pytest.param((EX.verdict, RDF.type, KGB.Claim), id="a verdict is no claim"),
        pytest.param((EX.iron, RDF.type, MR.Process), id="a substance is no process"),
        pytest.param((EX.liver, MR.higherThan, EX.first), id="a body part is no measure"),
        pytest.param((EX.lentil, MR.relatedTo, EX.claim), id="only a reason leads to a claim"),
    ],
)
def test_a_contradiction_is_caught(wrong: tuple[URIRef, URIRef, URIRef]) -> None:
    """One wrong triple among sound ones is a contradiction by the disjointness of two classes."""
    _, contradictions = reason((*SOUND, wrong))
    assert any(message.startswith("Disjoint classes") for message in contradictions)
