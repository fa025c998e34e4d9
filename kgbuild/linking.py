"""Proposals of mappings: entities whose names are names in an ontology, as SSSOM for a person to review.

A shared name is no identity. So every proposal is a `skos:closeMatch`, found by `semapv:LexicalMatching`, and says
which names met; whether it is exact, broader or wrong is decided by whoever reads it.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Final

import pyoxigraph as ox

from kgbuild.claims import Entity, digits
from kgbuild.diagnostics import Report, UnreadableError, UsageError
from kgbuild.dumps import FORMATS
from kgbuild.editions.sssom import SEMAPV, Prefixes, write_set
from kgbuild.project import load_project
from kgbuild.sources import read_sources
from kgbuild.terms import OWL, RDFS, SKOS

OBO: Final = "http://purl.obolibrary.org/obo/"
_OIO: Final = "http://www.geneontology.org/formats/oboInOwl#"
_LABELS: Final = (RDFS + "label", SKOS + "prefLabel")
_SYNONYMS: Final = (SKOS + "altLabel", _OIO + "hasExactSynonym", _OIO + "hasSynonym")
_SHORT: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")
_OBO_LINE: Final = re.compile(r'(id|name|synonym|is_obsolete): (?:"((?:[^"\\]|\\.)*)" (\w+)|(.*))')
_CURIE: Final = re.compile(r"[A-Za-z][\w.-]*:[^\s/][^\s]*\Z")
_SPACES: Final = {
    "MESH": "http://id.nlm.nih.gov/mesh/",
    "EFO": "http://www.ebi.ac.uk/efo/EFO_",
    "WD": "http://www.wikidata.org/entity/",
}
"""Where the identifiers of vocabularies outside OBO live; those of OBO live below `OBO`, after their prefix and `_`."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an ontology: its IRI, its label, and its other names."""

    iri: str
    label: str
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entity and a term that share a name, how sure that is, and which names met."""

    entity: str
    label: str
    term: Term
    confidence: Decimal
    words: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The proposals, the SSSOM table that holds them, and how many terms were looked at."""

    proposals: tuple[Proposal, ...]
    table: bytes
    terms: int


def link(start: Path | str = ".", *files: Path | str) -> Linked:
    """Propose mappings of the project's entities to the terms of files (OBO, RDF, or TSV with `id` and `label`).

    Pairs that the project already maps, in whatever strength, are left out. Files may be compressed with gzip. Raises
    `UnreadableError` where a file cannot be read, with its line, and `FindingsError` where the project is broken.
    """
    from kgbuild.compilation import gate

    report = Report()
    project = load_project(Path(start))
    sources = read_sources(project, report)
    gate(report)
    if not files:
        raise UsageError("name a file of terms: OBO, Turtle or another RDF syntax, or TSV")
    terms = {term.iri: term for file in files for term in read_terms(Path(file))}
    known = {(mapping.subject, mapping.object) for found in sources.mappings for mapping in found.mappings}
    proposals = [
        found for found in propose(sources.entities, terms.values()) if (found.entity, found.term.iri) not in known
    ]
    spaces = {name: space for found in sources.mappings for name, space in found.prefixes.items()}
    prefixes = Prefixes({**_spaces(terms), **spaces, "id": f"{project.base}id/", "semapv": SEMAPV, "skos": SKOS})
    head = {
        "mapping_set_id": f"{project.base}mappings/proposed",
        "mapping_set_title": f"{project.title}: proposed links, to be reviewed",
        "license": project.license,
        "mapping_tool": "kgbuild link",
        "comment": "Names that are equal, no more: decide for each row whether it is exact, close, broad or wrong.",
    }
    rows = [
        {
            "subject_id": f"id:{found.entity}",
            "subject_label": found.label,
            "predicate_id": "skos:closeMatch",
            "object_id": prefixes.curie(found.term.iri),
            "object_label": found.term.label,
            "mapping_justification": "semapv:LexicalMatching",
            "confidence": digits(found.confidence),
            "comment": found.words,
        }
        for found in proposals
    ]
    prefixes.used |= {"id", "semapv", "skos"}
    return Linked(tuple(proposals), write_set(head, prefixes, rows), len(terms))


def propose(entities: Iterable[Entity], terms: Iterable[Term]) -> list[Proposal]:
    """Return the pairs that share a name, the surest first within an entity.

    Labels that are the same are surest, then a label and a synonym, then two synonyms; a name that differs in number or
    accents is less sure, and so is an abbreviation, and one that several terms of a vocabulary have.
    """
    names: dict[str, list[tuple[Term, str, bool]]] = defaultdict(list)
    for term in terms:
        for name in dict.fromkeys((term.label, *term.synonyms)):
            names[key(name)].append((term, name, name == term.label))
    found: dict[tuple[str, str], Proposal] = {}
    for entity in entities:
        own = [(text, True) for text in entity.labels.values()]
        own += [(text, False) for texts in entity.aliases.values() for text in texts]
        for text, is_label in own:
            hits = names.get(key(text), ()) if key(text) else ()
            for term, name, term_label in hits:
                rivals = len({other.iri for other, _, _ in hits if _vocabulary(other) == _vocabulary(term)})
                made = _proposal(entity, text, is_label, term, name, term_label, rivals)
                pair = (entity.id, term.iri)
                if pair not in found or made.confidence > found[pair].confidence:
                    found[pair] = made
    return sorted(found.values(), key=lambda item: (item.entity, -item.confidence, item.term.iri))


def _proposal(
    entity: Entity, text: str, is_label: bool, term: Term, name: str, term_label: bool, rivals: int
) -> Proposal:
    confidence = {2: Decimal("0.95"), 1: Decimal("0.85"), 0: Decimal("0.7")}[is_label + term_label]
    words = f"{'label' if is_label else 'alias'} '{text}' is {'label' if term_label else 'synonym'} '{name}'"
    if text.casefold() != name.casefold():
        confidence -= Decimal("0.1")
    if len(text) < _SHORT:
        confidence -= Decimal("0.2")
    if rivals > 1:
        confidence -= Decimal("0.2")
        words += f"; {rivals} terms have this name"
    return Proposal(entity.id, next(iter(entity.labels.values())), term, confidence, words)


def key(name: str) -> str:
    """Return what two names share when only case, accents, punctuation or number differ.

    >>> key("Restless-Legs Syndrome"), key("leafy greens"), key("anxieties") == key("anxiety"), key("molasses")
    ('restless leg syndrome', 'leafy green', True, 'molasses')
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))
    return " ".join(_singular(word) for word in _WORD.findall(plain))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "sses")):
        return word[:-1]
    return word


def _vocabulary(term: Term) -> str:
    return re.split(r"[^/#:_]+\Z", term.iri)[0]


def read_terms(path: Path) -> list[Term]:
    """Read the terms of an ontology that are not obsolete; raise `UnreadableError` with file and line."""
    name = path.name.removesuffix(".gz")
    suffix = Path(name).suffix
    readers = {".obo": _obo, ".tsv": _table, **dict.fromkeys([*FORMATS, ".owl"], _rdf)}
    if suffix not in readers:
        raise UnreadableError(f"cannot tell the format of {path}: its name ends with none of {', '.join(readers)}")
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            return list(readers[suffix](file, path, suffix))  # type: ignore[arg-type]  # both are binary files
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UnreadableError(f"cannot read {path}: {error}") from error


def _obo(file: IO[bytes], path: Path, suffix: str) -> Iterator[Term]:
    """Read the [Term] stanzas of OBO 1.4."""
    stanza: dict[str, list[str]] | None = None
    for line in [*(raw.decode("utf-8").rstrip() for raw in file), "[End]"]:
        if line.startswith("["):
            if stanza and "is_obsolete" not in stanza and "id" in stanza and "name" in stanza:
                yield Term(_iri(stanza["id"][0], path), stanza["name"][0], tuple(stanza.get("synonym", ())))
            stanza = {} if line == "[Term]" else None
        elif stanza is not None and (found := _OBO_LINE.match(line)):
            tag, quoted, scope, plain = found.groups()
            if tag != "synonym":
                stanza.setdefault(tag, []).append((plain or "").partition(" ! ")[0])
            elif scope == "EXACT":
                stanza.setdefault(tag, []).append(re.sub(r"\\(.)", r"\1", quoted))


def _table(file: IO[bytes], path: Path, suffix: str) -> Iterator[Term]:
    heading: list[str] = []
    for number, raw in enumerate(file, 1):
        cells = raw.decode("utf-8").rstrip("\r\n").split("\t")
        if not heading:
            heading = cells
            if not {"id", "label"} <= set(heading):
                raise UnreadableError(f"{path}:{number}: the table needs columns 'id' and 'label'")
            continue
        if len(cells) != len(heading):
            raise UnreadableError(f"{path}:{number}: {len(cells)} cells, the heading has {len(heading)}")
        row = dict(zip(heading, cells, strict=True))
        if row["id"] and row["label"]:
            synonyms = tuple(filter(None, row.get("synonyms", "").split("|")))
            yield Term(_iri(row["id"], path), row["label"], synonyms)


def _rdf(file: IO[bytes], path: Path, suffix: str) -> Iterator[Term]:
    labels: dict[str, str] = {}
    synonyms: dict[str, list[str]] = defaultdict(list)
    obsolete: set[str] = set()
    try:
        for quad in ox.parse(file, format=FORMATS.get(suffix, ox.RdfFormat.RDF_XML)):
            if not isinstance(quad.subject, ox.NamedNode) or not isinstance(quad.object, ox.Literal):
                continue
            subject, predicate, text = quad.subject.value, quad.predicate.value, quad.object.value
            if predicate in _LABELS:
                labels.setdefault(subject, text)
                synonyms[subject].append(text)
            elif predicate in _SYNONYMS:
                synonyms[subject].append(text)
            elif predicate == OWL + "deprecated" and text in {"true", "1"}:
                obsolete.add(subject)
    except SyntaxError as error:
        raise UnreadableError(f"{path}:{error.lineno}: not RDF: {error.msg}") from error
    for iri, label in labels.items():
        if iri not in obsolete:
            yield Term(iri, label, tuple(text for text in dict.fromkeys(synonyms[iri]) if text != label))


def _iri(identifier: str, path: Path) -> str:
    """Return the IRI of an identifier: itself, or below the OBO Foundry's or the vocabulary's namespace.

    >>> _iri("CHEBI:18420", Path("x.obo")), _iri("MESH:D012148", Path("x.tsv"))
    ('http://purl.obolibrary.org/obo/CHEBI_18420', 'http://id.nlm.nih.gov/mesh/D012148')
    """
    if identifier.startswith(("http://", "https://")):
        return identifier
    if not _CURIE.match(identifier):
        raise UnreadableError(f"{path}: '{identifier}' is neither an IRI nor a CURIE")
    prefix, _, local = identifier.partition(":")
    return f"{_SPACES.get(prefix, f'{OBO}{prefix}_')}{local}"


def _spaces(terms: Iterable[str]) -> dict[str, str]:
    """Return the prefixes that the IRIs of terms ask for."""
    found = dict(_SPACES)
    for iri in terms:
        if iri.startswith(OBO) and "_" in iri:
            name = iri[len(OBO) :].partition("_")[0]
            found[name] = f"{OBO}{name}_"
    return found
