"""Federated queries: recordings replayed by default, endpoints asked when allowed, over HTTP and in SPARQL."""

from __future__ import annotations

import csv
import gzip
import http.server
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyoxigraph as ox
import pytest
from servers import copy_project

import kgbuild
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import Report, UsageError
from kgbuild.federation import find_services, question, replay
from kgbuild.queries import RECORDING, Query, read_queries
from kgbuild.store import Solutions

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared/reference"
OBO = "http://purl.obolibrary.org/obo/"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
FEDERATED = sorted(path.name.removesuffix(RECORDING) for path in (ROOT / "queries").glob(f"*{RECORDING}"))

needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kgbuild", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Endpoints on this machine, filled with what the reference data holds


def wikidata() -> str:
    """Return the items whose label and description an extract of Wikidata shows, as Wikidata would hold them."""
    found = []
    for line in (REFERENCE / "mappings.sssom.tsv").read_text("utf-8").splitlines():
        cells = line.split("\t")
        said = re.search(r"entity2wikidata\.json\. description there: (.*?)\.?(?: also .*)?$", cells[-1])
        if said and cells[4].startswith("wd:"):
            item = f"<http://www.wikidata.org/entity/{cells[4][3:]}>"
            found += [f'{item} {LABEL} "{cells[5]}"@en .', f'{item} <http://schema.org/description> "{said[1]}"@en .']
    return "\n".join(found)


def uniprot() -> str:
    """Return the entries that the sample names as examples, in the terms of UniProt."""
    up, found = "http://purl.uniprot.org/core/", []
    with open(REFERENCE / "enzymes/uniprot2023_sample_ec_with_mg_cofactor.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in row["example_uniprot"].split("|"):
                protein, annotation = f"<http://purl.uniprot.org/uniprot/{name}>", f"<x:{name}#cofactor>"
                found += [
                    f"{protein} {TYPE} <{up}Protein> .",
                    f'{protein} <{up}reviewed> "true"^^<http://www.w3.org/2001/XMLSchema#boolean> .',
                    f"{protein} <{up}enzyme> <http://purl.uniprot.org/enzyme/{row['ec_number']}> .",
                    f"{protein} <{up}annotation> {annotation} .",
                    f"{annotation} {TYPE} <{up}Cofactor_Annotation> .",
                    f"{annotation} <{up}cofactor> <{OBO}CHEBI_18420> .",
                ]
    return "\n".join(found)


def ubergraph() -> str:
    """Return the classes of MONDO with their direct superclasses in the graph that Ubergraph has for them."""
    found = []
    text = gzip.decompress((REFERENCE / "ontologies/mondo_terms.tsv.gz").read_bytes()).decode("utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        me = f"<{OBO}{row['id'].replace(':', '_')}>"
        found.append(f"{me} {LABEL} {ox.Literal(row['label'])} .")
        for parent in filter(None, row["parents"].split("|")):
            above = f"<{OBO}{parent.replace(':', '_')}>"
            graph = "<http://reasoner.renci.org/nonredundant>"
            found.append(f"{me} <http://www.w3.org/2000/01/rdf-schema#subClassOf> {above} {graph} .")
    return "\n".join(found)


EXTRACTS: dict[str, Callable[[], str]] = {"wikidata": wikidata, "uniprot": uniprot, "other-diseases": ubergraph}


@contextmanager
def endpoint(nquads: str) -> Iterator[tuple[str, list[str]]]:
    """Serve a SPARQL 1.1 endpoint over N-Quads; yields its address and the queries it is asked."""
    store, asked = ox.Store(), []
    store.load(nquads.encode("utf-8"), format=ox.RdfFormat.N_QUADS)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            form = urllib.parse.parse_qs(body).get("query")
            asked.append(form[0] if form else body)
            answer = store.query(asked[-1])
            data = answer.serialize(format=ox.QueryResultsFormat.JSON) or b""  # type: ignore[union-attr]
            self.send_response(200)
            self.send_header("Content-Type", "application/sparql-results+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as address:
        yield address, asked


@contextmanager
def served(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/sparql"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# The federated queries of the project


@pytest.fixture(scope="module")
def queries(compilation: Compilation) -> dict[str, Query]:
    report = Report()
    found = {query.name: query for query in read_queries(compilation.project, report)}
    assert not report.findings
    return found


def test_every_federated_query_has_a_recording_that_says_how_old_it_is(queries: dict[str, Query]) -> None:
    assert sorted(EXTRACTS) == FEDERATED == [name for name, query in queries.items() if find_services(query.body)]
    for name in FEDERATED:
        query = queries[name]
        assert query.recording is not None
        assert query.recording.rows
        assert re.search(r"\b20\d\d\b.*the endpoint itself was not asked", query.recorded)
        assert query.parameters[0].name == "endpoint"


@pytest.mark.shared
@needs_reference
@pytest.mark.parametrize("name", FEDERATED)
def test_a_recording_is_what_an_endpoint_with_the_extract_answers(
    name: str, queries: dict[str, Query], tmp_path: Path
) -> None:
    """Asked over HTTP, an endpoint filled with the reference data gives the recording and the expected answer."""
    root = copy_project(tmp_path / "project")
    with endpoint(EXTRACTS[name]()) as (address, asked):
        live = run(root, "query", name, "--allow-service", "--param", f"endpoint={address}", "--format", "tsv")
        assert live.returncode == 0, live.stderr
        assert live.stdout == (ROOT / f"queries/{name}.tsv").read_text("utf-8")
        assert len(asked) == 1
        (root / f"queries/{name}{RECORDING}").unlink()
        recorded = run(root, "query", name, "--record", "--param", f"endpoint={address}")
        assert recorded.returncode == 0, recorded.stderr
    own, made = (folder / f"queries/{name}{RECORDING}" for folder in (ROOT, root))
    assert made.read_bytes() == own.read_bytes()


@pytest.mark.parametrize("name", FEDERATED)
def test_a_recording_is_replayed_and_its_age_is_told(name: str, queries: dict[str, Query]) -> None:
    done = run(ROOT, "query", name, "--format", "tsv")
    assert done.returncode == 0
    assert done.stdout == (ROOT / f"queries/{name}.tsv").read_text("utf-8")
    assert f"replayed: {queries[name].recorded}" in done.stderr
    assert len(kgbuild.load(ROOT).query(name)) == done.stdout.count("\n") - 1


def test_a_recording_answers_for_nothing_else(queries: dict[str, Query]) -> None:
    done = run(ROOT, "query", "uniprot", "--param", "enzyme=http://purl.uniprot.org/enzyme/1.1.1.16")
    assert done.returncode == 2
    assert "only the answer to the default values is recorded for 'uniprot'" in done.stderr
    with pytest.raises(UsageError, match="only the answer"):
        kgbuild.load(ROOT).query("other-diseases", disease="obo:MONDO_0005391")


def test_an_endpoint_that_answers_nonsense_is_absent() -> None:
    class Nonsense(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/sparql-results+json")
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"{")

        def log_message(self, *_: object) -> None:
            pass

    with served(Nonsense) as address:
        done = run(ROOT, "query", "wikidata", "--allow-service", "--param", f"endpoint={address}")
    assert done.returncode == 4
    assert "the query cannot be evaluated" in done.stderr


def test_an_endpoint_that_is_not_there_is_named() -> None:
    done = run(ROOT, "query", "wikidata", "--allow-service", "--param", "endpoint=http://127.0.0.1:9/sparql")
    assert done.returncode == 4
    assert "cannot be evaluated" in done.stderr
    done = run(ROOT, "query", "wikidata", "--record", "--param", "endpoint=http://127.0.0.1:9/sparql")
    assert done.returncode == 4
    assert "no endpoint answers" in done.stderr
    assert run(ROOT, "query", "foods", "--record").returncode == 2


# Text


def test_services_are_found_outside_strings_and_comments() -> None:
    sparql = 'PREFIX a: <http://a/> # SERVICE\nSELECT * { ?s a "SERVICE { }" . SERVICE SILENT # x\n <http://e/> { { a:b ?p "}" } } ?x a:y ?z }'
    (service,) = find_services(sparql)
    assert service.endpoint == "http://e/"
    assert question(sparql, service).endswith('SELECT * WHERE { { a:b ?p "}" } }\n')
    assert "PREFIX a: <http://a/>" in question(sparql, service)
    answer = Solutions(("p", "q"), ((ox.NamedNode("x:1"), None), (ox.Literal('"\n', language="en"), ox.Literal(2))))
    replayed = replay(sparql, service, answer)
    found = list(ox.Store().query(replayed.replace("?x a:y ?z", "").replace('?s a "SERVICE { }" .', "")))
    assert [tuple(map(str, row)) for row in found] == [
        ("<x:1>", "None"),
        ('"\\"\\n"@en', '"2"^^<http://www.w3.org/2001/XMLSchema#integer>'),
    ]
    assert find_services("SELECT * { SERVICE <http://e/> { ?s ?p ?o ")[0].group == "{ ?s ?p ?o "
