"""The second and third tier: datasets say what their sources say, claims and data never mix, verdicts follow."""

from __future__ import annotations

import csv
import html
import re
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from kgbuild.building import build, check
from kgbuild.compilation import Compilation, compile_project
from kgbuild.datasets import Dataset, DatasetStatement
from kgbuild.diagnostics import FindingsError
from kgbuild.queries import read_queries, run
from kgbuild.store import Solutions, lexical
from kgbuild.terms import KGB, TYPE
from kgbuild.views import Views

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared" / "reference"
BROKEN = Path(__file__).parent / "broken"
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason=f"needs the reference data in {REFERENCE}")
DIRECTIONS = {
    "supports": "affirmed",
    "supports-with-caveat": "affirmed",
    "contradicts": "negated",
    "inconclusive": "neutral",
}


@pytest.fixture(scope="module")
def datasets(compilation: Compilation) -> dict[str, Dataset]:
    return {dataset.id: dataset for dataset in compilation.sources.datasets}


@pytest.fixture(scope="module")
def views(compilation: Compilation) -> Views:
    return Views(compilation.store, compilation.project.base, compilation.project.prefixes)


def rows(path: str, delimiter: str = ",") -> list[dict[str, str]]:
    with open(REFERENCE / path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def ask(compilation: Compilation, name: str) -> list[dict[str, str]]:
    """Ask a query of the project and return its rows as texts."""
    queries = {query.name: query for query in read_queries(compilation.project, compilation.report)}
    answer = run(queries[name], compilation.store, compilation.project.prefixes, compilation.report)
    assert isinstance(answer, Solutions)
    return [dict(row) for row in answer.dicts()]


def drinks(root: Path, alignments: tuple[str, str] = ("", "")) -> Path:
    """Make the small project with a dataset and its alignments, one text of which may be replaced by another."""
    shutil.copytree(BROKEN / "_good", root)
    shutil.copytree(BROKEN / "KG705-judged-twice" / "data", root / "data", dirs_exist_ok=True)
    judged = root / "data/alignments/tea.yaml"
    sound = judged.read_text("utf-8").partition("      - verdict: neutral")[0]
    assert alignments[0] in sound
    judged.write_text(sound.replace(*alignments), "utf-8")
    return root


# --- what the datasets say, against their sources ----------------------------------------------------


@pytest.mark.shared
@needs_reference
def test_every_food_has_the_value_of_the_usda(datasets: dict[str, Dataset]) -> None:
    """Every row of the reference is a statement with its value, data points and fit, and there are no others."""
    found = {statement.records[0]: statement for statement in datasets["usda-sr28"].statements}
    records = {record.id: record for record in datasets["usda-sr28"].records}
    expected = rows("usda/article_foods_magnesium.csv")
    assert set(found) == set(records) == {row["ndb_no"] for row in expected}
    for row in expected:
        statement, record = found[row["ndb_no"]], records[row["ndb_no"]]
        assert statement.quantity is not None
        assert statement.quantity.value == Decimal(row["magnesium_mg_per_100g"])
        assert statement.quantity.unit == "mg/(100.g)"
        assert f" {row['magnesium_mg_per_100g']} mg " in statement.statement
        assert statement.observations == int(row["n_data_points"])
        assert statement.subject.id == row["kg_slug"]
        assert statement.subject_match == {"exact": "close", "variant": "narrow"}[row["match"]]
        assert record.title == row["description"]
        assert (record.url or "").rpartition("/")[2] == row["fdc_id"]


@pytest.mark.shared
@needs_reference
def test_every_enzyme_has_the_sources_that_name_it(datasets: dict[str, Dataset]) -> None:
    """The EC numbers are those of the union, source by source, and the counts are theirs."""
    columns = {
        "enzyme-27": "in_enzyme2001_CF_Mg",
        "gene2go-2022": "in_human_GO0000287",
        "uniprot-2023": "in_uniprot2023_sample",
    }
    expected = rows("enzymes/mg_enzyme_union.csv")
    dataset = datasets["magnesium-enzymes"]
    found = {item.object.curie.removeprefix("EC:"): item for item in dataset.statements if item.object.kind == "term"}
    assert set(found) == {row["ec_number"] for row in expected}
    for row in expected:
        statement = found[row["ec_number"]]
        named = {source for source, column in columns.items() if row[column] == "1"}
        assert set(statement.records) == named
        assert row["name"] in statement.object.label
        assert statement.predicate == ("related-to" if named == {"gene2go-2022"} else "cofactor-of")
    counts = {item.id: item.quantity for item in dataset.statements if item.quantity is not None}
    for source, column in columns.items():
        assert counts[f"count-{source}"].value == sum(row[column] == "1" for row in expected)
    assert counts["count-union"].minimum == len(expected) == 243
    assert counts["count-union"].value is None


@pytest.mark.shared
@needs_reference
def test_every_study_is_the_one_of_the_reference(datasets: dict[str, Dataset]) -> None:
    """Records repeat the reference; an identifier stands only where it was seen; a finding keeps the direction."""
    expected = {row["study_id"]: row for row in rows("evidence/studies.tsv", "\t")}
    records = {record.id: record for record in datasets["studies"].records}
    assert set(records) == set(expected)
    for name, row in expected.items():
        record = records[name]
        unseen = row["ids_not_seen"].lower()
        assert record.title == row["title"].removesuffix(" (title not fully seen)")
        assert (record.doi or "", record.pmid or "") == (row["doi"], row["pmid"])
        assert not (record.doi and "doi" in unseen)
        assert not (record.pmid and "pmid" in unseen)
        assert (record.issued or "") == ("" if "year" in unseen else row["year"])
        assert str(record.participants or "") == row["n_participants"]
        assert (record.authors or "", record.journal or "") == (row["authors"], row["journal"])
        assert record.evidence == row["eco_id"]
        assert {record.identifier, record.url} >= ({row["other_id"]} if row["other_id"] else set())
        assert bool(record.unseen) == bool(row["ids_not_seen"])
        polarities = {item.polarity for item in datasets["studies"].statements if item.records == (name,)}
        assert DIRECTIONS[row["direction"]] in polarities


@pytest.mark.shared
@needs_reference
def test_no_number_of_a_study_is_made_up(datasets: dict[str, Dataset]) -> None:
    """Every number in a statement on a study stands in the row of that study."""
    expected = {row["study_id"]: row for row in rows("evidence/studies.tsv", "\t")}
    for statement in datasets["studies"].statements:
        row = " ".join(expected[statement.records[0]].values()).replace(",", "")
        known = {Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", row)}
        assert numbers(statement) <= known, statement.id


def numbers(statement: DatasetStatement) -> set[Decimal]:
    texts = [statement.statement, statement.measure or "", *(item.text or "" for item in statement.qualifiers)]
    written = re.findall(r"\d+(?:\.\d+)?", " ".join(texts).replace("type 2 ", ""))
    found = {Decimal(number) for number in written}
    if statement.quantity is not None:
        quantity = statement.quantity
        bounds = (quantity.value, quantity.minimum, quantity.maximum, quantity.more_than, quantity.less_than)
        found |= {abs(bound) for bound in bounds if bound is not None}
    return found


@pytest.mark.shared
@needs_reference
def test_evidence_types_exist(datasets: dict[str, Dataset]) -> None:
    known = set(re.findall(r"^id: (ECO:\d{7})$", (REFERENCE / "ontologies/eco.obo").read_text("utf-8"), re.MULTILINE))
    assert {record.evidence for record in datasets["studies"].records} <= known


def test_every_dataset_names_what_it_must(datasets: dict[str, Dataset]) -> None:
    assert set(datasets) == {"magnesium-enzymes", "studies", "usda-sr28"}
    for dataset in datasets.values():
        assert all((dataset.release, dataset.license, dataset.citation, dataset.method, dataset.limits))
        assert {name for item in dataset.statements for name in item.records} == {item.id for item in dataset.records}


# --- the tiers stay apart --------------------------------------------------------------------------------


def subjects(compilation: Compilation, cls: str) -> set[str]:
    return {quad[1] for quad in compilation.quads if quad[2] == f"<{TYPE}>" and quad[3] == f"<{KGB}{cls}>"}


def test_claims_and_dataset_statements_share_no_node(compilation: Compilation) -> None:
    """Neither a node nor a part of one, nor a graph: no subject of a dataset's graph is a subject elsewhere."""
    base = compilation.project.base
    claims, statements = subjects(compilation, "Claim"), subjects(compilation, "DatasetStatement")
    alignments, records = subjects(compilation, "Alignment"), subjects(compilation, "SourceRecord")
    assert len(claims) == 100
    assert len(statements) == sum(len(dataset.statements) for dataset in compilation.sources.datasets) == 319
    tiers = (claims, statements, alignments, records)
    assert sum(map(len, tiers)) == len(set().union(*tiers))
    inside = {quad[1] for quad in compilation.quads if quad[0].startswith(f"<{base}graph/dataset-")}
    judged = {quad[1] for quad in compilation.quads if quad[0] == f"<{base}graph/alignment>"}
    outside = {
        quad[1]
        for quad in compilation.quads
        if not quad[0].startswith((f"<{base}graph/dataset-", f"<{base}graph/alignment>"))
    }
    assert not inside & outside
    assert not judged & (outside | inside)


def test_no_statement_of_a_dataset_becomes_a_plain_triple(compilation: Compilation) -> None:
    asserted = {quad[1:] for quad in compilation.quads if quad[0] == f"<{compilation.project.base}graph/asserted>"}
    licensed = {triple for shard in compilation.shards for triple in shard.asserted}
    assert asserted == licensed


def test_a_dataset_changes_no_claim(tmp_path: Path) -> None:
    """The nanopublications are the same with the datasets and without them."""
    with_data = drinks(tmp_path / "with")
    shutil.copytree(BROKEN / "_good", tmp_path / "without")
    one, other = (compile_project(root) for root in (with_data, tmp_path / "without"))
    assert [item.iri for item in one.nanopublications()] == [item.iri for item in other.nanopublications()]
    assert len(one.quads) > len(other.quads)


def test_the_engines_agree_on_the_tiers(tmp_path: Path) -> None:
    root = drinks(tmp_path / "project")
    assert compile_project(root).violations == compile_project(root, engine="pyshacl").violations == frozenset()
    wrong = drinks(tmp_path / "wrong", ("{min: 10", "{min: 30"))
    for engine in ("auto", "pyshacl"):
        with pytest.raises(FindingsError) as caught:
            compile_project(wrong, engine=engine)
        assert caught.value.report.counts() == {"S54": 1}


# --- verdicts ----------------------------------------------------------------------------------------------


def test_every_claim_has_a_verdict_or_is_not_covered(compilation: Compilation, views: Views) -> None:
    for claim in views.claims:
        assert claim.alignments, claim.key
        uncovered = [item for item in claim.alignments if item.statement is None]
        assert {item.verdict.slug for item in uncovered} <= {"not-covered"}
        assert len(uncovered) == (1 if len(claim.alignments) == len(uncovered) else 0)
        assert all(item.reason for item in claim.alignments if item.statement)
    assert {row["claim"] for row in ask(compilation, "alignment")} == {claim.iri for claim in views.claims}


def test_verdicts_on_foods_are_those_of_the_criterion(compilation: Compilation) -> None:
    """Every entry of every food of the article judges its claim, and the number decides the verdict."""
    statements = {item.key: item for dataset in compilation.sources.datasets for item in dataset.statements}
    claims = {claim.key: claim for claim in compilation.sources.claims}
    (alignments,) = compilation.sources.alignments
    (criterion,) = alignments.criteria
    assert criterion.threshold is not None
    assert criterion.threshold.minimum == Decimal(42) == Decimal(420) / 10
    judged = Counter()
    for item in alignments.alignments:
        if item.statement.startswith("usda-sr28/"):
            quantity = statements[item.statement].quantity
            assert item.criterion == criterion.id
            assert quantity is not None
            assert quantity.value is not None
            assert item.verdict == ("supports" if quantity.value >= 42 else "disputes")
            if claims[item.claim].subject != "green-leafy-vegetable":
                assert claims[item.claim].subject == statements[item.statement].subject.id
                judged[item.statement] += 1
    assert judged == {key: 1 for key in statements if key.startswith("usda-sr28/")}


def test_percentages_in_reasons_are_right(compilation: Compilation) -> None:
    """A share of the daily value in a reason is the number of one of its statements, in per cent of 420 mg."""
    (alignments,) = compilation.sources.alignments
    statements = {item.key: item for dataset in compilation.sources.datasets for item in dataset.statements}
    for item in alignments.alignments:
        if item.criterion != "good-source":
            continue
        same = [other.statement for other in alignments.alignments if other.reason == item.reason]
        amounts = {statements[key].quantity.value for key in same}  # type: ignore[union-attr]  # foods have one
        low, high = min(amounts), max(amounts)  # type: ignore[type-var]  # foods have a value
        written = [int(number) for number in re.findall(r"\d+", item.reason.replace("100 g", "").replace("mm Hg", ""))]
        ends = list(dict.fromkeys((low, high)))
        shares = list(dict.fromkeys(round(100 * value / 420) for value in ends))  # type: ignore[operator]
        assert written == [*ends, *shares], item.claim


def test_studies_do_not_bear_out_the_strong_evidence(compilation: Compilation) -> None:
    """What the article calls strong evidence is the first of the over-claims; hedged claims are not among them."""
    found = ask(compilation, "overclaims")
    assert found[0]["claim"].endswith("/c094")
    assert (found[0]["stated_evidence"], found[0]["supporting"]) == ("strong", "0")
    assert {row["certainty"] for row in found} <= {"asserted", "probable"}
    assert all(int(row["disputing"]) + int(row["undecided"]) >= int(row["supporting"]) for row in found)


def test_contradictions_are_computed(tmp_path: Path) -> None:
    """With another verdict in the source, the query's answer is another."""
    for verdict, count in (("supports", 0), ("disputes", 1)):
        sleep = f"verdict: {verdict}\n        on: [drinks/sleep]"
        root = drinks(tmp_path / verdict, ("verdict: supports\n        on: [drinks/sleep]", sleep))
        shutil.copy(ROOT / "queries/contradicted.rq", root / "queries")
        found = ask(compile_project(root), "contradicted")
        assert len(found) == count
    assert found[0]["design"] == "randomized-trial"


def test_three_hundred_enzymes_are_neither_reached_nor_refuted(compilation: Compilation) -> None:
    found = ask(compilation, "enzymes-300")
    outcomes = {(row.get("evidence", "").rpartition("/")[2], row["counted"]): row["outcome"] for row in found}
    assert outcomes["count-union", "243"] == outcomes["", "243"] == "not decided"
    assert outcomes["nih-ods-magnesium-enzymes", "300"] == outcomes["debaaij2015-reactions", "600"] == "reached"
    assert {row["claimed"] for row in found} == {"300"}


def test_foods_are_ranked_by_the_number(compilation: Compilation) -> None:
    found = ask(compilation, "foods-by-magnesium")
    amounts = [int(row["amount"]) for row in found]
    assert amounts == sorted(amounts, reverse=True)
    assert len(found) == 15
    assert [row["enough"] for row in found] == ["true" if amount >= 42 else "false" for amount in amounts]


# --- output -------------------------------------------------------------------------------------------------


def test_pages_tell_the_tiers_apart(tmp_path: Path) -> None:
    """A claim's page shows statements of data as such, never as a claim; what nothing covers says so."""
    root = drinks(tmp_path / "project")
    claims = (root / "data/alignments/tea.yaml").read_text("utf-8").partition("  - claim: c2")[0]
    (root / "data/alignments/tea.yaml").write_text(claims, "utf-8")
    build(root)
    site = root / "build/site"
    judged = (site / "claim/tea/c1.html").read_text("utf-8")
    assert '<div class="datum">' in judged
    assert "stated by datasets and studies, not by the article" in judged
    assert 'href="../../dataset/drinks.html#tea-caffeine"' in judged
    assert "Not covered by the datasets of this graph" in (site / "claim/tea/c2.html").read_text("utf-8")
    for path in site.rglob("*.html"):
        page = path.read_text("utf-8")
        for card in re.findall(r'<div class="claim .*?</div>', page, re.DOTALL):
            assert "Tea holds 20 mg" not in card
    dataset = (site / "dataset/drinks.html").read_text("utf-8")
    assert 'class="claim' not in dataset
    assert 'href="../claim/tea/c1.html#beside-' in dataset
    for ending in ("ttl", "jsonld"):
        text = (site / f"dataset/drinks.{ending}").read_text("utf-8")
        assert "Tea holds 20 mg of caffeine in 100 g." in text
        assert "Caffeine is found in tea." not in text
    assert "tea-caffeine" in (site / "claim/tea/c1.ttl").read_text("utf-8")


def test_a_project_without_datasets_has_no_such_pages(tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(BROKEN / "_good", root)
    build(root)
    assert not (root / "build/site/dataset").exists()
    assert "Datasets</a>" not in (root / "build/site/index.html").read_text("utf-8")


def test_the_tiers_are_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    """The order of rows and files does not matter."""
    root = drinks(tmp_path / "one")
    other = drinks(tmp_path / "other")
    for name in ("drinks.tsv", "drinks.records.tsv"):
        table = other / "data/datasets" / name
        head, *lines = table.read_text("utf-8").splitlines()
        table.write_text("\n".join([head, *reversed(lines)]) + "\n", "utf-8")
    assert compile_project(root).nquads == compile_project(other).nquads


def test_a_check_counts_nothing_twice(tmp_path: Path) -> None:
    assert check(drinks(tmp_path / "project")).report.sorted() == []


def test_the_pages_show_what_the_query_of_all_verdicts_answers(compilation: Compilation, built: Path) -> None:
    """Every claim stands in the answer with its verdicts and evidence, and its page shows these and no others."""
    answer = compilation.store.query((ROOT / "queries/alignment.rq").read_text("utf-8"), compilation.project.prefixes)
    assert isinstance(answer, Solutions)
    place = {name: number for number, name in enumerate(answer.variables)}
    rows: dict[str, list[tuple[str, str]]] = {}
    for row in answer.rows:
        cells = {name: lexical(row[number]) if row[number] else "" for name, number in place.items()}
        rows.setdefault(cells["claim"], []).append((cells["evidence_says"], cells["reason"]))
        if cells["verdict"] == "not-covered":
            assert (cells["evidence"], cells["evidence_says"]) == ("", "")
    assert len(rows) == len(compilation.sources.claims)
    for claim, found in rows.items():
        path = built / "build/site" / f"{claim.removeprefix(compilation.project.base)}.html"
        page = path.read_text("utf-8")
        words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
        evidence = [says for says, _ in found if says]
        assert page.count('<div class="datum">') == len(evidence), claim
        assert ("Not covered by the datasets of this graph" in words) == (not evidence), claim
        for says, reason in found:
            assert " ".join(says.split()) in words
            assert " ".join(reason.split()) in words
