"""What claims stand on becomes RDF: articles and sentences, entities, mappings, ontologies, the record of the whole.

Pure: values in, quads in N-Quads spelling out. No text of an article is ever among them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from kgbuild.claims import Article, Entity, MappingSet, digits
from kgbuild.ontology import Ontology
from kgbuild.project import Project
from kgbuild.sources import Sources
from kgbuild.terms import DCTERMS, KGB, OA, PREFIXES, PROV, RDFS, SCHEMA, SKOS, SSSOM, TYPE, XSD, is_iri, literal
from kgbuild.trusty import Quad

Pair = tuple[str, str]
DCAT = PREFIXES["dcat"]
VOID = PREFIXES["void"]


def _integer(value: int) -> str:
    return literal(str(value), datatype=XSD + "integer")


def _date(value: str) -> str:
    return literal(value, datatype=XSD + "date")


def _quads(graph: str, subject: str, pairs: Iterable[Pair]) -> Iterator[Quad]:
    for predicate, value in pairs:
        yield f"<{graph}>", f"<{subject}>", f"<{predicate}>", value


def describe_article(article: Article, project: Project) -> Iterator[Quad]:
    """Describe an article, its sections, sentences and selectors (Web Annotation §4.2.4), and the extraction."""
    graph = project.graph("article")
    me = project.article(article.id)
    pairs: list[Pair] = [
        (TYPE, f"<{KGB}Article>"),
        (TYPE, f"<{SCHEMA}Article>"),
        (DCTERMS + "title", literal(article.title, language=article.language)),
        (RDFS + "label", literal(article.title, language=article.language)),
        (DCTERMS + "publisher", f"<{project.entity(article.publisher)}>"),
        (DCTERMS + "language", literal(article.language)),
        (DCTERMS + "created", _date(article.recorded)),
        (KGB + "rights", literal(article.rights)),
        *((DCTERMS + "creator", f"<{project.entity(author)}>") for author in article.author),
        *((DCTERMS + "hasPart", f"<{me}#{section.id}>") for section in article.sections),
    ]
    if article.url and is_iri(article.url):
        pairs.append((DCTERMS + "source", f"<{article.url}>"))
    if article.published:
        pairs.append((DCTERMS + "issued", _date(article.published)))
    if article.characters is not None:
        pairs.append((KGB + "characterCount", _integer(article.characters)))
    if article.sha256:
        pairs.append((KGB + "sha256", literal(article.sha256)))
    yield from _quads(graph, me, pairs)
    extraction = [
        (TYPE, f"<{PROV}Activity>"),
        (PROV + "used", f"<{me}>"),
        (PROV + "wasAssociatedWith", f"<{project.entity(article.extractor)}>"),
    ]
    yield from _quads(graph, f"{me}#extraction", extraction)
    for number, section in enumerate(article.sections, 1):
        described = [
            (TYPE, f"<{KGB}Section>"),
            (RDFS + "label", literal(section.title, language=project.language)),
            (DCTERMS + "isPartOf", f"<{me}>"),
            (KGB + "number", _integer(number)),
        ]
        yield from _quads(graph, f"{me}#{section.id}", described)
    for sentence in article.sentences:
        here = f"{me}#s{sentence.number}"
        anchored = [
            (TYPE, f"<{KGB}Sentence>"),
            (TYPE, f"<{OA}SpecificResource>"),
            (OA + "hasSource", f"<{me}>"),
            (OA + "hasSelector", f"<{here}-position>"),
            (KGB + "section", f"<{me}#{sentence.section}>"),
            (KGB + "sentenceNumber", _integer(sentence.number)),
            (KGB + "anchorState", literal(sentence.state)),
        ]
        if sentence.sha256:
            anchored.append((KGB + "spanSha256", literal(sentence.sha256)))
        yield from _quads(graph, here, anchored)
        position = [
            (TYPE, f"<{OA}TextPositionSelector>"),
            (OA + "start", _integer(sentence.start)),
            (OA + "end", _integer(sentence.end)),
        ]
        yield from _quads(graph, f"{here}-position", position)


def describe_entity(entity: Entity, project: Project, ontology: Ontology) -> Iterator[Quad]:
    """Describe an entity as a SKOS concept of its category and of those above it (SKOS Reference §5, §8)."""
    category = ontology.categories[entity.category]
    pairs: list[Pair] = [
        *((TYPE, f"<{iri}>") for iri in {f"{KGB}Entity", f"{SKOS}Concept", category.iri, *category.above}),
        (SKOS + "inScheme", f"<{project.base}id/>"),
    ]
    for tag, text in entity.labels.items():
        pairs += [(RDFS + "label", literal(text, language=tag)), (SKOS + "prefLabel", literal(text, language=tag))]
    for tag, texts in entity.aliases.items():
        pairs += [(SKOS + "altLabel", literal(text, language=tag)) for text in texts]
    pairs += [(SKOS + "definition", literal(text, language=tag)) for tag, text in entity.definitions.items()]
    pairs += [(SKOS + "broader", f"<{project.entity(slug)}>") for slug in entity.broader]
    yield from _quads(project.graph("entities"), project.entity(entity.id), pairs)


def describe_mappings(mapping_set: MappingSet, project: Project) -> Iterator[Quad]:
    """Describe a mapping set: the plain links, and each mapping as a record of its own (SSSOM 1.0)."""
    graph = project.graph("mappings")
    pairs: list[Pair] = [(TYPE, f"<{SSSOM}MappingSet>")]
    if mapping_set.title:
        pairs.append((DCTERMS + "title", literal(mapping_set.title, language="en")))
    if mapping_set.license and is_iri(mapping_set.license):
        pairs.append((DCTERMS + "license", f"<{mapping_set.license}>"))
    if mapping_set.version:
        pairs.append((PREFIXES["owl"] + "versionInfo", literal(mapping_set.version)))
    yield from _quads(graph, mapping_set.id, pairs)
    for mapping in mapping_set.mappings:
        subject = project.entity(mapping.subject)
        yield f"<{graph}>", f"<{subject}>", f"<{mapping.predicate}>", f"<{mapping.object}>"
        key = hashlib.sha256(f"{subject}\n{mapping.predicate}\n{mapping.object}".encode()).hexdigest()[:16]
        record: list[Pair] = [
            (TYPE, f"<{SSSOM}Mapping>"),
            (SSSOM + "subject_id", f"<{subject}>"),
            (SSSOM + "predicate_id", f"<{mapping.predicate}>"),
            (SSSOM + "object_id", f"<{mapping.object}>"),
            (SSSOM + "mapping_justification", f"<{mapping.justification}>"),
            (DCTERMS + "isPartOf", f"<{mapping_set.id}>"),
        ]
        texts = {
            "object_label": mapping.object_label,
            "object_source": mapping.object_source,
            "object_source_version": mapping.object_source_version,
            "comment": mapping.comment,
        }
        record += [(SSSOM + name, literal(text)) for name, text in texts.items() if text]
        if mapping.confidence is not None:
            record.append((SSSOM + "confidence", literal(digits(mapping.confidence), datatype=XSD + "decimal")))
        yield from _quads(graph, f"{project.base}mapping/{key}", record)


def describe_ontology(ontology: Ontology, project: Project) -> Iterator[Quad]:
    """Copy the triples of the ontologies and schemes into their graphs."""
    for name, triples in ontology.triples.items():
        graph = f"<{project.graph(name)}>"
        for triple in triples:
            yield graph, str(triple.subject), str(triple.predicate), str(triple.object)


def describe_whole(sources: Sources, index: str, recorded: str) -> Iterator[Quad]:
    """Describe the knowledge graph as a dataset (DCAT 3, VoID)."""
    project = sources.project
    graph = project.graph("void")
    pairs: list[Pair] = [
        (TYPE, f"<{DCAT}Dataset>"),
        (TYPE, f"<{VOID}Dataset>"),
        (DCTERMS + "title", literal(project.title, language=project.language)),
        (DCTERMS + "license", f"<{project.license}>"),
        (DCTERMS + "modified", _date(recorded)),
        (DCAT + "version", literal(project.version)),
        (VOID + "rootResource", f"<{index}>"),
        (VOID + "uriSpace", literal(project.base)),
        *((DCTERMS + "source", f"<{project.article(article.id)}>") for article in sources.articles),
        *((VOID + "vocabulary", f"<{space}>") for space in (project.namespace[:-1], KGB[:-1], SKOS, PROV)),
    ]
    if project.description:
        pairs.append((DCTERMS + "description", literal(project.description, language=project.language)))
    yield from _quads(graph, project.base, pairs)
    scheme = [
        (TYPE, f"<{SKOS}ConceptScheme>"),
        (DCTERMS + "title", literal(f"Entities of {project.title}", language=project.language)),
        (RDFS + "label", literal(f"Entities of {project.title}", language=project.language)),
    ]
    yield from _quads(graph, f"{project.base}id/", scheme)
    derived = [(PROV + "wasDerivedFrom", f"<{index}>")]
    yield from _quads(graph, project.graph("asserted"), derived)
