"""`kgbuild serve` over real HTTP: protocol, negotiation, linked data, the interface for programs, operation."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import brotli
import pyoxigraph as ox
import pytest
import zstandard
from servers import Answer, Server, children, copy_project, seconds, serving, until

SELECT = "SELECT ?s ?label WHERE { ?s a kgb:Claim ; rdfs:label ?label } ORDER BY ?s LIMIT 3"
CONSTRUCT = "CONSTRUCT { ?s ?p ?o } WHERE { GRAPH <https://w3id.org/magnesium-rls/graph/asserted> { ?s ?p ?o } }"
BASE = "https://w3id.org/magnesium-rls/"
ASSERTED = f"{BASE}graph/asserted"
CLAIM = "claim/magnesium-rls/c018"


def rows(answer: object) -> list[dict[str, dict[str, str]]]:
    return answer.json()["results"]["bindings"]  # type: ignore[attr-defined,no-any-return]


# SPARQL 1.1 Protocol


def test_a_query_is_answered_three_ways(server: Server) -> None:
    form = urlencode({"query": SELECT})
    got = server.ask(f"sparql?{form}")
    posted = server.ask("sparql", "POST", form, content_type="application/x-www-form-urlencoded")
    direct = server.ask("sparql", "POST", SELECT, content_type="application/sparql-query")
    assert got.status == posted.status == direct.status == 200
    assert got.body == posted.body == direct.body
    assert len(rows(got)) == 3


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/sparql-results+json"),
        ("*/*", "application/sparql-results+json"),
        ("application/json", "application/sparql-results+json"),
        ("application/sparql-results+xml", "application/sparql-results+xml"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/tab-separated-values", "text/tab-separated-values; charset=utf-8"),
        ("text/csv;q=0.2, application/sparql-results+xml;q=0.9", "application/sparql-results+xml"),
        ("text/html", "text/html; charset=utf-8"),
        ("image/png, text/csv;q=0.1", "text/csv; charset=utf-8"),
    ],
)
def test_a_table_comes_in_the_format_that_is_liked_best(server: Server, accept: str, media: str) -> None:
    got = server.query(SELECT, accept)
    assert (got.status, got.headers["content-type"]) == (200, media)
    assert "Accept" in got.headers["vary"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ox.RdfFormat.TURTLE),
        ("text/turtle", ox.RdfFormat.TURTLE),
        ("application/n-triples", ox.RdfFormat.N_TRIPLES),
        ("application/trig", ox.RdfFormat.TRIG),
        ("application/n-quads", ox.RdfFormat.N_QUADS),
        ("application/ld+json", ox.RdfFormat.JSON_LD),
        ("application/rdf+xml", ox.RdfFormat.RDF_XML),
        ("text/csv, application/rdf+xml;q=0.1", ox.RdfFormat.RDF_XML),
    ],
)
def test_a_graph_comes_in_every_syntax(server: Server, accept: str, form: ox.RdfFormat) -> None:
    got = server.query(CONSTRUCT, accept)
    assert got.status == 200
    assert got.headers["content-type"].startswith(form.media_type)
    assert len(set(ox.parse(got.body, form))) == 50


def test_a_truth_value_comes_in_every_format(server: Server) -> None:
    assert server.query("ASK { ?s ?p ?o }").json()["boolean"] is True
    assert b"<boolean>true</boolean>" in server.query("ASK {}", "application/sparql-results+xml").body
    assert server.query("ASK {}", "text/csv").body.strip() == b"true"


def test_what_fits_no_format_is_not_acceptable(server: Server) -> None:
    assert server.query(SELECT, "image/png").status == 406
    assert server.query(SELECT, "text/turtle").status == 406
    assert server.query(CONSTRUCT, "text/csv").status == 406
    assert server.query(SELECT, "text/csv;q=0").status == 406


def test_a_format_can_be_named(server: Server) -> None:
    assert server.query(SELECT, "text/html", format="tsv").headers["content-type"].startswith("text/tab")


def test_the_dataset_is_the_union_unless_named(server: Server) -> None:
    count = "SELECT (COUNT(*) AS ?n) {} { ?s ?p ?o }"
    union = int(rows(server.query(count.replace("{}", "", 1)))[0]["n"]["value"])
    source = count.replace("{}", f"FROM <{ASSERTED}>", 1)
    by_protocol = server.query(count.replace("{}", "", 1), **{"default-graph-uri": ASSERTED})
    named = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
    by_name = server.query(named, **{"named-graph-uri": [ASSERTED]})
    other = server.query(source, **{"default-graph-uri": f"{BASE}graph/none"})
    assert union > 10_000
    assert rows(server.query(source))[0]["n"]["value"] == "50"
    assert rows(by_protocol)[0]["n"]["value"] == "50"
    assert rows(by_name)[0]["n"]["value"] == "50"
    assert rows(other)[0]["n"]["value"] == "0", "the dataset of the protocol comes before that of the query"


@pytest.mark.parametrize(
    ("path", "method", "body", "kind", "status"),
    [
        ("sparql?query=SELEC", "GET", None, "", 400),
        ("sparql?other=1", "GET", None, "", 400),
        ("sparql?query=ASK%7B%7D&query=ASK%7B%7D", "GET", None, "", 400),
        ("sparql?query=%FF%FE", "GET", None, "", 400),
        ("sparql?query=ASK%7B%7D&default-graph-uri=not+an+iri", "GET", None, "", 400),
        ("sparql?update=DROP+ALL", "GET", None, "", 403),
        ("sparql", "POST", "update=DROP+ALL", "application/x-www-form-urlencoded", 403),
        ("sparql", "POST", "DROP ALL", "application/sparql-update", 403),
        ("sparql", "POST", "query=DROP+ALL", "application/x-www-form-urlencoded", 400),
        ("sparql", "POST", "ASK {}", "text/plain", 415),
        ("sparql", "POST", b"\xff", "application/sparql-query", 400),
        ("sparql", "PUT", "", "", 405),
        ("sparql", "DELETE", None, "", 405),
        ("id/magnesium", "POST", "", "", 405),
        ("graph-store?default", "PUT", "", "text/turtle", 405),
    ],
)
def test_what_is_wrong_is_refused(
    server: Server, path: str, method: str, body: str | bytes | None, kind: str, status: int
) -> None:
    got = server.ask(path, method, body, **({"content_type": kind} if kind else {}))
    assert got.status == status
    assert got.headers["content-type"] == "application/problem+json"
    assert got.json()["status"] == status
    assert ("allow" in got.headers) == (status == 405)


def test_a_syntax_error_names_its_place(server: Server) -> None:
    assert "line 2, column" in server.query("ASK {\n ?s ?? }").json()["detail"]


def test_service_is_refused_however_it_is_spelt(server: Server) -> None:
    for query in (
        "SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
        "SELECT * { service silent <http://127.0.0.1:1/> { ?s ?p ?o } }",
        "PREFIX e: <http://e/> SELECT * { OPTIONAL { ?s e:a\\# ?o } SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
    ):
        got = server.query(query)
        assert got.status == 403, query
        assert "SERVICE" in got.json()["detail"]


def test_head_options_and_other_origins(server: Server) -> None:
    path = "sparql?" + urlencode({"query": SELECT})
    head, got, options = server.ask(path, "HEAD"), server.ask(path), server.ask(path, "OPTIONS")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    assert options.status == 204
    assert "POST" in options.headers["access-control-allow-methods"]
    assert got.headers["access-control-allow-origin"] == "*"


def test_the_service_describes_itself(server: Server) -> None:
    got = server.ask("sparql", accept="text/turtle")
    triples = set(ox.parse(got.body, ox.RdfFormat.TURTLE))
    sd = "http://www.w3.org/ns/sparql-service-description#"
    assert any(item.predicate.value == sd + "endpoint" for item in triples)
    assert any(item.object == ox.NamedNode(sd + "UnionDefaultGraph") for item in triples)
    assert b"<form" in server.ask("sparql", accept="text/html").body


def test_a_page_that_shows_fewer_rows_says_so(server: Server) -> None:
    page = server.query("SELECT * { ?s ?p ?o } LIMIT 700", "text/html").text
    assert "700 rows, of which the first 500 are shown" in page
    assert page.count("<tr>") == 501


def test_hostile_values_are_escaped_in_a_page(server: Server) -> None:
    page = server.query(
        'SELECT ?x ?y { VALUES (?x ?y) { ("<script>alert(1)</script>" <javascript:alert(1)>) } }', "text/html"
    )
    assert "<script>" not in page.text
    assert 'href="javascript' not in page.text


def test_graphs_can_be_read_whole(server: Server) -> None:
    indirect = server.ask(f"graph-store?graph={quote(ASSERTED)}", accept="application/n-triples")
    direct = server.ask("graph/asserted", accept="application/n-triples")
    whole = server.ask("graph-store?default", accept="application/n-triples")
    assert indirect.body == direct.body
    assert direct.body.count(b"\n") == 50
    assert whole.body.count(b"\n") > 10_000
    assert server.ask(f"graph-store?graph={quote(BASE)}none").status == 404
    assert server.ask("graph-store").status == 400
    assert server.ask("graph/asserted", "HEAD").status == 200


# Linked data


@pytest.mark.parametrize(
    ("accept", "ending"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/turtle", "ttl"),
        ("application/ld+json", "jsonld"),
        ("application/rdf+xml", "rdf"),
        ("application/n-triples", "nt"),
        ("application/rdf+xml;q=0.5, text/turtle;q=0.6, */*;q=0.1", "ttl"),
    ],
)
@pytest.mark.parametrize("path", ["id/magnesium", CLAIM, "article/magnesium-rls"])
def test_a_thing_leads_on_to_what_is_known_of_it(server: Server, path: str, accept: str, ending: str) -> None:
    lead = server.ask(path, accept=accept)
    assert (lead.status, lead.headers["location"]) == (303, f"/{path}.{ending}")
    assert lead.headers["vary"] == "Accept"
    there = server.ask(f"{path}.{ending}")
    assert there.status == 200
    if ending != "html":
        form = ox.RdfFormat.from_extension(ending)
        assert any(str(quad.subject) == f"<{BASE}{path}>" for quad in ox.parse(there.body, form))


def test_the_same_triples_in_every_syntax(server: Server) -> None:
    found = {}
    for ending in ("ttl", "nt", "rdf", "jsonld"):
        quads = ox.parse(server.ask(f"{CLAIM}.{ending}").body, ox.RdfFormat.from_extension(ending))
        found[ending] = {str(quad.triple) for quad in quads}
    assert found["ttl"] == found["nt"] == found["rdf"] == found["jsonld"]


def test_a_claim_never_stands_without_certainty_polarity_and_source(server: Server) -> None:
    for ending in ("ttl", "nt", "rdf", "jsonld", "trig", "nq"):
        text = server.ask(f"{CLAIM}.{ending}").text
        for word in ("certainty", "polarity", "wasDerivedFrom", "wasAttributedTo"):
            assert word in text, (ending, word)


def test_documents_are_answered_at_once(server: Server) -> None:
    iri = rows(server.query(f"SELECT ?np {{ ?np npx:introduces <{BASE}{CLAIM}> }}"))[0]["np"]["value"]
    path = iri.removeprefix(BASE)
    got = server.ask(path, accept="application/trig")
    assert (got.status, got.headers["content-location"]) == (200, f"/{path}.trig")
    assert got.body == server.ask(f"{path}.trig").body
    assert len({quad.graph_name for quad in ox.parse(got.body, ox.RdfFormat.TRIG)}) == 4
    assert server.ask(path, accept="text/html").headers["location"] == f"/{CLAIM}.html"
    vocabulary = server.ask("ns", accept="application/rdf+xml")
    assert (vocabulary.status, vocabulary.headers["content-type"]) == (200, "application/rdf+xml")
    assert b"<html" in server.ask("ns", accept="text/html").body


def test_a_format_by_parameter(server: Server) -> None:
    assert server.ask("id/magnesium?format=ttl", accept="text/html").headers["location"] == "/id/magnesium.ttl"
    assert server.ask("id/magnesium?format=docx").status == 400
    assert server.ask("id/magnesium", accept="image/png").status == 406


def test_an_iri_without_a_file_is_described(server: Server) -> None:
    iri = rows(server.query("SELECT ?m { ?m a sssom:Mapping } ORDER BY ?m LIMIT 1"))[0]["m"]["value"]
    got = server.ask(iri.removeprefix(BASE), accept="application/n-triples")
    assert got.status == 200
    assert iri.encode() in got.body
    assert server.ask("mapping/none").status == 404


def test_links_stand_beside_a_page(server: Server) -> None:
    link = server.ask(f"{CLAIM}.html").headers["link"]
    for expected in (
        f'</{CLAIM}.ttl>; rel="alternate"; type="text/turtle"',
        f'</{CLAIM}.ttl>; rel="describedby"; type="text/turtle"',
        f'<{BASE}{CLAIM}>; rel="cite-as"',
        'rel="license"',
    ):
        assert expected in link


def test_what_a_client_has_is_not_sent_again(server: Server) -> None:
    for path in ("index.html", "id/magnesium.rdf", "sparql?" + urlencode({"query": SELECT}), "api/openapi.json"):
        tag = server.ask(path).headers["etag"]
        again = server.ask(path, if_none_match=f'"other", {tag}')
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag), path
        assert server.ask(path, if_none_match='"other"').status == 200


def test_parts_of_a_file(server: Server) -> None:
    whole = server.ask("data/magnesium-rls.nq").body
    part = server.ask("data/magnesium-rls.nq", range="bytes=100-199")
    assert (part.status, part.body) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    last = server.ask("data/magnesium-rls.nq", range="bytes=-10")
    assert last.body == whole[-10:]
    assert server.ask("data/magnesium-rls.nq", range=f"bytes={len(whole)}-").status == 416
    stale = server.ask("data/magnesium-rls.nq", range="bytes=0-9", if_range='"other"')
    assert (stale.status, len(stale.body)) == (200, len(whole))


def test_answers_are_compressed_where_the_client_takes_it(server: Server) -> None:
    plain = server.ask("index.html")
    unpack = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    }
    for coding, restore in unpack.items():
        got = server.ask("index.html", accept_encoding=f"{coding}, identity;q=0.5")
        assert got.headers["content-encoding"] == coding
        assert restore(got.body) == plain.body
        assert got.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in server.ask("index.html", accept_encoding="gzip;q=0").headers


def test_only_files_of_the_build_are_there(server: Server) -> None:
    for path in (
        "../report.json", "..%2freport.json", "%2e%2e/report.json", "store/CURRENT", "../store/CURRENT", "//etc/passwd",
        "id/..%2f..%2freport.json", "id/%00", "data/", "none", "id/none", "claim/magnesium-rls/none", "%ff",
    ):  # fmt: skip
        assert server.ask(path).status == 404, path
    assert server.ask("id").status == 308
    assert server.ask("id/").status == 200


def test_every_answer_is_safe_to_show(server: Server) -> None:
    for path in ("", "none", "sparql", "api/"):
        got = server.ask(path, accept="text/html")
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "server" not in got.headers


# The interface for programs


def test_named_queries_take_parameters(server: Server) -> None:
    one = server.ask("api/query/claims-about.json?entity=id:calcium").json()
    other = server.ask("api/query/claims-about.json").json()
    assert one["results"] != other["results"]
    assert server.ask("api/query/claims-about?entity=id:calcium").json() == one
    csv = server.ask("api/query/foods.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.count("\n") > 5


def test_the_claims_an_answer_names_stand_beside_it(server: Server) -> None:
    got = server.ask("api/query/foods.json").json()
    named = {term["value"] for row in got["results"]["bindings"] for term in row.values() if "/claim/" in term["value"]}
    assert named
    assert set(got["claims"]) == named
    for claim in got["claims"].values():
        assert claim["certainty"]
        assert claim["polarity"]
        assert claim["source"]["attributed_to"]["iri"]
        assert claim["source"]["sentences"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("api/query/none.json", 404),
        ("api/query/foods.docx", 404),
        ("api/query/foods.json?other=1", 400),
        ("api/query/claims-about.json?entity=a&entity=b", 400),
        ("api/query/claims-about.json?entity=no%20iri", 400),
        ("api/query/claims-about.json?entity=" + "a" * 2000, 400),
        ("api/search", 400),
        ("api/search?q=a&limit=0", 400),
        ("api/search?q=a&limit=1000", 400),
        ("api/entity/none", 404),
        ("api/claim/magnesium-rls/none", 404),
        ("api/none", 404),
    ],
)
def test_the_interface_refuses_what_it_does_not_know(server: Server, path: str, status: int) -> None:
    assert server.ask(path).status == status


def test_entities_and_claims_as_json(server: Server) -> None:
    entity = server.ask("api/entity/magnesium").json()
    assert entity["label"] == "magnesium"
    assert entity["claims"]
    for claim in entity["claims"]:
        assert {"certainty", "polarity", "modality", "source", "iri"} <= set(claim)
    claim = server.ask("api/claim/magnesium-rls/c018").json()
    assert claim["object_quantity"].startswith("more than 300")
    assert claim["source"]["sentences"][0]["number"] == 7
    assert "medical advice" in claim["notice"]


def test_search_finds_names_and_statements(server: Server) -> None:
    found = server.ask("api/search?q=willis-ekbom").json()["results"]
    assert found[0]["id"] == "restless-legs-syndrome"
    both = server.ask("api/search?q=magnesium&limit=100").json()["results"]
    assert {item["type"] for item in both} == {"entity", "claim"}
    assert both[0]["id"] == "magnesium"
    assert all("certainty" in item and "source" in item for item in both if item["type"] == "claim")


def test_the_description_names_every_query(server: Server, built: Path) -> None:
    document = server.ask("api/openapi.json").json()
    for path in (built / "queries").glob("*.rq"):
        assert any(name.startswith(f"/api/query/{path.stem}.") for name in document["paths"])
    page = server.ask("api/", accept="text/html").text
    assert all(name in page for name in document["paths"])


# Operation


def test_health_readiness_metrics(server: Server) -> None:
    assert server.ask("-/health").body == b"ok\n"
    assert server.ask("-/ready").status == 200
    server.query("ASK { ?none a kgb:None }")
    metrics = server.ask("-/metrics").text
    assert re.search(r'kgbuild_queries_total\{outcome="ok"\} [1-9]', metrics)
    assert 'kgbuild_requests_total{route="sparql",status="200"}' in metrics


def test_the_same_query_is_evaluated_once(server: Server) -> None:
    def asked() -> float:
        found = re.search(r'kgbuild_queries_total\{outcome="ok"\} (\S+)', server.ask("-/metrics").text)
        return float(found[1]) if found else 0

    before = asked()
    for layout in ("SELECT ?once { ?once a kgb:Claim }", "SELECT  ?once\n{ ?once a kgb:Claim } # comment"):
        assert server.query(layout).status == 200
    assert asked() == before + 1
    for _ in range(2):
        assert server.query("SELECT (NOW() AS ?n) {}").status == 200
    assert asked() == before + 3, "what changes with time is asked each time"


# What comes again, byte for byte, is answered from memory


def heads(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


def test_a_request_that_comes_again_is_answered_alike_and_counted(built: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serving(built, "--access-log", str(log)) as server:
        for path in ("id/magnesium.html", f"{CLAIM}.ttl", "sparql?" + urlencode({"query": SELECT})):
            answers = [server.ask(path, accept_encoding="gzip") for _ in range(4)]
            assert {answer.status for answer in answers} == {200}
            assert len({answer.body for answer in answers}) == 1
            assert all(heads(answer) == heads(answers[0]) for answer in answers)
            assert "date" in answers[-1].headers
            assert server.ask(path, "HEAD", accept_encoding="gzip").body == b""
            assert server.ask(path, accept_encoding="gzip", if_none_match=answers[0].headers["etag"]).status == 304
        metrics = server.ask("-/metrics").text
        assert 'kgbuild_requests_total{route="id",status="200"} 5.0' in metrics
        assert 'kgbuild_request_seconds_count{route="sparql"} 6.0' in metrics
        assert until(lambda: log.read_text().count("\n") == 19)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [item["status"] for item in lines if item["path"] == "/id/magnesium.html"] == [200, 200, 200, 200, 200, 304]


def test_requests_that_come_together_are_answered_in_turn(server: Server) -> None:
    first = b"GET /id/magnesium.ttl HTTP/1.1\r\nHost: a\r\n\r\n"
    other = b"GET /-/health HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        for sent in (first, first, first + other + first, other + first, first):
            client.sendall(sent)
            for request in filter(None, sent.replace(b"GET", b"|GET").split(b"|")):
                body = read_answer(client)
                assert (body == b"ok\n") == (request == other)


def test_what_follows_a_request_is_never_taken_for_another(server: Server) -> None:
    head = b"GET /id/magnesium.ttl HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        for _ in range(3):
            client.sendall(head)
            time.sleep(0.1)
            client.sendall(b"GET /")
            assert b"magnesium" in read_answer(client)
    for closing in (b"HTTP/1.0\r\n\r\n", b"HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                client.sendall(b"GET /id/magnesium.ttl " + closing)
                assert b"magnesium" in read_answer(client)
                assert client.recv(1) == b""


def test_a_head_has_no_body_whatever_is_asked(server: Server) -> None:
    paths = ("-/health", "-/ready", "-/metrics", "id/magnesium.html", "sparql?query=ASK%7B%7D", "api/claim/none")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        for path in paths:
            client.sendall(f"HEAD /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            assert head.startswith(b"HTTP/1.1 "), (path, head)
            assert re.search(rb"content-length: [1-9]", head), path


def test_a_connection_whose_end_is_announced_ends(server: Server) -> None:
    body = b"x" * 2_000_000
    head = f"Content-Type: application/sparql-query\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"POST /sparql HTTP/1.1\r\nHost: a\r\n" + head)
        client.sendall(body)
        answer = b""
        while part := client.recv(10_000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.lower().count(b"connection: close") == 1
    assert answer.count(b"HTTP/1.1") == 1


def test_what_stands_beside_a_query_is_its_clients_own(server: Server) -> None:
    """Queries that differ in layout are one for the store; a page, or the place of an error, is of one layout."""
    query = f'SELECT (1 AS ?x) ("{"z" * 600}" AS ?y) {{}}'
    paths = ["sparql?" + urlencode({"query": text}) for text in (f"{query}\n# mine alone", f"{query}  ")]
    pages = [server.ask(path, accept="text/html", accept_encoding="gzip") for path in paths]
    assert [b"mine alone" in gzip.decompress(page.body) for page in pages] == [True, False]
    assert len({page.headers["etag"] for page in pages}) == 2
    assert "(line 1, column" in server.query("ASK {  ?s ?? }").json()["detail"]
    assert "(line 4, column" in server.query("ASK {\n\n\n ?s ?? }").json()["detail"]


# Queries that differ from one before in their text alone go a shorter way, to the same answers

SLOW = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
LARGE = "SELECT * { ?s ?p ?o . ?o ?q ?r } LIMIT 3000"


def test_a_query_with_known_headers_is_answered_like_any_other(built: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    asked = [
        "SELECT ?s { ?s a kgb:Claim } ORDER BY ?s LIMIT 3",
        'SELECT ("é + % & = \u200d" AS ?x) {}',
        "ASK {}",
        "CONSTRUCT { ?s a ?o } WHERE { ?s a ?o } ORDER BY ?s LIMIT 5",
        LARGE,
        "SELECT * { broken",
        "SELECT * { SERVICE <http://a/> { ?s ?p ?o } }",
        "SELECT (STRLEN(STR(NOW())) > 5 AS ?n) {}",
        "ASK {} #" + "x" * 9000,
        SLOW,
    ]
    with serving(built, "--access-log", str(log), "--timeout", "0.6") as server:
        assert server.query("SELECT (1 AS ?first) {}").status == 200
        ways = [
            [server.query(query) for query in asked],
            [answer_apart(server, query, number) for number, query in enumerate(asked)],
        ]
        metrics = server.ask("-/metrics").text
    for query, short, usual in zip(asked, *ways, strict=True):
        assert (short.status, heads(short)) == (usual.status, heads(usual)), query
        assert short.body == usual.body
    assert [answer.status for answer in ways[0]] == [200, 200, 200, 406, 200, 400, 403, 200, 200, 504]
    assert len(ways[0][4].body) > 256 << 10
    assert 'outcome="time"} 2.0' in metrics, "a query that takes too long is asked once each way"
    assert len(log.read_text().splitlines()) == 2 * len(asked) + 2


def test_headers_given_twice_are_read_the_usual_way(server: Server) -> None:
    heads = b"Accept-Encoding: gzip\r\nAccept-Encoding: identity\r\n"
    for number in range(4):
        query = urlencode({"query": f'SELECT ("{"x" * 2000}" AS ?a) ({number} AS ?n) {{}}'})
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(f"GET /sparql?{query} HTTP/1.1\r\nHost: twice\r\n".encode() + heads + b"\r\n")
            body = read_answer(client)
            client.sendall(b"GET /-/health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(client) == b"ok\n"
        assert b"xxx" in gzip.decompress(body)


def test_what_a_query_with_known_headers_took_is_noted(built: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serving(built, "--access-log", str(log), "--timeout", "0.8") as server:
        assert [server.query(query).status for query in ("ASK {}", SLOW)] == [200, 504]
        request = f"GET /sparql?{urlencode({'query': SLOW.replace('?i', '?j')})} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for query in (b"GET /sparql?query=ASK%7B%7D HTTP/1.1\r\nHost: a\r\n\r\n", request):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                client.sendall(query)
                if query != request:
                    read_answer(client)
                else:
                    assert until(lambda: "kgbuild_running 1.0" in server.ask("-/metrics").text)
        assert until(lambda: 'route="sparql",status="499"} 1.0' in server.ask("-/metrics").text)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    queries = [item for item in lines if item["path"] == "/sparql"]
    assert [item["status"] for item in queries] == [200, 504, 200, 499]
    assert queries[1]["ms"] > 700


def answer_apart(server: Server, query: str, number: int) -> Answer:
    """Ask with headers that no request had before."""
    path = "sparql?" + urlencode({"query": query})
    return server.ask(path, accept="application/sparql-results+json", x_number=str(number))


@pytest.mark.parametrize("odd", ["%", "%zz", "%ff", "a&query=ASK", "a b", "a#b", 'a"b', "%00"])
def test_an_odd_query_with_known_headers_is_refused_like_any_other(server: Server, odd: str) -> None:
    answers = []
    for more in (b"", b"", b"X-Odd: " + quote(odd).encode() + b"\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            for query in ("ASK%7B%7D", odd):
                client.sendall(b"GET /sparql?query=" + query.encode() + b" HTTP/1.1\r\nHost: odd\r\n" + more + b"\r\n")
                data = client.recv(100_000)
        answers.append(re.sub(rb"date: [^\r]*\r\n", b"", data))
    assert answers[0].startswith(b"HTTP/1.1 4")
    assert answers == answers[:1] * 3


def test_queries_that_come_together_are_answered_in_turn(server: Server) -> None:
    numbers = itertools.count()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        for many in (1, 1, 2, 1, 3, 1):
            wanted = [next(numbers) for _ in range(many)]
            for number in wanted:
                client.sendall(
                    f"GET /sparql?query=SELECT({number}AS?n){{}} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                    .replace(b"{}", b"%7B%7D")
                )  # fmt: skip
            for number in wanted:
                body = json.loads(read_answer(client))
                assert body["results"]["bindings"][0]["n"]["value"] == str(number)


def test_a_stop_lets_a_query_with_known_headers_end(built: Path) -> None:
    with serving(built, "--timeout", "1.5") as server:
        connection = server.connect()
        for query in ("ASK {}", SLOW):
            connection.request("GET", "/sparql?" + urlencode({"query": query}))
            if query == "ASK {}":
                connection.getresponse().read()
        time.sleep(0.3)
        assert server.stop() in {0, -15}
        assert connection.getresponse().status == 504
        connection.close()


def read_answer(client: socket.socket) -> bytes:
    """Read one answer and no byte more, and return its body."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += client.recv(1)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    found = re.search(rb"content-length: (\d+)", data)
    assert found
    left, body = int(found[1]), b""
    while len(body) < left:
        body += client.recv(left - len(body))
    return body


def test_a_new_build_comes_into_service_without_a_break(small: Path) -> None:
    source = small / "data/entities/things.yaml"
    label = "SELECT ?l { id:caffeine rdfs:label ?l FILTER(LANG(?l) = 'de') }"
    with serving(small) as server:
        assert rows(server.query(label))[0]["l"]["value"] == "Koffein"
        source.write_text(source.read_text().replace("de: Koffein", "de: Thein"))
        command = [sys.executable, "-m", "kgbuild", "-C", str(small), "build"]
        statuses = []
        sums = (small / "build/site/SHA256SUMS").read_text().splitlines()
        paths = [line.split("  ")[1] for line in sums if line.endswith((".html", ".ttl", ".jsonld"))]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as builder:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                statuses.append(server.query(f"SELECT ?l {{ ?s rdfs:label ?l }} LIMIT {1 + len(statuses)}").status)
                statuses.append(server.ask(paths[len(statuses) // 3 % len(paths)]).status)
                statuses.append(server.ask("data/tea.nq", range="bytes=0-9").status - 6)
                if builder.poll() is not None and rows(server.query(label))[0]["l"]["value"] == "Thein":
                    break
                time.sleep(0.02)
        assert builder.returncode == 0
        assert set(statuses) == {200}
        assert rows(server.query(label))[0]["l"]["value"] == "Thein"
        assert b"Thein" in server.ask("id/caffeine.html").body


def test_a_request_ends_on_the_build_it_began_with(small: Path) -> None:
    source = small / "data/entities/things.yaml"
    label = "SELECT ?l { id:caffeine rdfs:label ?l FILTER(LANG(?l) = 'de') }"
    before = source.read_text()
    with serving(small) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            head = f"Content-Type: application/sparql-query\r\nContent-Length: {len(label)}\r\n\r\n"
            client.sendall(f"POST /sparql HTTP/1.1\r\nHost: a\r\n{head}".encode())
            time.sleep(0.3)
            for number, word in ((1, "de: Thein"), (2, "de: Koffein")):
                source.write_text(before.replace("de: Koffein", word))
                assert kgbuild(small, "build").returncode == 0
                served = f"kgbuild_builds_total {number}.0"
                assert until(lambda served=served: served in server.ask("-/metrics").text)  # type: ignore[misc]
                if number == 1:
                    client.sendall(label.encode())
                    assert b"Koffein" in read_answer(client), "it was begun on the first build"
                    assert rows(server.query(label))[0]["l"]["value"] == "Thein"
        assert rows(server.query(label))[0]["l"]["value"] == "Koffein"


def test_a_torn_build_is_not_taken_and_leaves_nothing_open(small: Path) -> None:
    with serving(small) as server:
        assert server.query("ASK {}").status == 200
        files = Path(f"/proc/{server.process.pid}/fd")
        report = small / "build/report.json"
        before, text = len(list(files.iterdir())), report.read_text()
        torn = small / "build/store/CURRENT"
        for spoil in (lambda: torn.rename(torn.with_name("GONE")), lambda: report.write_text("{}")):
            spoil()
            report.touch()
            time.sleep(1.6)
            assert server.query(f"SELECT ({time.time_ns()} AS ?n) {{}}").status == 200
        assert until(lambda: len(list(files.iterdir())) <= before + 2)
        torn.with_name("GONE").rename(torn)
        report.write_text(text)
        assert until(lambda: "kgbuild_builds_total 1.0" in server.ask("-/metrics").text)


def test_a_stop_lets_requests_end(built: Path) -> None:
    with serving(built, "--timeout", "1.5") as server:
        connection = server.connect()
        slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
        connection.request("GET", "/sparql?" + urlencode({"query": slow}))
        time.sleep(0.3)
        assert server.stop() in {0, -15}
        assert connection.getresponse().status == 504
        connection.close()


def test_a_port_in_use_is_said(built: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = kgbuild(built, "serve", "--port", port)
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr


def kgbuild(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kgbuild", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--base-url", "example.org"), "--base-url"),
        (("--workers", "0"), "--workers"),
        (("--timeout", "-1"), "--timeout"),
        (("--trusted-proxy", "proxy.example"), "--trusted-proxy"),
        (("--port", "99999"), "port 99999"),
    ],
)
def test_wrong_options_are_said(built: Path, options: tuple[str, ...], words: str) -> None:
    done = kgbuild(built, "serve", *options)
    assert done.returncode == 2
    assert words in done.stderr


def test_no_build_is_said(tmp_path: Path) -> None:
    done = kgbuild(copy_project(tmp_path), "serve")
    assert done.returncode == 3
    assert "run `kgbuild build` first" in done.stderr


def test_the_access_log_and_trusted_proxies(built: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ("--access-log", str(log), "--trusted-proxy", "127.0.0.1", "--base-url", "https://example.org/kg/")
    with serving(built, *options) as server:
        got = server.ask("kg/id/magnesium", accept="text/turtle", x_forwarded_for="203.0.113.7")
        assert got.headers["location"] == "/kg/id/magnesium.ttl"
        assert "https://example.org/kg/sparql" in server.ask("kg/sparql", accept="text/turtle").text
        server.ask("sparql?query=SELECT+secret", source="127.0.0.9", x_forwarded_for="203.0.113.8")
        for source in ("127.0.0.1", "127.0.0.1", "127.0.0.9", "127.0.0.9"):
            server.ask("kg/id/magnesium.html", source=source, x_forwarded_for="203.0.113.9")
        assert until(lambda: log.read_text().count("\n") == 7)
    first, _, last, *again = map(json.loads, log.read_text().splitlines())
    assert [item["client"] for item in again] == ["203.0.113.9", "203.0.113.9", "127.0.0.9", "127.0.0.9"]
    assert (first["client"], first["path"], first["status"]) == ("203.0.113.7", "/id/magnesium", 303)
    assert last["client"] == "127.0.0.9", "a client that is no trusted proxy cannot give itself another address"
    assert "secret" not in log.read_text()


def test_it_starts_at_once(built: Path) -> None:
    with serving(built) as server:
        assert server.query("ASK {}").status == 200
        processes = [server.process.pid, *children(server.process.pid)]
        assert sum(map(seconds, processes)) < 1.5  # of work; on an idle machine it takes 0.3 s, see benchmarks/serve.py


def test_curl_follows_the_web(server: Server) -> None:
    curl = shutil.which("curl")
    assert curl
    command = [curl, "-sSfL", "--compressed", "-H", "Accept: text/turtle", f"{server.url}id/magnesium"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"<{BASE}>" in done.stdout
