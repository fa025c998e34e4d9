"""Datasets: `data/datasets/NAME.yaml`, `NAME.tsv` (its statements) and `NAME.records.tsv` (its source records).

A table may be CSV, TSV, JSON Lines or Parquet. Statements beyond a limit are not held: their table is named instead,
and read in batches where they are compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kgbuild.claims import Field, Place, Quantity
from kgbuild.datasets import (
    DATASET_FIELDS,
    RECORD_FIELDS,
    STATEMENT_FIELDS,
    Dataset,
    DatasetStatement,
    SourceRecord,
    Thing,
)
from kgbuild.diagnostics import Report, did_you_mean
from kgbuild.read.articles import top_level
from kgbuild.read.records import Record
from kgbuild.read.streams import Batch, Table
from kgbuild.read.yaml import Mapping, Scalar, Value, parse
from kgbuild.source import Source
from kgbuild.terms import expand, is_iri

_BATCH = 1000
_DOI = re.compile(r"10\.[0-9]{4,9}/[^\s]+\Z")
_PMID = re.compile(r"[1-9][0-9]{0,8}\Z")
_EVIDENCE = re.compile(r"ECO:[0-9]{7}\Z")
_BOUNDS = {"value": "value", "min": "minimum", "max": "maximum", "more-than": "more_than", "less-than": "less_than"}


@dataclass(frozen=True, slots=True)
class StatementTable:
    """The statements of a dataset that are read in batches, each where it is compiled."""

    dataset: str
    prefixes: dict[str, str]
    table: Table


def read_dataset(
    source: Source, statements: Table | None, records: Table | None, language: str, limit: int, report: Report
) -> tuple[Dataset | None, StatementTable | None]:
    """Read one dataset with its tables, statements up to a limit; what cannot be read is reported and left out."""
    root = parse(source, report)
    top = None if root is None else top_level(root, {"dataset"}, source.path, report)
    if root is None or top is None:
        return None, None
    head = top.get("dataset")
    if not isinstance(head, Mapping):
        report.add("KG106", "the file has no 'dataset' record", root.span, hint="dataset: followed by its keys")
        return None, None
    record = Record(head, DATASET_FIELDS, "the dataset", language, report)
    prefixes = _prefixes(record.values.get("prefixes"), report)
    missing = [end for end, table in ((".tsv", statements), (".records.tsv", records)) if table is None]
    for ending in missing:
        table = source.path.removesuffix(".yaml") + ending
        what = "source records" if ending.startswith(".records") else "statements"
        report.add("KG701", f"the dataset has no table {table}", record.place(head).span, hint=f"it holds the {what}")
    name = str(record.values.get("id", ""))
    batch, more = (None, False) if statements is None else statements.first(STATEMENT_FIELDS, limit, report)
    large = StatementTable(name, prefixes, statements) if statements is not None and more else None
    found = [] if batch is None or more else read_statements(batch, name, prefixes, language, report)
    known = [] if records is None else _records(records, language, report)
    if not record.complete:
        return None, None
    values = record.values
    dataset = Dataset(
        id=name,
        title=values["title"],
        description=values["description"],
        publisher=values["publisher"],
        release=values["release"],
        license=values["license"],
        citation=values["citation"],
        method=values["method"],
        limits=values["limits"],
        place=record.place(head),
        issued=values.get("issued"),
        landing_page=values.get("landing-page"),
        sources=values.get("sources", ()),
        statements=tuple(found),
        records=tuple(known),
        large=large is not None,
    )
    return dataset, large


def _prefixes(node: Value | None, report: Report) -> dict[str, str]:
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        report.add("KG107", "'prefixes' must be prefixes with their IRIs", node.span)
        return {}
    found = {}
    for prefix, (span, value) in node.entries.items():
        if isinstance(value, Scalar) and is_iri(value.text):
            found[prefix] = value.text
        else:
            report.add("KG306", f"prefix '{prefix}' is not bound to an IRI", span)
    return found


def read_statements(
    batch: Batch, dataset: str, prefixes: dict[str, str], language: str, report: Report
) -> list[DatasetStatement]:
    """Read a batch of statements; what cannot be read is reported and left out."""
    found = []
    for record in _rows(batch, STATEMENT_FIELDS, "the statement", language, report):
        values = record.values
        subject = _thing(record, "subject", prefixes, report)
        target = _thing(record, "object", prefixes, report)
        quantity = _quantity(record, report)
        if not record.complete or subject is None or target is None:
            continue
        found.append(
            DatasetStatement(
                id=values["id"],
                dataset=dataset,
                statement=values["statement"],
                subject=subject,
                predicate=values["predicate"],
                object=target,
                records=values["record"],
                place=_place(record),
                polarity=values.get("polarity", "affirmed"),
                subject_match=values.get("subject-match"),
                measure=values.get("measure"),
                quantity=quantity,
                interval=values.get("interval"),
                observations=values.get("observations"),
                qualifiers=values.get("qualifiers", ()),
                method=values.get("method"),
                note=values.get("note"),
            )
        )
    return found


def _records(table: Table, language: str, report: Report) -> list[SourceRecord]:
    found = []
    batches = table.batches(RECORD_FIELDS, _BATCH, report)
    for record in (item for batch in batches for item in _rows(batch, RECORD_FIELDS, "the record", language, report)):
        values = record.values
        _matches(record, "doi", _DOI, "KG703", "such as 10.1093/sleep/21.5.501", report)
        _matches(record, "pmid", _PMID, "KG703", "digits only, such as 9703590", report)
        _matches(
            record, "evidence", _EVIDENCE, "KG206", "a class of the Evidence Ontology, such as ECO:0000180", report
        )
        if record.complete:
            found.append(SourceRecord(place=_place(record), **values))
    return found


def _matches(record: Record, key: str, pattern: re.Pattern[str], code: str, hint: str, report: Report) -> None:
    text = record.values.get(key)
    if text is not None and not pattern.match(text):
        report.add(code, f"'{text}' is no {key.upper() if code == 'KG703' else key}", record.keys[key], hint=hint)


def _rows(batch: Batch, fields: tuple[Field, ...], what: str, language: str, report: Report) -> Iterator[Record]:
    for node in batch.mappings(fields, report):
        record = Record(node, fields, what, language, report)
        record.keys.setdefault("id", node.span)
        yield record


def _place(record: Record) -> Place:
    return Place(record.keys["id"], record.keys)


def _thing(record: Record, key: str, prefixes: dict[str, str], report: Report) -> Thing | None:
    text = record.values.get(key)
    if text is None:
        return None
    label = record.values.get(f"{key}-label")
    prefix, colon, _ = text.partition(":")
    if not colon:
        if label is not None:
            hint = "the label of an entity stands with the entity"
            report.add(
                "KG105", f"'{text}' is an entity and takes no label here", record.keys[f"{key}-label"], hint=hint
            )
        return Thing("entity", text)
    iri = expand(text, prefixes)
    if iri is None:
        hint = did_you_mean(prefix, prefixes) or "declare it under 'prefixes' of the dataset"
        report.add("KG305", f"unknown prefix '{prefix}'", record.keys[key], hint=hint)
        return None
    if not is_iri(iri):
        report.add("KG306", f"'{text}' does not make an IRI", record.keys[key])
        return None
    if label is None:
        report.add("KG106", f"the statement has no '{key}-label'", record.keys[key], hint=f"the name of {text}")
        return None
    return Thing("term", iri, text, label)


def _quantity(record: Record, report: Report) -> Quantity | None:
    values: dict[str, Any] = record.values
    numbers: dict[str, Decimal] = {name: values[key] for key, name in _BOUNDS.items() if key in values}
    if not numbers:
        if any(key in record.keys for key in _BOUNDS):
            return None
        for key in ("unit", "measure", "interval", "observations"):
            if key in record.keys:
                report.add("KG210", f"'{key}' is given without a number", record.keys[key], hint="give 'value'")
        return None
    if "unit" not in values:
        place = next(record.keys[key] for key in _BOUNDS if key in values)
        report.add("KG106", "the statement has no 'unit'", place, hint="unit: UCUM code, such as mg or 1")
        return None
    ends = [numbers[name] for name in ("minimum", "value", "maximum") if name in numbers]
    if ends != sorted(ends):
        report.add("KG210", "min, value and max are not in order", record.keys.get("value", record.keys["id"]))
        return None
    return Quantity(unit=values["unit"], **numbers)
