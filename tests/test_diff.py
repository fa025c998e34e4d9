"""What changed between two graphs is told claim by claim, and a lost hedge is never overlooked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import GOOD

from kgbuild.cli import main
from kgbuild.comparison import RANKS, Change, diff
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import UnreadableError

ARTICLE = "data/articles/tea.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOOD, tmp_path / "project"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def by_iri(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {change.iri: change for change in changes}


def test_the_same_graph_in_every_form_has_no_difference(
    released: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dumps = sorted((released / "site" / "data").glob("*.trig")) + sorted((released / "site" / "data").glob("*.nq"))
    for other in (released / "site", project, dumps[0]):
        assert main(["diff", str(released), str(other)]) == 0, other
        assert capsys.readouterr().out == "no change\n"


def test_a_lost_hedge_is_told_first(released: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / ARTICLE, "    certainty: possible\n", "    certainty: probable\n")
    edit(project / ARTICLE, "    cues: [may]\n", "")
    assert main(["diff", str(released), str(project)]) == 1
    said = capsys.readouterr().out
    assert "claim: 1 changed" in said
    assert "a hedge was lost: the claim is more certain than it was" in said
    assert "    certainty: possible → probable\n" in said
    assert "    cue: may → none\n" in said
    assert main(["diff", "--format", "json", str(project), str(released)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [change["hedge_lost"] for change in found["changes"]] == [False]


def test_things_added_and_removed(released: Path, project: Path) -> None:
    entities = next((project / "data" / "entities").glob("*.yaml"))
    with entities.open("a", encoding="utf-8") as file:
        file.write("  - id: milk\n    label: milk\n    category: substance\n    definition: What cows give.\n")
    forth, back = diff(released, project), diff(project, released)
    assert forth.counts() == {"entity": {"added": 1, "removed": 0, "changed": 0}}
    assert by_iri(forth.changes)["id/milk"].label == "milk"
    assert by_iri(back.changes)["id/milk"].how == "removed"


def test_a_triple_that_is_no_longer_stated_plainly_is_told(released: Path, project: Path) -> None:
    edit(project / ARTICLE, "    certainty: asserted\n", "    certainty: probable\n")
    found = diff(released, project)
    assert found.stated == ()
    assert len(found.unstated) == 1
    assert diff(project, released).stated == found.unstated


def test_what_holds_no_graph_is_refused(tmp_path: Path, released: Path) -> None:
    with pytest.raises(UnreadableError, match="no such file"):
        diff(tmp_path / "none", released)
    with pytest.raises(UnreadableError, match="no build, no release and no project"):
        diff(tmp_path, released)
    broken = tmp_path / "x.nq"
    broken.write_text("<a", "utf-8")
    with pytest.raises(UnreadableError, match=r"x\.nq:1:\d+: not RDF"):
        diff(released, broken)
    assert main(["diff", str(broken), str(released)]) == 3


def test_names_from_data_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one.nq", tmp_path / "two.nq"
    one.write_text("", "utf-8")
    kind = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://w3id.org/kgbuild/ns#Entity>"
    label = '<http://www.w3.org/2000/01/rdf-schema#label> "a\\u001B[31mb\\u202Ec"@en'
    two.write_text(f"<http://a/id/x> {kind} .\n<http://a/id/x> {label} .\n", "utf-8")
    assert main(["diff", str(one), str(two)]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_what_is_more_certain_is_told_as_the_scheme_ranks_it(compilation: Compilation) -> None:
    ranks = {
        str(quad[1]).rpartition("certainty-")[2][:-1]: int(quad[3].split('"')[1])
        for quad in compilation.quads
        if quad[2].endswith("ns#rank>") and "certainty-" in quad[1]
    }
    assert sorted(ranks, key=ranks.__getitem__) == list(RANKS)
