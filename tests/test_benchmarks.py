"""The benchmarks give all peers the same work: a table and mappings that say what kgbuild mints, and faults that count."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kgbuild.validate import Screen, judge

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import jobs
        import run

        import data

        yield data, jobs, run
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in ("data", "jobs", "run"):
            sys.modules.pop(name, None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, in rdflib
def test_peers_write_the_quads_of_kgbuild(modules: tuple[ModuleType, ModuleType, ModuleType], tmp_path: Path) -> None:
    data, jobs, run = modules
    data.lay(tmp_path, 150, peers=True)
    counts = {
        who: getattr(jobs, f"compile_{who}")(tmp_path, jobs.Clock()) for who in ("kgbuild", "pyoxigraph", "rdflib")
    }
    assert len(set(counts.values())) == 1
    assert counts["kgbuild"] > 150 * 20
    assert run.same("compile", "pyoxigraph", tmp_path)
    assert run.same("compile", "rdflib", tmp_path)
    lines = (tmp_path / "compile-rdflib.nq").read_text("utf-8").splitlines()
    (tmp_path / "compile-rdflib.nq").write_text("\n".join(lines[1:]), "utf-8")
    assert not run.same("compile", "rdflib", tmp_path), "a line less is told"


@pytest.mark.no_cover
def test_faults_are_found_alike_in_shards_and_in_the_whole(
    modules: tuple[ModuleType, ModuleType, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _, _ = modules
    monkeypatch.setattr(data, "SHARD", 60)
    data.lay(tmp_path, 420, peers=False)
    shapes = (tmp_path / "shapes.nt").read_text("utf-8")
    texts = list(data.shards_of(tmp_path / "faulty.nt"))
    assert len(texts) == 7
    screen = Screen(shapes, "auto", parts=True)
    found = set().union(*(screen.violations(text) for text in texts))
    assert found == judge("".join(texts), shapes)
    assert len({violation.shape for violation in found}) >= 4


def test_targets_are_told_from_what_was_measured(modules: tuple[ModuleType, ModuleType, ModuleType]) -> None:
    *_, run = modules
    results = [
        run.Result("compile", "kgbuild", 1000, 600_000, 1.0, 1.0, 90, equal=True),
        run.Result("compile", "rdflib", 1000, 600_000, 30.0, 30.0, 300, equal=True),
        run.Result("compile", "maplib", 1000, 600_000, 2.0, 2.0, 300, equal=True),
    ]
    assert [(words.split(" (")[0], met) for words, _, met in run.targets(results)] == [
        ("compile 500,000 quads per CPU second", True),
        ("compile 1,000 claims in 200 MB", True),
        ("compile 4 × maplib", False),
        ("compile 25 × rdflib", True),
    ]
    assert "| 1,000 | rdflib | 30.00 | 20,000 | 300 | 30.0 × | yes |" in run.report(results)
    assert json.loads(json.dumps(run.plot(results))).startswith("<svg")
