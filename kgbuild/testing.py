"""Query tests: every query of a project against the expected answer beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kgbuild.compilation import compile_project, gate
from kgbuild.diagnostics import Report
from kgbuild.queries import Outcome, compare_answers, read_queries


@dataclass(frozen=True, slots=True)
class Tested:
    """How each query did, and what was found."""

    outcomes: tuple[Outcome, ...]
    report: Report


def test(start: Path | str = ".", *, update: bool = False) -> Tested:
    """Compile the project and compare the answer of every query; with `update` write the expected answers anew."""
    compilation = compile_project(start)
    report = Report()
    queries = read_queries(compilation.project, report)
    gate(report)
    outcomes = compare_answers(queries, compilation.whole, compilation.project, report, update=update)
    return Tested(tuple(outcomes), report)
