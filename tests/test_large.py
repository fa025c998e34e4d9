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

ROOT = Path(__file__).parents[1]
TABLE = "data/datasets/usda-sr28.tsv"
COUNT = "SELECT (COUNT(*) AS ?n) WHERE { ?s a kgb:DatasetStatement ; dcterms:isPartOf dataset:usda-sr28 }"


def project(folder: Path, large: int = 5, shard: int = 4) -> Path:
    """Lay the article's project with settings under which its USDA table is a large one of nine shards."""
    for name in ("data", "ontology", "queries"):
        shutil.copytree(ROOT / name, folder / name)
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    settings = text.partition("[tool.kgbuild]\n")[2].partition("\n[")[0]
    (folder / "kgbuild.toml").write_text(f"large = {large}\nshard = {shard}\n{settings}\n", "utf-8")
    for path in (folder / "data/datasets").glob("*"):
        if not path.name.startswith("usda-sr28"):
            path.unlink()
    shutil.rmtree(folder / "data/alignments")
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
    assert [part.statements for part in one.parts] == [4] * 8 + [3]
    assert lines(small) == lines(one) == lines(two)
    stored = {str(quad) for quad in one.whole.store}
    assert stored == {str(quad) for quad in ox.parse("\n".join(lines(small)), ox.RdfFormat.N_QUADS)}


def test_any_number_of_processes_builds_the_same_bytes(tmp_path: Path) -> None:
    roots = [project(tmp_path / f"with-{jobs}") for jobs in (1, 3)]
    for root, jobs in zip(roots, (1, 3), strict=True):
        built = build(root, jobs=jobs)
        assert any("35 statements of usda-sr28 stand in the store" in note for note in built.notes)
    one, other = (
        {
            path.relative_to(root / "build/site"): path.read_bytes()
            for path in (root / "build/site").rglob("*")
            if path.is_file()
        }
        for root in roots
    )
    assert one == other
    (part,) = [path for path in one if path.name.startswith("usda-sr28-")]
    assert part.as_posix() == "data/usda-sr28-0001.nq.gz"
    assert f"  {part.as_posix()}\n" in one[Path("SHA256SUMS")].decode()
    store = OxigraphStore.open(roots[0] / "build/store")
    (row,) = store.query(COUNT, compile_project(roots[0], jobs=1).project.prefixes).rows  # type: ignore[union-attr]
    assert row[0].value == "35"  # type: ignore[union-attr]
    assert not (roots[0] / ".build.store").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\talmond\tnarrow", "\talmondo\tnarrow"),
        ("\tsource-of\tmagnesium\tmagnesium content per 100 g, edible portion\t292", "\tsource-off\tmagnesium\tm\t292"),
        ("\t12087\n", "\t99999\n"),
        ("mg/(100.g)\t21\t", "\t21\t"),
        ("mg/(100.g)\t21\t", "IU/(100.g)\t21\t"),
        ("\t292\t", "\t2,92\t"),
    ],
    ids=["entity", "predicate", "record", "no-unit", "shape", "number"],
)
def test_findings_are_those_of_a_small_dataset(old: str, new: str, tmp_path: Path) -> None:
    small = findings(replaced(project(tmp_path / "small", large=1000), old, new))
    found = findings(replaced(project(tmp_path / "large"), old, new))
    assert [item for item in found if item.code != "KG708"] == [item for item in small if item.code != "KG708"]
    assert found


def test_an_id_given_twice_in_two_shards_is_found(tmp_path: Path) -> None:
    found = findings(replaced(project(tmp_path / "large", shard=2), "cashew-12087\t", "almond-12061\t"))
    assert [(item.code, str(item.span)) for item in found] == [("KG201", f"{TABLE}:5:1")]


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
    replaced(root, "hold 292 mg", "hold some 292 mg")
    check(root, jobs=2)
    after = mtimes(root)
    assert len(after) == 9
    assert len(set(before.items()) & set(after.items())) == 8
    entities = root / "data/entities/foods.yaml"
    entities.write_text(entities.read_text("utf-8").replace("id: cashew", "id: cashews"), "utf-8")
    assert "KG204" in {item.code for item in findings(root)}


def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    root = project(tmp_path, shard=1)
    shards = root / ".build.shards"
    code = "import time, kgbuild.large as large; kept = large._Compiler._keep; \n"
    code += "def slow(self, task, text):\n    kept(self, task, text); time.sleep(0.2)\n"
    code += f"large._Compiler._keep = slow\nfrom kgbuild import build; build({str(root)!r}, jobs=2)"
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
    code = "import time, os, kgbuild.large as large; kept = large._Compiler._keep\n"
    code += "def slow(self, task, text):\n    print(os.getpid(), flush=True); time.sleep(30)\n"
    code += "large._Compiler._keep = slow\nfrom kgbuild.cli import main; "
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
