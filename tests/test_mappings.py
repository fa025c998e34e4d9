"""Links to other vocabularies: every identifier is one that the reference data shows with that label."""

from __future__ import annotations

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from kgbuild.claims import Mapping
from kgbuild.compilation import Compilation
from kgbuild.terms import SKOS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared/reference"
MAPPINGS = sorted((ROOT / "data/mappings").glob("*.sssom.tsv"))
TABLES = {
    "CDNO": "ontologies/slice_cdno.tsv",
    "CHEBI": "kg/chebi_terms.tsv.gz",
    "DOID": "ontologies/doid_terms.tsv.gz",
    "EC": "enzymes/ec_names.tsv",
    "FOODON": "ontologies/foodon_terms.tsv.gz",
    "GO": "ontologies/slice_go.tsv",
    "HP": "ontologies/hp_terms.tsv.gz",
    "MAXO": "ontologies/slice_maxo.tsv",
    "MESH": "ontologies/mesh_descriptors.tsv.gz",
    "MONDO": "ontologies/mondo_terms.tsv.gz",
    "NCBITaxon": "ontologies/slice_ncbitaxon.tsv",
    "SYMP": "ontologies/symp.obo",
    "UBERON": "ontologies/slice_uberon.tsv",
    "fdc": "usda/article_foods_magnesium.csv",
    "usda.ndb": "usda/usda_sr28_foods.csv",
}
"""The vocabularies that the reference data holds as tables; of the others it holds the identifiers it verified."""

needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")


def lines(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return iter(text.splitlines(keepends=True))


def rows(path: Path, delimiter: str = "\t") -> Iterator[dict[str, str]]:
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    return iter(csv.DictReader((line for line in lines(path) if line[0] != "#"), delimiter=delimiter, quoting=quoting))


@cache
def labels(prefix: str) -> dict[str, set[str]]:
    """Return the labels of a vocabulary by identifier; of FoodOn also those of its older releases."""
    path = REFERENCE / TABLES[prefix]
    found = defaultdict(set)
    if path.suffix == ".obo":
        for name, label in re.findall(r"^id: (\S+)\nname: (.*)$", path.read_text("utf-8"), re.MULTILINE):
            found[name].add(label)
    for row in rows(path, "," if path.suffix == ".csv" else "\t") if path.suffix != ".obo" else ():
        match prefix:
            case "EC":
                found[f"EC:{row['ec_number']}"].add(row["name"])
            case "fdc":
                found[f"fdc:{row['fdc_id']}"].add(row["description"])
            case "usda.ndb":
                found[f"usda.ndb:{row['ndb_no']}"].add(row["description"])
            case _:
                found[row["id"]].add(row["label"])
                found[row["id"]].update(row["synonyms"].split("|") if prefix == "FOODON" else ())
    return found


@cache
def verified() -> dict[str, set[str]]:
    found = defaultdict(set)
    for row in rows(REFERENCE / "mappings.sssom.tsv"):
        found[row["object_id"]].add(row["object_label"])
    return found


def unseen(mappings: Iterable[dict[str, str]]) -> list[str]:
    """Return the rows whose identifier the reference data does not show with the label."""
    faults = []
    for row in mappings:
        prefix = row["object_id"].partition(":")[0]
        known = labels(prefix) if prefix in TABLES else verified()
        if row["object_label"] not in known.get(row["object_id"], set()):
            faults.append(f"{row['subject_id']} {row['object_id']} {row['object_label']}")
    return faults


@pytest.mark.shared
@needs_reference
@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name)
def test_every_identifier_is_seen_with_its_label(path: Path) -> None:
    found = list(rows(path))
    assert found
    assert unseen(found) == []


@pytest.mark.shared
@needs_reference
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("MONDO:0005391", "restless leg"),
        ("MESH:D009999999", "Magnesium"),
        ("wd:Q35831", "sleep"),
        ("usda.ndb:09040", "Bananas"),
        ("XX:1", "x"),
    ],
)
def test_an_identifier_that_was_not_seen_is_found_out(name: str, label: str) -> None:
    assert unseen([{"subject_id": "id:x", "object_id": name, "object_label": label}]) == [f"id:x {name} {label}"]


@pytest.mark.shared
@needs_reference
def test_what_the_reference_could_not_verify_is_not_used() -> None:
    """What was refused is not linked under the label that was claimed for it."""
    refused = {(row["object_id"], row["object_label_claimed"]) for row in rows(REFERENCE / "mappings-unverified.tsv")}
    used = {(row["object_id"], row["object_label"]) for path in MAPPINGS for row in rows(path)}
    assert refused
    assert not refused & used


def strengths(compilation: Compilation) -> Iterator[tuple[Mapping, str]]:
    for found in compilation.sources.mappings:
        for mapping in found.mappings:
            yield mapping, mapping.predicate.removeprefix(SKOS).removesuffix("Match")


def test_a_record_of_a_table_is_never_the_food_itself(compilation: Compilation) -> None:
    """No entry of a food table is an exact match, neither as a link nor in the dataset."""
    records = {"https://fdc.nal.usda.gov/", "https://w3id.org/magnesium-rls/dataset/"}
    to_records = [
        (mapping, match) for mapping, match in strengths(compilation) if mapping.object.startswith(tuple(records))
    ]
    assert len(to_records) > 50
    assert {match for _, match in to_records} == {"close", "narrow"}
    (table,) = (dataset for dataset in compilation.sources.datasets if dataset.id == "usda-sr28")
    assert {statement.subject_match for statement in table.statements} == {"close", "narrow"}


def test_links_and_dataset_agree_on_which_entry_is_the_nearest(compilation: Compilation) -> None:
    """Each food has one nearest entry: its link says so, be it close or, where it fixes a state, narrow."""
    space = "https://w3id.org/magnesium-rls/dataset/usda-sr28/"
    links = {
        (mapping.subject, mapping.object.removeprefix(space)): (match, mapping.comment or "")
        for mapping, match in strengths(compilation)
        if mapping.object.startswith(space)
    }
    (table,) = (dataset for dataset in compilation.sources.datasets if dataset.id == "usda-sr28")
    stated = {(item.subject.id, item.records[0]): item.subject_match for item in table.statements}
    assert set(stated) == set(links)
    nearest = sorted(food for (food, _), match in stated.items() if match == "close")
    assert nearest == sorted({food for food, _ in stated})
    for key, match in stated.items():
        strength, comment = links[key]
        assert (match == "close") == ("nearest record" in comment or strength == "close"), key
