"""Apache Spark: the same graph and the same findings as on one machine, on a real cluster, also when a worker is killed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import PYTHON, ROOT, Cluster, cluster, environment, object_store
from test_large import BROKEN, CLAIMS, RECORD, TABLE, findings, lines, project, with_articles, with_claims

from kgbuild.compilation import compile_project
from kgbuild.folders import LocalFolder, Storage, folder_of
from kgbuild.reporting import from_json
from kgbuild.store import Solutions

CALM = "-XX:TieredStopAtLevel=1"
CONF = {
    "spark.ui.enabled": "false",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.extraJavaOptions": CALM,
    "spark.executor.extraJavaOptions": CALM,
}
WIDE = """
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX kgb: <https://w3id.org/kgbuild/ns#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX tea: <https://example.org/tea/ns#>

tea:shape-T1 a sh:NodeShape ;
    dcterms:identifier "T1" ;
    sh:message "The dataset of a statement has a title."@en ;
    sh:targetClass kgb:DatasetStatement ;
    sh:property tea:shape-T1-title .

tea:shape-T1-title a sh:PropertyShape ;
    sh:path ( dcterms:isPartOf dcterms:title ) ;
    sh:minCount 1 .
"""
FORMS = ("csv.gz", "tsv.zst", "jsonl", "parquet")


def build(
    root: Path, *options: str, python: str | Path = PYTHON, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `kgbuild build --engine spark` as a user does."""
    command = [str(python), "-m", "kgbuild", "-C", str(root), "build", "--engine", "spark", *options]
    kept = environment(root.parent) | {"PYTHONPATH": str(ROOT)} | (env or {})
    return subprocess.run(command, env=kept, capture_output=True, text=True, check=False, timeout=240)


def on(running: Cluster, *options: str) -> list[str]:
    return ["--master", running.address, *(f"--conf={key}={value}" for key, value in CONF.items()), *options]


def statements(name: str, count: int) -> list[dict[str, str]]:
    return [
        {"id": f"t{n}", "statement": f"Tea {n} of {name} holds {n} mg.", "subject": "tea", "predicate": "contains",
         "object": "caffeine", "measure": "content", "value": f"{n}.5", "unit": "mg/(100.g)", "record": f"r{n % 7}"}
        for n in range(count)
    ]  # fmt: skip


def write(path: Path, rows: list[dict[str, str]]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10)
        return
    mark = "\t" if ".tsv" in path.name else ","
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    text = "".join(mark.join(row) + "\n" for row in table)
    if ".jsonl" in path.name:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    data = text.encode()
    packed = {".gz": lambda: gzip.compress(data, mtime=0), ".zst": lambda: pa.compress(data, "zstd", asbytes=True)}
    path.write_bytes(packed.get(path.suffix, lambda: data)())


def mixed(folder: Path) -> Path:
    """Lay a project whose datasets, claims and articles stand in tables of all forms, each of many shards."""
    project(folder, shard=1)
    with_claims(folder, shard=1)
    with_articles(folder, shard=1)
    (folder / "ontology/shapes.ttl").write_text(WIDE, "utf-8")
    for form in FORMS:
        name = form.replace(".", "-")
        (folder / f"data/datasets/{name}.yaml").write_text(RECORD.replace("id: teas", f"id: {name}"), "utf-8")
        shutil.copyfile(folder / "data/datasets/teas.records.csv", folder / f"data/datasets/{name}.records.csv")
        write(folder / f"data/datasets/{name}.{form}", statements(name, 35))
    return folder


def manifest(folder: Storage) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(folder.read("manifest.json"))
    return document


def quads(folder: Storage) -> list[str]:
    """Return all quads of the parts that the manifest names, sorted; the parts must be as it says."""
    found: set[str] = set()
    for part in manifest(folder)["parts"]:
        data = folder.read(part["path"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (part["sha256"], part["bytes"])
        held = gzip.decompress(data).decode().splitlines()
        assert len(held) == part["quads"]
        found.update(held)
    return sorted(found)


def output(root: Path) -> LocalFolder:
    return LocalFolder(root / "build/spark")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def made(running: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the mixed project on the cluster once; the project is only read."""
    root = mixed(tmp_path_factory.mktemp("spark") / "project")
    done = build(root, *on(running))
    assert done.returncode == 0, done.stderr
    assert f"wrote {root}/build/spark" in done.stderr
    return root


def test_tables_of_every_form_become_the_same_quads(made: Path, tmp_path: Path) -> None:
    alone = compile_project(shutil.copytree(made, tmp_path / "alone", ignore=shutil.ignore_patterns("build")), jobs=2)
    assert quads(output(made)) == lines(alone)
    told = manifest(output(made))
    assert (told["statements"], told["claims"], told["articles"]) == (5 * 35, 2 + 35 + 12 * 3, 1 + 12)
    assert told["findings"] == [item for item in told["findings"] if item["severity"] != "error"]
    assert sum(part["records"] for part in told["parts"]) == 5 * 35 + 35 + 12
    assert len(told["parts"]) == 1 + 6 * 3 + 1  # one that is held, and one for each sixteen shards
    assert {rule["code"] for rule in told["rulesNotRun"]} == {
        alone.shapes.described[rule.shape].code for rule in alone.shapes.rules
    }
    assert all(isinstance(alone.whole.query(rule["query"]), Solutions) for rule in told["rulesNotRun"])
    assert told["shapesNotRun"] == ["T1"]
    there = {path.relative_to(made / "build/spark").as_posix() for path in (made / "build/spark").rglob("*.*")}
    assert there == {"manifest.json"} | {part["path"] for part in told["parts"]} | {
        f"kept/{Path(part['path']).name.partition('.')[0]}.json" for part in told["parts"][1:]
    }


def test_what_did_not_change_needs_no_cluster(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "build/spark").rglob("*.*")}
    done = build(made, "--master", "spark://127.0.0.1:1", python=sys.executable)
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in (made / "build/spark").rglob("*.*")} == before


FAULTS = [
    (TABLE, "\nt20,", "\nt3,"),  # given twice, in two parts
    (TABLE, "\nt30,", "\nr3,"),  # the name of a record
    (TABLE, "t8,Tea 8 holds 8 mg.,tea,", "t8,Tea 8 holds 8 mg.,teas,"),
    ("data/datasets/jsonl.jsonl", '"id": "t33"', '"id": "t33",'),
    ("data/datasets/jsonl.jsonl", '"value": "7.5"', '"value": "7,5"'),
    (CLAIMS, "\nk30,", "\nk2,"),
    (CLAIMS, "k14\n", "k99\n"),
    ("data/articles/corpus.jsonl", '"a7/c1"', '"a99/c1"'),
    ("data/articles/corpus.jsonl", '"id": "a9"', '"id": "a4"'),
]


def test_findings_are_those_of_one_machine_and_the_last_good_parts_stay(
    running: Cluster, made: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(made, tmp_path / "project", copy_function=shutil.copy2)
    good = (root / "build/spark/manifest.json").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (root / "build/spark").rglob("*.nq.gz")}
    for table, old, new in FAULTS:
        text = (root / table).read_text("utf-8")
        assert old in text, old
        (root / table).write_text(text.replace(old, new, 1), "utf-8")
    rows = (root / "data/articles/corpus.jsonl").read_text("utf-8").splitlines(keepends=True)
    (root / "data/articles/second.jsonl").write_text("".join(rows[:3]), "utf-8")  # given twice, in two tables
    done = build(root, *on(running, "--format", "json"))
    assert done.returncode == 1, done.stderr
    found = from_json(json.loads(done.stdout))
    assert found == findings(root)
    assert sum(item.code == "KG201" and "second.jsonl" in str(item.span) for item in found) == 3 + 9
    assert {item.code for item in found} >= {"KG201", "KG204", "KG208", "KG114", "KG210"}
    assert (root / "build/spark/manifest.json").read_bytes() == good
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (root / "build/spark").rglob("*.nq.gz")}.items()
    quads(output(root))


def test_shapes_that_cannot_be_used_are_told(running: Cluster, tmp_path: Path) -> None:
    root = with_claims(tmp_path / "project")
    (root / "ontology/shapes.ttl").write_text(BROKEN, "utf-8")
    done = build(root, *on(running, "--format", "json"))
    assert done.returncode == 1, done.stderr
    assert [item.code for item in from_json(json.loads(done.stdout))] == ["KG502"]


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(running: Cluster, tmp_path: Path) -> None:
    """The parts go to an object store, so the workers read nothing from the project's folder either."""
    root = project(tmp_path / "project", shard=1)
    write(root / TABLE, statements("teas", 800))
    with object_store(tmp_path, "graphs") as address:
        folder, seen = folder_of(address), list[int]()

        def kill() -> None:
            end = time.monotonic() + 120
            while time.monotonic() < end and len(folder.sizes("parts")) < 2:
                time.sleep(0.01)
            running.kill(0)
            seen.append(len(folder.sizes("parts")))

        killer = threading.Thread(target=kill)
        killer.start()
        done = build(root, *on(running, "--output", address))
        killer.join()
        assert done.returncode == 0, done.stderr
        assert 2 <= seen[0] < 50  # of 50 that the cluster makes
        assert "Lost executor" in done.stderr
        assert "secret" not in done.stderr
        assert running.alive() == 1
        assert quads(folder) == lines(compile_project(root, jobs=2))
        assert len(folder.sizes("parts")) == len(manifest(folder)["parts"]) == 51
        assert folder.sizes("tables") == {}


def test_what_is_absent_is_said(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    done = build(root, python=sys.executable)
    assert (done.returncode, done.stderr) == (
        4, "kgbuild: --engine spark needs pyspark and pyarrow: pip install 'kgbuild[spark]'\n",
    )  # fmt: skip
    if not PYTHON.exists():
        pytest.skip("Apache Spark is not installed: .ci/spark installs it")
    done = build(root, env={"PATH": str(tmp_path), "JAVA_HOME": ""})
    assert done.returncode == 4
    assert done.stderr.startswith("kgbuild: Spark needs Java 17 or newer: install one")
    done = build(root, "--master", "spark://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (4, "kgbuild: no Spark master answers at spark://127.0.0.1:1\n")
    assert not (root / "build/spark/manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--master", "local[2]"], "--master is for --engine spark"),
        (["--output", "out"], "--output is for --engine spark"),
        (["--engine", "spark", "--jobs", "2"], "--jobs is not for --engine spark"),
        (["--engine", "spark", "--infer"], "--infer is not for --engine spark"),
        (["--engine", "spark", "--conf", "memory=1"], "--conf takes settings of Spark"),
    ],
)
def test_wrong_usage_is_told(options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kgbuild.cli import main

    root = project(tmp_path)
    assert main(["--project", str(root), "build", *options]) == 2
    assert said in capsys.readouterr().err
    assert not (root / "build").exists()


def test_a_project_without_large_tables_needs_no_cluster(tmp_path: Path) -> None:
    root = project(tmp_path / "project", large=1000)
    folder = tmp_path / "out/parts"
    folder.mkdir(parents=True)
    for name in ("mine.nq.gz", f"{'0' * 40}.nq.gz"):
        (folder / name).write_bytes(b"")
    done = build(root, "--output", str(tmp_path / "out"), python=sys.executable)
    assert done.returncode == 0, done.stderr
    assert "there was nothing for a cluster to do" in done.stderr
    assert quads(LocalFolder(tmp_path / "out")) == lines(compile_project(root))
    assert manifest(LocalFolder(tmp_path / "out"))["rulesNotRun"] == []
    assert [path.name for path in folder.iterdir() if not path.stat().st_size] == ["mine.nq.gz"]
