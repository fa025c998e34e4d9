"""Schemas of the source format, made of its one definition: JSON Schema for records, CSVW metadata for tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from kgbuild.claims import (
    ARTICLE_FIELDS,
    ARTICLE_ROW_FIELDS,
    CLAIM_FIELDS,
    ENTITY_FIELDS,
    KINDS,
    QUANTITY_FIELDS,
    RIGHTS,
    SECTION_FIELDS,
    Field,
    Kind,
)
from kgbuild.datasets import FITS, RECORD_FIELDS, RECORD_KINDS, STATEMENT_FIELDS
from kgbuild.editions.edition import Material

TABLES: Final = {
    "claims": (CLAIM_FIELDS, "data/articles/NAME.claims.csv", "claims of the article NAME"),
    "entities": (ENTITY_FIELDS, "data/entities/NAME.csv", "entities"),
    "statements": (STATEMENT_FIELDS, "data/datasets/NAME.csv", "statements of the dataset NAME"),
    "records": (RECORD_FIELDS, "data/datasets/NAME.records.csv", "source records of the dataset NAME"),
}
"""The records of the source format that may stand in tables: their fields, where they stand, what they are."""

_SENTENCE_FIELDS: Final = (
    Field("number", Kind.INTEGER, "number of the sentence in the article", required=True),
    Field("section", Kind.SLUG, "section it stands in", required=True),
    Field("start", Kind.INTEGER, "where it starts, in code points from 0", required=True),
    Field("end", Kind.INTEGER, "where it ends, exclusive", required=True),
    Field("sha256", Kind.DIGEST, "digest of its words as UTF-8"),
)
_NESTED: Final = {"article": "article", "sections": "section", "sentences": "sentence", "claims": "claims"}
"""The records below a record, by key, and which of `$defs` they are."""
_SLUG = "^[a-z0-9]+(-[a-z0-9]+)*$"
_REFERENCE = "^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?$"
_NUMBER = "^-?[0-9]{1,18}([.][0-9]{1,18})?$"
_LANGUAGE = "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$"
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_DECIMAL: Final[dict[str, Any]] = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _NUMBER}]}
_WHOLE: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,12}$"}]
}
_NAME: Final[dict[str, Any]] = {"type": "string", "pattern": _REFERENCE}
_ADDRESS: Final[dict[str, Any]] = {"type": "string", "pattern": "^https?://"}


def _one_or_many(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item}]}


def _by_language(item: dict[str, Any]) -> dict[str, Any]:
    tagged = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": _LANGUAGE}}
    return {"anyOf": [item, tagged | {"additionalProperties": item}]}


_VALUES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.SLUG: {"type": "string", "pattern": _SLUG},
    Kind.REFERENCE: _NAME,
    Kind.REFERENCES: _one_or_many(_NAME),
    Kind.OBJECT: {
        "anyOf": [
            _NAME,
            {"type": "object", "properties": {"claim": _NAME}, "required": ["claim"], "additionalProperties": False},
        ]
    },
    Kind.TERM: _NAME,
    Kind.TEXT: _TEXT,
    Kind.TEXTS: _one_or_many(_TEXT),
    Kind.LOCALIZED: _by_language(_TEXT),
    Kind.LOCALIZED_LIST: _by_language(_one_or_many(_TEXT)),
    Kind.INTEGER: _WHOLE,
    Kind.INTEGERS: _one_or_many(_WHOLE),
    Kind.FRACTION: {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "string", "pattern": "^(0([.][0-9]+)?|1([.]0+)?)$"},
        ]
    },
    Kind.BOOLEAN: {"enum": [True, False, "true", "false"]},
    Kind.DATE: {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    Kind.PERIOD: {"type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"},
    Kind.DIGEST: {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    Kind.ADDRESS: _ADDRESS,
    Kind.ADDRESSES: _one_or_many(_ADDRESS),
    Kind.NUMBER: _DECIMAL,
    Kind.THING: {"type": "string", "pattern": r"^([a-z0-9]+(-[a-z0-9]+)*|[A-Za-z][A-Za-z0-9._-]*:[^\s:][^\s]*)$"},
    Kind.QUALIFIERS: {
        "type": "object",
        "additionalProperties": _one_or_many(
            {
                "anyOf": [
                    _TEXT,
                    {
                        "type": "object",
                        "properties": {"entity": _NAME},
                        "required": ["entity"],
                        "additionalProperties": False,
                    },
                ]
            }
        ),
    },
    Kind.QUANTITY: {
        "type": "object",
        "properties": {field.key: _TEXT if field.key == "unit" else _DECIMAL for field in QUANTITY_FIELDS},
        "required": [field.key for field in QUANTITY_FIELDS if field.required],
        "minProperties": 2,
        "additionalProperties": False,
    },
}  # fmt: skip
_BASES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.SLUG: {"base": "string", "format": _SLUG.strip("^$")},
    Kind.INTEGER: {"base": "nonNegativeInteger"},
    Kind.INTEGERS: {"base": "nonNegativeInteger"},
    Kind.FRACTION: {"base": "decimal", "minimum": 0, "maximum": 1},
    Kind.NUMBER: {"base": "decimal"},
    Kind.BOOLEAN: {"base": "boolean", "format": "true|false"},
    Kind.DATE: {"base": "date", "format": "yyyy-MM-dd"},
    Kind.ADDRESS: {"base": "anyURI"},
    Kind.ADDRESSES: {"base": "anyURI"},
}
_JOINED = frozenset({Kind.REFERENCES, Kind.TEXTS, Kind.INTEGERS, Kind.ADDRESSES, Kind.LOCALIZED_LIST, Kind.QUALIFIERS})


def write_json_schema(material: Material) -> bytes:
    """Write a JSON Schema (2020-12) for each kind of record, with the terms and predicates of the project."""
    records = {name: (fields, words) for name, (fields, _, words) in TABLES.items()}
    records |= {
        "articles": (ARTICLE_ROW_FIELDS, "articles, one a line of data/articles/NAME.jsonl"),
        "article": (ARTICLE_FIELDS, "the record of an article"),
        "section": (SECTION_FIELDS, "a section of an article"),
        "sentence": (_SENTENCE_FIELDS, "a sentence of an article"),
    }
    schemas = {name: _record(fields, words, material) for name, (fields, words) in records.items()}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{material.project.base}data/schema.json",
        "title": "Records of the source format of kgbuild",
        "description": "A line of JSON Lines, or a record of YAML, is one of $defs.",
        "$defs": schemas,
    }
    return _json(document)


def _record(fields: Iterable[Field], words: str, material: Material) -> dict[str, Any]:
    fields = tuple(fields)
    return {
        "title": words,
        "type": "object",
        "properties": {
            field.key: {"description": field.doc, **_value(field), **_terms(field, material)} for field in fields
        },
        "required": [field.key for field in fields if field.required],
        "additionalProperties": False,
    }


def _value(field: Field) -> dict[str, Any]:
    if field.kind is Kind.RECORD:
        return {"$ref": f"#/$defs/{_NESTED[field.key]}"}
    if field.kind is Kind.RECORDS:
        return {"type": "array", "items": {"$ref": f"#/$defs/{_NESTED[field.key]}"}}
    return _VALUES[field.kind]


def _terms(field: Field, material: Material) -> dict[str, Any]:
    """Return what the project allows in a field: terms of a scheme, categories, predicates."""
    ontology = material.compilation.sources.ontology
    if field.scheme is not None:
        return {"enum": sorted(ontology.concepts[field.scheme])}
    if field.key == "rights":
        return {"enum": list(RIGHTS)}
    if field.key == "category":
        return {"enum": sorted(ontology.categories)}
    if field.key == "predicate":
        aliases = {alias for predicate in ontology.predicates.values() for alias in predicate.aliases}
        return {"enum": sorted({*ontology.predicates, *aliases})}
    if field.key == "subject-match":
        return {"enum": sorted(FITS)}
    if field.key == "kind" and field.kind is Kind.TERM:
        return {"enum": sorted(KINDS if field in CLAIM_FIELDS else RECORD_KINDS)}
    return {}


def write_csvw(material: Material) -> bytes:
    """Write the columns of each table as CSV on the Web metadata (W3C tabular metadata)."""
    document = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "@type": "TableGroup",
        "dc:title": f"Source tables of {material.project.title}",
        "dialect": {"commentPrefix": None, "doubleQuote": True, "encoding": "utf-8"},
        "tables": [
            {"url": url, "dc:description": words, "tableSchema": _columns(fields)}
            for fields, url, words in TABLES.values()
        ],
    }
    return _json(document)


def _columns(fields: Iterable[Field]) -> dict[str, Any]:
    columns = []
    for field in fields:
        column: dict[str, Any] = {
            "titles": field.key,
            "name": field.key.replace("-", "_"),
            "dc:description": field.doc,
            "required": field.required,
            "datatype": _BASES.get(field.kind, {"base": "string"}),
        }
        if field.kind in _JOINED:
            column["separator"] = "|"
        if field.property:
            column["propertyUrl"] = field.property
        columns.append(column)
    return {"columns": columns, "primaryKey": "id"}


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
