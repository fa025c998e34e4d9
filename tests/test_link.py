"""Proposed mappings: found by name, never called exact, readable again, and most of what curation found."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from conftest import GOOD, ROOT

from kgbuild.cli import main
from kgbuild.diagnostics import UnreadableError
from kgbuild.linking import link, read_terms

OBO = """format-version: 1.2

[Term]
id: X:1
name: teas
synonym: "chai \\"hot\\"" EXACT []
synonym: "brew" RELATED []

[Term]
id: X:2
name: tea
is_obsolete: true

[Typedef]
id: caffeine
name: caffeine
"""
TURTLE = """@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
<http://a/K> rdfs:label "Koffein"@de . <http://a/L> rdfs:label "tea" ; owl:deprecated true . _:b rdfs:label "tea" .
"""
TABLE = "id\tlabel\tsynonyms\nCHEBI:27732\tcaffeine\t\nMESH:D1\tInsomnia\tSleeplessness|awake\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOOD, tmp_path / "project"))


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_proposals_say_what_met_and_leave_out_what_is_mapped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [put(project, "x.obo.gz", OBO), put(project, "x.ttl", TURTLE), put(project, "x.tsv", TABLE)]
    assert main(["-C", str(project), "link", *map(str, files)]) == 0
    said = capsys.readouterr()
    rows = [line.split("\t") for line in said.out.splitlines() if not line.startswith("#")]
    assert [row[:6] for row in rows[1:]] == [
        ["id:caffeine", "caffeine", "skos:closeMatch", "ns:K", "Koffein", "semapv:LexicalMatching"],
        ["id:sleeplessness", "sleeplessness", "skos:closeMatch", "MESH:D1", "Insomnia", "semapv:LexicalMatching"],
        ["id:tea", "tea", "skos:closeMatch", "X:1", "teas", "semapv:LexicalMatching"],
    ]
    assert [row[6:] for row in rows[1:]] == [
        ["0.95", "label 'Koffein' is label 'Koffein'"],
        ["0.85", "label 'sleeplessness' is synonym 'Sleeplessness'"],
        ["0.65", "label 'tea' is label 'teas'"],
    ]
    assert "3 proposals for 3 entities among 4 terms" in said.err


def test_proposals_can_be_kept_as_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = project / "data" / "mappings" / "proposed.sssom.tsv"
    table = put(project, "x.tsv", TABLE)
    assert main(["-C", str(project), "link", str(table), "-o", str(kept)]) == 0
    assert main(["-C", str(project), "check"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert link(project, table).proposals == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.tsv", "id\tname\n", "needs columns"),
        ("x.tsv", "id\tlabel\nA:1\n", r"x\.tsv:2: 1 cells"),
        ("x.tsv", "id\tlabel\nnonsense\tx\n", "neither an IRI nor a CURIE"),
        ("x.ttl", "<a", r"x\.ttl:1: not RDF"),
        ("x.txt", "", "cannot tell the format"),
        ("x.obo.gz", "", "cannot read"),
    ],
)
def test_a_broken_file_of_terms_is_named(name: str, text: str, words: str, tmp_path: Path) -> None:
    path = put(tmp_path, name, text)
    if name.endswith(".gz"):
        path.write_bytes(b"\x1f\x8bno gzip")
    with pytest.raises(UnreadableError, match=words):
        read_terms(path)


@pytest.mark.shared
def test_most_curated_links_are_proposed(tmp_path: Path) -> None:
    ontologies = ROOT.parent / "shared" / "reference" / "ontologies"
    if not ontologies.is_dir():
        pytest.skip("reference ontologies are not at hand (../shared/reference/ontologies)")
    for name in ("data", "ontology"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    curated = set()
    for path in (tmp_path / "data" / "mappings").glob("*.sssom.tsv"):
        lines = [line.split("\t") for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
        place = {name: number for number, name in enumerate(lines[0])}
        for row in lines[1:]:
            cells = [row[place[name]] for name in ("subject_id", "predicate_id", "object_id")]
            if cells[1] == "skos:exactMatch" and cells[2].startswith(("MONDO:", "HP:", "CHEBI:", "GO:", "UBERON:")):
                curated.add((cells[0].rpartition(":")[2], cells[2]))
        path.unlink()
    proposed = link(tmp_path, *sorted(ontologies.glob("slice_*.tsv"))).proposals
    found = {(item.entity, item.term.iri.rpartition("/")[2].replace("_", ":")) for item in proposed}
    assert len(curated) > 15
    assert len(curated & found) / len(curated) > 0.9, sorted(curated - found)
