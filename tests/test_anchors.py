"""Anchors: a text becomes offsets and digests, and any change of a character is seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kgbuild.anchors import anchor, stretches
from kgbuild.compilation import compile_project
from kgbuild.diagnostics import FindingsError, UnreadableError, UsageError
from kgbuild.read.sentences import digest

TEXT = """On Salt

Salt is white. It’s salty 🧂 and cheap! Is it?
More of it
- in the sea
- in mines
Dr. Smith says so, e.g. today."""
SHARED = Path(__file__).parents[2] / "shared/reference"


def test_a_text_is_cut_into_headings_and_sentences() -> None:
    found = [(TEXT[part.start : part.end], part.heading) for part in stretches(TEXT)]
    assert found == [
        ("On Salt", True),
        ("Salt is white.", False),
        ("It’s salty 🧂 and cheap!", False),
        ("Is it?", False),
        ("More of it", True),
        ("- in the sea", False),
        ("- in mines", False),
        ("Dr. Smith says so, e.g. today.", False),
    ]


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    """Make a project with one article on salt and its text beside the project."""
    root = tmp_path / "salt"
    shutil.copytree(Path(__file__).parent / "broken/_good", root)
    for old in (root / "data/articles").iterdir():
        old.unlink()
    agent = next(path for path in (root / "data/entities").iterdir()).read_text().split("id: ")[1].split("\n")[0]
    (root / "data/articles/salt.yaml").write_text(
        f"article:\n  id: salt\n  title: On Salt\n  publisher: {agent}\n  extractor: {agent}\n  language: en\n"
        "  recorded: 2026-01-02\n  rights: unclear\n"
        "  sections:\n    - {id: salt, title: Salt}\n    - {id: where, title: Where}\nclaims: []\n"
    )
    (tmp_path / "salt.txt").write_text(TEXT, "utf-8")
    return root


def test_the_table_is_written_then_verified(salt: Path) -> None:
    first = anchor(salt, "salt", salt.parent / "salt.txt")
    assert first.written
    assert [sentence.state for sentence in first.article.sentences] == ["verified"] * 6
    rows = first.path.read_text("utf-8").splitlines()
    assert rows[0] == "number\tsection\tstart\tend\tsha256"
    assert rows[2] == f"2\tsalt\t24\t47\t{digest('It’s salty 🧂 and cheap!')}"
    assert rows[4].startswith("4\twhere\t")
    assert "salty" not in first.path.read_text("utf-8")
    assert not anchor(salt, "salt", salt.parent / "salt.txt").written


def test_a_changed_character_is_a_mismatch(salt: Path) -> None:
    anchor(salt, "salt", salt.parent / "salt.txt")
    (salt.parent / "salt.txt").write_text(TEXT.replace("white", "whitE"), "utf-8")
    done = anchor(salt, "salt", salt.parent / "salt.txt")
    assert [sentence.state for sentence in done.article.sentences].count("mismatch") == 1
    assert [finding.code for finding in done.report.sorted()] == ["KG215"]


def test_the_table_is_written_anew_only_when_asked(salt: Path) -> None:
    anchor(salt, "salt", salt.parent / "salt.txt")
    (salt.parent / "salt.txt").write_text(TEXT.replace("white", "very white"), "utf-8")
    done = anchor(salt, "salt", salt.parent / "salt.txt", write=True)
    assert done.written
    assert not done.report.findings


def test_headings_that_do_not_fit_the_sections_are_a_finding_and_nothing_is_written(salt: Path) -> None:
    (salt.parent / "salt.txt").write_text(TEXT.replace("More of it\n", ""), "utf-8")
    with pytest.raises(FindingsError) as caught:
        anchor(salt, "salt", salt.parent / "salt.txt")
    assert [finding.code for finding in caught.value.report.sorted()] == ["KG213"]
    assert not (salt / "data/articles/salt.sentences.tsv").exists()


def test_an_unknown_article_and_a_missing_text_are_told(salt: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'salt'"):
        anchor(salt, "sallt", salt.parent / "salt.txt")
    with pytest.raises(UnreadableError, match=r"nowhere\.txt"):
        anchor(salt, "salt", salt.parent / "nowhere.txt")


def test_anchors_are_digest_only_without_the_text(compilation: object, project_root: Path) -> None:
    states = {
        sentence.state for article in compile_project(project_root).sources.articles for sentence in article.sentences
    }
    assert states == {"digest only"}


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/reference/article.txt")
def test_every_anchor_of_the_article_is_verified_by_its_text(project_root: Path) -> None:
    done = anchor(project_root, "magnesium-rls", SHARED / "article.txt")
    assert not done.written
    assert [sentence.state for sentence in done.article.sentences] == ["verified"] * 35
    rows = [line.split("\t") for line in (SHARED / "sentences.tsv").read_text("utf-8").splitlines()[1:]]
    given = [(int(number), section, int(start), int(end)) for number, section, start, end, _ in rows if number != "H"]
    assert given == [(item.number, item.section, item.start, item.end) for item in done.article.sentences]
