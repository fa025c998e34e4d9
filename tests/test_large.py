"""Large tables: compiled shard by shard in processes, to the same graph and the same findings as when held whole."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyoxigraph as ox
import pytest
from servers import serving

from kgbuild import building
from kgbuild.building import build, check
from kgbuild.compilation import Compilation, compile_project, kept_shards
from kgbuild.diagnostics import Diagnostic, FindingsError, Report, Severity
from kgbuild.folders import HeldFolder
from kgbuild.kinds import shards_of
from kgbuild.large import Gathered
from kgbuild.project import holding
from kgbuild.read.datasets import StatementTable
from kgbuild.read.streams import Table
from kgbuild.shards import Compiled
from kgbuild.store import OxigraphStore
from kgbuild.validate import load_shapes
from kgbuild.verification import verify

Lay = Callable[..., Path]
GOOD = Path(__file__).parent / "broken" / "_good"
TABLE = "data/datasets/teas.csv"
COUNT = "SELECT (COUNT(*) AS ?n) WHERE { ?s a kgb:DatasetStatement ; dcterms:isPartOf dataset:teas }"
RECORD = """dataset:
  id: teas
  title: Teas
  description: Caffeine in teas.
  publisher: The tea office
  release: "1"
  license: https://creativecommons.org/publicdomain/zero/1.0/
  citation: The tea office, teas.
  method: Measured.
  limits: None is known.
"""


def project(folder: Path, large: int = 5, shard: int = 4) -> Path:
    """Lay the good project with a dataset of 35 statements, under settings that make it a large one of nine shards."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    settings = folder / "kgbuild.toml"
    settings.write_text(f"large = {large}\nshard = {shard}\n{settings.read_text('utf-8')}", "utf-8")
    (folder / "data/datasets").mkdir()
    (folder / "data/datasets/teas.yaml").write_text(RECORD, "utf-8")
    rows = [f"t{n},Tea {n} holds {n} mg.,tea,contains,caffeine,content,{n}.5,mg/(100.g),r{n // 5}" for n in range(35)]
    heading = "id,statement,subject,predicate,object,measure,value,unit,record"
    (folder / TABLE).write_text("\n".join([heading, *rows, ""]), "utf-8")
    records = [f"r{n},entry,Tea {n}" for n in range(7)]
    (folder / "data/datasets/teas.records.csv").write_text("\n".join(["id,kind,title", *records, ""]), "utf-8")
    return folder


CLAIMS = "data/articles/tea.claims.csv"
ARTICLES = "data/articles/corpus.jsonl"


def claim_rows() -> list[dict[str, str]]:
    """Return 35 claims: plain, hedged, negated ones, with reasons in other shards, some on each sentence."""
    rows = []
    for n in range(35):
        hedged = n % 3 == 1
        row = {
            "id": f"k{n}", "statement": f"Tea number {n} is said to hold caffeine.", "subject": "tea",
            "predicate": "contains", "object": "caffeine", "sentence": f"{1 + n % 2}",
            "certainty": "possible" if hedged else "asserted", "basis": "unsourced", "cues": "may" if hedged else "",
            "modality": "potential" if hedged else "", "rationale": f"k{(n * 7) % 35}" if n % 5 == 2 else "",
        }  # fmt: skip
        rows.append({key: value for key, value in row.items() if value})
    return rows


def with_claims(folder: Path, large: int = 5, shard: int = 4) -> Path:
    """Lay the good project with a table of 35 claims of its article."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    settings = folder / "kgbuild.toml"
    settings.write_text(f"large = {large}\nshard = {shard}\n{settings.read_text('utf-8')}", "utf-8")
    rows = claim_rows()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [",".join(row.get(column, "") for column in columns) for row in rows]
    (folder / CLAIMS).write_text("\n".join([",".join(columns), *cells, ""]), "utf-8")
    return folder


def with_articles(folder: Path, large: int = 5, shard: int = 40) -> Path:
    """Lay the good project with a table of 12 articles of three claims each, two a shard."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    settings = folder / "kgbuild.toml"
    settings.write_text(f"large = {large}\nshard = {shard}\n{settings.read_text('utf-8')}", "utf-8")
    rows = []
    for n in range(12):
        head = {
            "id": f"a{n}", "title": f"Article {n}", "publisher": "tea-journal", "language": "en",
            "recorded": f"2026-02-{n + 1:02}", "extractor": "reader", "rights": "unclear", "characters": 100, "sha256": f"{n:064}",
            "sections": [{"id": "all", "title": "All of it"}],
        }  # fmt: skip
        sentences = [
            {"number": k, "section": "all", "start": 10 * k, "end": 10 * k + 9, "sha256": f"{k:064}"} for k in (1, 2)
        ]
        claims = [dict(row, id=f"c{k}", sentence=1 + k % 2) for k, row in enumerate(claim_rows()[n : n + 3])]
        for claim in claims:
            claim.pop("rationale", None)
        claims[0]["contrasts-with"] = f"a{(n + 5) % 12}/c1"  # of another shard
        rows.append(json.dumps({"article": head, "sentences": sentences, "claims": claims}))
    (folder / ARTICLES).write_text("\n".join([*rows, ""]), "utf-8")
    return folder


def without_indexes(found: list[str]) -> list[str]:
    """Leave out what names an index: a graph that is held whole has one, others have one for each shard."""
    indexes = {iri for line in found if "NanopubIndex" in line for iri in re.findall(r"^<([^>]+)>", line)}
    assert indexes
    return [line for line in found if not any(iri in line for iri in indexes)]


def lines(made: Compilation) -> list[str]:
    """Return all quads, sorted: those of the parts as well."""
    text = made.nquads + b"".join(gzip.decompress(part.file.read_bytes()) for part in made.parts)
    return sorted(set(text.decode().splitlines()))


def findings(root: Path, jobs: int = 2) -> list[Diagnostic]:
    with pytest.raises(FindingsError) as raised:
        compile_project(root, jobs=jobs)
    return raised.value.report.sorted()


def replaced(root: Path, old: str, new: str) -> Path:
    path = root / TABLE
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return root


def test_the_graph_is_that_of_a_small_dataset(tmp_path: Path) -> None:
    small = compile_project(project(tmp_path / "small", large=1000))
    one = compile_project(project(tmp_path / "one"), jobs=1)
    two = compile_project(project(tmp_path / "two", shard=3), jobs=2)
    assert not small.parts
    assert [part.records for part in one.parts] == [4] * 8 + [3]
    assert lines(small) == lines(one) == lines(two)
    stored = {str(quad) for quad in one.whole.store}
    assert stored == {str(quad) for quad in ox.parse("\n".join(lines(small)), ox.RdfFormat.N_QUADS)}


def test_any_number_of_processes_builds_the_same_bytes(tmp_path: Path) -> None:
    roots = [project(tmp_path / f"with-{jobs}") for jobs in (1, 3)]
    for root, jobs in zip(roots, ("1", "3"), strict=True):
        command = [sys.executable, "-m", "kgbuild", "-C", root, "build", "--jobs", jobs]
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr
        assert "35 statements of teas stand in the store" in said
    one, other = (
        {
            path.relative_to(root / "build/site"): path.read_bytes()
            for path in (root / "build/site").rglob("*")
            if path.is_file()
        }
        for root in roots
    )
    assert one == other
    (part,) = [path for path in one if path.name.startswith("teas-")]
    assert part.as_posix() == "data/teas-0001.nq.gz"
    assert f"  {part.as_posix()}\n" in one[Path("SHA256SUMS")].decode()
    store = OxigraphStore.open(roots[0] / "build/store")
    (row,) = store.query(COUNT, compile_project(roots[0], jobs=1).project.prefixes).rows  # type: ignore[union-attr]
    assert row[0].value == "35"  # type: ignore[union-attr]
    assert not (roots[0] / ".build.store").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("t6,Tea 6 holds 6 mg.,tea,", "t6,Tea 6 holds 6 mg.,teas,"),
        ("t6,Tea 6 holds 6 mg.,tea,contains", "t6,Tea 6 holds 6 mg.,tea,contain"),
        ("6.5,mg/(100.g),r1", "6.5,mg/(100.g),r9"),
        ("\nt6,Tea 6 holds 6 mg.,", "\nt6,,"),
        ("16.5,mg/(100.g)", "16.5,"),
        (",6.5,", ',"6,5",'),
        ("t6,Tea 6 holds 6 mg.,tea,", "t6,Tea 6 holds 6 mg.,caffeine,"),
        ("t6,Tea 6 holds 6 mg.,", '"t6",Tea "six",'),
    ],
    ids=["entity", "predicate", "record", "statement", "unit", "number", "rule", "row"],
)
def test_findings_are_those_of_a_small_dataset(old: str, new: str, tmp_path: Path) -> None:
    small = findings(replaced(project(tmp_path / "small", large=1000), old, new))
    found = findings(replaced(project(tmp_path / "large"), old, new))
    assert [item for item in found if item.code != "KG708"] == [item for item in small if item.code != "KG708"]
    assert found


def test_an_id_given_twice_in_two_shards_is_found(tmp_path: Path) -> None:
    found = findings(
        replaced(
            project(
                tmp_path / "large",
            ),
            "\nt20,",
            "\nt3,",
        )
    )
    assert [(item.code, str(item.span)) for item in found] == [("KG201", f"{TABLE}:22:1")]


@pytest.mark.parametrize(("lay", "shards"), [(with_claims, 9), (with_articles, 6)])
def test_claims_become_what_they_become_when_held(lay: Lay, shards: int, tmp_path: Path) -> None:
    small = compile_project(lay(tmp_path / "small", large=1000))
    one = compile_project(lay(tmp_path / "one"), jobs=1)
    two = compile_project(lay(tmp_path / "two"), jobs=2)
    assert not small.parts
    assert len(one.parts) == shards
    assert lines(one) == lines(two)
    assert without_indexes(lines(small)) == without_indexes(lines(one))
    assert {str(quad) for quad in one.whole.store} == {
        str(quad) for quad in ox.parse("\n".join(lines(one)), ox.RdfFormat.N_QUADS)
    }
    assert one.recorded == small.recorded


@pytest.mark.parametrize("lay", [with_claims, with_articles])
def test_every_nanopublication_is_valid_and_listed(lay: Lay, tmp_path: Path) -> None:
    made = compile_project(lay(tmp_path))
    listed = "SELECT ?i ?n { ?i (npx:includesElement|npx:includesSubindex) ?n }"
    rows = made.whole.query(listed, made.project.prefixes).rows  # type: ignore[union-attr]
    every = made.whole.query("SELECT ?n { ?n a np:Nanopublication }", made.project.prefixes).rows  # type: ignore[union-attr]
    root = made.index.iri
    assert {row[0].value for row in every} == {row[1].value for row in rows} | {root}
    assert len(rows) == len(every) - 1
    dump = tmp_path / "all.nq"
    dump.write_text("\n".join(lines(made)) + "\n", "utf-8")
    seen = verify(dump)
    assert not seen.report.findings
    assert seen.nanopublications == len(every)


FAULTS = [
    (with_claims, CLAIMS, "k6,Tea number 6 is said to hold caffeine.,tea,", "k6,Tea number 6,teas,"),
    (with_claims, CLAIMS, ",contains,caffeine,1,asserted", ",contain,caffeine,1,asserted"),
    (with_claims, CLAIMS, "caffeine,2,possible", "caffeine,9,possible"),
    (with_claims, CLAIMS, "caffeine,2,possible", "caffeine,2,asserted"),
    (with_claims, CLAIMS, ",k14\n", ",k99\n"),
    (with_claims, CLAIMS, "\nk6,", "\nc1,"),
    (with_claims, CLAIMS, "\nk20,", "\nk3,"),
    (with_claims, CLAIMS, "k6,Tea number 6 is said to hold caffeine.,tea,", "k6,Tea number 6,sleeplessness,"),
    (with_claims, "data/articles/tea.sentences.tsv", "7cb78141\n", f"7cb78141\n3\tintroduction\t70\t71\t{7:064}\n"),
    (with_articles, ARTICLES, '"subject": "tea"', '"subject": "teas"'),
    (with_articles, ARTICLES, '"sentence": 2', '"sentence": 7'),
    (with_articles, ARTICLES, "a7/c1", "a7/c9"),
    (with_articles, ARTICLES, '"id": "a4"', '"id": "a5"'),
    (with_articles, ARTICLES, '"id": "a4"', '"id": "tea"'),
    (with_articles, ARTICLES, '"number": 2', '"number": 1'),
    (with_articles, ARTICLES, '"publisher": "tea-journal"', '"publisher": "tee-journal"'),
    (with_articles, ARTICLES, '"certainty": "possible"', '"certainty": "certain"'),
    (with_articles, ARTICLES, '"start": 20', '"begin": 20'),
    (with_articles, ARTICLES, '{"article":', '{"articles":'),
]


@pytest.mark.parametrize(("lay", "table", "old", "new"), FAULTS)
def test_findings_about_claims_are_those_when_held(lay: Lay, table: str, old: str, new: str, tmp_path: Path) -> None:
    def said(root: Path) -> list[tuple[str, str, str | None, int]]:
        text = (root / table).read_text("utf-8")
        assert old in text
        (root / table).write_text(text.replace(old, new), "utf-8")
        try:
            found = compile_project(root).report.sorted()
        except FindingsError as error:
            found = error.report.sorted()
        return [
            (
                item.code,
                item.message,
                item.span and item.span.path,
                item.span.line if item.span else 0,
            )
            for item in found
        ]

    small, large = said(lay(tmp_path / "small", large=1000)), said(lay(tmp_path / "large"))
    assert small
    assert large == small


@pytest.mark.parametrize(("name", "known"), [("b/c1", True), ("b/c9", False), ("tee/c1", False)])
def test_a_row_may_refer_to_a_claim_of_another_article(name: str, known: bool, tmp_path: Path) -> None:
    made = []
    for large in (1000, 5):
        root = with_claims(tmp_path / str(large), large=large)
        articles = root / "data/articles"
        (articles / "b.yaml").write_text((articles / "tea.yaml").read_text("utf-8").replace("id: tea\n", "id: b\n", 1))
        shutil.copy(articles / "tea.sentences.tsv", articles / "b.sentences.tsv")
        table = root / CLAIMS
        table.write_text(table.read_text("utf-8").replace(",k14\n", f",{name}\n"), "utf-8")
        if known:
            made.append(without_indexes(lines(compile_project(root))))
        else:
            made.append([f"{item.code} {item.message} {str(item.span).split(':')[:2]}" for item in findings(root)])
    assert made[0] == made[1]
    assert known or [item.split()[0] for item in made[1]] == ["KG208"] * 7


BROKEN = """
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX kgb: <https://w3id.org/kgbuild/ns#>
PREFIX tea: <https://example.org/tea/ns#>

tea:shape-T2 a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path rdfs:label ; sh:pattern "(" ] .
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_shapes_that_cannot_be_used_are_told(jobs: int, tmp_path: Path) -> None:
    found = []
    for large in (1000, 5):
        root = with_claims(tmp_path / str(large), large=large)
        (root / "ontology/shapes.ttl").write_text(BROKEN, "utf-8")
        found.append(findings(root, jobs=jobs))
    assert found[0] == found[1]
    assert [item.code for item in found[1]] == ["KG502"]


def test_an_article_of_two_tables_is_given_twice(tmp_path: Path) -> None:
    found = {}
    for large in (1000, 5):
        root = with_articles(tmp_path / str(large), large=large)
        rows = (root / ARTICLES).read_text("utf-8").splitlines(keepends=True)
        second = root / "data/articles/second.jsonl"
        second.write_text("".join([*(row.replace('"id": "a', '"id": "b', 1) for row in rows[:9]), rows[4]]), "utf-8")
        found[large] = [
            (item.code, item.message, str(item.span).split(":")[:2])
            for item in findings(root)
            if item.code == "KG201" and "section" not in item.message
        ]
    assert found[5] == found[1000]
    assert [place for _, _, place in found[5]] == [["data/articles/second.jsonl", "10"]] * 4


def test_claims_of_large_articles_are_counted_and_asked_and_have_no_pages(tmp_path: Path) -> None:
    root = with_articles(with_claims(tmp_path))
    built = build(root, jobs=2)
    figures = built.figures
    assert (figures.claims, figures.articles, figures.sentences, figures.covered) == (2 + 35 + 36, 13, 26, 26)
    assert figures.plain == 1
    assert figures.anchors == {"digest only": 26}
    notes = "\n".join(built.notes)
    assert "35 claims of tea stand in the store and in 1 file data/tea.claims-….nq.gz, not on pages" in notes
    assert "12 articles of corpus stand in the store and in 1 file data/corpus.articles-….nq.gz, not on pages" in notes
    assert not (root / "build/site/claim/tea/k3.html").exists()
    assert not (root / "build/site/claim/tea/c1.html").exists()  # a page that counts some claims and not all misleads
    assert "those of large tables are in the store alone" in notes
    store = OxigraphStore.open(root / "build/store")
    (row,) = store.query("SELECT (COUNT(?c) AS ?n) { ?c a kgb:Claim }", built.project.prefixes).rows  # type: ignore[union-attr]
    assert row[0].value == str(figures.claims)  # type: ignore[union-attr]
    assert figures.quads == len(store.store)  # plain triples of several shards are one
    seen = verify(root / "build/site")
    assert not seen.report.findings
    assert build(root).unchanged
    with serving(root) as server:
        for claim in ("tea/k3", "tea/c1"):
            page = server.ask(f"claim/{claim}.html")
            assert page.status == 200
            assert f"<code>{built.project.claim(claim)}</code>" in page.text
            assert "Certainty" in page.text
        assert server.ask("article/tea.html").status == 200


def test_a_change_of_one_article_compiles_its_shard_alone(tmp_path: Path) -> None:
    root = with_articles(tmp_path)
    check(root)
    before = mtimes(root)
    path = root / ARTICLES
    path.write_text(path.read_text("utf-8").replace("Article 7", "Article seven"), "utf-8")
    build(root)
    assert len(set(before.items()) & set(mtimes(root).items())) == len(before) - 1 == 5


def test_articles_may_be_packed_and_parquet(tmp_path: Path) -> None:
    plain = lines(compile_project(with_articles(tmp_path / "plain")))
    packed = with_articles(tmp_path / "packed")
    data = (packed / ARTICLES).read_bytes()
    (packed / ARTICLES).unlink()
    (packed / f"{ARTICLES}.gz").write_bytes(gzip.compress(data, mtime=0))
    assert lines(compile_project(packed)) == plain
    columns = with_articles(tmp_path / "columns")
    (columns / ARTICLES).unlink()
    rows = [json.loads(line) for line in data.decode().splitlines()]
    pq.write_table(pa.Table.from_pylist(rows), columns / "data/articles/corpus.parquet")
    assert lines(compile_project(columns)) == plain


def mtimes(root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in kept_shards(compile_settings(root)).glob("*.nq.gz")}


def compile_settings(root: Path):  # type: ignore[no-untyped-def]
    from kgbuild.project import load_project

    return load_project(root)


def test_only_shards_whose_inputs_changed_are_compiled_again(tmp_path: Path) -> None:
    root = project(tmp_path)
    check(root, jobs=2)
    before = mtimes(root)
    assert len(before) == 9
    replaced(root, "Tea 6 holds", "Tea 6 holds some")
    build(root, jobs=2)
    after = mtimes(root)
    assert len(after) == 9
    assert len(set(before.items()) & set(after.items())) == 8
    entities = root / "data/entities/things.yaml"
    entities.write_text(entities.read_text("utf-8").replace("id: caffeine", "id: theine"), "utf-8")
    assert "KG204" in {item.code for item in findings(root)}


@pytest.mark.parametrize("length", [0, 100])
def test_a_shard_whose_file_is_not_whole_is_compiled_again(length: int, tmp_path: Path) -> None:
    root = with_claims(tmp_path)
    before = lines(compile_project(root))
    path = sorted(kept_shards(compile_settings(root)).glob("*.nq.gz"))[3]
    os.truncate(path, length)
    build(root)
    assert lines(compile_project(root)) == before
    store = OxigraphStore.open(root / "build/store")
    assert {str(quad) for quad in store.store} == {
        str(quad) for quad in ox.parse("\n".join(before), ox.RdfFormat.N_QUADS)
    }


def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    root = project(tmp_path, shard=1)
    shards = root / ".build.shards"
    code = "import time, kgbuild.large as large; kept = large.Shards._keep; \n"
    code += "def slow(self, task, compiled):\n    kept(self, task, compiled); time.sleep(0.2)\n"
    code += f"large.Shards._keep = slow\nfrom kgbuild import build; build({str(root)!r}, jobs=2)"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(shards.glob("*.json"))) < 6:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (root / "build").exists()
    done = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert 6 <= len(done) < 35
    build(root, jobs=2)
    assert done.items() <= {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}.items()
    assert not list(shards.glob("*.new"))


def test_a_check_beside_a_build_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, plan = with_claims(tmp_path), building.plan_build
    table = root / CLAIMS
    text = table.read_text("utf-8")

    def meanwhile(*arguments: Any, **options: Any) -> building.Plan:
        table.write_text(text.replace("Tea number", "Tea of the number"), "utf-8")
        compile_project(root)
        assert len(mtimes(root)) == 18
        return plan(*arguments, **options)

    monkeypatch.setattr(building, "plan_build", meanwhile)
    assert build(root).written
    assert len(mtimes(root)) == 9


def test_a_build_clears_shards_that_nothing_uses(tmp_path: Path) -> None:
    root = with_claims(tmp_path)
    build(root)
    folder = kept_shards(compile_settings(root))
    before = {path.name for path in folder.iterdir()}
    aside = folder / f"{min(before).partition('.')[0]}.nq.gz.0f.new"  # a kill leaves it
    aside.touch()
    (folder / "0f.nq.gz").touch()
    with holding(folder, shared=True):  # as a check at work does
        build(root, force=True)
    assert {path.name for path in folder.iterdir()} == {*before, aside.name, "0f.nq.gz"}
    build(root, force=True)
    assert {path.name for path in folder.iterdir()} == before
    settings = root / "kgbuild.toml"
    settings.write_text(settings.read_text("utf-8").replace("large = 5", "large = 1000"), "utf-8")
    build(root)
    assert not folder.exists()


def test_a_table_that_cannot_be_read_on_keeps_the_shards_behind(tmp_path: Path) -> None:
    root = with_articles(tmp_path)
    check(root)
    before = mtimes(root)
    path = root / ARTICLES
    text = path.read_text("utf-8")
    path.write_text(text.replace('{"article":', '{"article"', 1), "utf-8")
    assert findings(root)
    assert mtimes(root).items() >= before.items()
    path.write_text(text, "utf-8")
    check(root)
    assert mtimes(root).items() >= before.items()


def test_a_process_can_compile_large_tables_again_and_again(tmp_path: Path) -> None:
    root = project(tmp_path, shard=1000)
    row = "t{0},Tea {0} holds some.,tea,contains,caffeine,content,{0}.5,mg/(100.g),r{1}\n"
    with (root / TABLE).open("a", encoding="utf-8") as file:
        file.writelines(row.format(number, number % 7) for number in range(100, 3000))
    code = "import shutil; from kgbuild.building import check; from pathlib import Path\n"
    code += f"root = Path({str(root)!r})\nfor jobs in (1, 2):\n    assert not check(root, jobs=jobs).report.findings\n"
    code += "    shutil.rmtree(root / '.build.shards')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=90)


def test_ctrl_c_leaves_no_process_and_no_folder_behind(tmp_path: Path) -> None:
    root = project(tmp_path, shard=1)
    # what runs in the background of a shell ignores Ctrl-C
    code = "import signal, time, os, kgbuild.large as large; kept = large.Shards._keep\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "def slow(self, task, compiled):\n    os.write(1, b'%d\\n' % os.getpid()); time.sleep(30)\n"
    code += "large.Shards._keep = slow\nfrom kgbuild.cli import main; "
    code += f"raise SystemExit(main(['--project', {str(root)!r}, 'build', '--jobs', '2']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "kgbuild: interrupted; nothing was changed\n")
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    assert {path.name for path in root.iterdir() if path.name.startswith(".build")} <= {".build.shards"}


@pytest.mark.parametrize(("severity", "ends"), [(Severity.WARNING, False), (Severity.ERROR, True)])
def test_only_errors_end_the_work_on_a_table(severity: Severity, ends: bool, tmp_path: Path) -> None:
    sources = compile_project(project(tmp_path, large=1000)).sources
    gathered = Gathered(sources, Report())
    found = tuple(Diagnostic("S50", f"finding {n}", severity=severity) for n in range(1001))
    large = StatementTable("teas", {}, Table.of(tmp_path, tmp_path / TABLE))
    shards = shards_of(sources, large, load_shapes(()), "auto", HeldFolder())
    assert shards is not None
    gathered.add(Compiled("", (), (), (), (), (), "", ("", ""), {}, 0, found), shards)
    assert gathered.overflows is ends
