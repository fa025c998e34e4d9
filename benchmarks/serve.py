"""Serve 250k triples with kgbuild and its peers, and measure them with wrk: `python benchmarks/serve.py`.

All servers run at once and are asked in turn, round after round; of each the median round is told. `run.py` does the
same as a work; peers that are not installed are left out by name. Further: `--abuse SECONDS` attacks kgbuild beside a
client that behaves; `--schemathesis` checks every operation of the OpenAPI description; `--start` times the start.

    apt-get install virtuoso-opensource-7 wrk; pip install schemathesis
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from peers import CACHE, environment
from peers import memory as megabytes
from results import OURS, Result, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import stores
from servers import Server, built_project, children, seconds, serving, until
from stores import Running, free_port, running
from test_server_clients import REFUSALS
from test_server_limits import ENDLESS, memory

from kgbuild.store import OxigraphStore

COPIES = 14
SECONDS = 3
ROUNDS = 3
BASE = "https://w3id.org/magnesium-rls/"
RDFS, KGB = "http://www.w3.org/2000/01/rdf-schema#", "https://w3id.org/kgbuild/ns#"
SELECT = f'SELECT ?s ?label ("%d" AS ?n) WHERE {{ ?s <{RDFS}label> ?label }} LIMIT 10'
"""The lightest query that gives ten rows: what is measured is the server around it."""
JOIN = f"""\
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> PREFIX rdfs: <{RDFS}> PREFIX kgb: <{KGB}>
PREFIX np: <http://www.nanopub.org/nschema#> PREFIX npx: <http://purl.org/nanopub/x/>
PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
SELECT ?claim ?statement ?certainty ?polarity ?source ?sentence ("%d" AS ?n) WHERE {{
  ?claim rdf:subject <{BASE}id/magnesium> ; rdfs:label ?statement ; kgb:certainty/skos:notation ?certainty ;
    kgb:polarity/skos:notation ?polarity .
  ?np npx:introduces ?claim ; np:hasAssertion ?assertion .
  ?assertion prov:wasAttributedTo ?source ; prov:wasDerivedFrom/kgb:sentenceNumber ?sentence
}} LIMIT 10"""
"""What people ask: claims about a thing, with certainty, polarity and source."""
COUNT = f"SELECT (COUNT(DISTINCT ?s) AS ?n) {{ ?s a <{KGB}Claim> }}"
CHANGING = """\
local before, after = "%s", "%s"
local count = %d
request = function()
  count = count + 1
  return wrk.format("GET", before .. count .. after, {["Accept"] = "application/sparql-results+json"})
end
"""
STARTS = itertools.count(10**9, 10**7)
"""Where each run begins to count, so far apart that no query comes twice."""
PEER = """\
import sys
import rdflib, uvicorn
from rdflib_endpoint import SparqlEndpoint
graph = rdflib.Dataset(default_union=True)
graph.parse(sys.argv[1], format="nquads")
uvicorn.run(SparqlEndpoint(graph=graph, path="/sparql"), port=int(sys.argv[2]), log_level="critical")
"""


def worked(server: Running) -> float:
    """Return how many seconds a server has worked, with its workers."""
    return seconds(server.process) + sum(map(seconds, children(server.process)))


@dataclass(frozen=True)
class Measured:
    """What one run gave: requests, the 99th percentile of the time to answer, and how long the server worked."""

    requests: int
    late_ms: float
    worked: float


def enlarge(project: Path, copies: int) -> Path:
    """Replace the store of a build by one with copies of its graph under other names; return the dump."""
    text = (project / "build/site/data/magnesium-rls.nq").read_text("utf-8")
    dump = project / "large.nq"
    with open(dump, "w", encoding="utf-8") as file:
        for number in range(copies):
            file.write(text.replace(BASE, f"{BASE[:-1]}-{number}/") if number else text)
    shutil.rmtree(project / "build/store")
    OxigraphStore.write(project / "build/store", dump)
    return dump


@contextlib.contextmanager
def oxigraph(dump: Path, folder: Path, cache: Path) -> Iterator[Running]:
    """Serve with `oxigraph serve-read-only` from disk, the union as default graph."""
    program, store, port = str(environment("oxigraph", cache).with_name("oxigraph")), str(folder / "store"), free_port()
    subprocess.run([program, "load", "-l", store, "-f", str(dump)], check=True, capture_output=True)
    subprocess.run([program, "optimize", "-l", store], check=True, capture_output=True)
    command = [program, "serve-read-only", "-l", store, "-b", f"127.0.0.1:{port}", "--union-default-graph"]
    with running(command, folder, f"http://127.0.0.1:{port}") as server:
        yield Running(f"{server.url}/query", server.process)


@contextlib.contextmanager
def rdflib_endpoint(dump: Path, folder: Path, cache: Path) -> Iterator[Running]:
    """Serve with rdflib-endpoint from memory."""
    port = free_port()
    command = [str(environment("rdflib_endpoint", cache)), "-c", PEER, str(dump), str(port)]
    with running(command, folder, f"http://127.0.0.1:{port}", 120) as server:
        yield Running(f"{server.url}/sparql", server.process)


@contextlib.contextmanager
def virtuoso(dump: Path, folder: Path, _: Path) -> Iterator[Running]:
    """Serve with Virtuoso."""
    if shutil.which("virtuoso-t") is None:
        raise OSError(f"it is not installed ({stores.VIRTUOSO_PACKAGE})")
    with stores.virtuoso(folder, dump) as server:
        yield Running(f"{server.url}/sparql", server.process)


@dataclass(frozen=True)
class Case:
    """What is asked: a query with a place for a number, which changes each time or never."""

    name: str
    query: str
    changing: bool

    @property
    def whole(self) -> str:
        """Return a query whose answer must be the same from all servers: ten rows of many may be any."""
        if self.query == JOIN:
            return (JOIN % 0).replace("LIMIT 10", "")
        return f"SELECT (COUNT(*) AS ?n) {{ SELECT DISTINCT ?s ?label {{ ?s <{RDFS}label> ?label }} }}"


CASES = (
    Case("light, each new", SELECT, changing=True),
    Case("join, each new", JOIN, changing=True),
    Case("light, repeated", SELECT, changing=False),
)
START: dict[str, Callable[[Path, Path, Path], contextlib.AbstractContextManager[Running]]] = {
    "oxigraph": oxigraph,
    "rdflib_endpoint": rdflib_endpoint,
    "virtuoso": virtuoso,
}


def measure(server: Running, case: Case, folder: Path, duration: int) -> Measured:
    """Ask over 8 connections for some seconds."""
    url = server.url
    before, after = (quote(part) for part in case.query.split("%d"))
    path = re.sub(r"^http://[^/]+", "", url)
    script = folder / "wrk.lua"
    script.write_text(CHANGING % (f"{path}?query={before}", after, next(STARTS)))
    command = ["wrk", "-t1", "-c8", f"-d{duration}s", "--timeout", "30s", "--latency"]
    if case.changing:
        command += ["-s", str(script), url]
    else:
        command += ["-H", "Accept: application/sparql-results+json", f"{url}?query={before}7{after}"]
    before_it = worked(server)
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    work = worked(server) - before_it
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    rate, late = re.search(r"Requests/sec:\s*([\d.]+)", out), re.search(r"99%\s+([\d.]+)(\w+)", out)
    assert rate is not None
    assert late is not None
    late_ms = float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[late[2]]
    return Measured(round(float(rate[1]) * duration), late_ms, work)


def compare(cache: Path, rounds: int = ROUNDS, duration: int = SECONDS, copies: int = COPIES) -> list[Result]:
    """Measure kgbuild beside its peers on copies of the article's graph; tell who is left out."""
    if shutil.which("wrk") is None:
        print("serve is left out: wrk is not installed (apt-get install wrk)", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as running:
        project = built_project(Path(place))
        dump = enlarge(project, copies)
        ours = running.enter_context(serving(project))
        servers = {OURS: Running(f"{ours.url}sparql", ours.process.pid)}
        for name, start in START.items():
            print(f"serve by {name}, {copies} times the article", file=sys.stderr, flush=True)
            try:
                servers[name] = running.enter_context(start(dump, Path(tempfile.mkdtemp(dir=project)), cache))
            except (OSError, AssertionError, subprocess.CalledProcessError) as error:
                print(f"{name} is left out: {str(error)[:90]}", file=sys.stderr)
        claims = int(answer(servers[OURS], COUNT)[0][0])
        results: list[Result] = []
        for case in CASES:
            runs = [
                {who: measure(each, case, project, duration) for who, each in servers.items()} for _ in range(rounds)
            ]
            wanted = answer(servers[OURS], case.whole)
            for who, server in servers.items():
                found = sorted((run[who] for run in runs), key=lambda each: each.requests)[rounds // 2]
                outcome = "equal" if answer(server, case.whole) == wanted else "different"
                results.append(Result(
                    "serve", case.name, who, claims, found.requests, round(found.worked, 3), float(duration),
                    round(megabytes(server.process)), found.late_ms, outcome,
                ))  # fmt: skip
    return results


def answer(server: Running, query: str) -> list[tuple[str, ...]]:
    """Return the rows of an answer, each once: rdflib repeats what stands in two graphs."""
    heads = {"Accept": "application/sparql-results+json"}
    request = urllib.request.Request(f"{server.url}?query={quote(query)}", headers=heads)
    with urllib.request.urlopen(request, timeout=120) as reply:
        told = json.load(reply)
    names = told["head"]["vars"]
    return sorted({tuple(row[name]["value"] for name in names) for row in told["results"]["bindings"]})


QUERIES = (
    ENDLESS,
    'ASK { ?s ?p ?o FILTER(REGEX(STR(?o), "(a*)*(b*)*%d$")) }',
    "SELECT (%d AS ?n) * { ?s ?p ?o . ?a ?b ?c . FILTER(CONTAINS(STR(?o), STR(?c))) }",
    "SELECT ?x (%d AS ?n) { VALUES ?x { " + " ".join(f"<http://a/{n}>" for n in range(20_000)) + " } ?x ?y ?z }",
    "ASK { " + "{" * 200 + "} UNION {?s ?p %d}" + "}" * 200 + " }",
    "ASK { FILTER(" + "(" * 5000 + "%d" + ")" * 5000 + ") }",
)
"""Cross products, regular expressions that explode, giant VALUES, deep nesting."""
BYTES = (
    b"GET / HTTP/1.1\r\nHo",
    b"POST /sparql HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nquery=",
    bytes(range(256)),
    b"GET \xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"a" * 100_000 + b"\r\n\r\n",
)
"""Requests that never end, noise, paths that lead out, huge headers."""
FILE = b"GET /data/magnesium-rls.nq HTTP/1.1\r\nHost: a\r\n\r\n"


def attack(server: Server, end: float, number: int) -> None:
    """Send what hurts, in rotation: queries, bytes, a request that drips, large answers that are not read."""
    place = number
    while time.monotonic() < end:
        place += 1
        kind = place % (len(QUERIES) + len(BYTES) + 2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            if kind < len(QUERIES):
                query = QUERIES[kind] % (number * 10**6 + place)
                server.ask("sparql", "POST", query, content_type="application/sparql-query")
                continue
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
                if kind < len(QUERIES) + len(BYTES):
                    client.sendall(BYTES[kind - len(QUERIES)])
                elif kind == len(QUERIES) + len(BYTES):
                    for byte in FILE[:8]:
                        client.sendall(bytes((byte,)))
                        time.sleep(0.2)
                else:
                    client.sendall(FILE * 20)
                    time.sleep(2)
                client.recv(100)


def crowd(server: Server, end: float) -> None:
    """Hold 1,000 connections; open again what the server closes."""
    held: list[socket.socket] = []
    while time.monotonic() < end:
        while len(held) < 1000:
            try:
                held.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            except OSError:
                break
        time.sleep(0.5)
        gone = set(select_closed(held))
        held = [connection for connection in held if connection not in gone]
    for connection in held:
        connection.close()


def select_closed(held: list[socket.socket]) -> Iterator[socket.socket]:
    """Close and yield the connections that the server has ended."""
    for connection in held:
        connection.setblocking(False)
        try:
            ended = not connection.recv(1)
        except BlockingIOError:
            continue
        except OSError:
            ended = True
        if ended:
            connection.close()
            yield connection


def abuse(project: Path, seconds: int) -> bool:
    """Attack for some seconds; print how a client that behaves fares, and return whether it fares well."""
    with serving(project, "--timeout", "2") as server:
        for _ in range(50):
            server.ask("id/magnesium.html")
        base = memory(server)
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=attack, args=(server, end, number)) for number in range(40)]
        threads.append(threading.Thread(target=crowd, args=(server, end)))
        for thread in threads:
            thread.start()
        times, wrong, most = [], 0, 0
        while time.monotonic() < end:
            start = time.perf_counter()
            path = f"sparql?query={quote(SELECT % len(times))}" if len(times) % 2 else "id/magnesium.html"
            try:
                wrong += server.ask(path, source="127.0.0.2").status != 200
            except OSError:
                wrong += 1
            times.append(time.perf_counter() - start)
            most = max(most, memory(server))
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        late = statistics.quantiles(times, n=100)[98]
        until(lambda: memory(server) < base * 1.5, 20)
        after = memory(server)
        print(f"{len(times)} requests beside {seconds} s of attack, load {os.getloadavg()[0]:.1f}: {wrong} wrong")
        print(f"median {statistics.median(times) * 1000:.0f} ms, p99 {late * 1000:.0f} ms, limit 1000")
        print(
            f"memory {base >> 20} MB before, at most {most >> 20}, {after >> 20} after: {after / base:.2f}, limit 1.5"
        )
        return not wrong and late < 1 and after < base * 1.5


def schemathesis(project: Path) -> bool:
    """Check every operation of the OpenAPI description; return whether nothing was found."""
    with serving(project) as server:
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}api/openapi.json"]
        options = ["--url", server.url.rstrip("/"), "--max-examples", "20", "--no-color"]
        (project / "schemathesis.toml").write_text(REFUSALS)
        return subprocess.run([*command, *options], check=False, cwd=project).returncode == 0


def start(project: Path) -> bool:
    """Print how long a start takes, until the first query is answered; return whether that is soon enough."""
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        with serving(project) as server:
            server.query("ASK {}")
            took.append(time.perf_counter() - begun)
    print(f"start to first answer: median {statistics.median(took):.2f} s of {len(took)}, limit 0.7 s")
    return statistics.median(took) < 0.7


def main() -> None:
    """Measure what is asked for."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--abuse", type=int, metavar="SECONDS")
    given.add_argument("--schemathesis", action="store_true")
    given.add_argument("--start", action="store_true")
    given.add_argument("--rounds", type=int, default=ROUNDS)
    given.add_argument("--cache", type=Path, default=CACHE, help="folder of the peers' environments")
    options = given.parse_args()
    if not (options.abuse or options.schemathesis or options.start):
        print(report(compare(options.cache, options.rounds)))
        return
    well = True
    with tempfile.TemporaryDirectory() as folder:
        project = built_project(Path(folder))
        if options.start:
            well &= start(project)
        if options.abuse:
            well &= abuse(project, options.abuse)
        if options.schemathesis:
            well &= schemathesis(project)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
