"""One piece of work of a benchmark, in the environment of who does it: `PYTHON benchmarks/jobs.py JOB FOLDER`.

Each job reads what `run.py` laid into the folder, does its work and writes its result there; it prints the CPU seconds
of the work alone (without imports and the making of its input) and what it counted, as JSON.
Peers are used as their documentation says is fastest.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARD = 1000


class Clock:
    """CPU seconds of this process, its threads and its children."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done within."""
        start, wall = _cpu(), time.perf_counter()
        yield
        self.cpu += _cpu() - start
        self.wall += time.perf_counter() - wall


def _cpu() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


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


def _rows(folder: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    with (folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), json.loads((folder / "columns.json").read_text("utf-8"))


# --- load and query --------------------------------------------------------------------------------------------------


def load_kgbuild(folder: Path, clock: Clock) -> int:
    """Load N-Quads into a store on disk, as a build does."""
    from kgbuild.store import OxigraphStore

    with clock.running():
        OxigraphStore.write(folder / "store", folder / "compile-kgbuild.nq", folder / "descriptions.nq")
    return len(OxigraphStore.open(folder / "store").store)


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
    from kgbuild.validate import Screen, judge

    shapes = (folder / "shapes.nt").read_text("utf-8")
    found, count = set(), 0
    judge("", "")  # imports what it needs
    with clock.running():
        screen = Screen(shapes, "auto", parts=True)
    for text in shards_of(folder / "faulty.nt"):
        with clock.running():
            found |= screen.violations(text)
        count += text.count("\n")
    _write_results(folder, "kgbuild", {(v.shape, v.focus, v.path, v.value) for v in found})
    return count


def validate_two_processes(folder: Path, clock: Clock) -> int:
    """Screen shard by shard in two processes, as `--jobs 2` does."""
    from data import shards_of
    from kgbuild.pool import run
    from kgbuild.validate import Screen

    screen = Screen((folder / "shapes.nt").read_text("utf-8"), "auto", parts=True)
    found, shards = set(), list(shards_of(folder / "faulty.nt"))
    with clock.running():
        for violations in run(screen.violations, iter(shards), 2, lambda _: "a shard"):
            found |= violations
    _write_results(folder, "two_processes", {(v.shape, v.focus, v.path, v.value) for v in found})
    return sum(text.count("\n") for text in shards)


def validate_pyshacl(folder: Path, clock: Clock) -> int:
    """Validate the whole graph."""
    import rdflib
    from pyshacl import validate

    with clock.running():
        data, laws = (rdflib.Graph().parse(folder / name, format="nt") for name in ("faulty.nt", "shapes.nt"))
        _, results, _ = validate(data, shacl_graph=laws, advanced=False)
    _write_report(folder, "pyshacl", results)
    return len(data)


def validate_pyshifty(folder: Path, clock: Clock) -> int:
    """Validate the whole graph."""
    import rdflib
    import shifty

    with clock.running():
        validator = shifty.PreparedValidator(folder / "shapes.nt")
        _, results, _ = validator.validate(folder / "faulty.nt", infer=False, graph_mode="data")
    _write_report(folder, "pyshifty", results)
    assert isinstance(results, rdflib.Graph)
    return sum(1 for _ in (folder / "faulty.nt").open("rb"))


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
    (folder / f"validate-{name}.json").write_text(json.dumps(sorted(results)), "utf-8")


if __name__ == "__main__":
    job, where = sys.argv[1], Path(sys.argv[2])
    sys.path.insert(0, os.fspath(Path(__file__).parent))
    taken = Clock()
    number = globals()[job](where, taken)
    print(json.dumps({"cpu": taken.cpu, "wall": taken.wall, "count": number}))
