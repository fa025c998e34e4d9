"""The command line: a thin skin over the functions of the same names. Data on stdout, talk on stderr.

Imports are late: `kgbuild --help` loads nothing but this file.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kgbuild.building import Built
    from kgbuild.compilation import Timings
    from kgbuild.diagnostics import Diagnostic
    from kgbuild.project import Project
    from kgbuild.queries import Outcome
    from kgbuild.store import Answer, OxigraphStore, Store

EPILOG: Final = """\
exit codes: 0 ok · 1 findings at or above --fail-on, a differing answer, a mismatch · 2 wrong usage or settings ·
3 input unreadable or output unwritable · 4 a remote part needed and absent · 70 a fault of kgbuild itself

kgbuild reports what articles claim, with source and certainty. It is not medical advice."""

QUERY_HELP: Final = """\
examples:
  kgbuild query                                   list the questions
  kgbuild query foods                             ask one of queries/*.rq
  kgbuild query claims-about --param entity=id:calcium
  kgbuild query -e 'SELECT ?food WHERE { ?food mr:sourceOf id:magnesium }' --format csv
  kgbuild query --with foods.csv -e 'SELECT ?name ?mg WHERE { ?row foods:name ?name ; foods:magnesium ?mg }'"""

PUSH_HELP: Final = """\
Nanopublications are loaded under their own names; all other graphs are put in place together at the end, and what the
build no longer holds below its base is dropped. A push that was interrupted goes on where it stopped. User and password
come from the environment (KGBUILD_PUSH_USER, KGBUILD_PUSH_PASSWORD) or from a file, never from the command line."""
EXPORT_HELP: Final = """\
formats:
  trig nquads turtle jsonld rdfxml       RDF 1.1
  rdf12                                  N-Quads 1.2: claims reify triple terms that are not asserted
  claims entities links                  CSV; with -parquet after the name, Parquet (needs kgbuild[parquet])
  inferred                               N-Quads: what follows from the plain triples, and no more
  kgx-nodes kgx-edges kgx-readme         KGX (Biolink), every edge with its certainty
  sssom sssom-ontology                   mapping sets
  context dcat citation ro-crate croissant   context and records of the release
  schema csvw                            source format as JSON Schema, its tables as CSVW metadata"""


SERVE_HELP: Final = """\
examples:
  kgbuild build && kgbuild serve
  kgbuild serve --host 0.0.0.0 --port 80 --base-url https://example.org/ --trusted-proxy 10.0.0.0/8

A build that is made while the server runs is taken into service without a break. More: kgbuild/docs/serving.md"""


EXPLAIN_HELP: Final = """\
examples:
  kgbuild explain                                        list the codes
  kgbuild explain KG204                                  what a code means, with an example and the fix
  kgbuild explain id:kale mr:sourceOf id:magnesium       which claim says so, or which rule it follows by
  kgbuild explain magnesium important-for muscle-relaxation

exit code for a triple: 0 stated plainly or inferred, 1 neither"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="kgbuild",
        description="Turn the claims of written articles into a checked, queryable, published knowledge graph.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    top.add_argument(
        "-C", "--project", metavar="DIR", default=".", help="folder of the project (default: here or above)"
    )
    top.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (default: on a terminal)"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], words: str, more: str = ""
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + "." + (f" {more}" if more and "\n" not in more else ""),
            epilog=more if "\n" in more else None,
            formatter_class=argparse.RawDescriptionHelpFormatter if "\n" in more else argparse.HelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    init = command("init", _init, "write a small working project to start from", "Nothing that exists is changed.")
    init.add_argument("folder", metavar="DIR", help="a new or empty folder")

    check = command("check", _check, "do everything a build does but writing")
    build = command("build", _build, "check the project, then write build/ with graph, site and store")
    engines = "auto: fast screen, pySHACL as judge; pyshacl: pySHACL alone over the whole graph"
    for made, choices, more in (
        (check, ("auto", "pyshacl"), ""),
        (build, ("auto", "pyshacl", "spark"), "; spark: as auto, large tables on an Apache Spark cluster"),
    ):
        _add_findings(made)
        made.add_argument("--engine", choices=choices, default="auto", help=engines + more)
        texts = "local copy of an article's text, to verify its anchors"
        made.add_argument("--text", metavar="[ARTICLE=]FILE", action="append", default=[], help=texts)
        jobs = "processes for large tables (default: one for each processor)"
        made.add_argument("--jobs", type=_count, metavar="N", help=jobs)
        made.add_argument("--timings", action="store_true", help="print where the time goes")
    build.add_argument("--force", action="store_true", help="build even when nothing changed")
    _add_spark(build)
    _add_infer(build, "put the inferred graph into the store and into an edition of its own (default: the setting)")

    query = command("query", _query, "ask a question of the graph", QUERY_HELP)
    query.add_argument(
        "name", nargs="?", metavar="NAME|FILE", help="a query of queries/, or a .rq file; none: list them"
    )
    query.add_argument("-e", "--execute", metavar="TEXT", help="a query as text; the project's prefixes are known")
    query.add_argument("--param", metavar="NAME=VALUE", action="append", default=[], help="value of a parameter")
    query.add_argument("--format", default="", help="table, csv, tsv, json, xml; for graphs turtle, nt, rdfxml, jsonld")
    words = "see a table (.csv, .tsv) or RDF file beside the graph; several times for several"
    query.add_argument("--with", dest="files", metavar="FILE", action="append", default=[], help=words)
    query.add_argument("--endpoint", metavar="URL", help="ask a SPARQL 1.1 endpoint instead of the build")
    _add_infer(query, "let the query see the inferred graph (default: the setting `infer`)")
    query.add_argument(
        "--allow-service",
        action="store_true",
        help="let the query ask other endpoints (SERVICE); else replay recordings",
    )
    query.add_argument("--record", action="store_true", help="ask the other endpoint of a named query and record it")

    serve = command("serve", _serve, "serve the build: pages, linked data, SPARQL, JSON", SERVE_HELP)
    _add_serving(serve)

    words = "offer the graph to language models (Model Context Protocol), over stdin and stdout or over HTTP"
    mcp = command("mcp", _mcp, words, "Every answer carries certainty, source and IRI. Needs kgbuild[mcp].")
    mcp.add_argument("--http", action="store_true", help="serve over HTTP at /mcp instead")
    mcp.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    mcp.add_argument("--port", type=int, default=8001, help="port to listen at (8001)")
    mcp.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds a query may run (10)")

    test = command("test", _test, "compare the answers of the queries with the expected ones beside them")
    test.add_argument("--update", action="store_true", help="write the answers as the expected ones")
    _add_findings(test)

    words = "write or verify the sentence table of an article from a local copy of its text"
    anchor = command("anchor", _anchor, words, "The text is only read: the table holds offsets and digests.")
    anchor.add_argument("article", metavar="ARTICLE", help="id of the article")
    anchor.add_argument("text", metavar="TEXT", help="file with the article's text")
    anchor.add_argument("--write", action="store_true", help="write the table anew where there is one")
    _add_findings(anchor)

    export = command("export", _export, "write the graph in one format", EXPORT_HELP)
    export.add_argument("name", metavar="FORMAT", help="name of the format, file ending or media type")
    export.add_argument("-o", "--output", metavar="FILE", help="file to write (default: stdout)")

    words = "propose mappings of the entities to the terms of ontologies, as SSSOM for review"
    more = (
        "A proposal is a name that both have, no more: read each, decide how strong it is, and move the rows that hold "
        "into data/mappings/. Pairs that are mapped already are left out."
    )
    link = command("link", _link, words, more)
    link.add_argument(
        "files", nargs="+", metavar="FILE", help="OBO, Turtle, OWL or other RDF, or TSV with id and label"
    )
    link.add_argument("-o", "--output", metavar="FILE", help="file to write (default: stdout)")

    words = "tell what changed between two builds, dumps or projects, claim by claim"
    more = "Each of OLD and NEW is a build, a release folder, a file of RDF, or the folder of a project."
    diff = command("diff", _diff, words, f"{more} The exit code is 1 where something changed.")
    diff.add_argument("old", metavar="OLD", help="such as a release that was published")
    diff.add_argument("new", metavar="NEW", help="such as build, or . for the sources as they are")
    diff.add_argument("--format", choices=("text", "json"), default="text", help="how to write the changes")

    words = "verify nanopublications and release folders"
    more = (
        "A nanopublication must be whole, its trusty URI must fit its content, and a signature its key. "
        "A folder with SHA256SUMS must hold just those files, and one graph in every dump."
    )
    verify = command("verify", _verify, words, more)
    verify.add_argument("paths", nargs="+", metavar="PATH", help="a file of RDF, or a folder such as build/site")
    _add_findings(verify)

    push = command("push", _push, "load the build into a SPARQL 1.1 store, and verify it there", PUSH_HELP)
    push.add_argument("endpoint", metavar="ENDPOINT", help="address of the store, or of its SPARQL endpoint")
    kinds = ("auto", "oxigraph", "virtuoso", "sparql")
    push.add_argument("--store", choices=kinds, default="auto", help="kind of store (default: as its answer tells)")
    push.add_argument("--update", metavar="URL", help="address for updates, where it is not the usual one")
    push.add_argument("--credentials", metavar="FILE", help="file with user and password, a line each")
    push.add_argument("--chunk", type=int, metavar="N", help="quads sent at once")
    push.add_argument("--again", action="store_true", help="send everything, whatever arrived before")

    explain = command("explain", _explain, "tell what a code means, or why a triple holds", EXPLAIN_HELP)
    explain.add_argument(
        "what", nargs="*", metavar="CODE|TRIPLE", help="such as KG204, S20 or 'id:kale mr:sourceOf id:magnesium'"
    )
    return top


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1000:
        raise argparse.ArgumentTypeError(f"a number of processes from 1, not '{text}'")
    return int(text)


def _add_serving(made: argparse.ArgumentParser) -> None:
    made.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1: this machine only)")
    made.add_argument("--port", type=int, default=8000, help="port to listen at (8000; 0 takes a free one)")
    made.add_argument("--base-url", metavar="URL", default="", help="address at which clients find the server")
    made.add_argument("--workers", type=int, default=2, help="processes that answer queries (2)")
    made.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds a query may run (10)")
    made.add_argument("--memory", type=int, default=1024, metavar="MB", help="memory a query may take (1024)")
    made.add_argument("--max-rows", type=int, default=100_000, metavar="N", help="rows an answer may have (100000)")
    made.add_argument("--max-bytes", type=int, default=50, metavar="MB", help="size an answer may have (50)")
    made.add_argument("--queue", type=int, default=64, metavar="N", help="queries that may wait (64)")
    made.add_argument("--patience", type=float, default=10.0, metavar="S",
                      help="seconds a client has to send its request and to take each part of an answer")  # fmt: skip
    made.add_argument("--trusted-proxy", metavar="NET", action="append", default=[],
                      help="proxy whose X-Forwarded-For is believed: an address or a network")  # fmt: skip
    made.add_argument("--allow-service", metavar="URL", action="append", default=[],
                      help="endpoint that SERVICE may ask; private addresses are refused even so")  # fmt: skip
    made.add_argument("--endpoint", metavar="URL", default="", help="ask a remote SPARQL store instead of the build")
    made.add_argument("--endpoint-user", metavar="NAME", default="",
                      help="user there; the password is KGBUILD_ENDPOINT_PASSWORD of the environment")  # fmt: skip
    made.add_argument("--watch", action="store_true", help="build again when a source changes, and reload open pages")
    made.add_argument("--access-log", metavar="FILE", default="", help="write a JSON line a request; - is stderr")


def _add_spark(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("with --engine spark (more: kgbuild/docs/spark.md)")
    words = "address of the cluster, such as spark://host:7077 (default: as Spark is set up)"
    group.add_argument("--master", metavar="URL", help=words)
    words = "where parts and manifest go: a folder that all workers share, or an address such as s3://bucket/graph"
    group.add_argument("--output", metavar="FOLDER|URL", help=f"{words} (default: build/spark)")
    words = "a setting of Spark, such as spark.executor.memory=4g; several times for several"
    group.add_argument("--conf", metavar="KEY=VALUE", action="append", default=[], help=words)


def _add_infer(made: argparse.ArgumentParser, words: str) -> None:
    made.add_argument("--infer", action=argparse.BooleanOptionalAction, default=None, help=words)


def _add_findings(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--format", choices=("text", "json", "github", "sarif"), default="text", help="how to write findings"
    )
    made.add_argument("--fail-on", choices=("error", "warning", "note"), default="error",
                      help="least severity that makes the exit code 1 (default: error)")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    if options.version:
        from kgbuild import __version__

        print(f"kgbuild {__version__}")
        return 0
    if options.command is None:
        parser().print_help()
        return 2
    gc.set_threshold(50_000, 20, 50)  # millions of small values and hardly a cycle: the usual pace costs a tenth
    try:
        return _guarded(options)
    finally:
        gc.freeze()  # nothing to look for in what the end of the process frees


def _guarded(options: argparse.Namespace) -> int:
    from kgbuild.diagnostics import FindingsError, KgbuildError

    try:
        return int(options.run(options))
    except FindingsError as error:
        _findings(options, error.report.sorted())
        return error.exit_code
    except KgbuildError as error:
        print(f"kgbuild: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("kgbuild: interrupted; nothing was changed", file=sys.stderr)
        return 130
    except Exception:
        import traceback

        traceback.print_exc()
        print(
            "kgbuild: this is a fault of kgbuild, not of your files; please report it with the lines above",
            file=sys.stderr,
        )
        return 70


def _color(options: argparse.Namespace, stream: object) -> bool:
    if options.color != "auto":
        return bool(options.color == "always")
    isatty = getattr(stream, "isatty", lambda: False)
    return bool(isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _findings(options: argparse.Namespace, findings: Sequence[Diagnostic]) -> None:
    """Write findings: text is talk (stderr), the machine formats are data (stdout)."""
    from kgbuild.project import find_root
    from kgbuild.reporting import Lines, render

    form = options.format if options.format in {"json", "github", "sarif"} else "text"
    stream = sys.stderr if form == "text" else sys.stdout
    if findings or form in {"json", "sarif"}:
        root = find_root(Path(options.project))
        stream.write(render(findings, form, Lines(root), color=_color(options, stream)))


def _failed(options: argparse.Namespace, findings: Sequence[Diagnostic]) -> int:
    from kgbuild.diagnostics import Severity

    return int(any(finding.severity >= Severity[options.fail_on.upper()] for finding in findings))


def _texts(options: argparse.Namespace) -> dict[str, Path]:
    from kgbuild.diagnostics import UsageError

    texts = {}
    for given in options.text:
        article, equals, path = given.partition("=")
        if not equals:
            article, path = _only_article(options), given
        if article in texts:
            raise UsageError(f"two texts are given for the article '{article}'")
        texts[article] = Path(path)
    return texts


def _only_article(options: argparse.Namespace) -> str:
    from kgbuild.diagnostics import Report, UsageError
    from kgbuild.project import load_project
    from kgbuild.sources import read_sources

    articles = read_sources(load_project(Path(options.project)), Report()).articles
    if len(articles) != 1:
        raise UsageError("name the article of the text: --text ARTICLE=FILE")
    return articles[0].id


def _init(options: argparse.Namespace) -> int:
    from kgbuild.starting import init

    for path in init(options.folder):
        print(_shown(path))
    print(
        f"a project of two claims; README.md tells what is what. Next: kgbuild -C {options.folder} build",
        file=sys.stderr,
    )
    return 0


def _check(options: argparse.Namespace) -> int:
    from kgbuild.building import check

    with _progress() as timings:
        built = check(options.project, texts=_texts(options), engine=options.engine, timings=timings, jobs=options.jobs)
    return _built(options, built)


def _build(options: argparse.Namespace) -> int:
    from kgbuild.building import build

    if options.engine == "spark":
        return _build_on_spark(options)
    for name in ("master", "output", "conf"):
        if getattr(options, name):
            raise _usage(f"--{name} is for --engine spark")
    texts = _texts(options)
    with _progress() as timings:
        built = build(
            options.project,
            texts=texts,
            engine=options.engine,
            force=options.force,
            infer=options.infer,
            timings=timings,
            jobs=options.jobs,
        )
    return _built(options, built)


def _build_on_spark(options: argparse.Namespace) -> int:
    from kgbuild.spark import build

    for name in ("jobs", "infer"):
        if getattr(options, name):
            raise _usage(f"--{name} is not for --engine spark")
    conf = dict(setting.partition("=")[::2] for setting in options.conf)
    if any(not key.startswith("spark.") for key in conf):
        raise _usage("--conf takes settings of Spark, such as spark.executor.memory=4g")
    with _progress() as timings:
        made = build(
            options.project,
            master=options.master,
            output=options.output,
            conf=conf,
            texts=_texts(options),
            force=options.force,
            timings=timings,
        )
    found = made.report.sorted()
    _findings(options, found)
    print("\n".join([*made.lines(), *(_timed(made.timings) if options.timings else ())]), file=sys.stderr)
    print(
        f"nothing changed: {made.location} is as it was" if made.unchanged else f"wrote {made.location}",
        file=sys.stderr,
    )
    return _failed(options, found)


def _usage(words: str) -> Exception:
    from kgbuild.diagnostics import UsageError

    return UsageError(words)


@contextlib.contextmanager
def _progress(why: str = "") -> Iterator[Timings]:
    """Show the stage that runs on one line of a terminal, and clear it at the end; in a pipe only `why` it runs."""
    from kgbuild.compilation import Timings

    shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    clear = "\r\x1b[2K" if shown else ""
    told = not why

    def announce(stage: str) -> None:
        nonlocal told
        if not told:
            told = True
            print(f"{clear}{why}", file=sys.stderr)
        if shown:
            sys.stderr.write(f"{clear}{stage} …")
        sys.stderr.flush()

    try:
        yield Timings(announce=announce if shown or why else None)
    finally:
        sys.stderr.write(clear)
        sys.stderr.flush()


def _built(options: argparse.Namespace, built: Built) -> int:
    found = built.report.sorted()
    _findings(options, found)
    figures = built.figures
    anchors = ", ".join(f"{count} {state}" for state, count in figures.anchors.items()) or "none"
    bold, plain = ("\x1b[1m", "\x1b[0m") if _color(options, sys.stderr) else ("", "")
    lines = [
        f"{bold}{_counted(figures.claims, 'claim')}{plain} from {_counted(figures.articles, 'article')}; "
        f"{figures.entities} entities, {_counted(figures.mappings, 'link')}, {figures.quads:,} quads",
        f"sentences covered: {figures.covered} of {figures.sentences}; anchors: {anchors}",
        f"stated plainly: {_counted(figures.plain, 'triple')}; {_counted(figures.queries, 'question')}, "
        f"{figures.pages} pages; validated by {built.engine}",
    ]
    lines += built.notes
    if options.timings:
        lines += _timed(built.timings)
    if built.unchanged:
        lines.append("nothing changed since the last build (--force builds anyway)")
    if built.written or built.unchanged:
        lines.append(f"{bold}open {_shown(built.index)}{plain}")
    print("\n".join(lines), file=sys.stderr)
    return _failed(options, found)


def _timed(timings: Timings) -> Iterator[str]:
    width = max(map(len, timings.seconds))
    for name, seconds in timings.seconds.items():
        yield f"{name:<{width}}  {seconds * 1000:7.1f} ms"
    yield f"{'sum':<{width}}  {sum(timings.seconds.values()) * 1000:7.1f} ms"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _query(options: argparse.Namespace) -> int:
    from kgbuild.diagnostics import FindingsError, Report, UsageError
    from kgbuild.project import load_project
    from kgbuild.queries import Query, find_query, read_queries, record, report_syntax
    from kgbuild.store import QuerySyntaxError

    project = load_project(Path(options.project))
    if options.execute is None and options.name is None:
        report = Report()
        return _list_queries(read_queries(project, report))
    values = {}
    for given in options.param:
        name, equals, value = given.partition("=")
        if not equals:
            raise UsageError(f"a parameter is given as NAME=VALUE, not '{given}'")
        values[name] = value
    if options.execute is not None:
        query = Query("text", "", "", options.execute, "<text>")
    else:
        query = find_query(project, options.name)
    if options.record:
        print(f"wrote {_shown(record(query, project, values))}", file=sys.stderr)
        return 0
    live = options.allow_service or options.endpoint
    sparql = query.sparql(project.prefixes, values) if live else query.replayed(project.prefixes, values)
    if query.recording is not None and not live:
        print(f"replayed: {query.recorded} (--allow-service asks now)", file=sys.stderr)
    store, prefixes = _store(options)
    try:
        answer = store.query(sparql, project.prefixes | prefixes)
    except QuerySyntaxError as error:
        report = Report()
        report_syntax(error, query, report)
        raise FindingsError(report) from None
    return _show_answer(options, answer, store, project)


def _store(options: argparse.Namespace) -> tuple[Store, dict[str, str]]:
    """Return the endpoint asked for, or the graph of the project with the files beside it, and prefixes for these."""
    from kgbuild.diagnostics import UsageError
    from kgbuild.store import EndpointStore

    if options.endpoint:
        if options.infer:
            raise UsageError("an endpoint answers from what it holds; --infer works on the project here")
        if options.files:
            raise UsageError("an endpoint answers from what it holds; --with works on the project here")
        return EndpointStore(options.endpoint), {}
    store = _open(options, infer=options.infer, services=options.allow_service)
    if not options.files:
        return store, {}
    from kgbuild.external import with_files

    return with_files(store, [Path(name) for name in options.files])


def _open(options: argparse.Namespace, *, infer: bool | None, services: bool = False) -> OxigraphStore:
    """Return the graph of the project; say so where it has to be compiled first."""
    from kgbuild.building import open_store

    why = "no build of the sources as they are: compiling them to answer (`kgbuild build` keeps the graph)"
    with _progress(why) as timings:
        return open_store(options.project, infer=infer, services=services, timings=timings)


def _serve(options: argparse.Namespace) -> int:
    from kgbuild.server.serving import serve
    from kgbuild.server.settings import MEGABYTE, Limits, Settings

    limits = Limits(
        seconds=options.timeout,
        memory=options.memory * MEGABYTE,
        rows=options.max_rows,
        bytes=options.max_bytes * MEGABYTE,
        queue=options.queue,
        patience=options.patience,
    )
    settings = Settings(
        host=options.host,
        port=options.port,
        base_url=options.base_url,
        workers=options.workers,
        limits=limits,
        services=tuple(options.allow_service),
        trusted=tuple(options.trusted_proxy),
        access_log=options.access_log,
        endpoint=options.endpoint,
        user=options.endpoint_user,
        watch=options.watch,
    )
    serve(options.project, settings)
    return 0


def _mcp(options: argparse.Namespace) -> int:
    from kgbuild.server.settings import Limits, Settings
    from kgbuild.server.tools import mcp

    settings = Settings(host=options.host, port=options.port, limits=Limits(seconds=options.timeout))
    mcp(options.project, settings, http=options.http)
    return 0


def _list_queries(queries: Sequence[object]) -> int:
    from kgbuild.tables import print_table

    rows = [(getattr(query, "name", ""), getattr(query, "question", "")) for query in queries]
    print_table(("query", "question"), rows, color=False)
    return 0


def _show_answer(options: argparse.Namespace, answer: Answer, store: Store, project: Project) -> int:
    from kgbuild.queries import Labels, write
    from kgbuild.store import Graph, Solutions
    from kgbuild.tables import print_table

    form = options.format or ("turtle" if isinstance(answer, Graph) else "table")
    if form != "table" or isinstance(answer, Graph):
        sys.stdout.buffer.write(write(answer, form, project.prefixes))
        sys.stdout.buffer.flush()
        return 0
    if not isinstance(answer, Solutions):
        print("yes" if answer else "no")
        return 0
    labels = Labels(store, project.prefixes, answer, project.fallback)
    rows = [tuple(labels.show(term) for term in row) for row in answer.rows]
    print_table(answer.variables, rows, color=_color(options, sys.stdout))
    print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", file=sys.stderr)
    return 0


def _test(options: argparse.Namespace) -> int:
    from kgbuild.testing import test

    tested = test(options.project, update=options.update)
    found = tested.report.sorted()
    for outcome in tested.outcomes:
        _print_outcome(outcome, _color(options, sys.stderr))
    _findings(options, found)
    failed = sum(not outcome.passed for outcome in tested.outcomes)
    print(f"{len(tested.outcomes) - failed} passed, {failed} failed", file=sys.stderr)
    return 1 if failed else _failed(options, found)


def _print_outcome(outcome: Outcome, color: bool) -> None:
    word = "ok  " if outcome.passed else "FAIL"
    if color:
        word = f"\x1b[{32 if outcome.passed else 31}m{word}\x1b[0m"
    rows = f"{outcome.rows} row{'' if outcome.rows == 1 else 's'}"
    print(f"{word}  {outcome.query.name}: {outcome.query.question} ({rows})", file=sys.stderr)


def _anchor(options: argparse.Namespace) -> int:
    from kgbuild.anchors import anchor

    done = anchor(options.project, options.article, options.text, write=options.write)
    found = done.report.sorted()
    _findings(options, found)
    states: dict[str, int] = {}
    for sentence in done.article.sentences:
        states[sentence.state] = states.get(sentence.state, 0) + 1
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print(f"{'wrote' if done.written else 'checked'} {_shown(done.path)}: {counted}", file=sys.stderr)
    return _failed(options, found)


def _export(options: argparse.Namespace) -> int:
    from kgbuild.building import export

    notes: list[str] = []
    data = export(options.name, options.project, notes=notes)
    for note in notes:
        print(note, file=sys.stderr)
    _write(options.output, data)
    return 0


def _write(path: str | None, data: bytes) -> None:
    """Write data to a file, or to stdout where none is named."""
    from kgbuild.diagnostics import UnreadableError

    if path is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise UnreadableError(f"cannot write {path}: {error.strerror or error}") from error
    print(f"wrote {path} ({len(data):,} bytes)", file=sys.stderr)


def _link(options: argparse.Namespace) -> int:
    from kgbuild.linking import link

    linked = link(options.project, *options.files)
    _write(options.output, linked.table)
    entities = len({found.entity for found in linked.proposals})
    made = f"{_counted(len(linked.proposals), 'proposal')} for {entities} entities"
    print(f"{made} among {_counted(linked.terms, 'term')}; read each before it is kept", file=sys.stderr)
    return 0


def _push(options: argparse.Namespace) -> int:
    from kgbuild.diagnostics import UsageError
    from kgbuild.pushing import PASSWORD, USER, push, read_credentials

    if options.chunk is not None and options.chunk < 1:
        raise UsageError("--chunk is a number of quads from 1")
    credentials = read_credentials(Path(options.credentials)) if options.credentials else None
    if credentials is None and os.environ.get(USER):
        credentials = os.environ[USER], os.environ.get(PASSWORD, "")
    with _progress() as timings:
        done = push(
            options.endpoint,
            options.project,
            kind=options.store,
            update=options.update,
            credentials=credentials,
            chunk=options.chunk,
            again=options.again,
            progress=timings.announce,
        )
    where = f", {done.resumed} of them before" if done.resumed else ""
    print(f"pushed {done.quads:,} quads in {done.graphs:,} graphs ({done.chunks} chunks{where})", file=sys.stderr)
    for difference in done.differences:
        print(f"differs: {difference}", file=sys.stderr)
    if done.differences:
        print("the store does not hold the build; push it --again", file=sys.stderr)
        return 1
    print("verified: counts of all graphs, and a sample of nanopublications word by word", file=sys.stderr)
    return 0


def _diff(options: argparse.Namespace) -> int:
    from kgbuild.comparison import as_json, as_text, diff

    found = diff(options.old, options.new)
    form = options.format
    sys.stdout.write(as_json(found) if form == "json" else as_text(found, color=_color(options, sys.stdout)))
    return int(bool(found.changes or found.stated or found.unstated))


def _verify(options: argparse.Namespace) -> int:
    from kgbuild.verification import verify

    seen = verify(*options.paths)
    found = seen.report.sorted()
    _findings(options, found)
    if options.format == "text":
        signed = f", {seen.signed} signed" if seen.signed else ""
        print(f"{_counted(seen.nanopublications, 'nanopublication')}{signed}, {_counted(seen.files, 'released file')}")
        for folder, digest in seen.graphs.items():
            print(f"{folder}: graph {digest}")
        print("not as published" if found else "all as published")
    return _failed(options, found)


def _explain(options: argparse.Namespace) -> int:
    what = " ".join(options.what)
    if len(what.split()) < 2:
        from kgbuild.explanations import explain, list_codes

        print(explain(what, options.project) if what else list_codes(options.project))
        return 0
    from kgbuild.reasons import explain_triple

    found = explain_triple(what, options.project, _open(options, infer=False))
    print(found.text)
    return 0 if found.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
