"""Names and statements in sorted files: a search of a server finds in them what a query finds in the graph."""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyoxigraph as ox
import pytest

from kgbuild.diagnostics import UnreadableError
from kgbuild.names import FOLDER, Names, in_order, write_names
from kgbuild.project import load_project
from kgbuild.server.snapshots import Snapshot
from kgbuild.store import OxigraphStore
from kgbuild.terms import KGB, RDFS, SKOS

if TYPE_CHECKING:
    from servers import Server

BASE = "https://example.org/"


def test_lines_are_sorted_whatever_fits_into_memory() -> None:
    lines = [f"{number % 700}\t{number % 3}\n".encode() for number in range(2000)]
    random.Random(3).shuffle(lines)
    for at_once in (1, 7, 1999, 5000):
        assert list(in_order(lines, at_once)) == sorted(set(lines))


def written(folder: Path, quads: list[ox.Quad]) -> Names:
    store = OxigraphStore(ox.Store())
    store.extend(quads)
    write_names(store, BASE, folder)
    return Names.open(folder)


def test_a_name_of_any_characters_is_one_line(tmp_path: Path) -> None:
    thing, claim = ox.NamedNode(f"{BASE}id/tea"), ox.NamedNode(f"{BASE}claim/a/c1")
    kind, label = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), ox.NamedNode(f"{RDFS}label")
    quads = [
        ox.Quad(thing, kind, ox.NamedNode(f"{KGB}Entity")),
        ox.Quad(thing, label, ox.Literal("GRÜNER\tTee\r\n\u2028heiß", language="de")),
        ox.Quad(thing, ox.NamedNode(f"{SKOS}altLabel"), ox.Literal("x" * 100_000 + "y")),
        ox.Quad(claim, kind, ox.NamedNode(f"{KGB}Claim")),
        ox.Quad(claim, label, ox.Literal("Tea is\n hot.")),
        ox.Quad(ox.NamedNode(f"{BASE}claim/a/c2"), label, ox.Literal("No claim says that tea is hot.")),
    ]
    with closing(written(tmp_path / "names", quads)) as names:
        assert list(names.entities.named("grüner", "ß")) == [(thing.value, "grüner tee heiß")]
        assert [name for _, name in names.entities.named("\ttea\n")] == ["tea"]
        assert [len(name) for _, name in names.entities.named("xy")] == [100_001]
        assert list(names.entities.named("example")) == []
        assert list(names.claims.named("is hot")) == [(claim.value, "tea is hot.")]
        assert list(names.claims.ending("/c1")) == [claim.value]
        assert list(names.claims.ending("/a")) == []


@pytest.mark.parametrize("text", ["magnesium", "a", "Willis-Ekbom", "legs RESTLESS", "-rls", "ß", "vitamin b", "quux"])
def test_a_search_finds_what_a_query_finds(server: Server, text: str) -> None:
    holds = " && ".join(f"CONTAINS(LCASE(?name), {ox.Literal(word.lower())})" for word in text.split())
    slug = 'BIND(STRAFTER(STR(?s), "/id/") AS ?name)'
    named = f"{{ ?s a kgb:Entity ; rdfs:label|skos:altLabel ?name }} UNION {{ ?s a kgb:Entity {slug} }}"
    query = f"SELECT DISTINCT ?s {{ {named} UNION {{ ?s a kgb:Claim ; rdfs:label ?name }} FILTER({holds}) }}"
    rows = server.ask(f"sparql?query={quote(query)}", accept="text/csv").text.split()[1:]
    found = [item["iri"] for item in server.ask(f"api/search?q={quote(text)}&limit=100").json()["results"]]
    assert len(found) == len(set(found)) == min(len(rows), 100)
    assert set(found) <= set(rows)
    claims = [iri for iri in found if "/claim/" in iri]
    assert claims == sorted(claims) == found[len(found) - len(claims) :]


def test_a_build_without_names_is_not_whole(built: Path, tmp_path: Path) -> None:
    project = load_project(built)
    build = tmp_path / "build"
    shutil.copytree(project.build, build)
    Snapshot.open(project, build).close()
    shutil.rmtree(build / FOLDER)
    with pytest.raises(UnreadableError, match=r"not whole.*run `kgbuild build`"):
        Snapshot.open(project, build)
