"""Validation by two engines: pySHACL alone over everything, and the screened run, must find the same."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest

from kgbuild.compilation import Compilation, compile_project
from kgbuild.diagnostics import Report
from kgbuild.lines import nquads, ntriples
from kgbuild.ontology import vocabulary_sources
from kgbuild.store import OxigraphStore
from kgbuild.validate import Screen, check_rules, fast_engine, judge

pytestmark = pytest.mark.no_cover  # tracing would make pySHACL three times as slow
EXAMPLES = sorted((Path(__file__).parent / "shapes").glob("*/invalid.ttl"))


def screened(compilation: Compilation, data: str, engine: str = "auto") -> set[object]:
    """Validate triples as a build does: fast screen with pySHACL as judge, rules set-wise on a store."""
    report = Report()
    store = OxigraphStore.of(data.encode())
    found = check_rules(compilation.shapes, store, report) | Screen(
        compilation.shapes.local, engine, parts=True
    ).violations(data)
    assert not report.findings
    return set(found)


def everything(compilation: Compilation) -> str:
    quads = [quad for item in compilation.nanopublications() for quad in item.quads]
    return ntriples(quads) + ntriples(compilation.descriptions)


def test_the_fast_engine_is_installed_for_the_tests() -> None:
    assert fast_engine() == "shacl 0.3.4"


def test_both_engines_find_nothing_in_the_article(project_root: Path) -> None:
    alone = compile_project(project_root, engine="pyshacl")
    screen = compile_project(project_root)
    assert alone.violations == screen.violations == frozenset()
    assert alone.nquads == screen.nquads


def test_both_engines_find_the_same_where_every_shape_is_violated(compilation: Compilation) -> None:
    mutated = everything(compilation)
    for path in EXAMPLES:
        triples = [quad.triple for quad in ox.parse(path.read_text("utf-8"), ox.RdfFormat.TURTLE)]
        mutated += (ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b"").decode()
    alone = judge(mutated, compilation.shapes.whole)
    assert alone == screened(compilation, mutated)
    codes = {compilation.shapes.described[found.shape].code for found in alone}
    assert codes == {path.parent.name for path in EXAMPLES}


def test_without_the_fast_engine_the_results_are_the_same(compilation: Compilation) -> None:
    claim = next(iter(compilation.nanopublications()))
    broken = everything(compilation).replace("certainty-asserted>", "certainty-sure>", 1)
    assert claim.quads
    assert screened(compilation, broken) == screened(compilation, broken, "pyshacl") != set()


def test_the_tools_own_vocabulary_is_part_of_every_graph(compilation: Compilation) -> None:
    assert {Path(source.path).name for source in vocabulary_sources()} >= {"claims.ttl", "schemes.ttl", "shapes.ttl"}
    assert "https://w3id.org/kgbuild/ns#Claim" in nquads(list(compilation.descriptions))
