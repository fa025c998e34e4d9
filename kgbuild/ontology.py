"""The ontologies a project stands on: terms by slug, and their triples for the graphs `ontology` and `schemes`.

Reads Turtle of the tool (`kgbuild/vocabulary/`) and of the project (`ontology/`). Shapes stay text for `validate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import pyoxigraph as ox

from kgbuild.diagnostics import Report, Span
from kgbuild.project import Project
from kgbuild.source import Source, read_source, walk
from kgbuild.terms import KGB, OWL, RDFS, SKOS, TYPE, kebab

_PREFIX = re.compile(r"^@prefix\s+([\w-]*):\s*<([^>]*)>", re.MULTILINE)
_SUBJECT = re.compile(r"<[^>\s]*>|[\w-]*:[\w-]+(?:\.[\w-]+)*(?=[\s;,.])")
SCHEMES = ("certainty", "modality", "polarity", "frequency", "basis", "qualifierType", "alignment", "design")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A relation that claims may use."""

    slug: str
    iri: str
    label: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Category:
    """A class of entities, with the classes above it (below kgb:Entity)."""

    slug: str
    iri: str
    label: str
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Concept:
    """A term of a scheme."""

    slug: str
    iri: str
    label: str
    rank: int | None = None
    restricts: bool = False
    cues: tuple[str, ...] = ()
    evidence_type: str | None = None


@dataclass(frozen=True, slots=True)
class Ontology:
    """The terms by slug, the triples by graph, the shapes as text, and where each term is written."""

    predicates: dict[str, Predicate]
    categories: dict[str, Category]
    concepts: dict[str, dict[str, Concept]]
    triples: dict[str, tuple[ox.Triple, ...]]
    shapes: tuple[Source, ...]
    origins: dict[str, Span] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)

    def predicate(self, slug: str) -> Predicate | None:
        """Return the relation of a slug or of one of its aliases."""
        found = self.predicates.get(slug)
        if found is None:
            found = next((predicate for predicate in self.predicates.values() if slug in predicate.aliases), None)
        return found


def vocabulary_sources() -> list[Source]:
    """Return the Turtle files of the tool's own vocabulary, in the order of their names."""
    folder = files("kgbuild") / "vocabulary"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".ttl"))
    return [Source(f"kgbuild/vocabulary/{name}", (folder / name).read_text("utf-8")) for name in names]


def read_ontology(project: Project, report: Report) -> Ontology:
    """Read the tool's vocabulary and the project's ontology; report what cannot be parsed."""
    sources = vocabulary_sources()
    for path in walk(project.root, "ontology", report):
        if path.suffix != ".ttl":
            _unread(project.root, path, report)
        elif source := read_source(project.root, path, report):
            sources.append(source)
    shapes = tuple(source for source in sources if Path(source.path).name.startswith("shapes"))
    triples: dict[str, list[ox.Triple]] = {"ontology": [], "schemes": []}
    origins: dict[str, Span] = {}
    prefixes: dict[str, str] = {}
    for source in sources:
        found = parse_turtle(source, report)
        origins = locate(source) | origins
        prefixes = dict(_PREFIX.findall(source.text)) | prefixes
        if source in shapes:
            continue
        graph = "schemes" if Path(source.path).name.startswith("schemes") else "ontology"
        for triple in found:
            if isinstance(triple.subject, ox.BlankNode) or isinstance(triple.object, ox.BlankNode):
                place = origins.get(getattr(triple.subject, "value", ""), Span(source.path))
                report.add("KG404", "a blank node cannot be published", place, hint="give the node an IRI")
                break
        triples[graph].extend(found)
    found_terms = _terms({name: tuple(items) for name, items in triples.items()}, shapes, origins)
    return replace(found_terms, prefixes=prefixes)


def _unread(root: Path, path: Path, report: Report) -> None:
    name = path.relative_to(root).as_posix()
    report.add("KG113", f"nothing reads {name}", Span(name), hint="remove it, or start its name with a dot")


def parse_turtle(source: Source, report: Report) -> list[ox.Triple]:
    """Parse Turtle, or report where it breaks and return what came before."""
    triples: list[ox.Triple] = []
    try:
        triples.extend(quad.triple for quad in ox.parse(source.text, ox.RdfFormat.TURTLE))
    except SyntaxError as error:
        message = re.sub(
            r"^Parser error at line \d+ (?:between columns? \d+ and (?:line \d+ )?(?:column )?\d+|column \d+): ",
            "",
            error.msg,
        )
        place = Span(source.path, error.lineno or 1, error.offset or 1)
        report.add("KG401", f"broken Turtle: {message}", place)
    return triples


def locate(source: Source) -> dict[str, Span]:
    """Return where each term of a Turtle file is described: the first line that starts with it."""
    spaces: dict[str, str] = dict(_PREFIX.findall(source.text))
    places: dict[str, Span] = {}
    for number, line in enumerate(source.text.split("\n"), 1):
        found = _SUBJECT.match(line)
        if found is None:
            continue
        name = found[0]
        prefix, _, local = name.partition(":")
        term = name[1:-1] if name[0] == "<" else spaces[prefix] + local if prefix in spaces else None
        if term is not None:
            places.setdefault(term, Span(source.path, number, 1, len(name)))
    return places


def _above(term: str, values: dict[str, dict[str, list[str]]]) -> set[str]:
    """Return the class and all classes above it."""
    found: set[str] = set()
    pending = [term]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += values.get(name, {}).get(RDFS + "subClassOf", ())
    return found


def _terms(triples: dict[str, tuple[ox.Triple, ...]], shapes: tuple[Source, ...], origins: dict[str, Span]) -> Ontology:
    values: dict[str, dict[str, list[str]]] = {}
    for triple in (*triples["ontology"], *triples["schemes"]):
        if isinstance(triple.subject, ox.NamedNode) and isinstance(triple.object, ox.NamedNode | ox.Literal):
            described = values.setdefault(triple.subject.value, {})
            described.setdefault(triple.predicate.value, []).append(triple.object.value)

    def one(term: str, predicate: str) -> str | None:
        found = values[term].get(predicate)
        return min(found) if found else None

    def label(term: str) -> str:
        return one(term, RDFS + "label") or one(term, SKOS + "prefLabel") or term

    below = {term for term in values if KGB + "Entity" in _above(term, values)}
    predicates: dict[str, Predicate] = {}
    categories: dict[str, Category] = {}
    concepts: dict[str, dict[str, Concept]] = {scheme: {} for scheme in SCHEMES}
    for term in sorted(values):
        described = values[term]
        types = described.get(TYPE, ())
        slug = kebab(re.split(r"[#/]", term)[-1])
        if KGB + "ClaimPredicate" in types:
            aliases = tuple(sorted(described.get(KGB + "hedgedAlias", ())))
            predicates[slug] = Predicate(slug, term, label(term), aliases)
        if term in below and term != KGB + "Entity" and OWL + "Class" in types:
            categories[slug] = Category(slug, term, label(term), tuple(sorted(_above(term, values) & below - {term})))
        for scheme in described.get(SKOS + "inScheme", ()):
            name = scheme.removeprefix(KGB).removesuffix("Scheme")
            notation = one(term, SKOS + "notation")
            if name in concepts and notation is not None:
                rank = one(term, KGB + "rank") or ""
                concepts[name][notation] = Concept(
                    slug=notation,
                    iri=term,
                    label=one(term, SKOS + "prefLabel") or notation,
                    rank=int(rank) if re.fullmatch(r"[0-9]{1,6}", rank) else None,
                    restricts=one(term, KGB + "restricts") == "true",
                    cues=tuple(sorted(described.get(KGB + "cue", ()))),
                    evidence_type=one(term, KGB + "evidenceType"),
                )
    return Ontology(predicates, categories, concepts, triples, shapes, origins)
