"""Mappings: `data/mappings/*.sssom.tsv` (SSSOM 1.0: metadata as YAML in comment lines, then a table)."""

from __future__ import annotations

import re

from kgbuild.claims import MAPPING_COLUMNS, Mapping, MappingSet, Place
from kgbuild.diagnostics import Related, Report, Span, did_you_mean
from kgbuild.read import yaml
from kgbuild.read.records import decimal
from kgbuild.read.tables import Row, read_table
from kgbuild.source import Source, forbidden, name_of
from kgbuild.terms import PREFIXES, SKOS, expand, is_iri

PREDICATES = {
    "skos:exactMatch": SKOS + "exactMatch",
    "skos:closeMatch": SKOS + "closeMatch",
    "skos:broadMatch": SKOS + "broadMatch",
    "skos:narrowMatch": SKOS + "narrowMatch",
    "skos:relatedMatch": SKOS + "relatedMatch",
}
_METADATA = (
    "mapping_set_id", "mapping_set_version", "mapping_set_title", "mapping_set_description", "license",
    "mapping_date", "mapping_provider", "mapping_tool", "mapping_tool_version", "subject_source", "object_source",
    "creator_id", "creator_label", "author_id", "author_label", "see_also", "comment", "curie_map", "sssom_version",
)  # fmt: skip
_TEXTS = frozenset({"mapping_set_id", "mapping_set_version", "mapping_set_title", "license"})
_REQUIRED = ("subject_id", "predicate_id", "object_id", "mapping_justification")
_BUILT_IN = {"semapv": "https://w3id.org/semapv/vocab/"} | {name: PREFIXES[name] for name in ("skos", "sssom", "owl")}


def read_mappings(source: Source, base: str, report: Report) -> MappingSet | None:
    """Read one mapping set; subjects are `id:` CURIEs of this project's entities, `base` is the project's IRI."""
    header = _header(source, report)
    if header is None:
        return None
    texts = _texts(header, report)
    prefixes = dict(_BUILT_IN)
    curie_map = header.entries.get("curie_map")
    if curie_map is not None and isinstance(curie_map[1], yaml.Mapping):
        for prefix, (span, value) in curie_map[1].entries.items():
            if isinstance(value, yaml.Scalar) and is_iri(value.text):
                prefixes[prefix] = value.text
            else:
                report.add("KG306", f"prefix '{prefix}' is not bound to an IRI", span)
    elif curie_map is not None:
        report.add("KG107", "'curie_map' must be prefixes with their IRIs", curie_map[0])
    for name in ("mapping_set_id", "license"):
        if name not in texts:
            report.add("KG106", f"the mapping set has no '{name}'", header.span, hint=f"#{name}: an IRI")
        elif not is_iri(texts[name]):
            report.add("KG306", f"'{texts[name]}' is no IRI", header.entries[name][1].span)
    found: dict[tuple[str, str, str], Mapping] = {}
    for row in read_table(source, MAPPING_COLUMNS, _REQUIRED, report):
        mapping = _mapping(row, prefixes, base, report)
        if mapping is None:
            continue
        triple = (mapping.subject, mapping.predicate, mapping.object)
        if triple in found:
            first = Related(found[triple].place.span, "first given here")
            report.add("KG308", "the mapping is given twice", row.span("subject_id"), related=[first])
            continue
        found[triple] = mapping
    if not is_iri(texts.get("mapping_set_id", "")):
        return None
    return MappingSet(
        id=texts["mapping_set_id"],
        title=texts.get("mapping_set_title"),
        license=texts.get("license"),
        version=texts.get("mapping_set_version"),
        mappings=tuple(found.values()),
        place=Place(header.span),
        prefixes=prefixes,
        texts=texts,
        creators=_creators(header),
    )


def _creators(header: yaml.Mapping) -> tuple[str, ...]:
    _, value = header.entries.get("creator_label", (None, None))
    values = value.items if isinstance(value, yaml.Sequence) else (value,)
    return tuple(item.text for item in values if isinstance(item, yaml.Scalar))


def _texts(header: yaml.Mapping, report: Report) -> dict[str, str]:
    """Return the metadata that is text; lists of creators and the like are read over."""
    texts = {}
    for key, (_, value) in header.entries.items():
        if isinstance(value, yaml.Scalar):
            texts[key] = value.text
        elif key in _TEXTS:
            report.add("KG107", f"'{key}' must be a text", value.span)
        if char := forbidden(texts.get(key, "")):
            report.add("KG115", f"{name_of(char)} in '{key}'", value.span, hint="remove it")
    return texts


def _header(source: Source, report: Report) -> yaml.Mapping | None:
    lines = []
    for line in source.text.split("\n"):
        if not line.startswith("#"):
            break
        lines.append(" " + line[1:])
    if not lines:
        report.add(
            "KG106", "the mapping set has no metadata", Span(source.path), hint="lines such as #mapping_set_id: …"
        )
        return None
    root = yaml.parse(Source(source.path, "\n".join(lines) + "\n"), report)
    if root is None:
        return None
    if not isinstance(root, yaml.Mapping):
        report.add("KG107", "the metadata must be keys and values", Span(source.path))
        return None
    for key, (span, _) in root.entries.items():
        if key not in _METADATA:
            report.add("KG105", f"unknown key '{key}' in the metadata", span, hint=did_you_mean(key, _METADATA))
    return root


def _mapping(row: Row, prefixes: dict[str, str], base: str, report: Report) -> Mapping | None:
    missing = [column for column in _REQUIRED if column not in row.cells]
    for column in missing:
        report.add("KG106", f"the row has no '{column}'", row.span(column))
    if missing:
        return None
    subject = _iri(row, "subject_id", prefixes, report)
    target = _iri(row, "object_id", prefixes, report)
    justification = _iri(row, "mapping_justification", prefixes, report)
    predicate = PREDICATES.get(row.cells["predicate_id"])
    if predicate is None:
        hint = did_you_mean(row.cells["predicate_id"], PREDICATES) or "one of: " + ", ".join(PREDICATES)
        report.add(
            "KG307", f"unknown mapping predicate '{row.cells['predicate_id']}'", row.span("predicate_id"), hint=hint
        )
    if subject is None or target is None or predicate is None or justification is None:
        return None
    home = base + "id/"
    if not subject.startswith(home):
        report.add("KG306", f"the subject is not below {home}", row.span("subject_id"), hint="write it as id:slug")
    confidence = None
    if "confidence" in row.cells:
        confidence = decimal(row.cells["confidence"])
        if confidence is None or not 0 <= confidence <= 1:
            report.add("KG211", "'confidence' must be a number from 0 to 1", row.span("confidence"))
    return Mapping(
        subject=subject[len(home) :],
        predicate=predicate,
        object=target,
        object_curie=row.cells["object_id"],
        object_label=row.cells.get("object_label"),
        justification=justification,
        place=Place(row.span("subject_id"), {column: row.span(column) for column in row.columns}),
        object_source=row.cells.get("object_source"),
        object_source_version=row.cells.get("object_source_version"),
        confidence=confidence,
        comment=row.cells.get("comment"),
    )


def _iri(row: Row, column: str, prefixes: dict[str, str], report: Report) -> str | None:
    curie = row.cells[column]
    expanded = expand(curie, prefixes)
    if expanded is None:
        prefix = curie.partition(":")[0]
        hint = did_you_mean(prefix, prefixes) or "declare it in curie_map"
        report.add("KG305", f"unknown prefix '{prefix}'", row.span(column), hint=hint)
        return None
    if not is_iri(expanded) or re.search(r"\s", curie):
        report.add("KG306", f"'{curie}' does not make an IRI", row.span(column))
        return None
    return expanded
