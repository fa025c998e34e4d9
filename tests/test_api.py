"""The Python interface: the same answers as the commands, as values, frames and rdflib graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
import rdflib

import kgbuild
from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.graph import KnowledgeGraph, Table
from kgbuild.store import QuerySyntaxError


@pytest.fixture(scope="module")
def kg(project_root: Path) -> KnowledgeGraph:
    return kgbuild.load(project_root)


def test_the_facade_offers_what_it_names() -> None:
    for name in kgbuild.__all__:
        assert callable(getattr(kgbuild, name)), name
    assert set(kgbuild.__all__) <= set(dir(kgbuild))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kgbuild.nothing


def test_claims_are_found_by_what_they_say(kg: KnowledgeGraph) -> None:
    found = kg.claims(subject="magnesium-deficiency", predicate="contributes-to", object="RLS")
    assert {claim.certainty.slug for claim in found} == {"possible", "probable"}
    assert kg.claims(about="Willis-Ekbom disease", certainty="suggested")
    assert len(kg.claims(article="magnesium-rls")) == len(kg.claims())
    assert not kg.claims(article="another")
    assert kg.claims(predicate="mr:sourceOf")[0].predicate.label == kg.claims(predicate="source-of")[-1].predicate.label
    assert all(claim.basis.slug == "common-practice" for claim in kg.claims(basis="common-practice"))


def test_a_claim_keeps_everything_beside_the_statement(kg: KnowledgeGraph) -> None:
    claim = kg.claim("c094")
    assert (claim.certainty.slug, claim.modality.slug, claim.polarity.slug) == ("probable", "potential", "affirmed")
    assert claim.stated_evidence == "strong"
    assert claim.hedged
    assert not claim.plain
    assert [sentence.number for sentence in claim.sentences] == [33]
    assert kg.claim(claim.iri) == kg.claim("magnesium-rls/c094") == claim
    assert kg.claim("c018").object_quantity.startswith("more than 300")
    with pytest.raises(KeyError, match="no claim 'c999'"):
        kg.claim("c999")


def test_an_entity_is_found_by_any_of_its_names(kg: KnowledgeGraph) -> None:
    found = {kg.entity(name).slug for name in ("RLS", "restless legs syndrome", "willis-ekbom disease")}
    assert found == {"restless-legs-syndrome"}
    assert kg.entity("https://w3id.org/magnesium-rls/id/kale").broader[0].label == "green leafy vegetable"
    with pytest.raises(KeyError, match="did you mean 'magnesium'"):
        kg.entity("magnesum")


def test_queries_by_name_file_and_text(kg: KnowledgeGraph, project_root: Path) -> None:
    named = kg.query("foods")
    assert isinstance(named, Table)
    by_file = kg.query(str(project_root / "queries/foods.rq"))
    assert isinstance(by_file, Table)
    assert named.rows == by_file.rows
    plain = kg.query("SELECT ?f WHERE { ?f mr:sourceOf id:magnesium }")
    assert isinstance(plain, Table)
    assert {f"{kg.base}id/kale"} <= {row[0] for row in plain}
    assert kg.query("ASK { id:magnesium a kgb:Entity }") is True
    graph = kg.query("CONSTRUCT WHERE { ?c a kgb:AdviceClaim }")
    assert isinstance(graph, rdflib.Graph)
    assert len(graph) == 2


def test_parameters_are_spelt_not_pasted(kg: KnowledgeGraph) -> None:
    answer = kg.query("find-entity", name='" } ; DROP ALL #')
    assert isinstance(answer, Table)
    assert len(answer) == 0
    with pytest.raises(UsageError, match="unknown parameter 'nam'; did you mean 'name'"):
        kg.query("find-entity", nam="x")


def test_broken_text_and_unknown_names_are_told(kg: KnowledgeGraph) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        kg.query("SELECT * WHERE {\n ?s ?p ?o . FILTR(?s) }")
    assert (caught.value.line, caught.value.column) == (2, 21)
    with pytest.raises(UsageError, match="unknown query 'fods'; did you mean 'foods'"):
        kg.query("fods")
    with pytest.raises(UsageError, match="SERVICE"):
        kg.query("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }")


def test_tables_show_themselves(kg: KnowledgeGraph) -> None:
    frame = kg.claims(certainty="possible").to_pandas()
    assert list(frame["certainty"].unique()) == ["possible"]
    assert "statement" in frame.columns
    table = Table(("a", "b"), [("<script>", "x")])
    assert "<td>&lt;script&gt;</td>" in table._repr_html_()
    assert repr(table) == "<Table of 1 rows: a, b>"
    assert table[:1].rows == table.rows
    assert table[0] == ("<script>", "x")
    claims = kg.claims()
    assert repr(claims[:3]) == "<3 claims>"
    assert "<th>certainty</th>" in claims[:3]._repr_html_()


@pytest.mark.filterwarnings("ignore:Dataset.*:DeprecationWarning")  # rdflib warns of what its own methods call
def test_the_dataset_is_the_same_graph(kg: KnowledgeGraph) -> None:
    ask = "ASK { ?c a <https://w3id.org/kgbuild/ns#AdviceClaim> }"
    assert bool(kg.dataset.query(ask))
    lines = kg.nquads.count(b"\n")
    assert sum(1 for _ in kg.dataset.quads((None, None, None, None))) == lines


def test_a_dump_loads_like_the_project(kg: KnowledgeGraph, tmp_path: Path) -> None:
    path = tmp_path / "dump.nq"
    path.write_bytes(kg.nquads)
    again = kgbuild.load(path)
    assert again.base == kg.base
    assert [claim.key for claim in again.claims()] == [claim.key for claim in kg.claims()]
    path.write_bytes(b"<broken")
    with pytest.raises(UnreadableError):
        kgbuild.load(path)
    path.write_bytes(b"<http://a/> <http://a/> <http://a/> .\n")
    with pytest.raises(UnreadableError, match="base IRI is unknown"):
        kgbuild.load(path)


def test_query_is_a_function_too(project_root: Path) -> None:
    assert kgbuild.query("ASK { ?c a kgb:Claim }", project_root) is True
