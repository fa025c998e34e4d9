"""Files beside the graph: `kgbuild query --with`, for tables and RDF that are not part of a project."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SR28 = ROOT.parent / "shared/reference/usda/usda_sr28_foods.csv"
TABLE = 'ndb no,name,mg,share\n01001,"Butter, salted",2,0.5\n11233,Kale,47,1\n\n99999,Nothing,,\n'


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kgbuild", "-C", str(ROOT), "query", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_table_is_seen_beside_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "foods.csv"
    path.write_text(TABLE, "utf-8")
    query = """SELECT ?row ?food ?name ?mg WHERE { ?row foods:mg ?mg ; foods:name ?name . FILTER(?mg > 1.5)
      OPTIONAL { ?food rdfs:label ?label ; a mr:Food FILTER(LCASE(STR(?label)) = LCASE(?name)) } } ORDER BY ?mg"""
    done = run("--with", path, "--format", "tsv", "-e", query)
    assert done.stdout.splitlines()[1:] == [
        '<https://w3id.org/kgbuild/table/foods#row=2>\t\t"Butter, salted"\t2',
        '<https://w3id.org/kgbuild/table/foods#row=3>\t<https://w3id.org/magnesium-rls/id/kale>\t"Kale"\t47',
    ]
    count = "SELECT (COUNT(*) AS ?n) WHERE { GRAPH <https://w3id.org/kgbuild/table/foods> { ?row ?column ?cell } }"
    assert run("--with", path, "--format", "csv", "-e", count).stdout.split() == ["n", "10"]
    assert run("--format", "csv", "-e", count).stdout.split() == ["n", "0"]


def test_a_column_keeps_its_leading_zeros_and_its_odd_name(tmp_path: Path) -> None:
    (tmp_path / "my foods.tsv.gz").write_bytes(gzip.compress(b"ndb no\tx\n01001\t\xc3\xa9\n20\t1\n"))
    query = "SELECT ?ndb WHERE { ?row <https://w3id.org/kgbuild/table/my%20foods#ndb%20no> ?ndb } ORDER BY ?ndb"
    done = run("--with", tmp_path / "my foods.tsv.gz", "--format", "tsv", "-e", query)
    assert done.stdout == '?ndb\n"01001"\n"20"\n'


def test_rdf_is_seen_in_a_graph_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text("<x:s> <x:p> [ <x:q> 1 ] .", "utf-8")
    (tmp_path / "b.nq").write_text("<x:s> <x:p> <x:o> <x:g> .\n", "utf-8")
    query = "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } FILTER(?p IN (<x:p>, <x:q>)) } GROUP BY ?g ORDER BY ?g"
    done = run("--with", tmp_path / "a.ttl", "--with", tmp_path / "b.nq", "--format", "csv", "-e", query)
    assert done.stdout.split() == ["g,n", "https://w3id.org/kgbuild/table/a,2", "x:g,1"]


@pytest.mark.parametrize(
    ("name", "data", "code", "words"),
    [
        ("a.csv", b"a,b\n1\n", 3, "line 2 has 1 cells, not 2"),
        ("a.csv", b"a,a\n1,2\n", 3, "name every column, each once"),
        ("a.csv", b"", 3, "name every column"),
        ("a.csv", b'a\n"x\n', 3, "a.csv: unexpected end of data"),
        ("a.csv", b"a\n\xff\n", 3, "can't decode byte 0xff"),
        ("a.csv.gz", b"a\n1\n", 3, "cannot read"),
        ("a.ttl", b"<x:s> <x:p> .", 3, "a.ttl: "),
        ("a.xlsx", b"", 2, "a.xlsx is neither a table"),
        ("missing.csv", None, 3, "No such file"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, data: bytes | None, code: int, words: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    done = run("--with", tmp_path / name, "-e", "ASK {}")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_sees_no_file() -> None:
    done = run("--endpoint", "http://127.0.0.1:9/", "--with", "x.csv", "-e", "ASK {}")
    assert done.returncode == 2
    assert "--with works on the project here" in done.stderr


@pytest.mark.shared
@pytest.mark.skipif(not SR28.exists(), reason="needs ../shared/reference")
def test_the_magnesium_of_any_food_can_be_asked_for() -> None:
    """The query of data/datasets/README.md answers what the table of the USDA holds, joined with the graph."""
    readme = (ROOT / "data/datasets/README.md").read_text("utf-8")
    query = readme.split("kgbuild query --with usda_sr28_foods.csv -e '")[1].split("'\n")[0]
    lentils = run("--with", SR28, "--format", "csv", "-e", query).stdout.splitlines()
    with open(SR28, encoding="utf-8", newline="") as file:
        foods = list(csv.DictReader(file))
    named = [row for row in foods if "lentils" in row["description"].lower() and row["magnesium_mg"]]
    assert len(lentils) - 1 == len(named) > 5
    kale = run("--with", SR28, "--format", "csv", "-e", query.replace('"lentils"', '"kale, raw"')).stdout.splitlines()
    values = {row["ndb_no"]: row["magnesium_mg"] for row in foods}
    assert f'"Kale, raw",{values["11233"]}' in kale[1]
