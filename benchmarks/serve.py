"""Serve 250k triples with kgbuild and its peers, and measure them with wrk: `python benchmarks/serve.py`.

Peers that are not installed are left out by name. Further: `--abuse SECONDS` attacks kgbuild beside a client that
behaves; `--schemathesis` checks every operation of the OpenAPI description; `--start` times the start on the article.

    pip install oxigraph rdflib-endpoint schemathesis; apt-get install virtuoso-opensource-7 wrk
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers import Server, built_project, serving, until
from test_server_limits import ENDLESS, memory
from test_server_remote import VIRTUOSO, answers, free_port

from kgbuild.store import OxigraphStore

COPIES = 14
SECONDS = 5
BASE = "https://w3id.org/magnesium-rls/"
SELECT = 'SELECT ?s ?label ("%d" AS ?n) WHERE { ?s <http://www.w3.org/2000/01/rdf-schema#label> ?label } LIMIT 10'
CHANGING = """\
local before, after = "%s", "%s"
local count = %d
request = function()
  count = count + 1
  return wrk.format("GET", before .. count .. after, {["Accept"] = "application/sparql-results+json"})
end
"""
PEER = """\
import sys
import rdflib, uvicorn
from rdflib_endpoint import SparqlEndpoint
graph = rdflib.Dataset(default_union=True)
graph.parse(sys.argv[1], format="nquads")
uvicorn.run(SparqlEndpoint(graph=graph, path="/sparql"), port=int(sys.argv[2]), log_level="critical")
"""


def enlarge(project: Path) -> Path:
    """Replace the store of a build by one with copies of its graph under other names; return the dump."""
    text = (project / "build/site/data/magnesium-rls.nq").read_text("utf-8")
    dump = project / "large.nq"
    with open(dump, "w", encoding="utf-8") as file:
        for number in range(COPIES):
            file.write(text.replace(BASE, f"{BASE[:-1]}-{number}/") if number else text)
    shutil.rmtree(project / "build/store")
    OxigraphStore.write(project / "build/store", dump)
    return dump


@contextlib.contextmanager
def peer(command: list[str], port: int, patience: float = 120) -> Iterator[None]:
    """Run a server until the measuring is done."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            if not until(lambda: answers(port), patience):
                raise RuntimeError(f"{command[0]} does not start")
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def oxigraph(dump: Path, folder: Path) -> Iterator[str]:
    """Serve with `oxigraph serve-read-only` from disk, the union as default graph."""
    program = str(Path(sys.executable).with_name("oxigraph"))
    subprocess.run([program, "load", "-l", str(folder), "-f", str(dump)], check=True, capture_output=True)
    port = free_port()
    command = [program, "serve-read-only", "-l", str(folder), "-b", f"127.0.0.1:{port}", "--union-default-graph"]
    with peer(command, port):
        yield f"http://127.0.0.1:{port}/query"


@contextlib.contextmanager
def rdflib_endpoint(dump: Path, _: Path) -> Iterator[str]:
    """Serve with rdflib-endpoint from memory."""
    port = free_port()
    with peer([sys.executable, "-c", PEER, str(dump), str(port)], port):
        yield f"http://127.0.0.1:{port}/sparql"


@contextlib.contextmanager
def virtuoso(dump: Path, folder: Path) -> Iterator[str]:
    """Serve with Virtuoso."""
    isql, port = free_port(), free_port()
    (folder / "virtuoso.ini").write_text(VIRTUOSO.format(folder=folder, isql=isql, http=port))
    shutil.copy(dump, folder / "dump.nq")
    with peer(["virtuoso-t", "+foreground", "+configfile", str(folder / "virtuoso.ini")], port):
        load = f"DB.DBA.TTLP_MT(file_to_string_output('{folder}/dump.nq'), '', 'urn:x-none', 512); checkpoint;"
        subprocess.run(["isql-vt", f"127.0.0.1:{isql}", "dba", "dba", f"exec={load}"], check=True, capture_output=True)
        yield f"http://127.0.0.1:{port}/sparql"


def measure(url: str, *, changing: bool, folder: Path) -> tuple[float, str]:
    """Return requests per second and the 99th percentile of the time to answer, over 8 connections."""
    before, after = (quote(part) for part in SELECT.split("%d"))
    path = re.sub(r"^http://[^/]+", "", url)
    script = folder / "wrk.lua"
    script.write_text(CHANGING % (f"{path}?query={before}", after, int(time.time() * 1000) % 10**9))
    command = ["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--latency"]
    if changing:
        command += ["-s", str(script), url]
    else:
        command += ["-H", "Accept: application/sparql-results+json", f"{url}?query={before}7{after}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    rate, late = re.search(r"Requests/sec:\s*([\d.]+)", out), re.search(r"99%\s+(\S+)", out)
    assert rate is not None
    assert late is not None
    return float(rate[1]), late[1]


def compare(project: Path) -> None:
    """Print a table of kgbuild and its peers."""
    dump = enlarge(project)
    print(f"{len(dump.read_bytes().splitlines()):,} quads, a SELECT of 10 rows, 8 connections")
    print(f"{'server':<20}{'each query new':>16}{'p99':>10}{'one query':>12}{'p99':>10}")
    with serving(project) as server:
        show("kgbuild serve", f"{server.url}sparql", project)
    cases: list[tuple[str, Callable[[Path, Path], contextlib.AbstractContextManager[str]]]] = [
        ("oxigraph (disk)", oxigraph),
        ("rdflib-endpoint", rdflib_endpoint),
        ("Virtuoso", virtuoso),
    ]
    for name, start in cases:
        folder = Path(tempfile.mkdtemp(dir=project))
        try:
            with start(dump, folder) as url:
                show(name, url, folder)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{name:<20}left out: {str(error)[:90]}")


def show(name: str, url: str, folder: Path) -> None:
    """Print the line of one server."""
    new, new_late = measure(url, changing=True, folder=folder)
    same, same_late = measure(url, changing=False, folder=folder)
    print(f"{name:<20}{new:>16,.0f}{new_late:>10}{same:>12,.0f}{same_late:>10}", flush=True)


ATTACKS = (
    ENDLESS,
    'ASK { ?s ?p ?o FILTER(REGEX(STR(?o), "(a*)*(b*)*%d$")) }',
    "SELECT (%d AS ?n) * { ?s ?p ?o . ?a ?b ?c . FILTER(CONTAINS(STR(?o), STR(?c))) }",
    "SELECT ?x (%d AS ?n) { VALUES ?x { " + " ".join(f"<http://a/{n}>" for n in range(300)) + " } ?x ?y ?z }",
    "ASK { " + "{" * 200 + "} UNION {?s ?p %d}" + "}" * 200 + " }",
)


def attack(server: Server, end: float, number: int) -> None:
    """Send what hurts, in rotation: queries, broken bytes, huge headers, half a request, another's path."""
    place = 0
    while time.monotonic() < end:
        place += 1
        with contextlib.suppress(OSError):
            kind = (place + number) % 9
            if kind < 5:
                server.query(ATTACKS[kind] % (number * 10**6 + place))
            elif kind == 5:
                server.ask("", **{f"x_{item}": "a" * 4000 for item in range(20)})
            elif kind == 6:
                server.ask("..%2f..%2fetc/passwd")
            else:
                with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHo" if kind == 7 else bytes(range(256)))
                    client.recv(100)


def abuse(project: Path, seconds: int) -> None:
    """Attack for some seconds, with 1,000 connections held open, and print how a client that behaves fares."""
    with serving(project, "--timeout", "2") as server:
        base = memory(server)
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=attack, args=(server, end, number)) for number in range(40)]
        idle = []
        for _ in range(1000):
            with contextlib.suppress(OSError):
                idle.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        for thread in threads:
            thread.start()
        times, wrong = [], 0
        while time.monotonic() < end:
            start = time.perf_counter()
            path = f"sparql?query={quote(SELECT % len(times))}" if len(times) % 2 else "id/magnesium.html"
            wrong += server.ask(path, source="127.0.0.2").status != 200
            times.append(time.perf_counter() - start)
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        for connection in idle:
            connection.close()
        late = statistics.quantiles(times, n=100)[98]
        until(lambda: memory(server) < base * 1.5, 20)
        print(f"{len(times)} requests beside the attack: {wrong} wrong")
        print(f"median {statistics.median(times) * 1000:.0f} ms, p99 {late * 1000:.0f} ms")
        print(f"memory {base >> 20} MB before, {memory(server) >> 20} MB after")


def schemathesis(project: Path) -> None:
    """Check every operation of the OpenAPI description."""
    with serving(project) as server:
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}api/openapi.json"]
        subprocess.run(
            [*command, "--url", server.url.rstrip("/"), "--max-examples", "20", "--no-color"], check=False, cwd=project
        )


def start(project: Path) -> None:
    """Print how long a start takes: until the first query is answered."""
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        with serving(project) as server:
            server.query("ASK {}")
            took.append(time.perf_counter() - begun)
    print(f"start to first answer: median {statistics.median(took):.2f} s of {len(took)}, limit 0.7 s")


def main() -> None:
    """Measure what is asked for."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--abuse", type=int, metavar="SECONDS")
    given.add_argument("--schemathesis", action="store_true")
    given.add_argument("--start", action="store_true")
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = built_project(Path(folder))
        if options.start:
            start(project)
        if options.abuse:
            abuse(project, options.abuse)
        if options.schemathesis:
            schemathesis(project)
        if not (options.abuse or options.schemathesis or options.start):
            compare(project)


if __name__ == "__main__":
    main()
