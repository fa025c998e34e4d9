"""Large datasets: compiled shard by shard in processes, to the same bytes and the same findings as when held whole."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyoxigraph as ox
import pytest

from kgbuild.building import build, check
from kgbuild.compilation import Compilation, compile_project, kept_shards
from kgbuild.diagnostics import Diagnostic, FindingsError
from kgbuild.store import OxigraphStore

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
    for root, jobs in zip(roots, (1, 3), strict=True):
        built = build(root, jobs=jobs)
        assert any("35 statements of teas stand in the store" in note for note in built.notes)
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
    check(root, jobs=2)
    after = mtimes(root)
    assert len(after) == 9
    assert len(set(before.items()) & set(after.items())) == 8
    entities = root / "data/entities/things.yaml"
    entities.write_text(entities.read_text("utf-8").replace("id: caffeine", "id: theine"), "utf-8")
    assert "KG204" in {item.code for item in findings(root)}


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
