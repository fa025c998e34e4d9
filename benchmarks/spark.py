"""Compile one large table in processes and on Spark: `python benchmarks/spark.py [STATEMENTS] [MASTER]`.

Needs the packages of `kgbuild[spark,fast]`: run `.ci/spark`, then `PYTHONPATH=. .spark/bin/python benchmarks/spark.py`.
Both compile in as many processes as there are processors, into files and no store; the sorted quads must be equal. Wall
seconds; those of Spark with the start of the session.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from kgbuild import spark, starting
from kgbuild.diagnostics import Report
from kgbuild.large import Large
from kgbuild.pool import default_jobs
from kgbuild.project import load_project
from kgbuild.sources import read_sources
from kgbuild.validate import load_shapes

RECORD = """dataset: {id: drinks, title: Drinks, description: Caffeine in drinks., publisher: An office, release: "1",
  license: "https://creativecommons.org/publicdomain/zero/1.0/", citation: Drinks., method: Measured., limits: None.}
"""
HEADING = "id,statement,subject,predicate,object,measure,value,unit,record"


def main(count: int, master: str) -> None:
    """Print statements a second of both."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        lay(root, count)
        started = time.perf_counter()
        sources = read_sources(load_project(root), Report())
        large = Large(sources, load_shapes(sources.ontology.shapes), "auto", root / "kept", default_jobs(), Report())
        files = [part.file for part in large.parts()]
        pool = time.perf_counter() - started
        started = time.perf_counter()
        made = spark.build(root, master=master, output=f"{folder}/out", conf={"spark.ui.enabled": "false"})
        cluster = time.perf_counter() - started
        parts = [Path(folder, "out", part["path"]) for part in made.manifest["parts"] if part["table"]]
        print(
            f"{count:,} statements, {sum(part['quads'] for part in made.manifest['parts']):,} quads, {len(parts)} parts"
        )
        print(f"processes  {pool:7.1f} s  {count / pool:8,.0f} statements a second")
        print(f"Spark      {cluster:7.1f} s  {count / cluster:8,.0f} statements a second, {master}")
        print(f"bytes of a part: {sum(path.stat().st_size for path in parts) // len(parts):,}")
        if digest(files) != digest(parts):
            raise SystemExit("the quads differ")


def lay(root: Path, count: int) -> None:
    """Write a project with one table of statements."""
    starting.init(root)
    settings = (root / "kgbuild.toml").read_text()
    (root / "kgbuild.toml").write_text(f"large = 1000\n{settings}")
    entity = "- {id: %s, label: %s, category: %s, definition: A thing of the table.}\n"
    (root / "data/entities/more.yaml").write_text("entities:\n" + entity % ("some-drink", "some drink", "drink"))
    folder = root / "data/datasets"
    folder.mkdir(exist_ok=True)
    (folder / "drinks.yaml").write_text(RECORD)
    (folder / "drinks.records.csv").write_text("id,kind,title\nr1,entry,Drinks\n")
    rows = (
        f"d{n},Drink {n} holds {n} mg.,some-drink,contains,caffeine,content,{n}.5,mg/(100.g),r1" for n in range(count)
    )
    (folder / "drinks.csv").write_text("\n".join([HEADING, *rows, ""]))


def digest(files: Iterable[Path]) -> str:
    """Return a digest of the sorted quads of some files."""
    lines = [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]
    return hashlib.sha256(json.dumps(sorted(line.decode() for line in lines)).encode()).hexdigest()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, sys.argv[2] if len(sys.argv) > 2 else "local[*]")
