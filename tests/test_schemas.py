"""Schemas of the source format: what the reader takes they take, what it refuses they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kgbuild.compilation import Compilation
from kgbuild.editions.edition import Material
from kgbuild.editions.schemas import TABLES, write_csvw, write_json_schema

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def schema(compilation: Compilation) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(write_json_schema(Material(compilation)))
    return made


def checker(schema: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{name}"})


def records(name: str) -> list[dict[str, Any]]:
    if name == "claims":
        return yaml.load((ROOT / "data/articles/magnesium-rls.yaml").read_text("utf-8"), yaml.BaseLoader)["claims"]  # type: ignore[no-any-return]
    if name == "entities":
        paths = sorted((ROOT / "data/entities").glob("*.yaml"))
        return [item for path in paths for item in yaml.load(path.read_text("utf-8"), yaml.BaseLoader)["entities"]]
    found = []
    for path in sorted((ROOT / "data/datasets").glob("*.tsv")):
        if (".records" in path.name) == (name == "records"):
            rows = [
                line.split("\t") for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")
            ]
            for cells in rows[1:]:
                row: dict[str, Any] = {key: cell for key, cell in zip(rows[0], cells, strict=True) if cell}
                if "qualifiers" in row:
                    row["qualifiers"] = dict(part.split("=", 1) for part in row["qualifiers"].split("|"))
                if "record" in row:
                    row["record"] = row["record"].split("|")
                found.append(row)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_record_of_the_project_fits(name: str, schema: dict[str, Any]) -> None:
    check = checker(schema, name)
    found = records(name)
    assert found
    for record in found:
        assert [error.message for error in check.iter_errors(record)] == []


def test_an_article_with_its_sentences_and_claims_is_a_row(schema: dict[str, Any]) -> None:
    row = yaml.load((ROOT / "data/articles/magnesium-rls.yaml").read_text("utf-8"), yaml.BaseLoader)
    table = (ROOT / "data/articles/magnesium-rls.sentences.tsv").read_text("utf-8").splitlines()
    heading, *rows = [line.split("\t") for line in table if not line.startswith("#")]
    row["sentences"] = [dict(zip(heading, cells, strict=True)) for cells in rows]
    check = checker(schema, "articles")
    assert [error.message for error in check.iter_errors(row)] == []
    row["article"]["rights"] = "mine"
    row["sentences"][3].pop("start")
    row["claims"][5]["certainty"] = "certain"
    assert len(list(check.iter_errors(row))) == 3


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("claims", {"id": "C 1"}),
        ("claims", {"certainty": "certain"}),
        ("claims", {"predicate": "heals"}),
        ("claims", {"kind": "publication"}),
        ("claims", {"confidence": 1.5}),
        ("claims", {"sentence": "three"}),
        ("claims", {"object": {"article": "c1"}}),
        ("claims", {"object-quantity": {"unit": "mg"}}),
        ("claims", {"presupposed": "yes"}),
        ("claims", {"colour": "red"}),
        ("entities", {"category": "dragon"}),
        ("entities", {"label": {}}),
        ("statements", {"value": "1,5"}),
        ("statements", {"subject": "two words"}),
        ("records", {"kind": "factual"}),
        ("records", {"issued": "May"}),
        ("records", {"url": "example.org"}),
    ],
)
def test_a_record_that_the_reader_refuses_does_not_fit(
    name: str, changes: dict[str, Any], schema: dict[str, Any]
) -> None:
    record = records(name)[0]
    assert checker(schema, name).is_valid(record)
    assert not checker(schema, name).is_valid(record | changes)


def test_what_is_required_is_required(schema: dict[str, Any]) -> None:
    for name, (fields, _, _) in TABLES.items():
        record = records(name)[0]
        for field in fields:
            if field.required:
                rest = {key: value for key, value in record.items() if key != field.key}
                assert not checker(schema, name).is_valid(rest), field.key


def test_csvw_describes_every_column(compilation: Compilation) -> None:
    document = json.loads(write_csvw(Material(compilation)))
    assert document["@context"][0] == "http://www.w3.org/ns/csvw"
    for table, (fields, url, _) in zip(document["tables"], TABLES.values(), strict=True):
        columns = table["tableSchema"]["columns"]
        assert table["url"] == url
        assert [column["titles"] for column in columns] == [field.key for field in fields]
        assert [column["required"] for column in columns] == [field.required for field in fields]
        assert {column["titles"] for column in columns if column.get("separator")} >= {
            field.key for field in fields if field.key in {"sentence", "record", "qualifiers"}
        }
