"""The benchmarks give all peers the same work: tables and mappings that say what kgbuild mints, and faults that count."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from kgbuild.validate import Screen, judge

Modules = tuple[ModuleType, ModuleType, ModuleType, ModuleType]
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def modules() -> Iterator[Modules]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import jobs
        import results
        import run

        import data

        yield data, jobs, run, results
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in ("data", "jobs", "pages", "peers", "results", "run"):
            sys.modules.pop(name, None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, in rdflib
def test_peers_write_the_quads_of_kgbuild(modules: Modules, tmp_path: Path) -> None:
    data, jobs, run, _ = modules
    data.lay(tmp_path, 150, {"compile"})
    counts = {
        who: getattr(jobs, f"compile_{who}")(tmp_path, jobs.Clock()) for who in ("kgbuild", "pyoxigraph", "rdflib")
    }
    assert len(set(counts.values())) == 1
    assert counts["kgbuild"] > 150 * 20
    assert run.same("compile", "pyoxigraph", tmp_path) == "equal"
    assert run.same("compile", "rdflib", tmp_path) == "equal"
    lines = (tmp_path / "compile-rdflib.nq").read_text("utf-8").splitlines()
    (tmp_path / "compile-rdflib.nq").write_text("\n".join(lines[1:]), "utf-8")
    assert run.same("compile", "rdflib", tmp_path) == "different", "a line less is told"


@pytest.mark.no_cover
def test_faults_are_found_alike_in_shards_and_in_the_whole(
    modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, *_ = modules
    monkeypatch.setattr(data, "SHARD", 60)
    data.lay(tmp_path, 420, {"validate"})
    shapes = (tmp_path / "local-shapes.nt").read_text("utf-8")
    texts = list(data.shards_of(tmp_path / "faulty.nt"))
    assert len(texts) == 7
    screen = Screen(shapes, "auto", parts=True)
    found = set().union(*(screen.violations(*pieces) for pieces in texts))
    assert found == judge("".join(map("".join, texts)), shapes)
    assert len({violation.shape for violation in found}) >= 4


def test_shards_are_the_same_from_one_process_and_from_two(modules: Modules, tmp_path: Path) -> None:
    data, _, run, _ = modules
    data.lay(tmp_path, 2500, {"shards"})
    for who in ("kgbuild", "two_processes"):
        command = [sys.executable, str(BENCHMARKS / "jobs.py"), f"shards_{who}", str(tmp_path)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert told["count"] == 2500
        assert told["wall"] > 0
    assert run.same("shards", "two_processes", tmp_path) == "equal"
    assert json.loads((tmp_path / "shards-kgbuild.json").read_text())[1] > 2500 * 20


@pytest.mark.no_cover
def test_all_shapes_find_what_pyshacl_would(modules: Modules, tmp_path: Path) -> None:
    data, jobs, _, _ = modules
    data.lay(tmp_path, 420, {"validate_all"})
    assert jobs.validate_all_kgbuild(tmp_path, jobs.Clock()) > 420 * 20
    found = {tuple(row) for row in json.loads((tmp_path / "validate_all-kgbuild.json").read_text())}
    local = judge((tmp_path / "faulty.nt").read_text("utf-8"), (tmp_path / "local-shapes.nt").read_text("utf-8"))
    assert {(each.shape, each.focus, each.path, each.value) for each in local} < found, "rules find more"
    assert any(shape.endswith("#shape-S16") for shape, *_ in found), "what only sh:sparql tells"


def test_a_job_that_takes_too_long_is_cut_off(modules: Modules) -> None:
    _, jobs, *_ = modules
    clock = jobs.Clock(0.2)

    def busy() -> None:
        with clock.running():
            while True:
                with contextlib.suppress(Exception):  # as a library that catches all it can
                    sum(range(1000))

    with pytest.raises(jobs.CutOff):
        busy()
    assert clock.cpu > 0.1


def test_targets_are_told_from_what_was_measured(modules: Modules) -> None:
    *_, results = modules
    measured = [
        results.Result("compile", "", "kgbuild", 1000, 600_000, 1.0, 1.0, 90),
        results.Result("compile", "", "rdflib", 1000, 600_000, 30.0, 30.0, 300),
        results.Result("compile", "", "maplib", 1000, 600_000, 2.0, 2.0, 300),
        results.Result("shards", "", "kgbuild", 10_000, 10_000, 8.0, 8.0, 90),
        results.Result("shards", "", "two_processes", 10_000, 10_000, 8.5, 4.0, 90),
        results.Result("validate_all", "", "kgbuild", 1000, 100_000, 1.0, 1.0, 90),
        results.Result("validate_all", "", "pyshacl", 1000, 100_000, 300.0, 300.0, 90, outcome="cut off"),
        results.Result("serve", "join, each new", "kgbuild", 1000, 1000, 1.0, 1.0, 90, 5.25),
        results.Result("serve", "join, each new", "oxigraph", 1000, 2500, 1.0, 1.0, 90, 1.0),
        results.Result("serve", "light, each new", "oxigraph", 1000, 1000, 1.0, 1.0, 90, 1.0),
    ]
    assert {words.split(" (1")[0]: (value, met) for words, value, met in results.targets(measured)} == {
        "compile 500,000 quads per CPU second": ("600,000", True),
        "compile 1,000 claims in 200 MB": ("90 MB", True),
        "compile 4 × maplib": ("2.00 ×", False),
        "compile 25 × rdflib": ("30.0 ×", True),
        "validate all 60 × pyshacl": ("more than 300 ×", True),
        "serve (join, each new) 0.5 × oxigraph": ("0.40 ×", False),
        "two processes 1.7 × one": ("2.00 ×", True),
    }
    told = results.report(measured)
    assert "| 1,000 | rdflib | 30.00 | 30.00 | 20,000 | 300 | 30.0 × | equal |" in told
    assert "| 1,000 | pyshacl | 300.00 | 300.00 | < 333 | 90 | more than 300 × | cut off |" in told
    assert "| 1,000 | join, each new | kgbuild | 1.00 | 1.00 | 1,000 | 5.2 | 90 |  | equal |" in told
    assert json.loads(json.dumps(results.plot(measured))).startswith("<svg")


def test_results_of_other_works_and_sizes_stay(modules: Modules, tmp_path: Path) -> None:
    *_, results = modules
    one = results.Result("load", "", "kgbuild", 1000, 600_000, 1.0, 1.0, 90, day="2026-01-01")
    kept = [one, replace(one, claims=4000), replace(one, work="serve", p99_ms=1.5), replace(one, machine="another")]
    results.write(kept, tmp_path / "results.csv")
    assert results.read(tmp_path / "results.csv") == kept
    new = replace(one, cpu=2.0, day="2026-01-02")
    assert results.together(kept, [new]) == [new, kept[1], kept[2]]
    (tmp_path / "results.csv").write_text("work,who\nload,kgbuild\n")
    assert results.read(tmp_path / "results.csv") == [], "of an older form"


def test_each_work_has_its_sizes(modules: Modules) -> None:
    _, _, run, _ = modules
    every = {"only": sorted(run.UNITS), "claims": None, "quick": False, "large": False}
    usual = run.planned(argparse.Namespace(**every))
    assert usual[10_000] == set(run.WORK)
    assert usual[300] == {"validate_all"}
    assert run.planned(argparse.Namespace(**every | {"large": True}))[1_000_000] == set(run.WORK)
    quick = run.planned(argparse.Namespace(**every | {"quick": True, "only": ["render", "load"]}))
    assert quick == {1000: {"render", "load"}}
    assert run.planned(argparse.Namespace(**every | {"claims": [50], "only": ["render"]})) == {50: {"render"}}
