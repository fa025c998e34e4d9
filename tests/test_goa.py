"""The recipe of the GO annotations: a download becomes a dataset that a query joins with the article."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from servers import copy_project

from kgbuild.compilation import compile_project
from kgbuild.store import Solutions

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "benchmarks/goa/prepare.py"
REFERENCE = ROOT.parent / "shared/reference"
GAF = """!gaf-version: 2.2
!
!generated-by: GOC
!date-generated: 2025-10-10T05:00
!
UniProtKB	P21964	COMT	enables	GO:0000287	PMID:17417655	IDA		F	Catechol O-methyltransferase	COMT	protein	taxon:9606	20161209	CAFA
UniProtKB	P21964	COMT	enables	GO:0000287	GO_REF:0000120	IEA	InterPro:IPR017128	F	Catechol O-methyltransferase	COMT	protein	taxon:9606	20251004	UniProt
UniProtKB	P21964	COMT	involved_in	GO:0042424	PMID:8223912	TAS		P	Catechol O-methyltransferase	COMT	protein	taxon:9606	20010101	PINC
UniProtKB	P22303	ACHE	NOT|enables	GO:0000287	PMID:1	IMP		F	Acetylcholinesterase	ACHE	protein	taxon:9606	20251004	X
UniProtKB	P22303	ACHE	acts_upstream_of_or_within	GO:0008150	PMID:2	EXP		P	Acetyl "choline" esterase	ACHE	protein	taxon:9606	20251004	X
UniProtKB	Q00000	NONE	enables	GO:0003674	GO_REF:0000015	ND		F			protein	taxon:9606	20251004	X
"""
NAMES = """format-version: 1.2

[Term]
id: GO:0000287
name: magnesium ion binding
namespace: molecular_function
"""  # fmt: skip


def prepared(folder: Path, release: Path, *names: Path) -> Path:
    copy_project(folder)
    subprocess.run([sys.executable, str(RECIPE), str(release), str(folder), *map(str, names)], check=True)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("goa")
    (folder / "goa_human.gaf.gz").write_bytes(gzip.compress(GAF.encode()))
    (folder / "go-basic.obo").write_text(NAMES, "utf-8")
    return prepared(folder / "project", folder / "goa_human.gaf.gz", folder / "go-basic.obo")


def rows(folder: Path, name: str) -> list[list[str]]:
    text = gzip.decompress((folder / f"data/datasets/goa-human{name}.tsv.gz").read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()[1:]]


def test_annotations_become_statements_with_their_evidence(project: Path) -> None:
    assert [row[:2] + row[4:6] + row[7:] for row in rows(project, "")] == [
        [
            "uniprotkb-p21964-0000287", "COMT enables magnesium ion binding.", "has-property", "GO:0000287", "affirmed",
            "go-ref-0000120-iea|pmid-17417655-ida",
        ],
        [
            "uniprotkb-p21964-0042424", "COMT involved in GO:0042424.", "has-role-in", "GO:0042424", "affirmed",
            "pmid-8223912-tas",
        ],
        [
            "uniprotkb-p22303-0000287-not", "ACHE NOT enables magnesium ion binding.", "has-property", "GO:0000287",
            "negated", "pmid-1-imp",
        ],
        [
            "uniprotkb-p22303-0008150-acts-upstream-of-or-within", "ACHE acts upstream of or within GO:0008150.",
            "related-to", "GO:0008150", "affirmed", "pmid-2-exp",
        ],
    ]  # fmt: skip
    assert [
        "pmid-17417655-ida",
        "publication",
        "PMID:17417655 (IDA)",
        "PMID:17417655",
        "17417655",
        "ECO:0000314",
    ] in rows(project, ".records")


def test_the_query_lays_what_data_say_beside_the_claims(project: Path) -> None:
    """Statements of data are no claims, denials stay denials, and the claims are those without the dataset."""
    compilation = compile_project(project)
    text = (ROOT / "benchmarks/goa/magnesium.rq").read_text("utf-8")
    answer = compilation.whole.query(text, compilation.project.prefixes)
    assert isinstance(answer, Solutions)
    found = list(answer.dicts())
    assert {(row["evidence"].rpartition("/")[2], row["stated"], row["products"]) for row in found} == {
        ("ECO_0000314", "affirmed", "1"),
        ("ECO_0000501", "affirmed", "1"),
        ("ECO_0000315", "negated", "1"),
    }
    claims = {claim.key for claim in compilation.sources.claims}
    assert {row["claim"].partition("/claim/")[2] for row in found} <= claims
    assert len({row["claim"] for row in found}) > 1
    count = "SELECT (COUNT(*) AS ?n) { ?s a kgb:Claim ; dcterms:isPartOf dataset:goa-human }"
    assert [row["n"] for row in compilation.whole.query(count, compilation.project.prefixes).dicts()] == ["0"]  # type: ignore[union-attr]


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.gaf").write_text("gene\tterm\n", "utf-8")
    (tmp_path / "data/datasets").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, str(RECIPE), str(tmp_path / "wrong.gaf"), str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, "neither GAF nor a table" in done.stderr) == (1, True)


@pytest.mark.shared
@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")
def test_evidence_codes_stand_for_the_classes_that_eco_says() -> None:
    sys.path.insert(0, str(RECIPE.parent))
    try:
        from prepare import EVIDENCE
    finally:
        sys.path.pop(0)
    blocks = (REFERENCE / "ontologies/eco.obo").read_text("utf-8").split("\n\n")
    for code, evidence in EVIDENCE.items():
        (block,) = (block for block in blocks if f"id: {evidence}\n" in block)
        assert f"xref: GOECO:{code} " in block or f"[GOECO:{code}]" in block, code
