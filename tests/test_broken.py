"""Broken projects: each folder of `broken/` is a small fault, and the findings it gives stand beside it.

A case holds only what differs from the good project: files to lay over it, `REMOVE` with files to take away, `LINKS`
with symbolic links to make (`path -> target`), and `expected.txt`. Run `pytest --update` to write that file anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from pathlib import Path

import pyoxigraph as ox
import pytest

from kgbuild.building import check
from kgbuild.codes import CODES, page_of, severity_of, title_of
from kgbuild.diagnostics import Diagnostic, FindingsError, Report
from kgbuild.reporting import Lines, as_text, render
from kgbuild.site.links import check_links
from kgbuild.testing import test as run_queries
from kgbuild.trusty import HOLE, artifact_code
from kgbuild.verification import verify

BROKEN = Path(__file__).parent / "broken"
CASES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
NO_CASE = {
    **dict.fromkeys(("KG801", "KG802", "KG803", "KG804", "KG805"), "told of published files; see `published_findings`"),
}
_OWN = {"REMOVE", "LINKS", "expected.txt"}


def lay(case: str, root: Path) -> None:
    """Make the project of a case in an empty folder."""
    shutil.copytree(BROKEN / "_good", root)
    folder = BROKEN / case
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in _OWN:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / name)
    for line in words(folder / "REMOVE"):
        (root / line).unlink()
    for line in words(folder / "LINKS"):
        link, target = line.split(" -> ")
        (root / link).symlink_to(target)


def words(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


def findings(root: Path) -> list[Diagnostic]:
    """Return all that is found in a project: by a check and, where it passes, by the queries' answers."""
    try:
        return Report([*check(root).report, *run_queries(root).report]).sorted()
    except FindingsError as error:
        return error.report.sorted()


def test_the_good_project_is_good() -> None:
    assert findings(BROKEN / "_good") == []


@pytest.mark.parametrize("case", CASES)
def test_a_broken_project_gives_its_findings(case: str, tmp_path: Path, update: bool) -> None:
    root = tmp_path / "project"
    lay(case, root)
    found = findings(root)
    shown = render(found, "text", Lines(root))
    expected = BROKEN / case / "expected.txt"
    if update:
        expected.write_text(shown, encoding="utf-8")
    assert shown == expected.read_text("utf-8")
    assert case.split("-")[0] in {finding.code for finding in found}
    assert all(finding.span is not None for finding in found)


def test_every_code_has_a_case_or_a_reason() -> None:
    covered = {case.split("-")[0] for case in CASES}
    assert set(CODES) - covered == set(NO_CASE)


def site_findings() -> str:
    """Return what is said of a site with a broken link and two pages at one path."""
    report = Report()
    check_links({"id/tea.html": b'<a href="milk.html">milk</a>'}, ["id/Tea.html"], report)
    return as_text(report.sorted(), lambda path, line: None)


@pytest.fixture(scope="session")
def published_findings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what is said of nanopublications and a release, each with a fault."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "site" / "data").mkdir(parents=True)
    me, signature = "https://example.org/np/RA1", "http://purl.org/nanopub/x/"
    head = """a np:Nanopublication ; np:hasAssertion sub:a ; np:hasProvenance sub:p ; np:hasPublicationInfo sub:i"""
    prefixes = f"@prefix np: <http://www.nanopub.org/nschema#> . @prefix npx: <{signature}> . "
    prefixes += "@prefix dct: <http://purl.org/dc/terms/> . "
    dated = 'dct:created "2026-01-01" . sub:s npx:hasSignature "x" ; npx:hasPublicKey "y" ; npx:hasAlgorithm "RSA"'

    def said(me: str, provenance: str) -> str:
        graphs = f"sub:h {{ <{me}> {head} }} sub:a {{ <x:s> <x:p> <x:o> }} {provenance} sub:i {{ <{me}> {dated} }}"
        return f"{prefixes}@prefix sub: <{me}#> . {graphs}"

    whole = "sub:p { sub:a <x:from> <x:source> }"
    texts = [said(me, ""), said(me.replace("RA1", f"RA{'1' * 43}"), whole)]
    quads = [
        (str(quad.graph_name), str(quad.subject), str(quad.predicate), str(quad.object))
        for quad in ox.parse(said(f"https://example.org/np/RA{'2' * 43}", whole), format=ox.RdfFormat.TRIG)
    ]
    code = artifact_code([tuple(term.replace(f"RA{'2' * 43}", HOLE) for term in quad) for quad in quads])  # type: ignore[misc]
    texts.append(said(f"https://example.org/np/{code}", whole))
    (folder / "site" / "data" / "tea.nq").write_text("<x:s> <x:p> <x:o> .\n")
    (folder / "site" / "data" / "tea.ttl").write_text("<x:s> <x:p> <x:other> .\n")
    files = ["data/tea.nq", "data/tea.ttl"]
    digests = [f"{hashlib.sha256((folder / 'site' / name).read_bytes()).hexdigest()}  {name}" for name in files]
    (folder / "site" / "SHA256SUMS").write_text("\n".join([*digests, f"{'0' * 64}  id/tea.html"]) + "\n")
    report = Report()
    with contextlib.chdir(folder):
        for text in texts:
            Path("np.trig").write_text(text)
            report.extend(verify("np.trig").report)
        report.extend(verify("site").report)
    shown = as_text(report.sorted(), lambda path, line: None)
    return shown.replace(code, "RA1").replace(f"RA{'1' * 43}", "RA1")


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_page_is_what_is_said(code: str, published_findings: str) -> None:
    cases = [(BROKEN / case / "expected.txt").read_text("utf-8") for case in CASES if case.startswith(code)]
    blocks = re.findall(r"```text\n(.*?\n)```", page_of(code) or "", re.DOTALL)
    messages = [block for block in blocks if f"[{code}]: " in block]
    assert messages
    for message in messages:
        assert any(message in said for said in [*cases, site_findings(), published_findings])


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page(code: str) -> None:
    page = page_of(code)
    assert page is not None
    assert page.splitlines()[0] == f"# {code}: {title_of(code)}"
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["What it means", "Why it matters", "Example", "Fix"]
    assert f"{severity_of(code)}[{code}]: " in page
    assert len(page.splitlines()) <= 60


def test_every_page_belongs_to_a_code() -> None:
    pages = {path.stem for path in (Path(__file__).parents[1] / "kgbuild" / "codes").glob("*.md")}
    assert pages - {"README"} == set(CODES)


def test_every_code_in_the_source_is_listed() -> None:
    package = Path(__file__).parents[1] / "kgbuild"
    raised = {
        code
        for path in package.rglob("*.py")
        if path.name != "codes.py"
        for code in re.findall(r'"(KG\d{3})"', path.read_text("utf-8"))
    }
    assert raised == set(CODES)
