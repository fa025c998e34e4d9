"""Hostile input: whatever bytes lie in a project, reading gives findings, never a traceback."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgbuild.checks import check_sources
from kgbuild.compilation import compile_project
from kgbuild.diagnostics import FindingsError, Report, Severity, UsageError
from kgbuild.project import load_project
from kgbuild.queries import read_queries
from kgbuild.reporting import FORMATS, Lines, render
from kgbuild.sources import read_sources

GOOD = Path(__file__).parent / "broken" / "_good"
FILES = sorted(path.relative_to(GOOD).as_posix() for path in GOOD.rglob("*") if path.is_file())
CALM = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SPECIAL = ["\0", "\t", "\r", "\u2028", "\u202e", "\ufeff", "&a", "*a", "!!x ", "---\n", "<<: ", "? ", "[" * 99, "{", "|",
           '"', "'", "#", "%", ": ", "- ", "\n  ", "\ud800", "9" * 5000, "http://[", "@", "\\", "é", "🧂"]  # fmt: skip


def read(name: str, data: bytes) -> Report:
    """Read the good project with one file replaced, check and show what is found."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(GOOD, root)
        (root / name).write_bytes(data)
        report = Report()
        try:
            project = load_project(root)
            sources = read_sources(project, report)
            read_queries(project, report)
            if not report.has_errors:
                check_sources(sources, report)
        except FindingsError as error:
            report = error.report
        except UsageError:
            return report
        for form in FORMATS:
            render(report.sorted(), form, Lines(root), color=True).encode("utf-8")
        for finding in report:
            assert finding.span is not None
            assert finding.span.line >= 1
            assert finding.span.column >= 1
            assert finding.span.length >= 1
        return report


@pytest.mark.parametrize("name", FILES)
@CALM
@given(data=st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    read(name, data)


@pytest.mark.parametrize("name", FILES)
@CALM
@given(data=st.data())
def test_any_change_of_a_good_file(name: str, data: st.DataObject) -> None:
    text = (GOOD / name).read_text("utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(SPECIAL) | st.text(max_size=8)) + text[end:]
    read(name, text.encode("utf-8", "surrogatepass"))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["tea", "c1", "en"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIM_KEYS = st.sampled_from(
    ["id", "statement", "subject", "predicate", "object", "sentence", "certainty", "basis", "cues", "qualifiers",
     "object-quantity", "rationale", "confidence", "kind", "quote", "presupposed", "compared-dimension"]
)  # fmt: skip


@CALM
@given(claim=st.dictionaries(CLAIM_KEYS, VALUES, max_size=12), entity=st.dictionaries(
    st.sampled_from(["id", "label", "aliases", "category", "definition", "broader"]), VALUES))  # fmt: skip
def test_any_values_under_known_keys(claim: dict[str, object], entity: dict[str, object]) -> None:
    import yaml

    article = (GOOD / "data/articles/tea.yaml").read_text("utf-8").split("claims:")[0]
    read("data/articles/tea.yaml", (article + yaml.safe_dump({"claims": [claim]})).encode("utf-8", "surrogatepass"))
    read("data/entities/things.yaml", yaml.safe_dump({"entities": [entity]}).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/entities/things.yaml", "[" * 100_000),
        ("data/entities/things.yaml", "- " * 100_000),
        ("data/entities/things.yaml", "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a, *a]\n" for n in range(50))),
        ("data/entities/things.yaml", "entities: " + "{a: " * 50_000),
        ("data/entities/things.yaml", "\0" * 100_000),
        ("data/articles/tea.yaml", "article: " + "9" * 1_000_000),
        ("kgbuild.toml", "base = " + "[" * 100_000),
        ("kgbuild.toml", "shard = " + "9" * 100_000),
        ("ontology/tea.ttl", "<a:b> <a:c> " + "(" * 100_000),
        ("ontology/tea.ttl", "<a:b> <a:c> " + "<<( <a:b> <a:c> " * 1000),
        ("queries/contents.rq", "# param: " + "x " * 10_000),
    ],
    ids=lambda value: value[:25].replace("/", "-").replace("\0", "NUL") if isinstance(value, str) else None,
)
def test_bombs_are_findings(name: str, text: str) -> None:
    assert read(name, text.encode()).at_least(Severity.WARNING)


@pytest.mark.parametrize("name", ["data/entities/pipe.yaml", "ontology/pipe.ttl", "queries/pipe.rq"])
def test_a_pipe_does_not_hang(name: str, tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path / "project")
    os.mkfifo(tmp_path / "project" / name)
    project = load_project(tmp_path / "project")
    report = Report()
    read_sources(project, report)
    read_queries(project, report)
    assert report.counts() == {"KG101": 1}


def test_a_folder_of_sources_that_is_a_file_or_a_link_out(tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(GOOD, root)
    shutil.rmtree(root / "data/mappings")
    (root / "data/mappings").write_text("not a folder")
    shutil.move(root / "data/entities", tmp_path / "entities")
    (root / "data/entities").symlink_to("../../entities")
    report = Report()
    read_sources(load_project(root), report)
    assert report.counts() == {"KG101": 1, "KG112": 1}


def test_a_file_name_that_is_not_utf8_is_a_finding(tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(GOOD, root)
    with Path(os.fsdecode(os.fsencode(root / "data/entities") + b"/caf\xe9.yaml")).open("w") as file:
        file.write("entities: [")
    with pytest.raises(FindingsError) as caught:
        compile_project(root)
    for form in FORMATS:
        render(caught.value.report.sorted(), form, Lines(root)).encode("utf-8")


BROKEN_SHAPES = [
    "tea:s a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path rdfs:label ; sh:minLength \"x\" ] .",
    "tea:s a sh:NodeShape ; dcterms:identifier \"T1\" ; sh:targetClass kgb:Claim ; sh:sparql tea:nothing .",
    "tea:s a sh:NodeShape ; dcterms:identifier \"T1\" ; sh:targetClass kgb:Claim ; sh:sparql [ sh:select \"ASK {}\" ] .",
    "tea:s a sh:NodeShape ; dcterms:identifier \"T1\" ; sh:sparql [ sh:select \"SELECT $this { ?s ?p ?o }\" ] .",
    "tea:s a sh:NodeShape ; dcterms:identifier \"T1\" ; sh:targetClass kgb:Claim ; sh:sparql [ sh:prefixes tea:none ] .",
    "tea:s a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:minCount 1 ] .",
    "tea:s a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:property [ sh:path rdfs:label ; sh:pattern \"[\" ] .",
    "tea:s a sh:NodeShape ; sh:targetClass kgb:Claim ; sh:or tea:no-list .",
]  # fmt: skip


@pytest.mark.parametrize("shape", BROKEN_SHAPES)
def test_a_broken_shape_is_a_finding_or_passed_over(shape: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(GOOD, root)
    heading = "".join(
        f"@prefix {name}: <{space}> .\n"
        for name, space in load_project(root).prefixes.items()
        if name in {"kgb", "rdfs", "sh", "dcterms", "tea"}
    )
    (root / "ontology/shapes.ttl").write_text(heading + shape + "\n")
    try:
        codes = compile_project(root).report.counts()
    except FindingsError as error:
        codes = error.report.counts()
    assert set(codes) <= {"KG501", "KG502", "T1"}
