"""Views: what the graph says of a claim, an entity or an article, gathered from any store for pages and for Python.

Every view of a claim keeps certainty, modality, polarity, source and place beside the statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import pyoxigraph as ox

from kgbuild.evidence import AlignmentView, DatasetView, Evidence
from kgbuild.nodes import ConceptView as ConceptView
from kgbuild.nodes import Link as Link
from kgbuild.nodes import Node, one
from kgbuild.store import Solutions, Store, lexical
from kgbuild.terms import DCTERMS, KGB, NP, OA, PROV, RDF, RDFS, SCHEMA, SKOS, SSSOM, TYPE, compress, in_language, kebab

_BOUNDS = {
    SCHEMA + "value": "",
    SCHEMA + "minValue": "at least ",
    SCHEMA + "maxValue": "at most ",
    KGB + "minExclusive": "more than ",
    KGB + "maxExclusive": "less than ",
}
MATCHES = ("exactMatch", "closeMatch", "broadMatch", "narrowMatch", "relatedMatch")
_WIDENING = MATCHES[:3]
_THINGS = {"id": "entity", "claim": "claim", "article": "article", "dataset": "dataset"}


@dataclass(frozen=True, slots=True)
class QualifierView:
    """A qualifier: its type and its value, a text or a link."""

    type: ConceptView
    value: Link | str


@dataclass(frozen=True, slots=True)
class SentenceView:
    """A sentence by number, section, offsets in code points, digest and state of the anchor."""

    iri: str
    number: int
    section: Link
    start: int
    end: int
    sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim with everything that must be read beside it."""

    iri: str
    key: str
    statement: str
    kind: str
    subject: Link
    predicate: Link
    object: Link
    certainty: ConceptView
    modality: ConceptView
    polarity: ConceptView
    basis: ConceptView
    article: Link
    sentences: tuple[SentenceView, ...]
    attributed_to: Link
    nanopublication: str
    created: str
    license: str
    extractor: Link | None = None
    frequency: ConceptView | None = None
    cues: tuple[str, ...] = ()
    subject_quantity: str = ""
    object_quantity: str = ""
    qualifiers: tuple[QualifierView, ...] = ()
    rationale: tuple[Link, ...] = ()
    contrasts_with: tuple[Link, ...] = ()
    derived_from: tuple[Link, ...] = ()
    compared_dimension: Link | None = None
    stated_evidence: str = ""
    presupposed: bool = False
    implied: bool = False
    confidence: str = ""
    note: str = ""
    quote: str = ""
    alignments: tuple[AlignmentView, ...] = ()
    """What datasets and studies say to it: support first; one of verdict not-covered where they say nothing."""
    plain: bool = False
    """Whether `graph/asserted` holds the triple, licensed by this claim or by another that says the same."""

    @property
    def id(self) -> str:
        """Return the identifier within the article."""
        return self.key.rsplit("/", 1)[-1]

    @property
    def hedged(self) -> bool:
        """Tell whether the author hedges: less than asserted, or only potential."""
        return self.certainty.slug != "asserted" or self.modality.slug == "potential"

    @property
    def negated(self) -> bool:
        """Tell whether the claim denies the relation."""
        return self.polarity.slug == "negated"


@dataclass(frozen=True, slots=True)
class MappingView:
    """A link to a term of another dataset, with its strength."""

    match: str
    iri: str
    curie: str
    label: str
    justification: str
    source: str = ""
    source_version: str = ""
    confidence: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class NamesView:
    """What an entity is called in one language, and its definition there; what the language lacks is empty."""

    language: str
    label: str
    aliases: tuple[str, ...]
    definition: str


@dataclass(frozen=True, slots=True)
class EntityView:
    """An entity with what is claimed of it; label and definition are in the preferred language they are given in."""

    iri: str
    slug: str
    label: str
    category: Link
    definition: str
    labels: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    """The aliases of all languages, those of the preferred one first."""
    names: tuple[NamesView, ...] = ()
    """Label, aliases and definition by language, the preferred one first."""
    broader: tuple[Link, ...] = ()
    narrower: tuple[Link, ...] = ()
    mappings: tuple[MappingView, ...] = ()
    as_subject: tuple[ClaimView, ...] = ()
    as_object: tuple[ClaimView, ...] = ()
    mentioned: tuple[ClaimView, ...] = ()

    @property
    def shown(self) -> NamesView:
        """Return the names in the language of the label."""
        return next(
            (names for names in self.names if names.label == self.label), NamesView("", self.label, self.aliases, "")
        )

    @property
    def definition_language(self) -> str:
        """Return the language of the definition, which can be another one than that of the label."""
        return next((names.language for names in self.names if names.definition == self.definition), "")

    @property
    def translations(self) -> tuple[NamesView, ...]:
        """Return the names in the languages other than that of the label."""
        return tuple(names for names in self.names if names.language != self.shown.language)

    @property
    def claims(self) -> tuple[ClaimView, ...]:
        """Return every claim that names the entity, each once, in the order of their keys."""
        found = {claim.iri: claim for claim in (*self.as_subject, *self.as_object, *self.mentioned)}
        return tuple(sorted(found.values(), key=lambda claim: claim.key))


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section with its sentences."""

    iri: str
    id: str
    title: str
    number: int
    sentences: tuple[SentenceView, ...]


@dataclass(frozen=True, slots=True)
class ArticleView:
    """An article with its sections; its text is not part of the graph."""

    iri: str
    id: str
    title: str
    publisher: Link
    language: str
    recorded: str
    rights: str
    sections: tuple[SectionView, ...]
    characters: str = ""
    sha256: str = ""
    source: str = ""
    issued: str = ""
    authors: tuple[Link, ...] = ()
    claims: tuple[ClaimView, ...] = ()

    def claims_on(self, sentence: SentenceView) -> tuple[ClaimView, ...]:
        """Return the claims that stand on a sentence."""
        return tuple(claim for claim in self.claims if any(item.iri == sentence.iri for item in claim.sentences))


class Views:
    """Gathers views from a store: a handful of queries, then everything in memory."""

    def __init__(self, store: Store, base: str, prefixes: dict[str, str], languages: tuple[str, ...] = ("en",)) -> None:
        self.store, self.base, self.prefixes, self.languages = store, base, prefixes, languages
        self._links: dict[tuple[str, str], Link] = {}
        self._concepts: dict[str, ConceptView] = {}

    def nodes(self, pattern: str) -> dict[str, Node]:
        """Return the properties of every `?s` that a pattern binds."""
        answer = self.store.query(f"SELECT DISTINCT ?s ?p ?o WHERE {{ {pattern} ?s ?p ?o }}", self.prefixes)
        assert isinstance(answer, Solutions)
        found: dict[str, Node] = defaultdict(lambda: defaultdict(list))
        for subject, predicate, value in answer.rows:
            if isinstance(subject, ox.NamedNode) and isinstance(predicate, ox.NamedNode) and value is not None:
                found[subject.value][predicate.value].append(value)
        for node in found.values():
            for values in node.values():
                if len(values) > 1:
                    values.sort(key=str)
        return dict(sorted((key, dict(node)) for key, node in found.items()))

    @cached_property
    def described(self) -> dict[str, Node]:
        """Return everything with a label that is no claim: entities, articles, sections, terms, concepts."""
        return self.nodes("?s rdfs:label|skos:prefLabel ?any . FILTER NOT EXISTS { ?s a kgb:Claim }")

    @cached_property
    def claims(self) -> tuple[ClaimView, ...]:
        """Return all claims in the order of their keys."""
        return tuple(_ClaimReader(self).read())

    @cached_property
    def entities(self) -> tuple[EntityView, ...]:
        """Return all entities in the order of their identifiers, with their claims and links."""
        return tuple(self._entities())

    @cached_property
    def articles(self) -> tuple[ArticleView, ...]:
        """Return all articles in the order of their identifiers."""
        return tuple(self._articles())

    @cached_property
    def evidence(self) -> Evidence:
        """Return what datasets state and how claims align with it."""
        return Evidence(self)

    @property
    def datasets(self) -> tuple[DatasetView, ...]:
        """Return all datasets in the order of their identifiers."""
        return self.evidence.datasets

    @cached_property
    def sentences(self) -> dict[str, SentenceView]:
        """Return all sentences by IRI."""
        positions = self.nodes("?s a oa:TextPositionSelector .")
        found = {}
        for iri, node in self.nodes("?s a kgb:Sentence .").items():
            position = positions.get(one(node, OA + "hasSelector"), {})
            found[iri] = SentenceView(
                iri=iri,
                number=int(one(node, KGB + "sentenceNumber") or 0),
                section=self.link(one(node, KGB + "section"), "section"),
                start=int(one(position, OA + "start") or 0),
                end=int(one(position, OA + "end") or 0),
                sha256=one(node, KGB + "spanSha256"),
                state=one(node, KGB + "anchorState"),
            )
        return found

    def label(self, iri: str) -> str:
        """Return the label of a thing in the first language there is, or its CURIE."""
        node = self.described.get(iri, {})
        return self.text(node, RDFS + "label") or self.text(node, SKOS + "prefLabel") or compress(iri, self.prefixes)

    def text(self, node: Node, predicate: str) -> str:
        """Return a text of a node in the first language there is."""
        texts = {language: found[0] for language, found in by_language(node, predicate).items()}
        return texts.get(in_language(texts, self.languages), "")

    def names(self, node: Node) -> tuple[NamesView, ...]:
        """Return what a thing is called in each language, in the order of preference."""
        labels, aliases, definitions = (
            by_language(node, predicate) for predicate in (RDFS + "label", SKOS + "altLabel", SKOS + "definition")
        )
        left = dict.fromkeys(sorted({*labels, *aliases, *definitions}), "")
        found = []
        while left:
            language = in_language(left, self.languages)
            del left[language]
            found.append(
                NamesView(
                    language=language,
                    label="".join(labels.get(language, ())[:1]),
                    aliases=tuple(aliases.get(language, ())),
                    definition="".join(definitions.get(language, ())[:1]),
                )
            )
        return tuple(found)

    def link(self, iri: str, kind: str = "") -> Link:
        """Return a thing by name; what it is follows from its IRI unless given."""
        found = self._links.get((iri, kind))
        if found is None:
            found = self._links[iri, kind] = Link(iri, self.label(iri), kind or self._kind(iri))
        return found

    def _kind(self, iri: str) -> str:
        rest = iri.removeprefix(self.base)
        return _THINGS.get(rest.partition("/")[0], "term") if rest != iri else "term"

    def concept(self, iri: str) -> ConceptView:
        """Return a term of a scheme."""
        found = self._concepts.get(iri)
        if found is None:
            found = self._concepts[iri] = self._concept(iri)
        return found

    def _concept(self, iri: str) -> ConceptView:
        node = self.described.get(iri, {})
        rank = one(node, KGB + "rank")
        return ConceptView(
            iri=iri,
            slug=one(node, SKOS + "notation") or iri,
            label=self.text(node, SKOS + "prefLabel") or compress(iri, self.prefixes),
            definition=self.text(node, SKOS + "definition"),
            rank=int(rank) if rank else None,
        )

    def match(self, iri: str, space: str, *, inherit: bool = False) -> str:
        """Return the term of another vocabulary that a term of the ontology is mapped to, or the empty string.

        The strongest of exact, close and broad match counts, for with a narrower one more would be said; of several the
        first. With `inherit` a class without one takes that of the nearest class above it.
        """
        level = [iri]
        seen: set[str] = set()
        while level:
            for strength in _WIDENING:
                found = sorted(
                    value
                    for name in level
                    for term in self.described.get(name, {}).get(SKOS + strength, ())
                    if (value := lexical(term)).startswith(space)
                )
                if found:
                    return found[0]
            seen.update(level)
            above = (self.described.get(name, {}).get(RDFS + "subClassOf", ()) for name in level)
            level = sorted({lexical(term) for terms in above for term in terms} - seen) if inherit else []
        return ""

    def _entities(self) -> Iterable[EntityView]:
        as_subject, as_object, mentioned = defaultdict(list), defaultdict(list), defaultdict(list)
        for claim in self.claims:
            as_subject[claim.subject.iri].append(claim)
            as_object[claim.object.iri].append(claim)
            others = [qualifier.value for qualifier in claim.qualifiers if isinstance(qualifier.value, Link)]
            others += [claim.attributed_to, *([claim.compared_dimension] if claim.compared_dimension else [])]
            for other in {link.iri for link in others} - {claim.subject.iri, claim.object.iri}:
                mentioned[other].append(claim)
        mappings = defaultdict(list)
        for node in self.nodes("?s a sssom:Mapping .").values():
            mappings[one(node, SSSOM + "subject_id")].append(self._mapping(node))
        entities = {
            iri: node
            for iri, node in self.described.items()
            if KGB + "Entity" in (str(getattr(term, "value", "")) for term in node.get(TYPE, ()))
        }
        narrower = defaultdict(list)
        for iri, node in entities.items():
            for term in node.get(SKOS + "broader", ()):
                narrower[lexical(term)].append(self.link(iri, "entity"))
        for iri, node in entities.items():
            names = self.names(node)
            yield EntityView(
                iri=iri,
                slug=iri.removeprefix(self.base + "id/"),
                label=self.label(iri),
                category=self._category(node),
                definition=self.text(node, SKOS + "definition"),
                labels={item.language: item.label for item in names if item.label},
                aliases=tuple(dict.fromkeys(alias for item in names for alias in item.aliases)),
                names=names,
                broader=tuple(self.link(lexical(term), "entity") for term in node.get(SKOS + "broader", ())),
                narrower=tuple(sorted(narrower[iri], key=lambda link: link.label)),
                mappings=tuple(sorted(mappings[iri], key=lambda item: (MATCHES.index(item.match), item.curie))),
                as_subject=tuple(as_subject[iri]),
                as_object=tuple(as_object[iri]),
                mentioned=tuple(mentioned[iri]),
            )

    def _category(self, node: Node) -> Link:
        types = {lexical(term) for term in node.get(TYPE, ())} - {KGB + "Entity", SKOS + "Concept"}
        above = {lexical(term) for name in types for term in self.described.get(name, {}).get(RDFS + "subClassOf", ())}
        narrowest = sorted(types - above) or sorted(types) or [KGB + "Entity"]
        return self.link(narrowest[0], "category")

    def _mapping(self, node: Node) -> MappingView:
        target = one(node, SSSOM + "object_id")
        return MappingView(
            match=one(node, SSSOM + "predicate_id").removeprefix(SKOS),
            iri=target,
            curie=one(node, SSSOM + "object_curie") or compress(target, self.prefixes),
            label=one(node, SSSOM + "object_label"),
            justification=one(node, SSSOM + "mapping_justification").rsplit("/", 1)[-1],
            source=one(node, SSSOM + "object_source"),
            source_version=one(node, SSSOM + "object_source_version"),
            confidence=one(node, SSSOM + "confidence"),
            comment=one(node, SSSOM + "comment"),
        )

    def _articles(self) -> Iterable[ArticleView]:
        standing, stated = defaultdict(list), defaultdict(list)
        for sentence in self.sentences.values():
            standing[sentence.section.iri].append(sentence)
        for claim in self.claims:
            stated[claim.article.iri].append(claim)
        for iri, node in self.nodes("?s a kgb:Article .").items():
            sections = []
            for term in node.get(DCTERMS + "hasPart", ()):
                part = self.described.get(lexical(term), {})
                sections.append(
                    SectionView(
                        iri=lexical(term),
                        id=lexical(term).rpartition("#")[2],
                        title=self.text(part, RDFS + "label"),
                        number=int(one(part, KGB + "number") or 0),
                        sentences=tuple(sorted(standing[lexical(term)], key=lambda sentence: sentence.number)),
                    )
                )
            yield ArticleView(
                iri=iri,
                id=iri.removeprefix(self.base + "article/"),
                title=self.text(node, DCTERMS + "title"),
                publisher=self.link(one(node, DCTERMS + "publisher")),
                language=one(node, DCTERMS + "language"),
                recorded=one(node, DCTERMS + "created"),
                rights=one(node, KGB + "rights"),
                sections=tuple(sorted(sections, key=lambda section: section.number)),
                characters=one(node, KGB + "characterCount"),
                sha256=one(node, KGB + "sha256"),
                source=one(node, DCTERMS + "source"),
                issued=one(node, DCTERMS + "issued"),
                authors=tuple(self.link(lexical(term)) for term in node.get(DCTERMS + "creator", ())),
                claims=tuple(stated[iri]),
            )


class _ClaimReader:
    """Reads all claims: facets, qualifiers, quantities, provenance and publication info in one query each."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.nodes = views.nodes("?s a kgb:Claim .")
        self.qualifiers = views.nodes("?s a kgb:Qualifier .")
        self.quantities = views.nodes("?s a schema:QuantitativeValue .")
        self.assertions = views.nodes("?publication np:hasAssertion ?s .")
        self.publications = {
            one(node, "http://purl.org/nanopub/x/introduces"): (iri, node)
            for iri, node in views.nodes("?s npx:introduces ?any .").items()
        }
        self.extractors = {
            iri: one(node, PROV + "wasAssociatedWith") for iri, node in views.nodes("?s a prov:Activity .").items()
        }
        asserted = views.store.query("SELECT ?s ?p ?o WHERE { GRAPH graph:asserted { ?s ?p ?o } }", views.prefixes)
        assert isinstance(asserted, Solutions)
        self.asserted = {tuple(lexical(term) for term in row if term is not None) for row in asserted.rows}

    def read(self) -> Iterable[ClaimView]:
        for iri, node in self.nodes.items():
            yield self.claim(iri, node)

    def links(self, node: Node, name: str) -> tuple[Link, ...]:
        return tuple(self.link(lexical(term)) for term in node.get(KGB + name, ()))

    def link(self, iri: str) -> Link:
        if iri in self.nodes:
            return Link(iri, self.views.text(self.nodes[iri], RDFS + "label"), "claim")
        return self.views.link(iri)

    def claim(self, iri: str, node: Node) -> ClaimView:
        views = self.views
        publication, info = self.publications.get(iri, ("", {}))
        known = self.assertions.get(one(info, NP + "hasAssertion"), {})
        sentences = [
            views.sentences[lexical(term)]
            for term in known.get(PROV + "wasDerivedFrom", ())
            if lexical(term) in views.sentences
        ]
        extractor = self.extractors.get(one(known, PROV + "wasGeneratedBy"))
        frequency = one(node, KGB + "frequency")
        dimension = one(node, KGB + "comparedDimension")
        kinds = [lexical(term) for term in node.get(TYPE, ()) if lexical(term) != KGB + "Claim"]
        key = iri.removeprefix(views.base + "claim/")
        triple = tuple(one(node, RDF + name) for name in ("subject", "predicate", "object"))
        return ClaimView(
            iri=iri,
            key=key,
            statement=views.text(node, RDFS + "label"),
            kind=kebab(kinds[0].rpartition("#")[2].removesuffix("Claim")) if kinds else "factual",
            subject=self.link(one(node, RDF + "subject")),
            predicate=views.link(one(node, RDF + "predicate"), "predicate"),
            object=self.link(one(node, RDF + "object")),
            certainty=views.concept(one(node, KGB + "certainty")),
            modality=views.concept(one(node, KGB + "modality")),
            polarity=views.concept(one(node, KGB + "polarity")),
            basis=views.concept(one(known, KGB + "evidenceBasis")),
            article=views.link(f"{views.base}article/{key.rpartition('/')[0]}", "article"),
            sentences=tuple(sorted(sentences, key=lambda sentence: sentence.number)),
            attributed_to=views.link(one(known, PROV + "wasAttributedTo")),
            nanopublication=publication,
            created=one(info, DCTERMS + "created")[:10],
            license=one(info, DCTERMS + "license"),
            extractor=views.link(extractor) if extractor else None,
            frequency=views.concept(frequency) if frequency else None,
            cues=tuple(lexical(term) for term in node.get(KGB + "cue", ())),
            subject_quantity=self.quantity(one(node, KGB + "subjectQuantity")),
            object_quantity=self.quantity(one(node, KGB + "objectQuantity")),
            qualifiers=tuple(self.qualifier(lexical(term)) for term in node.get(KGB + "qualifier", ())),
            rationale=self.links(node, "hasRationale"),
            contrasts_with=self.links(node, "contrastsWithClaim"),
            derived_from=self.links(node, "derivedFromClaim"),
            compared_dimension=views.link(dimension) if dimension else None,
            stated_evidence=one(node, KGB + "statedEvidenceStrength"),
            presupposed=one(node, KGB + "presupposed") == "true",
            implied=one(node, KGB + "implied") == "true",
            confidence=one(known, KGB + "extractionConfidence"),
            note=views.text(node, SKOS + "note"),
            quote=views.text(known, KGB + "quote"),
            alignments=views.evidence.alignments.get(iri, ()),
            plain=triple in self.asserted,
        )

    def qualifier(self, iri: str) -> QualifierView:
        node = self.qualifiers.get(iri, {})
        entity = one(node, KGB + "qualifierEntity")
        value = self.link(entity) if entity else self.views.text(node, RDF + "value")
        return QualifierView(self.views.concept(one(node, KGB + "qualifierType")), value)

    def quantity(self, iri: str) -> str:
        node = self.quantities.get(iri, {})
        words = [f"{word}{one(node, predicate)}" for predicate, word in _BOUNDS.items() if predicate in node]
        unit = one(node, SCHEMA + "unitCode")
        shown = "" if unit == "1" else unit.strip("{}")
        return f"{' and '.join(words)} {shown}".strip()


def by_language(node: Node, predicate: str) -> dict[str, list[str]]:
    """Return the texts of a property by language tag in lower case; a text without a language has the empty tag."""
    texts: dict[str, list[str]] = defaultdict(list)
    for term in node.get(predicate, ()):
        if isinstance(term, ox.Literal):
            texts[(term.language or "").lower()].append(term.value)
    return texts
