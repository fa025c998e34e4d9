"""Clients that people use: SPARQLWrapper, rdflib's store, and schemathesis against the description."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rdflib
from rdflib.plugins.stores.sparqlstore import SPARQLStore
from SPARQLWrapper import JSON, POST, TURTLE, SPARQLWrapper

if TYPE_CHECKING:
    from servers import Server


def test_sparqlwrapper(server: Server) -> None:
    client = SPARQLWrapper(f"{server.url}sparql")
    client.setReturnFormat(JSON)
    client.setQuery("SELECT ?food { ?food mr:sourceOf id:magnesium }")
    assert len(client.queryAndConvert()["results"]["bindings"]) > 5
    client.setMethod(POST)
    assert len(client.queryAndConvert()["results"]["bindings"]) > 5
    client.setReturnFormat(TURTLE)
    client.setQuery("CONSTRUCT WHERE { ?food mr:sourceOf id:magnesium }")
    assert len(rdflib.Graph().parse(data=client.queryAndConvert(), format="turtle")) > 5


def test_rdflib(server: Server) -> None:
    for method in ("GET", "POST", "POST_FORM"):
        graph = rdflib.Graph(SPARQLStore(f"{server.url}sparql", method=method))
        rows = list(graph.query("SELECT ?food { ?food mr:sourceOf id:magnesium }"))
        assert len(rows) > 5
    kale = rdflib.URIRef("https://w3id.org/magnesium-rls/id/kale")
    assert len(list(graph.triples((kale, None, None)))) > 3


REFUSALS = """\
[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 414, 422, 431]
"""
"""With which statuses what the description does not allow is refused; an address may be too long to be read."""


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    """A sample of what benchmarks/serve.py --schemathesis runs in full: every operation, few cases of each."""
    (tmp_path / "schemathesis.toml").write_text(REFUSALS)
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}api/openapi.json"),
        *("--url", server.url.rstrip("/"), "--max-examples", "2", "--seed", "7", "--no-color"),
        *("--phases", "examples,fuzzing"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    operations = sum(len(item) for item in server.ask("api/openapi.json").json()["paths"].values())
    assert f"Tested: {operations}" in done.stdout
