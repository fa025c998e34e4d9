"""Tables: the same records in every form give the same claims, statements and entities, and faults are named at their cell."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.claims import CLAIM_FIELDS, Claim, Entity, Place
from kgbuild.diagnostics import Diagnostic, Report, Span
from kgbuild.project import load_project
from kgbuild.read import streams
from kgbuild.read.streams import ENDINGS, Table
from kgbuild.sources import Sources, read_sources

ROOT = Path(__file__).parents[1]
COLUMNS = "id,statement,subject,predicate,object,sentence,certainty,basis"
GOOD = Path(__file__).parent / "broken" / "_good"
NOWHERE = Place(Span(""))
Row = dict[str, Any]


def flat(record: Row, above: str = "") -> dict[str, str]:
    """Spell a record as cells: lists joined by `|`, what is nested under dotted names."""
    cells: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            cells |= flat(value, f"{above}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            cells[f"{above}{key}.entity"] = "|".join(item["entity"] for item in value)
        else:
            cells[above + key] = "|".join(map(str, value)) if isinstance(value, list) else str(value)
    return cells


def write(path: Path, records: list[Row]) -> None:
    """Write records as a table; its form is told by its name."""
    form = next(form for form in ("csv", "tsv", "jsonl", "parquet") if f".{form}" in path.name)
    if form == "parquet":
        rows = [flat(record) for record in records]
        columns = sorted({column for row in rows for column in row})
        pq.write_table(pa.table({column: [row.get(column) for row in rows] for column in columns}), path)
        return
    data = spelt(form, records).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)


def spelt(form: str, records: list[Row]) -> str:
    if form == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    rows = [flat(record) for record in records]
    columns = sorted({column for row in rows for column in row})
    if form == "tsv":
        lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
        return "".join("\t".join(line) + "\n" for line in lines)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plain(values: Iterable[Claim | Entity]) -> list[Claim | Entity]:
    """Forget the places, and the order of qualifiers of different types, which columns do not keep."""
    return [
        replace(value, place=NOWHERE, qualifiers=tuple(sorted(value.qualifiers, key=lambda item: item.type)))
        if isinstance(value, Claim)
        else replace(value, place=NOWHERE)
        for value in values
    ]


def read(root: Path) -> tuple[Sources, list[Diagnostic]]:
    report = Report()
    return read_sources(load_project(root), report), report.sorted()


@pytest.fixture(scope="module")
def records() -> list[Row]:
    """Return the claims of the article as YAML gives them, every scalar as text."""
    text = (ROOT / "data/articles/magnesium-rls.yaml").read_text("utf-8")
    claims: list[Row] = yaml.load(text, yaml.BaseLoader)["claims"]
    return claims


@pytest.fixture(scope="module")
def expected() -> Sources:
    return read(ROOT)[0]


@pytest.mark.parametrize("ending", ENDINGS)
def test_claims_are_the_same_in_every_form(ending: str, records: list[Row], expected: Sources, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "data", "ontology"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)  # type: ignore[operator]
    article = tmp_path / "data/articles/magnesium-rls.yaml"
    article.write_text(article.read_text("utf-8").partition("\nclaims:")[0] + "\n", "utf-8")
    write(tmp_path / f"data/articles/magnesium-rls.claims{ending}", records)
    sources, found = read(tmp_path)
    assert found == []
    assert plain(sources.claims) == plain(expected.claims)


@pytest.mark.parametrize("ending", [".csv", ".tsv.gz", ".jsonl", ".parquet"])
def test_entities_are_the_same_in_every_form(ending: str, tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "data/entities/things.yaml"
    write(file.with_suffix(ending), yaml.load(file.read_text("utf-8"), yaml.BaseLoader)["entities"])
    file.unlink()
    sources, found = read(tmp_path)
    assert found == []
    assert plain(sources.entities) == plain(read(GOOD)[0].entities)


@pytest.mark.parametrize("ending", [".csv.gz", ".jsonl.zst", ".parquet"])
def test_statements_and_records_are_the_same_in_every_form(ending: str, expected: Sources, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "data", "ontology"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)  # type: ignore[operator]
    folder = tmp_path / "data/datasets"
    for name in ("usda-sr28", "usda-sr28.records"):
        lines = [line.split("\t") for line in (folder / f"{name}.tsv").read_text("utf-8").splitlines()]
        rows = [{key: cell for key, cell in zip(lines[0], line, strict=True) if cell} for line in lines[1:]]
        for row in rows if "jsonl" in ending else ():
            if "qualifiers" in row:
                row["qualifiers"] = dict(part.split("=") for part in row["qualifiers"].split("|"))
        (folder / f"{name}.tsv").unlink()
        write(folder / f"{name}{ending}", rows)
    made, known = (
        next(item for item in sources.datasets if item.id == "usda-sr28") for sources in (read(tmp_path)[0], expected)
    )
    assert [replace(item, place=NOWHERE) for item in made.statements] == [
        replace(item, place=NOWHERE) for item in known.statements
    ]
    assert [replace(item, place=NOWHERE) for item in made.records] == [
        replace(item, place=NOWHERE) for item in known.records
    ]


HEADING = "id,statement,subject,predicate,object,sentence,certainty,basis,qualifiers.population,confidence"
ROW = "c9,Tea is drunk.,tea,contains,caffeine,1,asserted,unsourced,,"
HIDDEN = ROW.replace("Tea", "T\u202eea")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("csv", f"{HEADING}\n{ROW}1.5\n", "2:62: KG211 'confidence' must be a number from 0 to 1, not '1.5'"),
        ("csv", f"{HEADING}\n{ROW.replace('c9', 'C 9')}\n", "2:1: KG202 'C 9' is not an identifier"),
        ("csv", f"{HEADING}\nc1,one cell\n", "2:1: KG114 the row has 2 cells, the heading has 10"),
        ("csv", f'{HEADING}\nc1,a "quote" inside\n', "2:4: KG114 a quote stands inside a cell"),
        ("csv", f'{HEADING}\nc1,"never closed\n', "2:4: KG114 a quote stands inside a cell"),
        ("csv", f"{HEADING},colour\n", "1:1: KG105 unknown column 'colour'"),
        ("csv", "id\nc1\n", "1:1: KG106 the table has no column 'basis'"),
        ("csv", "", "1:1: KG108 the table has no heading"),
        ("csv", f"{HEADING}\n{HIDDEN}\n", "2:5: KG115 U+202E RIGHT-TO-LEFT OVERRIDE in the file"),
        ("jsonl", '{"id" "c9"}\n', "1:7: KG114 broken JSON: Expecting ':' delimiter"),
        ("jsonl", '["c9"]\n', "1:1: KG114 the row is no JSON object"),
        ("jsonl", '{"note": ' + "[" * 600 + "]" * 600 + "}\n", "1:10: KG114 the row is nested too deep"),
        ("jsonl", '{"statement": "Tea is bad\\rTea is good"}\n', "1:15: KG115 carriage return in 'statement'"),
        ("csv", f'{COLUMNS}\nc9,"Tea is bad\rTea is good",tea,contains,caffeine,1,asserted,unsourced\n', "2:5: KG115 carr"),
        ("jsonl", '{"id": "c9", "id": "c9"}\n', "1:2: KG114 key 'id' is given twice"),
        ("jsonl", '{"id": "c9", "confidence": NaN}\n', "1:28: KG114 NaN is no number of JSON"),
        ("jsonl", '{"id": "C 9"}\n', "1:8: KG202 'C 9' is not an identifier"),
        ("jsonl", '{"colour": "red"}\n', "1:2: KG105 unknown key 'colour' in the claim"),
        ("csv.gz", "not packed", "1:1: KG101 cannot read data/articles/tea.claims.csv.gz: Not a gzipped file (b'no')"),
        ("parquet", "not parquet", "1:1: KG101 cannot read data/articles/tea.claims.parquet: Parquet magic bytes"),
    ],
)  # fmt: skip
def test_a_fault_is_named_at_its_cell(name: str, text: str, said: str, tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / f"data/articles/tea.claims.{name}").write_bytes(text.encode())
    _, found = read(tmp_path)
    shown = [f"{item.span.line}:{item.span.column}: {item.code} {item.message}" for item in found if item.span]
    assert [line for line in shown if line.startswith(said.removesuffix("'"))] or shown == [said]
    assert {item.span.path for item in found if item.span} == {f"data/articles/tea.claims.{name}"}


def test_a_cell_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    rows = [{"id": "c8", "statement": 'Tea, "the drink", is drunk.', "note": "one\ntwo", "subject": "tea"}]
    rows[0] |= {"predicate": "contains", "object": "caffeine", "sentence": "1|2", "certainty": "asserted"}
    rows[0] |= {"basis": "unsourced"}
    write(tmp_path / "data/articles/tea.claims.csv", [*rows, rows[0] | {"id": "c9", "confidence": "0.50"}])
    sources, found = read(tmp_path)
    assert found == []
    one, other = sources.claims[-2:]
    assert (one.statement, one.note, one.sentences) == (rows[0]["statement"], "one\ntwo", (1, 2))
    assert str(other.confidence) == "0.50"
    assert other.place.span.line == 4


def test_typed_columns_of_parquet_are_what_their_text_is(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    row: Row = {"id": "c8", "statement": "Tea holds 0.5 mg.", "subject": "tea", "predicate": "contains"}
    row |= {"object": "caffeine", "sentence": "1", "certainty": "asserted", "basis": "unsourced"}
    typed = {"object-quantity.value": 0.5, "object-quantity.unit": "mg", "qualifiers.population": ["old", "young"]}
    texts = {"object-quantity.value": "0.5", "object-quantity.unit": "mg", "qualifiers.population": "old|young"}
    claims = []
    for values in (typed, texts):
        table = tmp_path / "data/articles/tea.claims.parquet"
        pq.write_table(pa.Table.from_pylist([row | values]), table)
        sources, found = read(tmp_path)
        assert found == []
        claims.append(plain(claim for claim in sources.claims if claim.id == "c8"))
    assert claims[0] == claims[1]
    assert len(claims[0]) == 1
    pq.write_table(pa.Table.from_pylist([row | {"statement": b"Tea holds 0.5 mg."}]), table)
    _, found = read(tmp_path)
    assert [item.message for item in found] == ["the row holds bytes where text is meant"]


def test_a_row_without_an_end_is_not_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(streams, "LONGEST", 5000)
    table = tmp_path / "data/articles/tea.claims.jsonl.gz"
    table.write_bytes(gzip.compress(b'{"id": "' + b"c" * 9_000_000))
    _, found = read(tmp_path)
    assert [(item.code, item.message) for item in found] == [("KG114", "the row is longer than 5,000 bytes")]
    table.unlink()
    rows = "".join(f"c{number},tea\n" for number in range(2000))
    (tmp_path / "data/articles/tea.claims.csv").write_text(f'{COLUMNS}\nc1,"tea\n{rows}', "utf-8")
    _, found = read(tmp_path)
    assert [(item.code, item.message) for item in found if item.span and item.span.line == 2] == [
        ("KG114", "a quote is opened and not closed")
    ]


def test_a_row_of_unknown_keys_is_told_in_short(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    row = {f"key-{number}": "x" for number in range(5000)}
    (tmp_path / "data/articles/tea.claims.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    _, found = read(tmp_path)
    assert sum(item.code == "KG105" for item in found) == 21
    assert [item.message for item in found if "further" in item.message] == [
        "4980 further keys of the claim are unknown"
    ]


def test_numbers_of_json_keep_their_digits(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    record = '"statement":"a","subject":"tea","predicate":"contains","object":"caffeine","sentence":1'
    line = f'{{"id":"c9",{record},"certainty":"asserted","basis":"unsourced","confidence":0.50}}\n'
    (tmp_path / "data/articles/tea.claims.jsonl").write_text(line)
    sources, found = read(tmp_path)
    assert found == []
    assert str(sources.claims[-1].confidence) == "0.50"


def test_a_table_of_nothing_is_reported(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / "data/articles/coffee.claims.csv").write_text("id\n")
    _, found = read(tmp_path)
    assert [(item.code, item.message) for item in found] == [
        ("KG113", "no article belongs to data/articles/coffee.claims.csv")
    ]


NEEDED = ",".join(field.key for field in CLAIM_FIELDS if field.required)
ROWS = st.text(alphabet='ab",\n\r\t #é{}', max_size=60).map(lambda text: text.encode())


def same_when_cut(table: Table, size: int, most: int) -> None:
    whole, cut, read = Report(), Report(), Report()
    batches = list(table.batches(CLAIM_FIELDS, size, whole))
    splits = list(table.splits(CLAIM_FIELDS, size, most, cut))
    again = []
    for split in pickle.loads(pickle.dumps(splits)):
        with table.opened() as stream:
            again.append(list(split.batches(io.BytesIO(stream.read()), read)))
    assert [batch for found in again for batch in found] == batches
    assert (cut.findings, read.findings) == (whole.findings, [])
    assert all(len(found) == most for found in again[:-1]) or table.form == "parquet"


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["csv", "tsv", "jsonl", "csv.gz", "jsonl.zst"]),
    rows=st.lists(ROWS, max_size=12).map(b"\n".join),
    before=st.sampled_from([b"", b"\xef\xbb\xbf", b"\n\n", b"# a comment\n"]),
    fault=st.sampled_from([b"", b"", b"\n\xff"]),
    size=st.integers(1, 4),
    most=st.integers(1, 3),
)
def test_splits_hold_the_very_batches_of_the_table(
    form: str, rows: bytes, before: bytes, fault: bytes, size: int, most: int
) -> None:
    heading = NEEDED.replace(",", "\t") if "tsv" in form else NEEDED
    data = before + (b"" if "jsonl" in form else f"{heading}\n".encode()) + rows + fault + rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{form}"
        if form.endswith("gz"):
            data = gzip.compress(data, mtime=0)
        elif form.endswith("zst"):
            data = pa.compress(data, codec="zstd", asbytes=True)
        path.write_bytes(data)
        same_when_cut(Table.of(Path(folder), path), size, most)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(0, 40),
    groups=st.lists(st.integers(1, 15), min_size=1, max_size=4),
    size=st.integers(1, 7),
    most=st.integers(1, 3),
)
def test_splits_of_parquet_hold_the_very_batches(rows: int, groups: list[int], size: int, most: int) -> None:
    table = pa.table({column: [f"{column} {n}" for n in range(rows)] for column in NEEDED.split(",")})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        with pq.ParquetWriter(path, table.schema) as writer:
            done = 0
            while done < rows:
                for group in groups:
                    writer.write_table(table.slice(done, group), row_group_size=group)
                    done += group
        same_when_cut(Table.of(Path(folder), path), size, most)


def test_the_columns_are_the_keys_of_the_model() -> None:
    assert {field.key for field in CLAIM_FIELDS} >= set(HEADING.replace(".population", "").split(","))
