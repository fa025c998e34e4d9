"""The Apache Spark engine: large tables are compiled on the machines of a cluster, and written as parts of the graph.

Each task reads one stretch of a table and hands it to the very shard functions of a build on one machine; a task that
is run twice writes the same bytes under the same name. What can be told only of all shards is asked of Spark, so that
the driver never holds the names of all records. `manifest.json`, written last, says which parts make the graph.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import gzip
import hashlib
import itertools
import json
import os
import pickle
import re
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kgbuild.compilation import Compilation, Timings, compile_project
from kgbuild.diagnostics import AbsentError, KgbuildError, Report, Span, UnreadableError
from kgbuild.folders import HeldFolder, LocalFolder, Storage, folder_of
from kgbuild.kinds import shards_of
from kgbuild.large import Gathered, of_claims
from kgbuild.project import Project, load_project, locked
from kgbuild.read.streams import Split, Table
from kgbuild.shards import Compiled, Shards, Task, facts_of, file_of
from kgbuild.sources import Sources, fingerprint, tool_digest
from kgbuild.validate import BrokenShapesError, Shapes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    Batches = Iterator[Any]

MANIFEST = "manifest.json"
PARTS, KEPT, TABLES = "parts", "kept", "tables"
"""The folders of the output: what makes the graph, what is known of it, and tables put there for the workers."""
_SHARDS = 16
"""Shards that a task compiles, and that make a part."""
_ASKED = ("key", "name", "line")
_ASKS = "asks array<struct<key:string,name:string,line:int>>"
_SCHEMA = f"table int, place long, told binary, names array<string>, used array<string>, {_ASKS}"
_OURS = re.compile(rf"{PARTS}/[0-9a-f]{{40}}\.nq\.gz|{KEPT}/[0-9a-f]{{40}}\.json")
_REPEATED = 10_000
_EMPTY = hashlib.sha256().hexdigest()


class UnsharedError(KgbuildError):
    """A file that a worker cannot read (told across processes by its name)."""


@dataclass(frozen=True, slots=True)
class Made:
    """The outcome of a build on a cluster: what its manifest says, and where it stands."""

    project: Project
    manifest: dict[str, Any]
    location: str
    report: Report
    timings: Timings
    unchanged: bool = False
    compilation: Compilation | None = None

    def lines(self) -> Iterator[str]:
        """Say in words what was made, and what was not."""
        told, parts = self.manifest, self.manifest["parts"]
        counted = (f"{told[name]:,} {name}" for name in ("claims", "articles", "statements", "entities"))
        yield f"{', '.join(counted)}; {told['quads']:,} quads in {len(parts)} parts; validated by {told['engine']}"
        tables: dict[str, int] = {}
        for part in parts:
            if part["table"]:
                tables[part["table"]] = tables.get(part["table"], 0) + part["records"]
        for table, records in tables.items():
            yield f"{table}: {records:,} records compiled on the cluster"
        if not tables:
            yield "no table is larger than the setting `large`: there was nothing for a cluster to do"
        if told["rulesNotRun"]:
            codes = ", ".join(dict.fromkeys(rule["code"] for rule in told["rulesNotRun"]))
            yield f"not run, for they ask the whole graph: the rules {codes}; their queries stand in {MANIFEST}"
        if told["shapesNotRun"]:
            yield f"not judged, for they look at the whole graph: the shapes {', '.join(told['shapesNotRun'])}"
        more = ", and nothing was inferred" if self.project.infer else ""
        yield f"no site and no store were made, no question was asked{more}: load the parts into a store"


def build(
    start: Path | str = ".",
    *,
    master: str | None = None,
    output: str | None = None,
    conf: Mapping[str, str] | None = None,
    texts: Mapping[str, Path] | None = None,
    force: bool = False,
    timings: Timings | None = None,
) -> Made:
    """Compile the project at or above `start` on a Spark cluster, and write its graph as parts below `output`.

    `master` is the address of the cluster; without one that of the session or of Spark's own settings is used, to which
    `conf` adds. `output` is a folder that all workers share, `build/spark` unless given, or the address of a folder in
    an object store. Raises `FindingsError` as any build does; the last good manifest and its parts are then untouched.
    """
    timings = timings or Timings()
    project = load_project(Path(start))
    folder = folder_of(output or str(project.build / "spark"))
    with timings.stage("fingerprint"):
        inputs = fingerprint(project, texts)
    with locked(project), _storing(folder):
        if not force and (last := _last(folder, inputs)) is not None:
            return Made(project, last, str(folder), _findings(last), timings, unchanged=True)
        cluster = _Cluster(folder, master, dict(conf or {}), project.title)
        compilation = compile_project(project.root, texts=texts, timings=timings, elsewhere=cluster.compile)
        with timings.stage("write"):
            manifest = _publish(compilation, cluster.parts, inputs, folder)
    return Made(project, manifest, str(folder), compilation.report, timings, compilation=compilation)


# ---------------------------------------------------------------- the output


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A file of N-Quads of the output: where it is, what it holds, and how to tell that it is whole."""

    path: str
    sha256: str
    bytes: int
    quads: int
    table: str = ""
    records: int = 0


def _store(folder: Storage, name: str, data: bytes, quads: int, table: str = "", records: int = 0) -> StoredPart:
    """Write a part under a name that its content alone decides."""
    path = f"{PARTS}/{file_of(name)}"
    folder.write(path, data)
    return StoredPart(path, hashlib.sha256(data).hexdigest(), len(data), quads, table, records)


def _publish(compilation: Compilation, parts: Iterable[StoredPart], inputs: str, folder: Storage) -> dict[str, Any]:
    """Write what the driver holds, then the manifest; then remove what no manifest names."""
    data = gzip.compress(compilation.nquads, compresslevel=6, mtime=0)
    held = _store(folder, hashlib.sha256(compilation.nquads).hexdigest()[:40], data, compilation.size)
    every = (held, *parts)
    sizes = folder.sizes(PARTS)
    if lost := [part.path for part in every if sizes.get(part.path) != part.bytes]:
        hint = "the folder must be one that the workers and this machine share"
        raise UnreadableError(f"{folder} lacks {len(lost)} parts, such as {lost[0]}: {hint}")
    manifest = _manifest(compilation, every, inputs)
    folder.write(MANIFEST, (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode())
    paths = {part["path"] for part in manifest["parts"]}
    known = {f"{KEPT}/{path.removeprefix(f'{PARTS}/').removesuffix('.nq.gz')}.json" for path in paths}
    for name in sorted({*folder.sizes(PARTS), *folder.sizes(KEPT)} - paths - known):
        if _OURS.fullmatch(name):
            folder.delete(name)
    return manifest


def _manifest(compilation: Compilation, parts: tuple[StoredPart, ...], inputs: str) -> dict[str, Any]:
    from kgbuild import __version__
    from kgbuild.reporting import as_json

    sources, project, shapes = compilation.sources, compilation.project, compilation.shapes.described
    held = {"articles": len(sources.articles), "claims": len(sources.claims)}
    held["statements"] = sum(len(dataset.statements) for dataset in sources.datasets)
    counts = {name: number + compilation.counts[name] for name, number in held.items()}
    digests = hashlib.sha256("".join([part.sha256 for part in parts]).encode())
    return {
        "kgbuild": __version__,
        "title": project.title,
        "version": project.version,
        "license": project.license,
        "base": project.base,
        "inputs": inputs,
        "output": digests.hexdigest(),
        "engine": compilation.engine,
        "quads": sum(part.quads for part in parts),
        **counts,
        "entities": len(sources.entities),
        "parts": [{name: getattr(part, name) for name in StoredPart.__slots__} for part in parts],
        "rulesNotRun": [
            {"code": shapes[rule.shape].code, "message": shapes[rule.shape].message, "query": rule.sparql()}
            for rule in compilation.unasked
        ],
        "shapesNotRun": list(compilation.shapes.far) if compilation.unasked else [],
        **as_json(compilation.report.sorted()),
    }


def _last(folder: Storage, inputs: str) -> dict[str, Any] | None:
    """Return the last manifest where it was made of the same inputs and all its parts are there."""
    try:
        manifest: dict[str, Any] = json.loads(folder.read(MANIFEST))
        sizes = folder.sizes(PARTS)
        whole = all(sizes.get(part["path"]) == part["bytes"] for part in manifest["parts"])
        return manifest if manifest["inputs"] == inputs and whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _findings(manifest: dict[str, Any]) -> Report:
    from kgbuild.reporting import from_json

    return Report(from_json(manifest))


@contextlib.contextmanager
def _storing(folder: Storage) -> Iterator[None]:
    """Tell what storage cannot do in a sentence."""
    try:
        yield
    except OSError as error:
        words = error.strerror or str(error).splitlines()[0]
        raise UnreadableError(f"cannot use {folder}: {words}; the last manifest is untouched") from error


# ---------------------------------------------------------------- the driver


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What one task compiles: a split of a table, and the name of the copy in the output that it is read from."""

    table: int
    split: Split
    copy: str | None


class _Cluster:
    """A Spark cluster at work for one build: compiles what is large, and remembers the parts."""

    def __init__(self, folder: Storage, master: str | None, conf: dict[str, str], title: str) -> None:
        self.folder, self.master, self.conf, self.title = folder, master, conf, title
        self.parts: list[StoredPart] = []

    def compile(self, sources: Sources, shapes: Shapes, report: Report) -> Gathered:
        """Compile every large table on the cluster, and put together what is told of its shards."""
        gathered = Gathered(sources, report)
        made = (shards_of(sources, large, shapes, "auto", HeldFolder()) for large in sources.large)
        tables = tuple(shards for shards in made if shards is not None)
        if tables:
            with _session(self.master, self.conf, self.title) as session, self._copied(tables) as copies:
                reports = tuple(Report() for _ in tables)
                stretches = tuple(_stretches(tables, copies, reports))
                job = pickle.dumps(_Job(self.folder, tables, stretches), pickle.HIGHEST_PROTOCOL)
                with _translated():
                    self._gather(session, _told(session, job, len(stretches)), tables, reports, gathered)
        return gathered

    @contextlib.contextmanager
    def _copied(self, tables: tuple[Shards, ...]) -> Iterator[dict[int, str]]:
        """Put into the output, for as long as they are needed, the tables that workers could not read a piece of."""
        copies = {}
        try:
            for number, table in enumerate(shards.table for shards in tables):
                if table.packed or not isinstance(self.folder, LocalFolder):
                    name = table.file.name.removesuffix(f".{table.packed}")
                    copies[number] = f"{TABLES}/{number}-{name}"
                    self.folder.copy(copies[number], _unpacked(table))
            yield copies
        finally:
            for name in copies.values():
                self.folder.delete(name)

    def _gather(
        self,
        session: SparkSession,
        told: DataFrame,
        tables: tuple[Shards, ...],
        reports: tuple[Report, ...],
        gathered: Gathered,
    ) -> None:
        """Take what is told in the order of the tables and their rows, as a build on one machine does."""
        claims = [number for number, shards in enumerate(tables) if of_claims(shards)]
        together = dict.fromkeys(claims, -1)  # their names differ in a whole project
        repeated = _repeated(told, together)
        used = _by_table(told.selectExpr("table", "explode(used) name").distinct())
        rows = told.orderBy("table", "place").select("table", "told").toLocalIterator()
        groups = itertools.groupby(rows, lambda row: int(row.table))
        group = next(groups, None)
        taken: list[int] = []
        for number, shards in enumerate(tables):
            gathered.report.extend(reports[number])
            runs: Iterator[_Run] = iter(())
            if group is not None and group[0] == number:
                runs = (pickle.loads(row.told) for row in group[1])  # noqa: S301  # this program wrote it
            if self._take(runs, shards, gathered):
                taken.append(number)
                gathered.finish(shards, used.get(number, set()))
            if group is not None and group[0] == number:
                group = next(groups, None)
        for mark, names in sorted(repeated.items()):
            those = [tables[number] for number in taken if together.get(number, number) == mark]
            gathered.report_repeated(those, names)
        gathered.report_unknown(_unknown(session, told, tables, claims, gathered) if claims else gathered.asks)

    def _take(self, runs: Iterator[_Run], shards: Shards, gathered: Gathered) -> bool:
        """Take what is told of a table; return whether it was taken to its end."""
        for run in runs:
            self.parts += [run.part] if run.part is not None else []
            for shard in run.shards:
                gathered.add(shard, shards)
                if gathered.overflows:
                    return False
        return True


def _unpacked(table: Table) -> Iterator[bytes]:
    """Return a table's bytes, up to where it cannot be read: whoever cuts it tells what is wrong."""
    with table.readable(Report()), table.opened() as stream:
        while block := stream.read1(1 << 20):
            yield block


def _stretches(
    tables: tuple[Shards, ...], copies: Mapping[int, str], reports: tuple[Report, ...]
) -> Iterator[_Stretch]:
    for number, shards in enumerate(tables):
        for split in shards.table.splits(shards.fields, shards.size, _SHARDS, reports[number]):
            yield _Stretch(number, split, copies.get(number))


def _told(session: SparkSession, job: bytes, count: int) -> DataFrame:
    """Return what is told of each run of shards: computed once, and kept by the workers."""
    from pyspark import StorageLevel

    numbers = session.range(0, count, 1, max(1, count))
    return numbers.mapInArrow(functools.partial(_compile, job), _SCHEMA).persist(StorageLevel.DISK_ONLY)


def _repeated(told: DataFrame, together: Mapping[int, int]) -> dict[int, set[str]]:
    """Return names that are given twice, by table; tables whose names must differ `together` have one mark."""
    marks = " ".join(f"WHEN {number} THEN {mark}" for number, mark in together.items())
    table = f"CASE table {marks} ELSE table END table" if together else "table"
    names = told.selectExpr(table, "explode(names) name").groupBy("table", "name").count()
    return _by_table(names.where("count > 1").orderBy("table", "name").limit(_REPEATED))


def _by_table(frame: DataFrame) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for row in frame.toLocalIterator():
        found.setdefault(row.table, set()).add(row.name)
    return found


def _unknown(
    session: SparkSession, told: DataFrame, tables: tuple[Shards, ...], claims: list[int], gathered: Gathered
) -> Iterator[tuple[str, str, Span]]:
    """Return the claims that are referred to and nowhere; names are compared on the cluster."""
    held = {claim.key for claim in gathered.sources.claims}
    names = told.where(told.table.isin(claims)).selectExpr("explode(names) key").distinct()
    asked = told.selectExpr("table", "explode(asks) ask").selectExpr("table", "ask.*").distinct()
    for row in asked.join(names, "key", "left_anti").orderBy("table", "line", "key").toLocalIterator():
        if row.key not in held:
            yield row.key, row.name, Span(tables[row.table].table.path, row.line)
    wanted = sorted({key for key, _, _ in gathered.asks} - held)
    if wanted:
        there = session.createDataFrame([(key,) for key in wanted], "key string").join(names, "key", "left_semi")
        found = {row.key for row in there.toLocalIterator()}
        yield from (asked for asked in gathered.asks if asked[0] not in found and asked[0] not in held)


@contextlib.contextmanager
def _session(master: str | None, conf: dict[str, str], title: str) -> Iterator[SparkSession]:
    """Return the session that runs, or start one and stop it in the end."""
    try:
        import pyarrow  # noqa: F401
        from py4j.protocol import Py4JError
        from pyspark.sql import SparkSession
    except ImportError:
        raise AbsentError("--engine spark needs pyspark and pyarrow: pip install 'kgbuild[spark]'") from None
    running = SparkSession.getActiveSession()
    if running is not None:
        # its workers may ask for the package as long as it runs
        running.addArtifacts(str(_package(Path(tempfile.mkdtemp(prefix="kgbuild-")))), pyfile=True)
        yield running
        return
    _reachable(master)
    builder = SparkSession.builder.appName(f"kgbuild: {title}")
    if master is not None:
        builder = builder.master(master)
    shown = {"spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower()}
    for key, value in (shown | conf).items():
        builder = builder.config(key, value)
    # workers run the Python at the path of this one, unless another is named
    os.environ.setdefault("PYSPARK_PYTHON", conf.get("spark.pyspark.python", sys.executable))
    with tempfile.TemporaryDirectory() as folder:
        with _translated():
            session = builder.getOrCreate()
        try:
            session.addArtifacts(str(_package(Path(folder))), pyfile=True)
            yield session
        finally:
            with contextlib.suppress(ConnectionError, Py4JError):  # where it is gone already
                session.stop()


def _reachable(master: str | None) -> None:
    """Raise `AbsentError` where Java is not there, or no master of a cluster answers: Spark itself waits for long."""
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=str(Path(home) / "bin") if home else None) is None:
        hint = "install one (Debian: apt install openjdk-17-jre-headless) or set JAVA_HOME"
        raise AbsentError(f"Spark needs Java 17 or newer: {hint}")
    if master is None or not master.startswith("spark://"):
        return
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port or 0)), 5):
            return
    raise AbsentError(f"no Spark master answers at {master}")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what Spark raises into a sentence, where it is no fault of this program."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException, PythonException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        words = str(error)
        if found := re.search(r"kgbuild\.spark\.UnsharedError: (.*)", words):
            raise UnreadableError(found[1]) from error
        if found := re.search(r"kgbuild\.validate\.BrokenShapesError: (.*)", words):
            raise BrokenShapesError(found[1]) from error
        if found := re.search(r"(?:ModuleNotFoundError|ImportError): (.*)", words):
            raise AbsentError(f"the workers' Python: {found[1]}; install kgbuild[spark] there") from error
        if isinstance(error, PythonException) and "PYTHON_VERSION_MISMATCH" not in words:
            raise
        lines = [line.strip(" :\t") for line in words.splitlines() if line.strip(" :\t")] or [type(error).__name__]
        told = lines[1] if lines[0].startswith("An error occurred while calling") and len(lines) > 1 else lines[0]
        raise AbsentError(f"Spark failed: {told}") from error


def _package(folder: Path) -> Path:
    """Pack this package for the workers, so that they run the very same code."""
    here = Path(__file__).parent
    path = folder / f"kgbuild-{tool_digest()[:16]}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(here.rglob("*.py")):
            if "node_modules" not in file.parts:
                name = zipfile.ZipInfo(f"kgbuild/{file.relative_to(here).as_posix()}")
                packed.writestr(name, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return path


# ---------------------------------------------------------------- the workers


@dataclass(frozen=True, slots=True)
class _Run:
    """What is told of neighbouring shards that make a part; names, asks and what is used stand beside, for Spark."""

    part: StoredPart | None
    shards: tuple[Compiled, ...]


class _Job:
    """All that a worker must know."""

    def __init__(self, folder: Storage, tables: tuple[Shards, ...], stretches: tuple[_Stretch, ...]) -> None:
        self.folder, self.tables, self.stretches = folder, tables, stretches

    @functools.cached_property
    def taken(self) -> tuple[frozenset[str], ...]:
        """Return for each table the names that are taken before it is read."""
        return tuple(frozenset(shards.known) for shards in self.tables)

    def names(self, table: int, compiled: tuple[Compiled, ...]) -> list[str]:
        """Return the names that must be unique in a table; what is taken already comes twice."""
        names = [name for shard in compiled for name in shard.names]
        return names + [name for name in names if name in self.taken[table]]

    def runs(self, number: int) -> Iterator[tuple[int, int, _Run, tuple[Compiled, ...]]]:
        """Compile a stretch, run by run."""
        stretch = self.stretches[number]
        shards, report = self.tables[stretch.table], Report()
        with self._source(stretch) as file:
            batches = stretch.split.batches(file, report)
            for place in itertools.count():
                held = list(itertools.islice(batches, _SHARDS))
                if not held and not report.findings:
                    return
                part, compiled = self._compile(shards, [shards.task(0, batch) for batch in held])
                if report.findings:  # the table cannot be read on
                    last = compiled[-1] if compiled else _NOTHING
                    compiled = (*compiled[:-1], replace(last, findings=(*last.findings, *report.sorted())))
                yield stretch.table, (number << 24) + place, _Run(part, tuple(map(_bare, compiled))), compiled
                if report.findings:
                    return

    def _source(self, stretch: _Stretch) -> IO[bytes]:
        table = stretch.split.table
        try:
            found: IO[bytes] = self.folder.open(stretch.copy) if stretch.copy else table.file.open("rb")
        except OSError as error:
            words = error.strerror or str(error).splitlines()[0]
            hint = "let the workers share the project's folder at the same path, or give --output an address"
            raise UnsharedError(f"a worker cannot read {stretch.copy or table.file}: {words}; {hint}") from None
        return found

    def _compile(self, shards: Shards, tasks: list[Task]) -> tuple[StoredPart | None, tuple[Compiled, ...]]:
        """Compile neighbouring shards into one part, or take what is known of it."""
        name = hashlib.sha256("".join([task.key for task in tasks]).encode()).hexdigest()[:40]
        path, facts = f"{PARTS}/{file_of(name)}", f"{KEPT}/{name}.json"
        shards.folder = held = HeldFolder()
        known = self._known(path, facts)
        if known is not None:
            part, told = known
            # the part was compared as a whole: its shards are taken from empty files
            held.files = {facts_of(key): json.dumps(fact | {"sha256": _EMPTY}).encode() for key, fact in told.items()}
            held.files |= {file_of(task.key): b"" for task in tasks}
            compiled = tuple(map(shards.compile, tasks))
            if not any(held.files[file_of(task.key)] for task in tasks):
                return part, compiled
        shards.folder = held = HeldFolder()
        compiled = tuple(map(shards.compile, tasks))
        data = b"".join([held.files.get(file_of(task.key), b"") for task in tasks])
        quads = sum(shard.quads for shard in compiled)
        if not quads:
            return None, compiled
        records = sum(shard.counts.get(shards.what, 0) for shard in compiled)
        part = _store(self.folder, name, data, quads, shards.name, records)
        if all(held.has(facts_of(task.key)) for task in tasks):
            told = {task.key: json.loads(held.read(facts_of(task.key))) for task in tasks}
            stored = {slot: getattr(part, slot) for slot in StoredPart.__slots__}
            self.folder.write(facts, json.dumps({"part": stored, "shards": told}).encode())
        return part, compiled

    def _known(self, path: str, facts: str) -> tuple[StoredPart, dict[str, Any]] | None:
        """Return a part that was written before, and what is known of its shards; None where it is not there whole."""
        try:
            found = json.loads(self.folder.read(facts))
            part = StoredPart(**found["part"])
            whole = hashlib.sha256(self.folder.read(path)).hexdigest() == part.sha256
            return (part, found["shards"]) if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


_NOTHING = Compiled("", (), (), (), (), (), "", ("", ""), {}, 0, ())


def _bare(shard: Compiled) -> Compiled:
    return replace(shard, names=(), rows=(), used=(), named=(), asks=())


@functools.lru_cache(2)
def _job(data: bytes) -> _Job:
    """Unpack the job, once in each process of a worker."""
    job = pickle.loads(data)  # noqa: S301  # the driver packed it
    assert isinstance(job, _Job)
    gc.freeze()  # what a worker is given is never garbage
    return job


def _compile(data: bytes, batches: Batches) -> Batches:
    """Compile the stretches whose numbers are given: what Spark maps."""
    import pyarrow

    asks = pyarrow.list_(
        pyarrow.struct([("key", pyarrow.string()), ("name", pyarrow.string()), ("line", pyarrow.int32())])
    )
    names = pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema(
        [
            ("table", pyarrow.int32()),
            ("place", pyarrow.int64()),
            ("told", pyarrow.binary()),
            ("names", names),
            ("used", names),
            ("asks", asks),
        ]
    )
    job = _job(data)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            for table, place, run, compiled in job.runs(number):
                row = {
                    "table": table,
                    "place": place,
                    "told": pickle.dumps(run, pickle.HIGHEST_PROTOCOL),
                    "names": job.names(table, compiled),
                    "used": sorted({name for shard in compiled for name in shard.used}),
                    "asks": [dict(zip(_ASKED, ask, strict=True)) for shard in compiled for ask in shard.asks],
                }
                yield pyarrow.RecordBatch.from_pylist([row], schema=schema)
