"""Which pages the site has, at which path, and what each is given to show.

Pure: no clock, no network; reads only the templates and assets of the package.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from importlib.resources import files
from typing import Any, TypeVar

from markupsafe import Markup

from kgbuild import schemaorg
from kgbuild.diagnostics import Diagnostic, Severity
from kgbuild.evidence import RecordView, StatementView
from kgbuild.excerpts import PORTION, Portion
from kgbuild.nodes import Link
from kgbuild.pool import share
from kgbuild.project import Project
from kgbuild.queries import Query
from kgbuild.site import scripts
from kgbuild.site.browse import FacetGroup, facet_groups
from kgbuild.site.documents import Document
from kgbuild.site.facts import outcome, withheld
from kgbuild.site.indexing import INDEXED, index_files
from kgbuild.site.machines import PICTURE, feed, guide, poster
from kgbuild.site.networks import Group, between, spokes, whole
from kgbuild.site.pictures import SPOKES, ego, ring
from kgbuild.site.profiles import by_certainty, by_outcome, measures
from kgbuild.site.render import Here, Site, anchor, document, environment, is_number, place
from kgbuild.site.totals import Totals, totals_of
from kgbuild.site.vocabulary import KINDS, Branch, Ontology, Term, hierarchy, ontologies, schemes, terms
from kgbuild.store import Answer, Graph, Solutions, lexical
from kgbuild.store import Term as Node
from kgbuild.terms import KGB
from kgbuild.validate import Shapes
from kgbuild.views import ArticleView, ClaimView, EntityView, SentenceView, Views

ROWS = 500
"""Rows of an answer shown on its page; the files beside it hold all of them."""

TOLD = frozenset(
    ("claim", "certainty", "modality", "polarity", "frequency", "said", "basis", "sentence", "section", "source")
)
"""Columns of an answer that repeat what the card of a claim says."""

THINGS = 2000
"""Entities on one page of their list."""

STATEMENTS = 3
"""Statements of one dataset shown on the page of an entity; the page of the dataset lists all of them."""

_MEDIA = {
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "trig": "application/trig",
    "nt": "application/n-triples",
    "nq": "application/n-quads",
    "rdf": "application/rdf+xml",
    "csv": "text/csv",
    "json": "application/sparql-results+json",
}

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Download:
    """A file to download; its path is relative to the root of the site, its size in bytes."""

    path: str
    label: str
    media_type: str
    size: int
    description: str = ""


RESOURCE_FORMATS = (("ttl", "Turtle"), ("jsonld", "JSON-LD"))
"""The files beside the page of a thing: extension and label."""


@dataclass(frozen=True, slots=True)
class QueryPage:
    """A query with its answer; parameters are triples of name, default and what it means.

    `body` is the query with its parameters left open, and `kinds` are theirs; `replayed` is what is asked where a
    recorded answer stands for another endpoint.
    """

    name: str
    title: str
    question: str
    sparql: str
    parameters: tuple[tuple[str, str, str], ...]
    answer: Answer
    body: str = ""
    kinds: tuple[str, ...] = ()
    recorded: str = ""
    replayed: str = ""

    @classmethod
    def of(cls, query: Query, answer: Answer, prefixes: dict[str, str]) -> QueryPage:
        """Return the page of a query of the project."""
        return cls(
            name=query.name,
            title=query.title,
            question=query.question,
            sparql=query.sparql(prefixes),
            parameters=tuple((item.name, item.default, item.doc) for item in query.parameters),
            answer=answer,
            body=query.body,
            kinds=tuple(item.kind for item in query.parameters),
            recorded=query.recorded,
            replayed=query.replayed(prefixes) if query.recording else "",
        )


@dataclass(frozen=True, slots=True)
class SiteInput:
    """Everything the site shows; `formats` are pairs of extension and label of the files beside a page.

    With `scripts` pages have a search and fonts of their own, whose files the build writes; with `workbench` there is
    one. One that is `indexed` has, if it is large, a search index made at build time. A site that is `sparse` has no
    page for each thing: `views` are those of an excerpt, and `totals` count the whole. One that is `served` makes such
    pages when they are asked for.
    """

    project: Project
    views: Views
    queries: tuple[QueryPage, ...]
    downloads: tuple[Download, ...]
    shapes: Shapes
    findings: tuple[Diagnostic, ...]
    engine: str
    triples: int
    formats: tuple[tuple[str, str], ...]
    scripts: bool = False
    workbench: bool = False
    indexed: bool = False
    sparse: bool = False
    served: bool = False
    totals: Totals | None = None
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site: a path relative to its root, and its bytes."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Alternate:
    """A file that says the same as a page, in another format."""

    path: str
    label: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Rule:
    """The shapes of one code, and how many findings bear it."""

    code: str
    label: str
    comment: str
    severity: str
    parts: tuple[str, ...]
    findings: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of an answer."""

    html: Markup
    number: bool


_WORTH = 100
"""Pages for which another process is worth starting."""


def plan_site(site: SiteInput, jobs: int = 1) -> list[Page]:
    """Return every page and asset of the site, by path; many pages are rendered in `jobs` processes."""
    planned = list(_Planner(site).pages())
    made = share(_made, planned, min(jobs, len(planned) // _WORTH))
    return sorted([*_assets(), *made], key=lambda page: page.path)


def plan_thing(site: SiteInput, iri: str, portion: Portion, statements: Mapping[str, int]) -> Page | None:
    """Return the page of one thing, whose views are those of an excerpt about it, or None where it is not there.

    `portion` says which part of its claims the views hold, `statements` how many each dataset has about it.
    """
    planner = _Planner(site)
    draft = planner.thing(iri, portion, statements)
    return draft.render() if draft else None


def plan_list(site: SiteInput, portion: Portion) -> Page:
    """Return one page of the list of entities, whose views are those of an excerpt."""
    return _Planner(site).listed(portion).render()


def entity_path(slug: str) -> str:
    """Return the path of an entity's page.

    >>> entity_path("magnesium")
    'id/magnesium.html'
    """
    return f"id/{anchor(slug)}.html"


def claim_path(key: str) -> str:
    """Return the path of a claim's page.

    >>> claim_path("magnesium-rls/c018")
    'claim/magnesium-rls/c018.html'
    """
    return f"claim/{'/'.join(anchor(part) for part in key.split('/'))}.html"


def article_path(slug: str) -> str:
    """Return the path of an article's page.

    >>> article_path("magnesium-rls")
    'article/magnesium-rls.html'
    """
    return f"article/{anchor(slug)}.html"


def dataset_path(slug: str) -> str:
    """Return the path of a dataset's page.

    >>> dataset_path("usda-sr28")
    'dataset/usda-sr28.html'
    """
    return f"dataset/{anchor(slug)}.html"


def query_path(name: str) -> str:
    """Return the path of a query's page.

    >>> query_path("food-sources")
    'query/food-sources.html'
    """
    return f"query/{anchor(name)}.html"


def answer_formats(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return extension and label of the files that hold an answer beside its page.

    >>> answer_formats(True)
    (('json', 'JSON'),)
    """
    if isinstance(answer, Solutions):
        return (("csv", "CSV"), ("json", "JSON"))
    return (("nt", "N-Triples"),) if isinstance(answer, Graph) else (("json", "JSON"),)


def _assets() -> list[Page]:
    return [Page(path, _asset(path)) for path in ("favicon.svg", "graph.css", "style.css")]


def _styles(folder: str) -> Page:
    return Page(f"{folder}/{folder}.css", _asset(f"{folder}.css"))


@cache
def _asset(name: str) -> bytes:
    return files("kgbuild").joinpath("assets", name).read_bytes()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A page that is planned: what its template is given."""

    path: str
    template: str
    known: dict[str, Any]

    def render(self) -> Page:
        """Render the page."""
        return Page(self.path, document(environment().get_template(self.template).render(self.known)))


SERVED = frozenset(("id", "claim", "article", "dataset"))
"""Where the things are that a server makes pages of."""

Planned = Page | _Draft | Callable[[], "_Draft"]
"""A page, one to be rendered, or one to be planned and rendered: the many are planned where they are rendered."""


def _made(planned: Planned) -> Page:
    """Make a page of whatever is planned."""
    if isinstance(planned, Page):
        return planned
    return (planned if isinstance(planned, _Draft) else planned()).render()


class _Planner:
    """Plans the pages of one site; everything that several pages need is gathered once."""

    def __init__(self, site: SiteInput) -> None:
        self.input, self.views, self.project = site, site.views, site.project
        self.totals = site.totals or totals_of(site.views)
        self.terms = terms(site.views, site.project)
        self.schemes = schemes(self.terms)
        claims = site.views.claims
        self.claims = {claim.iri: claim for claim in claims}
        self.by_statement = {claim.statement: claim for claim in reversed(claims) if claim.statement}
        self.by_sentence = _grouped((sentence.iri, claim) for claim in claims for sentence in claim.sentences)
        self.by_triple = _grouped(((_triple(claim)), claim) for claim in claims)
        self.stated = _grouped((claim.attributed_to.iri, claim) for claim in claims)
        self.recorded = _grouped((claim.extractor.iri, claim) for claim in claims if claim.extractor)
        self.about = {entity.iri: _about(entity) for entity in site.views.entities}
        self.evidence = site.views.evidence
        self.rules = _rules(site)
        self.errors = sum(finding.severity >= Severity.ERROR for finding in site.findings)
        self.followers = _followers(claims)
        self.terms_by_iri = {term.iri: term for term in self.terms}
        self.site = Site(dict(self._targets()), self.claims, site.views.prefixes, site.project.base, sparse=site.sparse)
        self.restricting = frozenset(term.iri for term in self.terms if term.restricts)
        self.shared = {
            "site": site,
            "project": site.project,
            "articles": site.views.articles,
            "datasets": site.views.datasets,
            "publishers": () if site.sparse and not site.served else _publishers(claims),
            "totals": self.totals,
            "parted": site.indexed and not site.sparse and self.totals.entities + self.totals.claims > INDEXED,
            "picture_words": f"{site.project.title}: what articles claim, with certainty and source",
            "article_path": article_path,
            "query_path": query_path,
        }

    def _targets(self) -> Iterator[tuple[str, str]]:
        """Yield where each IRI has its page; terms come first, so that a page of its own wins."""
        for term in self.terms:
            yield term.iri, f"ns.html#{term.id}"
        for ontology in ontologies(self.views):
            yield ontology.iri, "ns.html"
        if self.input.sparse:
            yield from ((dataset.iri, dataset_path(dataset.id)) for dataset in self.views.datasets)
        if self.input.served:
            yield from self._served()
        if not self.input.sparse:
            yield from self._static()

    def _served(self) -> Iterator[tuple[str, str]]:
        """Yield where a server has the page of each thing that is named."""
        base = self.project.base
        for iri in (*self.views.described, *self.claims, *self.evidence.statements, *self.evidence.records):
            kind, _, rest = iri.removeprefix(base).partition("/")
            if iri.startswith(base) and kind in SERVED and rest:
                thing, mark, fragment = rest.partition("#")
                yield iri, f"{kind}/{thing}.html{mark}{fragment}"
        for article in self.views.articles:
            yield f"{article.iri}#extraction", f"{article_path(article.id)}#_extraction"
        for sentence in self.views.sentences.values():
            stem = sentence.iri.removeprefix(base).partition("#")[0]
            yield sentence.iri, _place(stem, sentence)
            section = sentence.section.iri.rpartition("#")[2]
            yield sentence.section.iri, f"{_place(stem, sentence).partition('#')[0]}#{anchor(section)}"
        for claim in self.views.claims:
            for alignment in claim.alignments:
                yield alignment.iri, f"{claim_path(claim.key)}#{place(alignment)}"
            if claim.nanopublication.startswith(f"{base}np/"):
                yield claim.nanopublication, f"{claim.nanopublication.removeprefix(base)}.trig"

    def _static(self) -> Iterator[tuple[str, str]]:
        for article in self.views.articles:
            path = article_path(article.id)
            stem = path.removesuffix(".html")
            yield article.iri, path
            yield f"{article.iri}#extraction", f"{path}#_extraction"
            for section in article.sections:
                first = _place(stem, section.sentences[0]).partition("#")[0] if section.sentences else path
                yield section.iri, f"{first}#{anchor(section.id)}"
                for sentence in section.sentences:
                    yield sentence.iri, _place(stem, sentence)
        for dataset in self.views.datasets:
            path = dataset_path(dataset.id)
            yield dataset.iri, path
            yield from ((record.iri, f"{path}#{anchor(record.id)}") for record in dataset.records)
            yield from ((statement.iri, f"{path}#{anchor(statement.id)}") for statement in dataset.statements)
        if self.views.datasets:
            yield from ((judged.iri, f"dataset/index.html#{place(judged)}") for judged in self.evidence.judgements)
            yield from ((rule.iri, f"dataset/index.html#{place(rule)}") for rule in self.evidence.criteria.values())
        for entity in self.views.entities:
            yield entity.iri, entity_path(entity.slug)
        for claim in self.views.claims:
            yield claim.iri, claim_path(claim.key)
            for alignment in claim.alignments:
                yield alignment.iri, f"{claim_path(claim.key)}#{place(alignment)}"
            digest = claim.nanopublication.removeprefix(self.project.base + "np/")
            if digest != claim.nanopublication:
                yield claim.nanopublication, f"np/{anchor(digest)}.trig"

    def pages(self) -> Iterator[Planned]:
        """Yield every HTML page, and what is written for machines beside them."""
        yield self._home()
        if self.input.sparse:
            yield from self._lists()
        else:
            yield from self._things()
        yield from self._datasets()
        yield from self._queries()
        yield self._vocabulary()
        yield self._report()
        yield self._page("downloads.html", "downloads.html", queries=self.input.queries, data=self._dataset())
        yield self._page("about.html", "about.html", schemes=self.schemes)
        yield from self._documents()
        yield self._page("404.html", "404.html")
        yield Page("llms.txt", guide(self.input))
        yield Page("feed.xml", feed(self.input, claim_path))
        yield Page(PICTURE, poster(self.input, self.totals.tally(self.views)))
        if self.input.scripts:
            yield from self._search()
        if self.input.workbench:
            yield from self._workbench()

    def _documents(self) -> Iterator[Page | _Draft]:
        """Yield the publisher's own pages, and the pictures on them."""
        yield from (self._page(item.path, "document.html", document=item) for item in self.input.documents)
        pictures = {path: data for item in self.input.documents for path, data in item.pictures.items()}
        yield from (Page(path, data) for path, data in pictures.items())

    def _lists(self) -> Iterator[_Draft]:
        """Yield the pages that stand for the pages of things, and say where these are."""
        for path, what, count in (
            ("id/index.html", "Entities", self.totals.entities),
            ("claim/index.html", "Claims", self.totals.claims),
            ("article/index.html", "Articles", self.totals.articles),
        ):
            yield self._page(path, "elsewhere.html", what=what, count=count)

    def _things(self) -> Iterator[Planned]:
        """Yield the pages of all things, and those that list or compare them."""
        yield from self._entities()
        yield from self._claims()
        yield from self._articles()
        yield from self._browsing()
        yield self._evidence()
        yield self._contradictions()
        yield self._graph()

    def thing(self, iri: str, portion: Portion, statements: Mapping[str, int]) -> _Draft | None:
        """Plan the page of one thing."""
        entity = next((item for item in self.views.entities if item.iri == iri), None)
        if entity is not None:
            return self._entity(entity, portion, statements)
        if iri in self.claims:
            return self._claim(self.claims[iri])
        article = next((item for item in self.views.articles if item.iri == iri), None)
        if article is not None:
            return self._article(article, portion)
        if iri in self.evidence.statements:
            return self._statement(self.evidence.statements[iri])
        return self._record(self.evidence.records[iri]) if iri in self.evidence.records else None

    def listed(self, portion: Portion) -> _Draft:
        """Plan a page of the list of entities, all of which the views hold."""
        flat = sorted(self.views.entities, key=lambda item: item.iri)
        runs = _runs((entity.category, entity) for entity in sorted(flat, key=lambda item: item.category.label))
        return self._page(
            portion.path("id/index"),
            "entities.html",
            portion=portion,
            categories=runs,
            kinds_of=0,
            about={},
        )

    def _statement(self, statement: StatementView) -> _Draft:
        path = f"{statement.iri.removeprefix(self.project.base)}.html"
        judged = [
            (alignment, claim)
            for claim in self.views.claims
            for alignment in claim.alignments
            if alignment.statement and alignment.statement.iri == statement.iri
        ]
        alternates = self._alternates(path, self.input.formats)
        return self._page(path, "statement.html", statement=statement, judged=judged, alternates=alternates)

    def _record(self, record: RecordView) -> _Draft:
        path = f"{record.iri.removeprefix(self.project.base)}.html"
        alternates = self._alternates(path, self.input.formats)
        dataset = self.views.link(record.iri.rpartition("/")[0], "dataset")
        return self._page(path, "record.html", record=record, dataset=dataset, alternates=alternates)

    def _search(self) -> Iterator[Page | _Draft]:
        """Yield the page of all results, and the entries that are searched."""
        yield self._page("search/index.html", "search.html", claims_found=self._finds_claims)
        yield _styles("search")
        entries = sorted(self._entries(), key=lambda entry: (entry[1].casefold(), entry[0]))
        yield Page("search/entries.js", scripts.data_script("kgbuildEntries", entries))
        if self.shared["parted"]:
            yield from (Page(f"search/pagefind/{path}", data) for path, data in index_files(entries).items())

    @property
    def _finds_claims(self) -> bool:
        return not self.input.sparse and scripts.searches_claims(self.totals.entities, self.totals.claims)

    def _entries(self) -> Iterator[scripts.Entry]:
        curie = self.site.curie
        for entity in () if self.input.sparse else self.views.entities:
            yield scripts.entity_entry(entity, entity_path(entity.slug), curie(entity.iri))
        for claim in self.views.claims if self._finds_claims else ():
            yield scripts.claim_entry(claim, claim_path(claim.key), curie(claim.iri))
        for term in self.terms:
            yield scripts.term_entry(term, curie(term.iri))
        for article in () if self.input.sparse else self.views.articles:
            yield article_path(article.id), article.title or article.id, "Article", [], curie(article.iri), None
        for dataset in self.views.datasets:
            yield dataset_path(dataset.id), dataset.title or dataset.id, "Dataset", [], curie(dataset.iri), None
        for query in self.input.queries:
            yield query_path(query.name), query.title, "Question", [query.question], "", None
        for item in self.input.documents:
            yield item.path, item.title, "Document", [], "", None

    def _workbench(self) -> Iterator[Page | _Draft]:
        """Yield the page where people ask their own questions, and what it knows of the graph."""
        yield self._page("workbench/index.html", "workbench.html")
        yield _styles("workbench")
        told = {entry[4] for entry in self._entries()}
        named = ((self.site.curie(iri), path) for iri, path in self.site.targets.items())
        pages = {name: path for name, path in named if name not in told}
        queries = [_example(query) for query in self.input.queries]
        known = scripts.graph_script(self.project.prefixes, self.project.base, pages, queries)
        yield Page("workbench/graph.js", known)

    def _page(self, path: str, template: str, **context: Any) -> _Draft:
        data = context.get("data")
        types = data["@type"] if data else []
        known: dict[str, Any] = {
            "here": Here(self.site, path),
            "alternates": (),
            "data": None,
            "cited": data["@id"] if data else "",
            "kinds": [f"https://schema.org/{kind}" for kind in ([types] if isinstance(types, str) else types)],
            "picture": PICTURE,
            **self.shared,
            **context,
        }
        return _Draft(path, template, known)

    def _home(self) -> _Draft:
        totals, counts = self.totals, self.totals.tally(self.views)
        busiest = [(item, totals.busiest[item.iri]) for item in self.views.entities if item.iri in totals.busiest]
        if not self.input.sparse:
            busiest = [(item, len(self.about[item.iri])) for item in self.views.entities if self.about[item.iri]]
        busiest.sort(key=lambda item: (-item[1], item[0].slug))
        examples = [(concept, count, self.claims.get(totals.examples[concept.iri])) for concept, count in counts]
        return self._page(
            "index.html",
            "index.html",
            counts=counts,
            examples=[example for example in examples if example[2]],
            busiest=busiest[:8],
            drawn="" if self.input.sparse else self._categories_drawn(),
            data=self._dataset(),
        )

    def _categories_drawn(self) -> Markup | str:
        nodes, chords = between(self.views.entities, self.views.claims, Here(self.site, "index.html"))
        return ring([""], nodes, chords, "Which kinds of things the claims join") if chords else ""

    def _dataset(self) -> schemaorg.Node:
        articles = self.views.articles
        files = [(item.path, item.label, item.media_type, item.size) for item in self.input.downloads]
        modified = max((article.recorded for article in articles), default="")
        return schemaorg.dataset(self.project, articles, files, modified)

    def _entities(self) -> Iterator[Planned]:
        by_category = _grouped((entity.category.iri, entity) for entity in self.views.entities)
        categories = sorted(
            (
                (group[0].category, sorted(group, key=lambda item: item.label.casefold()))
                for group in by_category.values()
            ),
            key=lambda item: (item[0].label.casefold(), item[0].iri),
        )
        flat = [(category, entity) for category, group in categories for entity in group]
        for portion in Portion.all(len(flat), THINGS):
            yield self._page(
                portion.path("id/index"),
                "entities.html",
                portion=portion,
                categories=_runs(portion.of(flat)),
                kinds_of=len(categories),
                about=self.about,
            )
        for entity in self.views.entities:
            for portion in Portion.all(len(self.about[entity.iri])):
                yield partial(self._entity, entity, portion)

    def _entity(self, entity: EntityView, portion: Portion, statements: Mapping[str, int] | None = None) -> _Draft:
        claims = self.about[entity.iri]
        if len(claims) > PORTION:
            claims = list(portion.of(claims))
            entity = _restricted(entity, {claim.iri for claim in claims})
        stem = f"id/{anchor(entity.slug)}"
        path = portion.path(stem)
        groups = _by_size([*_groups(entity.as_subject, "does"), *self._inverse_groups(entity)])
        around = spokes(entity, groups, Here(self.site, path), self.about)
        drawn = ego(entity.label, around, f"What claims connect with {entity.label}") if around else ""
        return self._page(
            path,
            "entity.html",
            entity=entity,
            groups=groups,
            drawn=drawn,
            around=len(around),
            edges=" ".join(spoke.edge for spoke in around[:SPOKES]),
            spokes=SPOKES,
            mentioned=[claim for claim in entity.mentioned if _names(claim, entity.iri)],
            claims=claims,
            speakers=_publishers(claims),
            portion=portion,
            stated=() if self.input.sparse else _by_article(self.stated.get(entity.iri, ())),
            recorded=() if self.input.sparse else _by_article(self.recorded.get(entity.iri, ())),
            states=_by_dataset(self.evidence.about(entity.iri), statements or {}),
            alternates=self._alternates(f"{stem}.html", self.input.formats),
            data=schemaorg.entity(entity, self.views, self.project),
        )

    def _inverse_groups(self, entity: EntityView) -> Iterator[Group]:
        """Group the claims that point at an entity, under the label of the inverse predicate where there is one."""
        pointing = [claim for claim in entity.as_object if claim.subject.iri != entity.iri]
        for group in _groups(pointing, "is"):
            term = self.terms_by_iri.get(group.claims[0].predicate.iri)
            if term and term.inverse:
                yield replace(group, label=self.views.label(term.inverse))
            else:
                yield group if term and term.symmetric else replace(group, label=f"is what something {group.label}")

    def _claims(self) -> Iterator[Planned]:
        placed = [
            ((article, section), claim)
            for article in self.views.articles
            for section, found in self._by_section(article)
            for claim in found
        ]
        known = {claim.iri for _, claim in placed}
        flat = [*placed, *((None, claim) for claim in self.views.claims if claim.iri not in known)]
        for portion in Portion.all(len(flat)):
            shown = _runs(portion.of(flat))
            parts = [(where[0], (where[1], found)) for where, found in shown if where is not None]
            yield self._page(
                portion.path("claim/index"),
                "claims.html",
                portion=portion,
                sections=_runs(parts),
                rest=[claim for where, found in shown if where is None for claim in found],
                facet_groups=self.facets,
            )
        yield from (partial(self._claim, claim) for claim in self.views.claims)

    def _claim(self, claim: ClaimView) -> _Draft:
        path = claim_path(claim.key)
        same = [other for other in self.by_triple[_triple(claim)] if other.iri != claim.iri]
        formats = tuple(dict((*self.input.formats, ("trig", "TriG"))).items())
        return self._page(
            path,
            "claim.html",
            claim=claim,
            same=same,
            reasons=withheld(claim, self.restricting),
            used_by=self._used_by(claim),
            rules=len(self.rules),
            errors=self.errors,
            alternates=self._alternates(path, formats),
            data=schemaorg.claim(claim, self.views, self.project),
        )

    def _by_section(self, article: ArticleView) -> list[tuple[Link, list[ClaimView]]]:
        """Return the claims of an article by the section of their first sentence, in the order of the text."""
        found: dict[str, list[ClaimView]] = defaultdict(list)
        for claim in article.claims:
            if claim.sentences:
                found[claim.sentences[0].section.iri].append(claim)
        return [
            (Link(section.iri, section.title, "section"), sorted(found[section.iri], key=_position))
            for section in article.sections
            if section.iri in found
        ]

    def _used_by(self, claim: ClaimView) -> list[tuple[str, list[Link]]]:
        return sorted(self.followers.get(claim.iri, {}).items())

    def _articles(self) -> Iterator[_Draft]:
        yield self._page("article/index.html", "articles.html")
        for article in self.views.articles:
            for portion in Portion.all(_sentences(article)):
                yield self._article(article, portion)

    def _article(self, article: ArticleView, portion: Portion) -> _Draft:
        stem = article_path(article.id).removesuffix(".html")
        if portion.pages > 1:
            article = self._part(article, portion)
        return self._page(
            portion.path(stem),
            "article.html",
            article=article,
            portion=portion,
            stem=stem,
            standing=self.by_sentence,
            profile=by_certainty((section, claim) for section, found in self._by_section(article) for claim in found),
            alternates=self._alternates(f"{stem}.html", self.input.formats),
            data=schemaorg.article(article, self.views, self.project),
        )

    def _part(self, article: ArticleView, portion: Portion) -> ArticleView:
        """Return an article with one portion of its sentences, and the claims that stand on them."""
        shown = range(portion.first, portion.last + 1)
        sections = [
            replace(section, sentences=tuple(item for item in section.sentences if item.number in shown))
            for section in article.sections
        ]
        return replace(
            article,
            sections=tuple(section for section in sections if section.sentences),
            claims=tuple(claim for claim in article.claims if any(item.number in shown for item in claim.sentences)),
        )

    def _datasets(self) -> Iterator[_Draft]:
        if not self.views.datasets:
            return
        criteria, judgements = self.evidence.criteria.values(), self.evidence.judgements
        yield self._page("dataset/index.html", "datasets.html", criteria=criteria, judgements=judgements)
        judged = _grouped(
            (alignment.statement.iri, alignment)
            for claim in self.views.claims
            for alignment in claim.alignments
            if alignment.statement is not None
        )
        for dataset in self.views.datasets:
            path = dataset_path(dataset.id)
            alternates = self._alternates(path, self.input.formats)
            yield self._page(
                path, "dataset.html", dataset=dataset, judged=judged, claims=self.claims, alternates=alternates
            )

    def _queries(self) -> Iterator[Planned]:
        yield self._page("query/index.html", "queries.html", queries=self.input.queries)
        yield from (partial(self._query, query) for query in self.input.queries)

    def _query(self, query: QueryPage) -> _Draft:
        path = query_path(query.name)
        here = Here(self.site, path)
        answer = query.answer
        named: set[str] = set()
        heads = answer.variables if isinstance(answer, Solutions) else ("subject", "predicate", "object")
        told = self._told(heads, _rows(answer))
        order = _order([head for head in heads if head not in told])
        places = [heads.index(head) for head in order]
        rows = [tuple(row[place] for place in places) for row in _rows(answer)]
        return self._page(
            path,
            "query.html",
            query=query,
            kind="table" if isinstance(answer, Solutions) else "graph" if isinstance(answer, Graph) else "truth",
            heads=order,
            told=[head for head in heads if head in told],
            rows=[self._row(here, row, named) for row in rows[:ROWS]],
            total=len(rows),
            alternates=self._alternates(path, answer_formats(answer)),
        )

    def _told(self, heads: Sequence[str], rows: Sequence[tuple[Node | None, ...]]) -> set[str]:
        """Return the columns that the card of a claim tells anyway, in an answer whose rows each state one."""
        stating = [number for number, head in enumerate(heads) if head == "statement"]
        if not stating or not all((term := row[stating[0]]) and lexical(term) in self.by_statement for row in rows):
            return set()
        return set(heads) & TOLD

    def _row(self, here: Here, row: tuple[Node | None, ...], named: set[str]) -> list[Cell]:
        """Spell a row; a claim's statement stands in it once, with certainty, source and place.

        A claim that only its IRI names is spelt out the first time in a table; `named` keeps which these are.
        """
        shown = set(named)
        named |= {lexical(term) for term in row if term and lexical(term) in self.claims}
        stated = {self.by_statement[lexical(term)].iri for term in row if term and lexical(term) in self.by_statement}
        return [Cell(self._cell(here, term, stated, shown), is_number(term)) for term in row]

    def _cell(self, here: Here, term: Node | None, stated: set[str], shown: set[str]) -> Markup:
        if term is None:
            return Markup("")
        value = lexical(term)
        claim = self.by_statement.get(value) or self.claims.get(value)
        if claim is None:
            known = value in self.site.targets and value in self.views.described
            return here.to(value, self.views.label(value)) if known else here.term(term)
        if value == claim.iri and (claim.iri in stated or claim.iri in shown):
            return here.to(claim.iri, claim.id)
        shown.add(claim.iri)
        return here.card(claim)

    def _browsing(self) -> Iterator[_Draft]:
        groups = self.facets
        yield self._page("browse/index.html", "browse.html", groups=groups)
        for group in groups:
            for value in group.values:
                for portion in Portion.all(len(value.claims)):
                    path = portion.path(f"browse/{anchor(value.slug)}")
                    yield self._page(path, "facet.html", group=group, value=value, portion=portion, groups=groups)

    @cached_property
    def facets(self) -> tuple[FacetGroup, ...]:
        """Return by which words the claims can be browsed."""
        return facet_groups(self.views.claims, {entity.iri: entity.category for entity in self.views.entities})

    def _evidence(self) -> _Draft:
        sections = [
            (section, claim)
            for article in self.views.articles
            for section, found in self._by_section(article)
            for claim in found
        ]
        return self._page(
            "evidence.html",
            "evidence-page.html",
            sections=by_certainty(sections),
            outcomes=by_outcome(self.views.claims),
            measures=measures(self.evidence.statements.values(), self.views.claims),
            judged=[group for group in self.facets if group.slug == "data"],
            firm=[
                claim
                for claim in self.views.claims
                if not (claim.hedged or claim.presupposed or claim.implied)
                and outcome(claim) in {"Disputed", "Supported and disputed"}
            ],
        )

    def _contradictions(self) -> _Draft:
        claims = self.views.claims
        same = [group for group in self.by_triple.values() if len(group) > 1]
        return self._page(
            "contradictions.html",
            "contradictions.html",
            disputed=[claim for claim in claims if any(item.verdict.slug == "disputes" for item in claim.alignments)],
            opposite=[group for group in same if len({claim.negated for claim in group}) > 1],
            uneven=[group for group in same if len({claim.certainty.iri for claim in group}) > 1],
            contrasts=[(claim, claim.contrasts_with) for claim in claims if claim.contrasts_with],
        )

    def _graph(self) -> _Draft:
        here = Here(self.site, "graph.html")
        categories, nodes, chords, left = whole(self.views.entities, self.views.claims, here)
        numbers = {node.key: node.group for node in nodes}
        label = "Every thing that a claim joins to another, by category"
        return self._page(
            "graph.html",
            "graph.html",
            categories=categories,
            numbers=numbers,
            rows=[claim for claim in self.views.claims if {claim.subject.iri, claim.object.iri} <= numbers.keys()],
            left=left,
            drawn=ring([category.label for category in categories], nodes, chords, label) if nodes else "",
        )

    def _vocabulary(self) -> _Draft:
        own, tool = self.project.namespace, KGB
        parts = [
            (self._header(space), _by_kind(term for term in self.terms if term.iri.startswith(space)))
            for space in (own, tool)
        ]
        alternates = self._alternates("ns.html", (("ttl", "Turtle"),))
        return self._page(
            "ns.html", "ns.html", parts=parts, forests=self._forests(), schemes=self.schemes, alternates=alternates
        )

    def _forests(self) -> list[tuple[str, str, list[Branch]]]:
        """Return what a forest is of, what its numbers count, and its trees, those that hold something."""
        things = Counter(entity.category.iri for entity in self.views.entities)
        used = Counter(claim.predicate.iri for claim in self.views.claims)
        kinds = (
            ("Classes", "Categories of things", "things", things),
            (KINDS[1], "Predicates of claims", "claims", used),
        )
        return [
            (words, noun, [tree for tree in hierarchy(_of_kind(self.terms, kind), counts) if tree.count])
            for kind, words, noun, counts in kinds
        ]

    def _header(self, space: str) -> Ontology:
        iri = space.rstrip("#")
        known = {ontology.iri: ontology for ontology in ontologies(self.views)}
        return known.get(iri, Ontology(iri, iri, "", ""))

    def _report(self) -> _Draft:
        findings = sorted(set(self.input.findings), key=lambda finding: finding.sort_key)
        return self._page("report.html", "report.html", rules=self.rules, findings=findings)

    def _alternates(self, path: str, formats: Iterable[tuple[str, str]]) -> list[Alternate]:
        stem = path.removesuffix(".html")
        return [
            Alternate(f"{stem}.{extension}", label, _MEDIA.get(extension, "application/octet-stream"))
            for extension, label in formats
        ]


def _example(query: QueryPage) -> dict[str, object]:
    """Return a query as the workbench offers it."""
    parameters = [
        {"name": name, "kind": kind, "default": default, "doc": doc}
        for (name, default, doc), kind in zip(query.parameters, query.kinds, strict=True)
    ]
    return {
        "name": query.name,
        "title": query.title,
        "question": query.question,
        "text": query.body,
        "parameters": parameters,
        "recorded": query.recorded,
        "replayed": query.replayed,
    }


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


def _sentences(article: ArticleView) -> int:
    """Return the highest number of a sentence."""
    return max((item.number for section in article.sections for item in section.sentences), default=0)


def _runs(pairs: Iterable[tuple[K, V]]) -> list[tuple[K, list[V]]]:
    """Put neighbours with the same key together."""
    found: list[tuple[K, list[V]]] = []
    for key, value in pairs:
        if not found or found[-1][0] != key:
            found.append((key, []))
        found[-1][1].append(value)
    return found


def _restricted(entity: EntityView, claims: Collection[str]) -> EntityView:
    """Return an entity with some of its claims."""

    def kept(found: tuple[ClaimView, ...]) -> tuple[ClaimView, ...]:
        return tuple(claim for claim in found if claim.iri in claims)

    return replace(
        entity,
        as_subject=kept(entity.as_subject),
        as_object=kept(entity.as_object),
        mentioned=kept(entity.mentioned),
    )


def _triple(claim: ClaimView) -> tuple[str, str, str]:
    return claim.subject.iri, claim.predicate.iri, claim.object.iri


def _position(claim: ClaimView) -> tuple[int, str]:
    return claim.sentences[0].number if claim.sentences else 0, claim.key


def _place(stem: str, sentence: SentenceView) -> str:
    """Return where the page of an article shows a sentence."""
    return f"{Portion(-(-sentence.number // PORTION) or 1, 0).path(stem)}#s{sentence.number}"


def _names(claim: ClaimView, iri: str) -> bool:
    """Tell whether a claim itself names an entity; to be its source is not enough."""
    values = [item.value.iri for item in claim.qualifiers if isinstance(item.value, Link)]
    dimension = claim.compared_dimension.iri if claim.compared_dimension else ""
    return iri in {claim.subject.iri, claim.object.iri, dimension, *values}


def _about(entity: EntityView) -> list[ClaimView]:
    return [claim for claim in entity.claims if _names(claim, entity.iri)]


def _groups(claims: Iterable[ClaimView], prefix: str) -> list[Group]:
    """Group claims by predicate; the prefix keeps the two directions apart."""
    by_predicate = _grouped((claim.predicate.iri, claim) for claim in claims)
    return [
        Group(f"{prefix}-{anchor(iri.rpartition('#')[2])}", found[0].predicate.label, tuple(found))
        for iri, found in by_predicate.items()
    ]


def _by_size(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (-len(group.claims), group.label, group.id))


def _by_article(claims: Iterable[ClaimView]) -> list[tuple[Link, list[ClaimView]]]:
    found = _grouped((claim.article.iri, claim) for claim in claims)
    return [(group[0].article, group) for _, group in sorted(found.items())]


def _by_dataset(
    statements: Iterable[StatementView], counts: Mapping[str, int]
) -> list[tuple[Link, list[StatementView], int]]:
    """Group statements by dataset: the dataset, the first few, those that fit best first, and how many there are.

    `counts` are those of datasets of which there are more than these.
    """
    found = _grouped((statement.dataset.iri, statement) for statement in statements)
    return [
        (
            group[0].dataset,
            sorted(group, key=lambda item: (item.object.kind != "entity", item.match not in {"", "exact", "close"}))[
                :STATEMENTS
            ],
            max(len(group), counts.get(iri, 0)),
        )
        for iri, group in sorted(found.items())
    ]


def _publishers(claims: Iterable[ClaimView]) -> list[Link]:
    """Return whose claims these are, who states most first."""
    counts = Counter(claim.attributed_to for claim in claims if claim.attributed_to.iri)
    return sorted(counts, key=lambda link: (-counts[link], link.label, link.iri))


def _followers(claims: Iterable[ClaimView]) -> dict[str, dict[str, list[Link]]]:
    """Return, for each claim, the claims that refer to it, by how they do."""
    found: dict[str, dict[str, list[Link]]] = defaultdict(lambda: defaultdict(list))
    for claim in claims:
        me = Link(claim.iri, claim.statement, "claim")
        for words, links in (
            ("It is given as a reason for", claim.rationale),
            ("What is derived from it", claim.derived_from),
            ("What is set against it", claim.contrasts_with),
            ("Claims about this claim", (claim.object,)),
        ):
            for link in links:
                found[link.iri][words].append(me)
    return found


def _order(heads: Sequence[str]) -> list[str]:
    """Put the statement of a claim, which is shown as its card, next to the first column, so that it stands in view.

    >>> _order(["food", "amount", "statement"])
    ['food', 'statement', 'amount']
    """
    return sorted(heads, key=lambda head: (head != heads[0], head != "statement"))


def _rows(answer: Answer) -> tuple[tuple[Node | None, ...], ...]:
    if isinstance(answer, Solutions):
        return answer.rows
    if isinstance(answer, Graph):
        return tuple((triple.subject, triple.predicate, triple.object) for triple in answer.triples)
    return ()


def _of_kind(found: Iterable[Term], kind: str) -> list[Term]:
    return [term for term in found if term.kind == kind]


def _by_kind(found: Iterable[Term]) -> list[tuple[str, list[Term]]]:
    """Return terms by kind; concepts stand with their schemes."""
    by_kind = _grouped((term.kind, term) for term in found)
    order = [kind for kind in (*KINDS, "Other terms") if kind in by_kind and kind not in {"Schemes", "Concepts"}]
    return [(kind, sorted(by_kind[kind], key=lambda term: (term.label.casefold(), term.iri))) for kind in order]


def _rules(site: SiteInput) -> list[Rule]:
    """Return the shapes by code, the one with the shortest name as head, with the number of their findings."""
    counts = Counter(finding.code for finding in set(site.findings))
    by_code = _grouped((shape.code, shape) for shape in site.shapes.described.values())
    rules = []
    for code, shapes in sorted(by_code.items()):
        head, *parts = sorted(shapes, key=lambda shape: (len(shape.iri), shape.iri))
        labels = tuple(part.label for part in parts if part.label)
        rules.append(Rule(code, head.label, head.comment, head.severity, labels, counts[code]))
    return rules
