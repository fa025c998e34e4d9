"""One piece of work of a benchmark, in the environment of who does it: `PYTHON benchmarks/jobs.py JOB FOLDER [LIMIT]`.

Each job reads what `run.py` laid into the folder, does its work and writes its result there; it prints the CPU seconds
of the work alone (without imports and the making of its input) and what it counted, as JSON; a job that has worked for
LIMIT CPU seconds is cut off, and counts nothing. Peers are used as their documentation says is fastest.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import http.client
import itertools
import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SHARD = 1000
HELD = 20_000  # claims; of more, a store is kept on disk


class CutOff(BaseException):  # no error, and no library is to catch it
    """The job has worked as long as it may."""


class Clock:
    """CPU seconds of this process, its threads and its children, and of a server that works for it."""

    def __init__(self, limit: float = 0) -> None:
        self.cpu = self.wall = 0.0
        self.limit = limit
        self.server = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done within, and end it at the limit."""
        signal.signal(signal.SIGPROF, _cut_off)
        signal.setitimer(signal.ITIMER_PROF, max(self.limit - self.cpu, 0.001) if self.limit else 0)
        start, wall = self._cpu(), time.perf_counter()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.cpu += self._cpu() - start
            self.wall += time.perf_counter() - wall

    def _cpu(self) -> float:
        uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        served = time.clock_gettime(~self.server << 3 | 2) if self.server else 0.0  # Linux: the clock of a process
        return sum(use.ru_utime + use.ru_stime for use in uses) + served


def _cut_off(_: int, __: FrameType | None) -> None:
    raise CutOff


# --- compile: claims become quads in N-Quads -------------------------------------------------------------------------


def compile_kgbuild(folder: Path, clock: Clock) -> int:
    """Mint shard by shard into a file, trusty URIs and all."""
    from data import claims_of, context_and_pattern
    from kgbuild.moulds import Minter
    from kgbuild.shards import compile_shard, plan

    context, pattern = context_and_pattern()
    minter, count = Minter(context), 0
    total = json.loads((folder / "size.json").read_text())["claims"]
    with (folder / "compile-kgbuild.nq").open("w", encoding="utf-8") as file:
        for start in range(0, total, SHARD):
            claims = claims_of(pattern, range(start, min(start + SHARD, total)))
            (shard,) = plan(claims, context, SHARD)
            with clock.running():
                text = "".join([item.text for item in compile_shard(shard, minter).nanopublications])
                file.write(text)
            count += text.count("\n")
    return count


def compile_pyoxigraph(folder: Path, clock: Clock) -> int:
    """Make objects and serialise them; nothing is hashed, the names are given."""
    import pyoxigraph as ox

    rows, columns = _rows(folder)
    count = 0
    with clock.running(), (folder / "compile-pyoxigraph.nq").open("wb") as file:
        for start in range(0, len(rows), SHARD):
            quads = []
            for row in rows[start : start + SHARD]:
                for column in columns:
                    if value := row[column["name"]]:
                        kind = column["kind"]
                        target: Any
                        if kind == "iri":
                            target = ox.NamedNode(value)
                        elif column["language"]:
                            target = ox.Literal(value, language=column["language"])
                        else:
                            target = ox.Literal(value, datatype=ox.NamedNode(column["datatype"]))
                        quads.append(
                            ox.Quad(
                                ox.NamedNode(row[column["subject"]]),
                                ox.NamedNode(column["predicate"]),
                                target,
                                ox.NamedNode(row[column["graph"]]),
                            )
                        )
            count += len(quads)
            ox.serialize(quads, file, format=ox.RdfFormat.N_QUADS)
    return count


def compile_rdflib(folder: Path, clock: Clock) -> int:
    """Add quads to a dataset and serialise it; nothing is hashed, the names are given."""
    import rdflib

    rows, columns = _rows(folder)
    with clock.running():
        dataset = rdflib.Dataset()
        for row in rows:
            for column in columns:
                if value := row[column["name"]]:
                    target: Any
                    if column["kind"] == "iri":
                        target = rdflib.URIRef(value)
                    elif column["language"]:
                        target = rdflib.Literal(value, lang=column["language"])
                    else:
                        target = rdflib.Literal(value, datatype=rdflib.URIRef(column["datatype"]), normalize=False)
                    subject, graph = rdflib.URIRef(row[column["subject"]]), rdflib.URIRef(row[column["graph"]])
                    dataset.add((subject, rdflib.URIRef(column["predicate"]), target, graph))
        dataset.serialize(folder / "compile-rdflib.nq", format="nquads")
        return len(dataset)


def compile_morph_kgc(folder: Path, clock: Clock) -> int:
    """Materialise an RML mapping over CSV, in one process; nothing is hashed, the names are given."""
    import morph_kgc

    settings = (
        f"[CONFIGURATION]\nnumber_of_processes: 1\noutput_format: N-QUADS\nlogging_level: ERROR\nna_values: ,\n"
        f"[claims]\nmappings: {folder}/mapping.ttl\n"
    )
    with clock.running():
        quads = morph_kgc.materialize_set(settings)
        with (folder / "compile-morph_kgc.nq").open("w", encoding="utf-8") as file:
            file.writelines(f"{quad} .\n" for quad in quads)
    return len(quads)


def compile_maplib(folder: Path, clock: Clock) -> int:
    """Map a frame with an OTTR template; it cannot write a graph or a language for each row, so these are left out."""
    import polars
    from maplib import Model

    frame = polars.read_csv(folder / "claims.csv", infer_schema_length=0)
    for column in json.loads((folder / "columns.json").read_text("utf-8")):
        name, kind = column["name"], column["datatype"].rpartition("#")[2]
        if kind == "boolean":
            frame = frame.with_columns(polars.col(name) == "true")
        elif kind == "dateTime":
            frame = frame.with_columns(polars.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"))
    template = (folder / "template.stottr").read_text("utf-8")
    with clock.running():
        model = Model()
        model.add_template(template)
        model.map("http://example.org/claim", frame)
        model.write(str(folder / "compile-maplib.nq"), format="ntriples")
    return sum(1 for _ in (folder / "compile-maplib.nq").open("rb"))


def compile_linkml(folder: Path, clock: Clock) -> int:
    """Dump objects of generated Pydantic classes; LinkML knows neither graphs nor languages, so these are left out."""
    import rdflib
    from linkml.generators.pydanticgen import PydanticGenerator
    from linkml_runtime.dumpers.rdflib_dumper import RDFLibDumper
    from linkml_runtime.utils.schemaview import SchemaView

    rows, columns = _rows(folder)
    logging.disable(logging.WARNING)  # about prefixes
    schema, types = _linkml_schema(rows, columns)
    module = PydanticGenerator(schema).compile_module()
    view, dumper, graph = SchemaView(schema), RDFLibDumper(), rdflib.Graph()
    classes = [
        (getattr(module, role.title().replace("_", "")), role, [
            column["name"] for column in columns if column["subject"] == role and column["name"] not in types
        ])
        for role in dict.fromkeys(column["subject"] for column in columns)
    ]  # fmt: skip
    with clock.running():
        for row in rows:
            for made, role, names in classes:
                values = {name: row[name] for name in names if row[name]}
                dumper.inject_triples(made(id=row[role], **values), view, graph)
        graph.serialize(folder / "compile-linkml.nt", format="nt", encoding="utf-8")
    lines = (folder / "compile-linkml.nt").read_text("utf-8").splitlines(keepends=True)
    needless = f"<{_LINKML}"  # a type of what has none here: the dumper writes one for each object
    (folder / "compile-linkml.nq").write_text("".join(line for line in lines if needless not in line), "utf-8")
    return len(lines)


_LINKML = "http://example.org/class/"
_RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def _linkml_schema(rows: list[dict[str, str]], columns: list[dict[str, str]]) -> tuple[str, set[str]]:
    """Return a schema with a class for each subject, and the columns that say the class: the same in all rows."""
    types = {
        column["subject"]: column["name"]
        for column in columns
        if column["predicate"] == _RDF_TYPE and len({row[column["name"]] for row in rows}) == 1
    }
    ranges = {"boolean": "boolean", "dateTime": "datetime"}
    described: dict[str, Any] = {}
    for column in columns:
        role, name = column["subject"], column["name"]
        uri = rows[0][types[role]] if role in types else _LINKML + role
        known = described.setdefault(
            role, {"class_uri": uri, "attributes": {"id": {"identifier": True, "range": "uriorcurie"}}}
        )
        if name not in types.values():
            iri = column["kind"] == "iri"
            kind = "uriorcurie" if iri else ranges.get(column["datatype"].rpartition("#")[2], "string")
            known["attributes"][name] = {"slot_uri": column["predicate"], "range": kind}
    schema = {
        "id": "http://example.org/schema",
        "name": "claims",
        "prefixes": {"linkml": "https://w3id.org/linkml/", "xsd": "http://www.w3.org/2001/XMLSchema#"},
        "imports": ["linkml:types"],
        "default_range": "string",
        "classes": described,
    }
    return json.dumps(schema), set(types.values())


def _rows(folder: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    with (folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), json.loads((folder / "columns.json").read_text("utf-8"))


# --- shards: a large table of claims is read, checked, written as quads, screened, kept -------------------------------


def shards_kgbuild(folder: Path, clock: Clock) -> int:
    """Compile in one process."""
    return _shards(folder, clock, "kgbuild", 1)


def shards_two_processes(folder: Path, clock: Clock) -> int:
    """Compile in two processes."""
    return _shards(folder, clock, "two_processes", 2)


def _shards(folder: Path, clock: Clock, who: str, jobs: int) -> int:
    """Compile a project; on the clock is what `--jobs` spreads over processes: all from the table to files of quads."""
    from kgbuild.compilation import compile_project
    from kgbuild.diagnostics import Report
    from kgbuild.large import Large, Part
    from kgbuild.sources import Sources
    from kgbuild.validate import Shapes

    parts: list[Part] = []

    def elsewhere(sources: Sources, shapes: Shapes, report: Report) -> Large:
        large = Large(sources, shapes, "auto", folder / f"shards-{who}", jobs, report)
        with clock.running():
            parts.extend(large.parts())
        return large

    compile_project(folder / "project", elsewhere=elsewhere)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.file.read_bytes())
    (folder / f"shards-{who}.json").write_text(json.dumps([digest.hexdigest(), sum(part.quads for part in parts)]))
    return sum(part.records for part in parts)


# --- load and query --------------------------------------------------------------------------------------------------


def load_kgbuild(folder: Path, clock: Clock) -> int:
    """Load N-Quads into a store on disk, as a build does."""
    from kgbuild.store import OxigraphStore

    with clock.running():
        OxigraphStore.write(folder / "store", folder / "compile-kgbuild.nq", folder / "descriptions.nq")
    return len(OxigraphStore.open(folder / "store").store)


def load_oxigraph(folder: Path, clock: Clock) -> int:
    """Load N-Quads into a store on disk, and optimise it, as is done for kgbuild."""
    store = str(folder / "store-oxigraph")
    files = [f"--file={folder / name}" for name in ("compile-kgbuild.nq", "descriptions.nq")]
    with clock.running():
        _oxigraph("load", "--location", store, *files)
        _oxigraph("optimize", "--location", store)
    count = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
    return int(_oxigraph("query", "--location", store, "--query", count, "--results-format", "csv").split()[1])


def _oxigraph(*arguments: str) -> str:
    """Run the program of this environment to its end."""
    program = str(Path(sys.executable).with_name("oxigraph"))
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def load_rdflib(folder: Path, clock: Clock) -> int:
    """Load N-Quads into memory."""
    with clock.running():
        return len(_dataset(folder))


def query_kgbuild(folder: Path, clock: Clock) -> int:
    """Ask the store on disk."""
    from kgbuild.store import OxigraphStore, Solutions

    store, answers = OxigraphStore.open(folder / "store"), {}
    for name, text in json.loads((folder / "queries.json").read_text("utf-8")).items():
        with clock.running():
            answer = store.query(text)
        assert isinstance(answer, Solutions)
        answers[name] = sorted(sorted(row.items()) for row in answer.dicts())
    (folder / "query-kgbuild.json").write_text(json.dumps(answers), "utf-8")
    return sum(map(len, answers.values()))


def query_oxigraph(folder: Path, clock: Clock) -> int:
    """Ask the program's server over HTTP, which opens the store once; its CPU seconds count."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    command = [str(Path(sys.executable).with_name("oxigraph")), "serve-read-only", "--union-default-graph"]
    command += ["--location", str(folder / "store-oxigraph"), "--bind", address]
    answers = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            clock.server = server.pid
            _post(address, "ASK {}")
            for name, text in json.loads((folder / "queries.json").read_text("utf-8")).items():
                with clock.running():
                    answer = _post(address, text)
                rows = json.loads(answer)["results"]["bindings"]
                answers[name] = sorted(sorted((key, term["value"]) for key, term in row.items()) for row in rows)
        finally:
            server.terminate()
    (folder / "query-oxigraph.json").write_text(json.dumps(answers), "utf-8")
    return sum(map(len, answers.values()))


def _post(address: str, query: str) -> bytes:
    """Send a query, again and again until the server has started."""
    heads = {"Content-Type": "application/sparql-query", "Accept": "application/sparql-results+json"}
    for _ in range(600):
        with contextlib.suppress(ConnectionRefusedError):
            connection = http.client.HTTPConnection(address)
            connection.request("POST", "/query", query, heads)
            response = connection.getresponse()
            assert response.status == 200
            return response.read()
        time.sleep(0.05)
    raise TimeoutError(f"no server at {address}")


def query_rdflib(folder: Path, clock: Clock) -> int:
    """Ask a dataset in memory."""
    dataset, answers = _dataset(folder), {}
    for name, text in json.loads((folder / "queries.json").read_text("utf-8")).items():
        with clock.running():
            rows = [row.asdict() for row in dataset.query(text)]  # type: ignore[union-attr]
        answers[name] = sorted(sorted((key, str(value)) for key, value in row.items()) for row in rows)
    (folder / "query-rdflib.json").write_text(json.dumps(answers), "utf-8")
    return sum(map(len, answers.values()))


def _dataset(folder: Path) -> Any:
    import rdflib

    dataset = rdflib.Dataset(default_union=True)
    for name in ("compile-kgbuild.nq", "descriptions.nq"):
        dataset.parse(folder / name, format="nquads")
    return dataset


# --- validate: local shapes, one claim in a hundred faulty ------------------------------------------------------------


def validate_kgbuild(folder: Path, clock: Clock) -> int:
    """Screen shard by shard."""
    from data import shards_of
    from kgbuild.validate import Screen, fast_engine, judge

    shapes = (folder / "local-shapes.nt").read_text("utf-8")
    found, count = set(), 0
    fast_engine(), judge("", "")  # imports what they need
    with clock.running():
        screen = Screen(shapes, "auto", parts=True)
    for texts in shards_of(folder / "faulty.nt"):
        with clock.running():
            found |= screen.violations(*texts)
        count += sum(text.count("\n") for text in texts)
    _write_results(folder, "-kgbuild", {(v.shape, v.focus, v.path, v.value) for v in found})
    return count


def validate_pyshacl(folder: Path, clock: Clock) -> int:
    """Validate the whole graph."""
    import rdflib
    from pyshacl import validate

    with clock.running():
        data, laws = (rdflib.Graph().parse(folder / name, format="nt") for name in ("faulty.nt", "local-shapes.nt"))
        _, results, _ = validate(data, shacl_graph=laws, advanced=False)
    _write_report(folder, "-pyshacl", results)
    return len(data)


def validate_pyshifty(folder: Path, clock: Clock) -> int:
    """Validate the whole graph."""
    import rdflib
    import shifty

    with clock.running():
        validator = shifty.PreparedValidator(folder / "local-shapes.nt")
        _, results, _ = validator.validate(folder / "faulty.nt", infer=False, graph_mode="data")
    _write_report(folder, "-pyshifty", results)
    assert isinstance(results, rdflib.Graph)
    return sum(1 for _ in (folder / "faulty.nt").open("rb"))


# --- validate_all: all shapes, those with sh:sparql too, on claims and on all they name ----------------------------


def validate_all_kgbuild(folder: Path, clock: Clock) -> int:
    """Screen shard by shard, load a store, and run the rules on it; reading the files is on the clock as well."""
    from data import article, shards_of
    from kgbuild.diagnostics import Report
    from kgbuild.lines import without_graphs
    from kgbuild.store import OxigraphStore
    from kgbuild.validate import Screen, check_rules, fast_engine, judge

    shapes, report, count = article().shapes, Report(), 0
    held = json.loads((folder / "size.json").read_text())["claims"] <= HELD
    fast_engine(), judge("", "")  # imports what they need

    def pieces(screen: Screen) -> Iterator[bytes]:
        """Screen each shard on its way into the store."""
        nonlocal count
        for texts in itertools.chain([[(folder / "about.nq").read_text("utf-8")]], shards_of(folder / "faulty.nq")):
            found.update(screen.violations(*map(without_graphs, texts)))
            quads = "".join(texts)
            count += quads.count("\n")
            yield quads.encode()

    with clock.running():
        found: set[Any] = set()
        made = pieces(Screen(shapes.local, "auto", parts=True))
        if held:
            store = OxigraphStore.of(b"".join(made))
        else:
            store = OxigraphStore.temporary()
            store.add_all(made)
        found |= check_rules(shapes, store, report)
    assert not report.findings
    _write_results(folder, "_all-kgbuild", {(v.shape, v.focus, v.path, v.value) for v in found})
    return count


def validate_all_pyshacl(folder: Path, clock: Clock) -> int:
    """Validate the whole graph; constraints with sh:sparql need no `advanced`."""
    import rdflib
    from pyshacl import validate

    rdflib.NORMALIZE_LITERALS = False  # or "01" would be told as "1"
    with clock.running():
        data = rdflib.Graph()
        for name in ("about.nt", "faulty.nt"):
            data.parse(folder / name, format="nt")
        laws = rdflib.Graph().parse(folder / "all-shapes.nt", format="nt")
        _, results, _ = validate(data, shacl_graph=laws, advanced=False)
    _write_report(folder, "_all-pyshacl", results)
    return len(data)


def _write_report(folder: Path, name: str, results: Any) -> None:
    import rdflib

    sh = rdflib.Namespace("http://www.w3.org/ns/shacl#")

    def value(node: Any, predicate: str) -> str:
        term = results.value(node, sh[predicate])
        return "" if term is None or isinstance(term, rdflib.BNode) else str(term)

    nodes = results.subjects(rdflib.RDF.type, sh.ValidationResult)
    fields = ("sourceShape", "focusNode", "resultPath", "value")
    _write_results(folder, name, {tuple(value(node, field) for field in fields) for node in nodes})


def _write_results(folder: Path, name: str, results: set[tuple[str, ...]]) -> None:
    (folder / f"validate{name}.json").write_text(json.dumps(sorted(results)), "utf-8")


# --- render: the pages of a site -------------------------------------------------------------------------------------


def render_kgbuild(folder: Path, clock: Clock) -> int:
    """Plan and render in one process."""
    return _render(folder, clock, "kgbuild", 1)


def render_two_processes(folder: Path, clock: Clock) -> int:
    """Plan and render in two processes."""
    return _render(folder, clock, "two_processes", 2)


def render_jinja2(_: Path, clock: Clock) -> int:
    """Render pages of 8 kB from a template, with nothing to gather and nothing to plan."""
    from pages import plain

    with clock.running():
        return plain(10_000)


def _render(folder: Path, clock: Clock, who: str, jobs: int) -> int:
    from pages import digest, gathered, render

    given = gathered(folder / "site")
    with clock.running():
        pages = render(given, jobs)
    (folder / f"render-{who}.json").write_text(json.dumps(digest(pages)))
    return len(pages)


if __name__ == "__main__":
    job, where, seconds = sys.argv[1], Path(sys.argv[2]), float([*sys.argv, "0"][3])
    sys.path.insert(0, os.fspath(Path(__file__).parent))
    taken = Clock(seconds)
    try:
        number: int | None = globals()[job](where, taken)
    except CutOff:
        number = None
    print(json.dumps({"cpu": taken.cpu, "wall": taken.wall, "count": number}))
