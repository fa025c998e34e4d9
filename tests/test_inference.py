"""Inference: opt-in, in a graph of its own, from plain triples alone, every triple explained down to its claims."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyoxigraph as ox
import pytest

import kgbuild
from kgbuild.compilation import Compilation
from kgbuild.editions.registry import EDITIONS
from kgbuild.inference import RULES, Facts, Inference, infer, inferred_quads, read_facts, with_inferred
from kgbuild.reasons import explain_triple
from kgbuild.store import OxigraphStore, Solutions

ROOT = Path(__file__).parents[1]
GOOD = ROOT / "tests/broken/_good"
ONTOLOGY = """
tea:contains kgb:passesToNarrower true ; rdfs:subPropertyOf tea:holds ; owl:inverseOf tea:containedIn .
tea:holds a owl:ObjectProperty ; rdfs:subPropertyOf tea:provides .
tea:containedIn a owl:ObjectProperty .
tea:provides a owl:ObjectProperty , kgb:ClaimPredicate ; rdfs:label "provides"@en ; rdfs:subPropertyOf tea:isNear ;
    schema:domainIncludes tea:Drink ; schema:rangeIncludes tea:Substance .
tea:isNear a owl:ObjectProperty , owl:SymmetricProperty , owl:TransitiveProperty .
"""
ENTITIES = """
  - id: green-tea
    label: green tea
    category: drink
    definition: A tea of leaves that were not fermented.
    broader: [tea]

  - id: sencha
    label: sencha
    category: drink
    definition: A green tea of Japan.
    broader: [green-tea]
"""
CLAIM = """
  - id: c3
    statement: It is possible that tea provides caffeine.
    subject: tea
    predicate: provides
    object: caffeine
    sentence: 2
    certainty: possible
    basis: unsourced
    cues: [may]
"""


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kgbuild", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tea(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small project in which every rule applies and one triple is withheld."""
    root = tmp_path_factory.mktemp("inference") / "tea"
    shutil.copytree(GOOD, root)
    for path, text in (
        ("ontology/tea.ttl", ONTOLOGY),
        ("data/entities/things.yaml", ENTITIES),
        ("data/articles/tea.yaml", CLAIM),
    ):
        with open(root / path, "a", encoding="utf-8") as file:
            file.write(text)
    return root


@pytest.fixture(scope="module")
def inferred(compilation: Compilation) -> Inference:
    return infer(read_facts(compilation.store, compilation.project.base))


def short(root: Path, text: str) -> str:
    base = "https://example.org/tea/"
    return text.replace(f"<{base}id/", "").replace(f"<{base}ns#", "").replace(">", "")


def said(store: OxigraphStore, graph: str) -> set[tuple[str, ...]]:
    answer = store.query(f"SELECT ?s ?p ?o WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}")
    assert isinstance(answer, Solutions)
    return {tuple(str(term) for term in row) for row in answer.rows}


# Rules


def test_every_rule_applies_and_only_what_follows_is_inferred(tea: Path) -> None:
    store = kgbuild.load(tea).store
    found = infer(read_facts(store, "https://example.org/tea/"))
    steps = {short(tea, " ".join(triple)): step.rule.name for triple, step in found.steps.items()}
    assert steps == {
        "tea holds caffeine": "predicate-hierarchy",
        "caffeine containedIn tea": "inverse",
        "green-tea contains caffeine": "narrower",
        "caffeine containedIn green-tea": "inverse",
        "green-tea holds caffeine": "predicate-hierarchy",
        "green-tea provides caffeine": "predicate-hierarchy",
        "green-tea isNear caffeine": "predicate-hierarchy",
        "caffeine isNear green-tea": "symmetry",
        "sencha contains caffeine": "narrower",
        "caffeine containedIn sencha": "inverse",
        "sencha holds caffeine": "predicate-hierarchy",
        "sencha provides caffeine": "predicate-hierarchy",
        "sencha isNear caffeine": "predicate-hierarchy",
        "caffeine isNear sencha": "symmetry",
        "green-tea isNear sencha": "transitivity",
        "sencha isNear green-tea": "transitivity",
    }
    assert [short(tea, " ".join(triple)) for triple in found.withheld] == ["tea provides caffeine"]


def test_a_class_passes_to_the_classes_above_it() -> None:
    given = {("<x:a>", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", "<x:C>"): "entities"}
    given[("<x:C>", "<http://www.w3.org/2000/01/rdf-schema#subClassOf>", "<x:D>")] = "ontology"
    given[("<x:D>", "<http://www.w3.org/2000/01/rdf-schema#subClassOf>", "<x:C>")] = "ontology"
    (triple,) = infer(Facts(given, frozenset())).steps
    assert triple[2] == "<x:D>"


def test_the_order_of_facts_changes_nothing(inferred: Inference) -> None:
    turned = dict(reversed(inferred.facts.given.items()))
    again = infer(Facts(turned, inferred.facts.kept))
    assert set(again.steps) == set(inferred.steps)
    assert inferred_quads(again, "x:") == inferred_quads(inferred, "x:")


def test_rules_have_a_name_and_words_and_the_readme_names_them() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert f"`{rule.name}`" in readme
        assert rule.words


# The graph of the article


def test_nothing_follows_from_a_hedge(compilation: Compilation, inferred: Inference) -> None:
    """No premise of any step is said by hedged claims alone, and no such triple is inferred, in either direction."""
    facts = inferred.facts
    for triple, step in inferred.steps.items():
        assert triple not in facts.kept
        assert triple not in facts.given
        for premise in step.premises:
            assert premise in facts.given or premise in inferred.steps
    hedged = ("<https://w3id.org/magnesium-rls/id/magnesium-deficiency>", "<https://w3id.org/magnesium-rls/ns#contributesTo>",
              "<https://w3id.org/magnesium-rls/id/restless-legs-syndrome>")  # fmt: skip
    assert hedged in facts.kept
    assert not any({hedged[0], hedged[2]} == {triple[0], triple[2]} for triple in inferred.steps)


def test_every_step_goes_back_to_claims_or_descriptions(inferred: Inference) -> None:
    for triple in inferred.steps:
        graphs = grounds(triple, inferred)
        assert graphs <= {"asserted", "entities", "ontology"}
        assert "asserted" in graphs or triple[1].endswith("#type>")


def grounds(triple: tuple[str, str, str], inferred: Inference) -> set[str]:
    if triple in inferred.facts.given:
        return {inferred.facts.given[triple]}
    return {graph for premise in inferred.steps[triple].premises for graph in grounds(premise, inferred)}


def test_with_the_inferred_graph_no_hedge_is_lost_and_the_asserted_graph_is_the_same(compilation: Compilation) -> None:
    base = compilation.project.base
    store = with_inferred(compilation.store.copy(), base)
    assert said(store, f"{base}graph/asserted") == said(compilation.store, f"{base}graph/asserted")
    assert len(said(store, f"{base}graph/inferred")) > 100
    assert said(compilation.store, f"{base}graph/inferred") == set()
    query = (ROOT / "queries/hedge-lost.rq").read_text("utf-8")
    assert store.query(query) is False
    faulty = compilation.store.copy()
    kept = read_facts(compilation.store, base).kept
    faulty.add("".join(f"{' '.join(triple)} <{base}graph/inferred> .\n" for triple in kept).encode())
    assert faulty.query(query) is True


# Through the command line


def test_a_build_infers_only_when_asked(tea: Path, tmp_path: Path) -> None:
    root = tmp_path / "tea"
    shutil.copytree(tea, root)
    assert run(root, "build").returncode == 0
    plain = digests(root)
    assert not (root / "build/site/data/tea-inferred.nq").exists()
    asked = "ASK { id:sencha tea:contains id:caffeine }"
    assert run(root, "query", "-e", asked).stdout == "no\n"
    assert run(root, "query", "--infer", "-e", asked).stdout == "yes\n"
    done = run(root, "build", "--infer")
    assert "inferred: 16 triples that no claim says, in graph/inferred; withheld: 1" in done.stderr
    assert "nothing changed" not in done.stderr
    edition = (root / "build/site/data/tea-inferred.nq").read_text("utf-8")
    assert edition.count(" <https://example.org/tea/graph/inferred> .\n") == 16
    assert run(root, "query", "--infer", "-e", asked).stdout == "yes\n"
    assert run(root, "query", "-e", asked).stdout == "no\n"
    store = ox.Store.read_only(str(root / "build/store"))
    assert (
        len(list(store.quads_for_pattern(None, None, None, ox.NamedNode("https://example.org/tea/graph/inferred"))))
        == 16
    )
    inferring = digests(root)
    changed = {path for path in plain if plain[path] != inferring.get(path)}
    assert set(inferring) - set(plain) == {"data/tea-inferred.nq"}
    assert all(not re.search(r"^data/|^id/|^claim/|^np/", path) for path in changed), changed


def digests(root: Path) -> dict[str, str]:
    site = root / "build/site"
    files = (path for path in site.rglob("*") if path.is_file())
    return {path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_setting_infers_and_a_flag_overrules_it(tea: Path, tmp_path: Path) -> None:
    root = tmp_path / "tea"
    shutil.copytree(tea, root)
    with open(root / "kgbuild.toml", "a", encoding="utf-8") as file:
        file.write("infer = true\n")
    asked = "ASK { id:sencha tea:contains id:caffeine }"
    assert run(root, "query", "-e", asked).stdout == "yes\n"
    assert run(root, "query", "--no-infer", "-e", asked).stdout == "no\n"
    assert kgbuild.load(root).query(asked + "\n") is True
    assert kgbuild.load(root, infer=False).query(asked + "\n") is False
    (root / "kgbuild.toml").write_text((root / "kgbuild.toml").read_text("utf-8").replace("true", "'yes'"), "utf-8")
    done = run(root, "query", "-e", asked)
    assert done.returncode == 2
    assert "'infer' must be true or false" in done.stderr


def test_an_endpoint_is_not_asked_to_infer(tea: Path) -> None:
    done = run(tea, "query", "--infer", "--endpoint", "http://127.0.0.1:9/", "-e", "ASK {}")
    assert done.returncode == 2
    assert "--infer works on the project here" in done.stderr


def test_the_inferred_graph_can_be_exported_and_no_other_edition_holds_it(tea: Path) -> None:
    done = run(tea, "export", "inferred")
    assert done.returncode == 0
    assert done.stdout.count("graph/inferred> .\n") == 16
    assert "graph/inferred" not in run(tea, "export", "nquads").stdout
    assert [edition.name for edition in EDITIONS.values() if edition.inferred] == ["inferred"]


def test_explain_tells_rule_premises_and_claims(tea: Path) -> None:
    done = run(tea, "explain", "id:sencha tea:provides id:caffeine")
    assert done.returncode == 0
    assert done.stdout == (
        """id:sencha tea:provides id:caffeine
(sencha, provides, caffeine)

inferred by the rule “predicate-hierarchy”: what a predicate joins, the predicates above it join as well
  1. id:sencha tea:holds id:caffeine
     inferred by the rule “predicate-hierarchy”: what a predicate joins, the predicates above it join as well
       1. id:sencha tea:contains id:caffeine
          inferred by the rule “narrower”: what is said of a broader entity holds of a narrower one, for predicates that pass it on
            1. id:sencha skos:broader id:green-tea
               stands in graph/entities
            2. id:green-tea tea:contains id:caffeine
               inferred by the rule “narrower”: what is said of a broader entity holds of a narrower one, for predicates that pass it on
                 1. id:green-tea skos:broader id:tea
                    stands in graph/entities
                 2. id:tea tea:contains id:caffeine
                    stated plainly by a claim
                      claim tea/c1 “Caffeine is found in tea.”
                        certainty: asserted · sentence 1 of Tea and sleep
                        source: Tea Journal · basis: No source given
                 3. tea:contains kgb:passesToNarrower true
                    stands in graph/ontology
            3. tea:contains kgb:passesToNarrower true
               stands in graph/ontology
       2. tea:contains rdfs:subPropertyOf tea:holds
          stands in graph/ontology
  2. tea:holds rdfs:subPropertyOf tea:provides
     stands in graph/ontology
"""
    )


def test_explain_tells_what_is_withheld_and_why(tea: Path) -> None:
    done = run(tea, "explain", "tea", "provides", "caffeine")
    assert done.returncode == 1
    assert "neither stated plainly nor inferred" in done.stdout
    assert "but is withheld" in done.stdout
    assert "claim tea/c3 “It is possible that tea provides caffeine.”" in done.stdout
    assert "certainty: possible · sentence 2" in done.stdout


@pytest.mark.parametrize(
    ("triple", "code", "words"),
    [
        ("id:kale mr:sourceOf id:magnesium", 0, ["stated plainly by a claim", "c075", "would follow without that", "c073"]),
        ("magnesium has-source kale", 0, ["“inverse”", "c075"]),
        ("magnesium important-for muscle-relaxation", 0, ["“predicate-hierarchy”", "c090", "mr:requiredFor rdfs:subPropertyOf"]),
        ("id:kale skos:broader id:green-leafy-vegetable", 0, ["stands in graph/entities"]),
        ("id:magnesium skos:exactMatch <http://www.wikidata.org/entity/Q660>", 0, ["stands in graph/mappings"]),
        ("magnesium-deficiency contributes-to restless-legs-syndrome", 1, ["neither", "c094", "modality: potential", "probable"]),
        ("calcium source-of magnesium", 1, ["neither stated plainly nor inferred"]),
    ],
)  # fmt: skip
def test_explain_on_the_article(triple: str, code: int, words: list[str]) -> None:
    reasons = explain_triple(triple, ROOT)
    assert reasons.holds is (code == 0)
    for word in words:
        assert word in reasons.text
    assert kgbuild.explain(triple, ROOT) == reasons.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["id:te tea:contains id:caffeine"], "did you mean 'id:tea'"),
        (["tea contans caffeine"], "did you mean 'contains'"),
        (["tea contains"], "a triple is three terms"),
        (["nope:x tea:contains id:caffeine"], "unknown term 'nope:x'"),
        (["<not an iri> tea:contains id:caffeine"], "three terms"),
        (["<x}y> tea:contains id:caffeine"], "unknown term '<x}y>'"),
    ],
)
def test_explain_names_terms_that_it_does_not_know(tea: Path, arguments: list[str], words: str) -> None:
    done = run(tea, "explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
