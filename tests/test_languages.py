"""Languages: entities are named and defined in three, and every door shows the preferred one there is."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pyoxigraph as ox
import pytest

from kgbuild import load
from kgbuild.cli import main
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import Report
from kgbuild.graph import KnowledgeGraph
from kgbuild.project import Project, SettingsError, load_project
from kgbuild.queries import Labels
from kgbuild.store import OxigraphStore, Solutions
from kgbuild.views import Views

LANGUAGES = ("en", "de", "es")
GOOD = Path(__file__).parent / "broken" / "_good"


def views(compilation: Compilation, *languages: str) -> Views:
    project = compilation.project
    return Views(compilation.store, project.base, project.prefixes, languages)


@pytest.fixture
def tea(tmp_path: Path) -> Path:
    """Make a small project, where one entity alone has two languages."""
    shutil.copytree(GOOD, tmp_path / "tea")
    return tmp_path / "tea"


def prefer(root: Path, languages: str) -> Path:
    """Set the languages of a project."""
    with (root / "kgbuild.toml").open("a", encoding="utf-8") as settings:
        settings.write(f"languages = {languages}\n")
    return root


# What the entities say


def test_every_entity_has_label_and_definition_in_every_language(compilation: Compilation) -> None:
    for entity in compilation.sources.entities:
        assert tuple(entity.labels) == LANGUAGES, entity.id
        assert tuple(entity.definitions) == LANGUAGES, entity.id
        assert tuple(entity.aliases) in ((), LANGUAGES), entity.id


def test_no_name_belongs_to_two_entities_and_no_alias_repeats_a_name(compilation: Compilation) -> None:
    owners = defaultdict(set)
    for entity in compilation.sources.entities:
        for language, label in entity.labels.items():
            names = [name.casefold() for name in (label, *entity.aliases.get(language, ()))]
            assert len(names) == len(set(names)), (entity.id, language)
            for name in names:
                owners[name].add(entity.id)
    assert {name: ids for name, ids in owners.items() if len(ids) > 1} == {}


def test_nouns_are_written_as_each_language_writes_them(compilation: Compilation) -> None:
    for entity in compilation.sources.entities:
        german, spanish = entity.labels["de"], entity.labels["es"]
        assert re.search(r"\b[A-ZÄÖÜ]", german), german
        assert spanish[0].islower() or entity.category == "organization", spanish


def test_definitions_are_sentences_of_their_own(compilation: Compilation) -> None:
    for entity in compilation.sources.entities:
        assert len(set(entity.definitions.values())) == len(LANGUAGES), entity.id
        assert all(text.endswith(".") and text[0].isupper() for text in entity.definitions.values()), entity.id


def test_the_files_are_tidy(project_root: Path) -> None:
    for path in sorted((project_root / "data" / "entities").glob("*.yaml")):
        assert [line for line in path.read_text("utf-8").split("\n") if len(line) > 120 or line != line.rstrip()] == []


# The order of preference


def test_names_come_in_the_order_of_preference(compilation: Compilation) -> None:
    entity = next(item for item in views(compilation, "es", "de").entities if item.slug == "restless-legs-syndrome")
    assert entity.label == "síndrome de piernas inquietas"
    assert entity.definition.startswith("Un trastorno")
    assert [names.language for names in entity.names] == ["es", "de", "en"]
    assert entity.aliases.index("enfermedad de Willis-Ekbom") < entity.aliases.index("Willis-Ekbom-Krankheit")
    assert [names.language for names in entity.translations] == ["de", "en"]
    assert entity.broader[0].label == "trastorno del sistema nervioso"


def test_claims_name_their_parts_in_the_preferred_language(compilation: Compilation) -> None:
    claim = next(item for item in views(compilation, "de").claims if item.id == "c018")
    assert (claim.subject.label, claim.object.label) == ("Magnesium", "Enzym")
    assert claim.statement.startswith("Magnesium works")
    assert claim.certainty.label == "Asserted"


def test_a_missing_language_falls_back() -> None:
    base = "https://example.org/"
    data = f"""
        <{base}id/a> a kgb:Entity ; rdfs:label "tea"@en , "Tee"@de ; skos:definition "A drink."@en .
        <{base}id/b> a kgb:Entity ; rdfs:label "té"@es , "chá"@pt .
        <{base}id/c> a kgb:Entity ; rdfs:label "plain" , "thé"@fr .
        <{base}id/d> a kgb:Entity ; rdfs:label "Velo"@de-CH , "bike"@en .
    """
    prefixes = {
        "kgb": "https://w3id.org/kgbuild/ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "sssom": "https://w3id.org/sssom/",
        "np": "http://www.nanopub.org/nschema#",
        "npx": "http://purl.org/nanopub/x/",
        "prov": "http://www.w3.org/ns/prov#",
        "schema": "https://schema.org/",
        "graph": f"{base}graph/",
    }
    head = "".join(f"@prefix {name}: <{space}> .\n" for name, space in prefixes.items())
    quads = list(ox.parse(head + data, format=ox.RdfFormat.TURTLE))
    store = OxigraphStore.of(ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b"")
    shown = {
        wanted: [entity.label for entity in Views(store, base, prefixes, wanted).entities]
        for wanted in (("de", "en"), ("de-CH", "en"), ("es",), ("pt", "es"))
    }
    assert shown == {
        ("de", "en"): ["Tee", "té", "plain", "bike"],
        ("de-CH", "en"): ["Tee", "té", "plain", "Velo"],
        ("es",): ["Tee", "té", "plain", "Velo"],
        ("pt", "es"): ["Tee", "chá", "plain", "Velo"],
    }
    entity = Views(store, base, prefixes, ("de", "en")).entities[0]
    assert (entity.definition, entity.definition_language, entity.shown.language) == ("A drink.", "en", "de")
    answer = store.query("SELECT ?s { ?s a kgb:Entity } ORDER BY ?s", prefixes)
    assert isinstance(answer, Solutions)
    words = Labels(store, prefixes, answer, ("pt", "es"))
    assert [words.show(row[0]) for row in answer.rows] == shown["pt", "es"]


# The setting


def test_the_language_of_texts_comes_before_english() -> None:
    project = Project(Path(), "", "", "", "", "", language="es")
    assert project.fallback == ("es", "en")
    assert replace(project, languages=("de", "es")).fallback == ("de", "es", "en")


@pytest.mark.parametrize(
    "value", ['["en", "en"]', '["de", "DE"]', '["deutsch!"]', "[]", '"en"', "[1]", '[["en"]]', '["en", ""]', "{}"]
)
def test_languages_that_are_none_or_stand_twice_are_refused(tea: Path, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_project(prefer(tea, value))
    report = caught.value.report
    assert isinstance(report, Report)
    found = [(item.code, item.message, item.span.line if item.span else 0) for item in report.sorted()]
    assert found == [("KG110", "'languages' must be a list of language tags, each once", 5)]


def test_the_setting_reaches_python_and_the_command(tea: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kg = load(prefer(tea, '["de"]'))
    assert kg.entity("caffeine").label == "Koffein"
    assert kg.entity("tea").label == "tea"
    text = "SELECT ?s WHERE { ?s a kgb:Entity } ORDER BY ?s"
    found = kg.query(text, labels=True)
    assert [row[0] for row in found][:2] == ["Koffein", "reader"]
    assert main(["-C", str(tea), "query", "-e", text]) == 0
    assert "Koffein" in capsys.readouterr().out


# Finding by name


@pytest.fixture(scope="module")
def kg(project_root: Path) -> KnowledgeGraph:
    return load(project_root)


@pytest.mark.parametrize(
    "name",
    [
        "Restless-Legs-Syndrom", "Syndrom der ruhelosen Beine", "síndrome de piernas inquietas", "SÍNDROME DE PIERNAS "
        "INQUIETAS", "enfermedad de Willis-Ekbom", "Willis-Ekbom disease", "RLS", "SPI",
    ],
)  # fmt: skip
def test_an_entity_is_found_by_its_names_in_every_language(kg: KnowledgeGraph, name: str) -> None:
    assert kg.entity(name).slug == "restless-legs-syndrome"
    found = kg.query("find-entity", name=name)
    assert "https://w3id.org/magnesium-rls/id/restless-legs-syndrome" in {row[0] for row in found}


def test_who_asks_in_a_language_reads_the_definition_in_it(kg: KnowledgeGraph) -> None:
    found = kg.query("find-entity", name="ruhelose")
    assert {row[3][:13] for row in found} == {"Eine Störung,"}
