"""The second and third tier become RDF: dataset records, their statements and sources, and the alignments of claims.

Pure: values in, quads in N-Quads spelling out. Each dataset has a graph of its own, alignments share one; no claim is
written here, and none is changed by what a dataset states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kgbuild.claims import EVIDENCE_TYPE, Quantity
from kgbuild.datasets import (
    DCAT,
    FITS,
    NOT_COVERED,
    RECORD_KINDS,
    Alignment,
    AlignmentSet,
    Criterion,
    Dataset,
    DatasetStatement,
    SourceRecord,
    Thing,
)
from kgbuild.mint import quantity_pairs
from kgbuild.ontology import Ontology
from kgbuild.project import Project
from kgbuild.sources import Sources
from kgbuild.terms import DCTERMS, KGB, PREFIXES, PROV, RDF, RDFS, SCHEMA, SKOS, TYPE, XSD, expand, literal
from kgbuild.trusty import Quad

Pair = tuple[str, str]
_PERIODS = {4: "gYear", 7: "gYearMonth", 10: "date"}


def describe_datasets(sources: Sources) -> Iterator[Quad]:
    """Describe every dataset in its graph, and name it as a source of the whole."""
    project = sources.project
    for dataset in sources.datasets:
        yield from describe_dataset(dataset, project, sources.ontology)
        whole = f"<{project.graph('void')}>", f"<{project.base}>", f"<{DCTERMS}source>"
        yield *whole, f"<{project.dataset(dataset.id)}>"


def describe_dataset(dataset: Dataset, project: Project, ontology: Ontology) -> Iterator[Quad]:
    """Describe a dataset (DCAT 3 §6.6), its source records, and what it states."""
    graph, me, language = project.graph(f"dataset-{dataset.id}"), project.dataset(dataset.id), project.language
    pairs: list[Pair] = [
        (TYPE, f"<{DCAT}Dataset>"),
        (RDFS + "label", literal(dataset.title, language=language)),
        (DCTERMS + "title", literal(dataset.title, language=language)),
        (DCTERMS + "description", literal(dataset.description, language=language)),
        (DCTERMS + "identifier", literal(dataset.id)),
        (DCTERMS + "publisher", f"<{me}#publisher>"),
        (DCAT + "version", literal(dataset.release)),
        (DCTERMS + "license", f"<{dataset.license}>"),
        (DCTERMS + "bibliographicCitation", literal(dataset.citation)),
        (KGB + "method", literal(dataset.method, language=language)),
        (KGB + "limits", literal(dataset.limits, language=language)),
        *((DCTERMS + "source", f"<{source}>") for source in dataset.sources),
    ]
    if dataset.issued:
        pairs.append((DCTERMS + "issued", _period(dataset.issued)))
    if dataset.landing_page:
        pairs.append((DCAT + "landingPage", f"<{dataset.landing_page}>"))
    yield from _quads(graph, me, pairs)
    publisher = [(TYPE, f"<{PROV}Organization>"), (RDFS + "label", literal(dataset.publisher))]
    yield from _quads(graph, f"{me}#publisher", publisher)
    for record in dataset.records:
        yield from _quads(graph, f"{me}/{record.id}", _record(record, me, language, ontology))
    evidence = evidence_of(dataset)
    for statement in dataset.statements:
        yield from describe_statement(statement, evidence, project, ontology)


def evidence_of(dataset: Dataset) -> dict[str, str]:
    """Return the type of evidence of each source record that gives one."""
    return {record.id: record.evidence for record in dataset.records if record.evidence}


def describe_alignments(sources: Sources) -> Iterator[Quad]:
    """Describe the judgements on claims, and say of each other claim of a judged article that nothing covers it."""
    project = sources.project
    graph = project.graph("alignment")
    if not sources.datasets:
        return
    for alignments in sources.alignments:
        me = project.alignment(alignments.article)
        yield from _quads(graph, me, _alignment_set(alignments, project))
        for criterion in alignments.criteria:
            yield from _criterion(criterion, f"{me}#{criterion.id}", graph, project.language)
        covered = set()
        for alignment in alignments.alignments:
            covered.add(alignment.claim)
            here = project.alignment(f"{alignment.claim}/{alignment.statement}")
            yield from _quads(graph, here, _alignment(alignment, me, project, sources.ontology))
        for claim in sources.claims:
            if claim.article == alignments.article and claim.key not in covered:
                yield from describe_not_covered(claim.key, claim.article, project, sources.ontology)


def describe_not_covered(claim: str, article: str, project: Project, ontology: Ontology) -> Iterator[Quad]:
    """Say of a claim of a judged article that nothing covers it."""
    pairs = [
        (TYPE, f"<{KGB}Alignment>"),
        (KGB + "articleClaim", f"<{project.claim(claim)}>"),
        (KGB + "alignment", f"<{ontology.concepts['alignment'][NOT_COVERED].iri}>"),
        (DCTERMS + "isPartOf", f"<{project.alignment(article)}>"),
    ]
    yield from _quads(project.graph("alignment"), project.alignment(f"{claim}/{NOT_COVERED}"), pairs)


def _quads(graph: str, subject: str, pairs: Iterable[Pair]) -> Iterator[Quad]:
    for predicate, value in pairs:
        yield f"<{graph}>", f"<{subject}>", f"<{predicate}>", value


def _period(text: str) -> str:
    return literal(text, datatype=XSD + _PERIODS[len(text)])


def _integer(value: int) -> str:
    return literal(str(value), datatype=XSD + "integer")


def _record(record: SourceRecord, dataset: str, language: str, ontology: Ontology) -> list[Pair]:
    pairs: list[Pair] = [
        (TYPE, f"<{KGB}SourceRecord>"),
        (RDFS + "label", literal(record.title)),
        (DCTERMS + "isPartOf", f"<{dataset}>"),
    ]
    if (kind := RECORD_KINDS[record.kind]) is not None:
        pairs.append((TYPE, f"<{kind}>"))
        pairs.append((DCTERMS + "title", literal(record.title)))
    texts = {
        DCTERMS + "identifier": record.identifier,
        DCAT + "version": record.release,
        KGB + "authors": record.authors,
        KGB + "publishedIn": record.journal,
    }
    pairs += [(predicate, literal(text)) for predicate, text in texts.items() if text]
    noted = {KGB + "unseen": record.unseen, SKOS + "note": record.note}
    pairs += [(predicate, literal(text, language=language)) for predicate, text in noted.items() if text]
    if record.issued:
        pairs.append((DCTERMS + "issued", _period(record.issued)))
    if record.design:
        pairs.append((KGB + "design", f"<{ontology.concepts['design'][record.design].iri}>"))
    if record.participants is not None:
        pairs.append((KGB + "participants", _integer(record.participants)))
    if record.doi:
        pairs += [
            (DCTERMS + "identifier", literal(f"doi:{record.doi}")),
            (SCHEMA + "sameAs", f"<https://doi.org/{_in_address(record.doi)}>"),
        ]
    if record.pmid:
        pairs += [
            (DCTERMS + "identifier", literal(f"pmid:{record.pmid}")),
            (SCHEMA + "sameAs", f"<https://pubmed.ncbi.nlm.nih.gov/{record.pmid}/>"),
        ]
    links = {SCHEMA + "url": record.url, DCTERMS + "license": record.license}
    pairs += [(predicate, f"<{address}>") for predicate, address in links.items() if address]
    return pairs


def _in_address(doi: str) -> str:
    """Percent-encode what a DOI may hold and an address may not."""
    return "".join(char if char.isalnum() or char in "-._~/():;" else f"%{ord(char):02X}" for char in doi)


def describe_statement(
    statement: DatasetStatement, evidence: dict[str, str], project: Project, ontology: Ontology
) -> Iterator[Quad]:
    """Describe one statement of a dataset; `evidence` is that of the source records."""
    graph = project.graph(f"dataset-{statement.dataset}")
    me, dataset, language = project.dataset(statement.key), project.dataset(statement.dataset), project.language
    basis = ontology.concepts["basis"]["dataset-record"]
    kinds = {expand(evidence[name], {"ECO": PREFIXES["eco"]}) for name in statement.records if name in evidence}
    kinds |= set() if kinds else {basis.evidence_type}
    pairs: list[Pair] = [
        (TYPE, f"<{KGB}DatasetStatement>"),
        (RDFS + "label", literal(statement.statement, language=language)),
        (RDF + "subject", f"<{_iri(statement.subject, project)}>"),
        (RDF + "predicate", f"<{ontology.predicates[statement.predicate].iri}>"),
        (RDF + "object", f"<{_iri(statement.object, project)}>"),
        (KGB + "polarity", f"<{ontology.concepts['polarity'][statement.polarity].iri}>"),
        (KGB + "evidenceBasis", f"<{basis.iri}>"),
        *((EVIDENCE_TYPE, f"<{kind}>") for kind in kinds if kind),
        *((PROV + "wasDerivedFrom", f"<{dataset}/{name}>") for name in statement.records),
        (DCTERMS + "isPartOf", f"<{dataset}>"),
    ]
    if statement.subject_match:
        pairs.append((KGB + "subjectMatch", f"<{FITS[statement.subject_match]}>"))
    if statement.method:
        pairs.append((KGB + "method", literal(statement.method, language=language)))
    if statement.note:
        pairs.append((SKOS + "note", literal(statement.note, language=language)))
    if statement.quantity is not None:
        pairs.append((KGB + "objectQuantity", f"<{me}#object-quantity>"))
        yield from _quads(graph, f"{me}#object-quantity", _measured(statement, statement.quantity, language))
    counts: dict[str, int] = {}
    for qualifier in statement.qualifiers:
        counts[qualifier.type] = counts.get(qualifier.type, 0) + 1
        node = f"{me}#{qualifier.type}-{counts[qualifier.type]}"
        pairs.append((KGB + "qualifier", f"<{node}>"))
        narrowing = [
            (TYPE, f"<{KGB}Qualifier>"),
            (KGB + "qualifierType", f"<{ontology.concepts['qualifierType'][qualifier.type].iri}>"),
            (RDF + "value", literal(qualifier.text or "", language=language)),
        ]
        yield from _quads(graph, node, narrowing)
    yield from _quads(graph, me, pairs)
    for thing in (statement.subject, statement.object):
        if thing.kind == "term":
            named = [(RDFS + "label", literal(thing.label)), (DCTERMS + "identifier", literal(thing.curie))]
            yield from _quads(graph, thing.id, named)


def _measured(statement: DatasetStatement, quantity: Quantity, language: str) -> list[Pair]:
    """Return the number of a statement, what it measures, and how many values it rests on."""
    pairs = [(predicate.strip("<>"), value) for predicate, value in quantity_pairs(quantity)]
    if statement.measure:
        pairs.append((KGB + "measure", literal(statement.measure, language=language)))
    if statement.interval:
        pairs.append((KGB + "interval", literal(statement.interval, language=language)))
    if statement.observations is not None:
        pairs.append((KGB + "observations", _integer(statement.observations)))
    return pairs


def _iri(thing: Thing, project: Project) -> str:
    return project.entity(thing.id) if thing.kind == "entity" else thing.id


def _alignment_set(alignments: AlignmentSet, project: Project) -> list[Pair]:
    return [
        (TYPE, f"<{PROV}Collection>"),
        (RDFS + "label", literal(f"Alignments of {alignments.article}", language="en")),
        (DCTERMS + "created", _period(alignments.judged)),
        (DCTERMS + "subject", f"<{project.article(alignments.article)}>"),
        (PROV + "wasAttributedTo", f"<{project.entity(alignments.judge)}>"),
        (KGB + "method", literal(alignments.method, language=project.language)),
    ]


def _criterion(criterion: Criterion, me: str, graph: str, language: str) -> Iterator[Quad]:
    pairs = [
        (TYPE, f"<{KGB}Criterion>"),
        (RDFS + "label", literal(criterion.id.replace("-", " "), language=language)),
        (SKOS + "definition", literal(criterion.statement, language=language)),
    ]
    if criterion.source:
        pairs.append((DCTERMS + "source", f"<{criterion.source}>"))
    if criterion.threshold is not None:
        pairs.append((KGB + "threshold", f"<{me}-threshold>"))
        number = [(predicate.strip("<>"), value) for predicate, value in quantity_pairs(criterion.threshold)]
        yield from _quads(graph, f"{me}-threshold", number)
    yield from _quads(graph, me, pairs)


def _alignment(alignment: Alignment, whole: str, project: Project, ontology: Ontology) -> list[Pair]:
    pairs = [
        (TYPE, f"<{KGB}Alignment>"),
        (KGB + "articleClaim", f"<{project.claim(alignment.claim)}>"),
        (KGB + "datasetStatement", f"<{project.dataset(alignment.statement)}>"),
        (KGB + "alignment", f"<{ontology.concepts['alignment'][alignment.verdict].iri}>"),
        (RDFS + "comment", literal(alignment.reason, language=project.language)),
        (DCTERMS + "isPartOf", f"<{whole}>"),
    ]
    if alignment.criterion:
        pairs.append((KGB + "criterion", f"<{whole}#{alignment.criterion}>"))
    return pairs
