"""Entities: `data/entities/*.yaml`, or tables such as `data/entities/foods.csv`."""

from __future__ import annotations

from collections.abc import Iterable

from kgbuild import claims
from kgbuild.claims import Entity
from kgbuild.diagnostics import Report, Span
from kgbuild.read.articles import records, top_level
from kgbuild.read.records import Record
from kgbuild.read.streams import Table
from kgbuild.read.yaml import Mapping, parse
from kgbuild.source import Source


def read_entities(source: Source, language: str, report: Report) -> list[Entity]:
    """Read one file of entities; a text without a language is in the project's `language`."""
    root = parse(source, report)
    top = None if root is None else top_level(root, {"entities"}, source.path, report)
    if top is None:
        return []
    if "entities" not in top:
        report.add("KG106", "the file has no 'entities'", Span(source.path), hint="entities: followed by records")
    return _entities(records(top.get("entities"), "entities", report), language, report)


def read_entity_table(table: Table, language: str, report: Report) -> list[Entity]:
    """Read one table of entities; a text without a language is in the project's `language`."""
    found = []
    for batch in table.batches(claims.ENTITY_FIELDS, 1000, report):
        found += _entities(batch.mappings(claims.ENTITY_FIELDS, report), language, report)
    return found


def _entities(nodes: Iterable[Mapping], language: str, report: Report) -> list[Entity]:
    found = []
    for node in nodes:
        record = Record(node, claims.ENTITY_FIELDS, "the entity", language, report)
        if not record.complete:
            continue
        values = record.values
        found.append(
            Entity(
                id=values["id"],
                labels=values["label"],
                category=values["category"],
                definitions=values["definition"],
                place=record.place(node),
                aliases=values.get("aliases", {}),
                broader=values.get("broader", ()),
            )
        )
    return found
