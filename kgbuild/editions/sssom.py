"""SSSOM: all links of the entities as one mapping set, and the mappings of the ontologies' own terms as another.

Metadata stand as YAML in comment lines before the table (SSSOM 1.0, TSV with embedded metadata).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

import pyoxigraph as ox

from kgbuild.claims import MappingSet, digits
from kgbuild.editions.edition import Material
from kgbuild.ontology import Ontology
from kgbuild.terms import KGB, OWL, PREFIXES, RDFS, SKOS, TYPE
from kgbuild.views import MATCHES

COLUMNS: Final = (
    "subject_id", "subject_label", "subject_type", "predicate_id", "object_id", "object_label",
    "mapping_justification", "object_source", "object_source_version", "confidence", "comment",
)  # fmt: skip
SEMAPV: Final = "https://w3id.org/semapv/vocab/"
_TYPES: Final = {
    OWL + "Class": "owl class",
    OWL + "ObjectProperty": "owl object property",
    OWL + "DatatypeProperty": "owl data property",
    OWL + "AnnotationProperty": "owl annotation property",
    SKOS + "Concept": "skos concept",
    SKOS + "ConceptScheme": "skos concept",
}
Row = dict[str, str]


class Prefixes:
    """The prefixes of one file; a prefix that two sources bind differently gets a number in the second."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.spaces = dict(known)
        self.used: set[str] = set()

    def bind(self, prefix: str, space: str) -> str:
        """Return the prefix to use for a namespace."""
        name, number = prefix, 2
        while self.spaces.get(name, space) != space:
            name, number = f"{prefix}{number}", number + 1
        self.spaces[name] = space
        return name

    def curie(self, iri: str) -> str:
        """Shorten an IRI with the longest fitting namespace; one without gets a prefix of its own."""
        fitting = [name for name, space in self.spaces.items() if iri.startswith(space) and iri != space]
        name = min(fitting, key=lambda item: (-len(self.spaces[item]), item), default="")
        if not name:
            space = iri[: len(iri) - len(re.split(r"[#/:]", iri)[-1])]
            name = self.bind("ns", space)
        self.used.add(name)
        return f"{name}:{iri[len(self.spaces[name]) :]}"

    def translate(self, curie: str, own: Mapping[str, str]) -> str:
        """Return a CURIE under the prefixes of this file, or the text as it is where its prefix is not declared."""
        prefix, colon, local = curie.partition(":")
        if not colon or prefix not in own or local.startswith("//"):
            return curie
        name = self.bind(prefix, own[prefix])
        self.used.add(name)
        return f"{name}:{local}"


def write_links(material: Material) -> bytes:
    """Write the mappings of all sets of the project as one mapping set."""
    project, sources = material.project, material.compilation.sources
    prefixes = Prefixes({"id": f"{project.base}id/", "semapv": SEMAPV, "skos": SKOS})
    labels = {entity.slug: entity.label for entity in material.views.entities}
    rows = [row for found in sources.mappings for row in _rows(found, labels, project.base, prefixes)]
    sets = sources.mappings
    titles = "; ".join(f"{item.title or item.id}" for item in sets)
    head: dict[str, object] = {
        "mapping_set_id": f"{project.base}mappings",
        "mapping_set_version": project.version,
        "mapping_set_title": f"{project.title}: all links of its entities",
        "mapping_set_description": " ".join(_given(sets, "mapping_set_description")) or titles,
        "mapping_set_source": [item.id for item in sets],
        "license": project.license,
        "creator_label": sorted({name for item in sets for name in item.creators}),
        "mapping_date": max(_given(sets, "mapping_date"), default=material.recorded),
        "mapping_tool": "; ".join(_given(sets, "mapping_tool")),
        "comment": " ".join(_given(sets, "comment")),
    }
    return write_set(head, prefixes, rows)


def write_terms(material: Material) -> bytes:
    """Write the mappings that the ontologies give their classes, predicates and concepts (skos:*Match)."""
    project, ontology = material.project, material.compilation.sources.ontology
    prefixes = Prefixes({**ontology.prefixes, **PREFIXES, project.prefix: project.namespace, "semapv": SEMAPV})
    head: dict[str, object] = {
        "mapping_set_id": f"{project.base}mappings/ontology",
        "mapping_set_version": project.version,
        "mapping_set_title": f"{project.title}: mappings of the ontology's terms",
        "mapping_set_description": "Classes, predicates and scheme concepts of the ontology and of kgbuild's "
        "vocabulary, mapped to public vocabularies; generated from the skos:*Match statements in their Turtle.",
        "license": project.license,
        "mapping_date": material.recorded,
        "mapping_tool": "kgbuild",
    }
    return write_set(head, prefixes, _term_rows(ontology, (project.namespace, KGB), prefixes))


def _given(sets: Iterable[MappingSet], key: str) -> list[str]:
    return list(dict.fromkeys(item.texts[key] for item in sets if item.texts.get(key)))


def _rows(found: MappingSet, labels: Mapping[str, str], base: str, prefixes: Prefixes) -> Iterable[Row]:
    for mapping in found.mappings:
        yield {
            "subject_id": prefixes.curie(f"{base}id/{mapping.subject}"),
            "subject_label": labels.get(mapping.subject, ""),
            "subject_type": "skos concept",
            "predicate_id": prefixes.curie(mapping.predicate),
            "object_id": prefixes.translate(mapping.object_curie, found.prefixes),
            "object_label": mapping.object_label or "",
            "mapping_justification": prefixes.curie(mapping.justification),
            "object_source": prefixes.translate(mapping.object_source or "", found.prefixes),
            "object_source_version": mapping.object_source_version or "",
            "confidence": "" if mapping.confidence is None else digits(mapping.confidence),
            "comment": mapping.comment or "",
        }


def _term_rows(ontology: Ontology, spaces: tuple[str, ...], prefixes: Prefixes) -> list[Row]:
    labels: dict[str, str] = {}
    types: dict[str, list[str]] = {}
    matches = []
    for triple in (*ontology.triples["ontology"], *ontology.triples["schemes"]):
        if not isinstance(triple.subject, ox.NamedNode) or isinstance(triple.object, ox.BlankNode | ox.Triple):
            continue
        subject, predicate, value = triple.subject.value, triple.predicate.value, triple.object.value
        if predicate == TYPE:
            types.setdefault(subject, []).append(value)
        elif predicate in {RDFS + "label", SKOS + "prefLabel"}:
            labels[subject] = min(labels.get(subject, value), value)
        elif predicate.removeprefix(SKOS) in MATCHES and subject.startswith(spaces):
            matches.append((subject, predicate, value))
    return [
        {
            "subject_id": prefixes.curie(subject),
            "subject_label": labels.get(subject, ""),
            "subject_type": next((_TYPES[name] for name in _TYPES if name in types.get(subject, ())), ""),
            "predicate_id": prefixes.curie(predicate),
            "object_id": prefixes.curie(value),
            "mapping_justification": prefixes.curie(SEMAPV + "UnspecifiedMatching"),
        }
        for subject, predicate, value in matches
    ]


def write_set(head: Mapping[str, object], prefixes: Prefixes, rows: Iterable[Row]) -> bytes:
    """Write a mapping set: metadata that have a value, the prefixes in use, the columns in use, the rows in order."""
    rows = sorted(rows, key=lambda row: (row["subject_id"], row["predicate_id"], row["object_id"]))
    columns = [name for name in COLUMNS if name in {"subject_id", "predicate_id", "object_id"} or _any(rows, name)]
    lines = [line for key, value in head.items() if value for line in _yaml(key, value)]
    lines.append("#curie_map:")
    lines += [f"#  {name}: {_quoted(prefixes.spaces[name])}" for name in sorted(prefixes.used)]
    lines.append("\t".join(columns))
    lines += ["\t".join(" ".join(row.get(name, "").split()) for name in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _any(rows: Iterable[Row], name: str) -> bool:
    return any(row.get(name) for row in rows)


def _yaml(key: str, value: object) -> list[str]:
    if isinstance(value, list):
        return [f"#{key}:", *(f"#  - {_quoted(item)}" for item in value)]
    return [f"#{key}: {_quoted(str(value))}"]


def _quoted(text: str) -> str:
    """Spell a text in double quotes, as JSON and YAML both read it."""
    return json.dumps(text, ensure_ascii=False)
