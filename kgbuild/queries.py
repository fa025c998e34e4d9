"""Queries: `.rq` files with a heading, their parameters, their answers, and the answers expected of them.

A query file is plain SPARQL that any endpoint takes. Its leading comments say what it is:

    # title: Foods named as sources
    # question: Which foods does the article name as sources of magnesium?
    # param: nutrient iri id:magnesium the nutrient asked for

`$nutrient` in the text is then replaced by the value given, spelt as an RDF term of its kind. A query that asks
another endpoint (SERVICE) has a heading `# recorded:`, which says what was recorded from where and when, and beside it
the answer of that endpoint, `NAME.recorded.tsv`; it is replayed unless the endpoint is to be asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyoxigraph as ox

from kgbuild.diagnostics import Report, Span, UnreadableError, UsageError, did_you_mean
from kgbuild.federation import find_services, question, replay
from kgbuild.project import Project
from kgbuild.read.records import decimal
from kgbuild.source import Source, read_source, relative, walk
from kgbuild.spreadsheets import write_csv
from kgbuild.store import Answer, EndpointStore, Graph, QuerySyntaxError, Solutions, Store, Term, lexical, tokens
from kgbuild.terms import XSD, compress, expand, in_language, iri, is_iri, literal

KINDS = ("iri", "text", "integer", "decimal")
EXPECTED = {"select": ".tsv", "graph": ".nt", "ask": ".txt"}
RECORDING = ".recorded.tsv"
HEADINGS = ("title", "question", "recorded")
_HEADING = re.compile(r"#\s*([a-z]+):\s*(.*)")
_PARAMETER = re.compile(r"(\w+)\s+(\w+)\s+(?:\"([^\"]*)\"|(\S+))(?:\s+(.*))?\Z")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query: its name, kind, default and meaning."""

    name: str
    kind: str
    default: str
    doc: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question put as SPARQL."""

    name: str
    title: str
    question: str
    text: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    recorded: str = ""
    """What was recorded of another endpoint's answer: from where and when."""
    recording: Solutions | None = None

    @property
    def body(self) -> str:
        """Return the query without its heading."""
        lines = self.text.split("\n")
        while lines and (not lines[0].strip() or _HEADING.match(lines[0])):
            lines.pop(0)
        return "\n".join(lines).rstrip() + "\n"

    def sparql(self, prefixes: dict[str, str], values: Mapping[str, str] | None = None) -> str:
        """Return the query with its parameters filled in; raise `UsageError` for values that do not fit."""
        return fill(self.body, self.parameters, prefixes, values or {})

    def replayed(self, prefixes: dict[str, str], values: Mapping[str, str] | None = None) -> str:
        """Return the query with what was recorded in the place of its SERVICE; without a recording, the query itself.

        Raises `UsageError` where the values ask the endpoint something else than was recorded.
        """
        sparql = self.sparql(prefixes, values)
        if self.recording is None:
            return sparql
        (service,) = find_services(sparql)
        if service.group != find_services(self.sparql(prefixes))[0].group:
            raise UsageError(
                f"only the answer to the default values is recorded for '{self.name}'; "
                "--allow-service asks the endpoint"
            )
        return replay(sparql, service, self.recording)


def read_queries(project: Project, report: Report) -> tuple[Query, ...]:
    """Read the queries of a project in the order of their names."""
    found = []
    for path in walk(project.root, "queries", report):
        if path.suffix == ".rq":
            source = read_source(project.root, path, report)
            query = None if source is None else read_query(source, project.prefixes, report)
            if query is not None:
                found.append(_with_recording(query, project.root, report))
        elif not _belongs(path):
            name = relative(project.root, path)
            report.add("KG113", f"nothing reads {name}", Span(name), hint="queries end in .rq")
    return tuple(sorted(found, key=lambda query: query.name))


def _belongs(path: Path) -> bool:
    """Tell whether a file is the expected answer or the recording of a query."""
    if path.name.endswith(RECORDING):
        query = path.with_name(path.name.removesuffix(RECORDING) + ".rq")
        return (
            query.exists()
            and re.search(r"^# *recorded:", query.read_text("utf-8", "replace"), re.MULTILINE) is not None
        )
    return path.suffix in EXPECTED.values() and path.with_suffix(".rq").exists()


def recording_of(query: Query, root: Path) -> Path:
    """Return where the recording of a query stands, whose path is relative to `root`."""
    path = root / query.path
    return path.with_name(path.stem + RECORDING)


def _with_recording(query: Query, root: Path, report: Report) -> Query:
    """Return a query with its recording; report where that is missing, broken or in vain."""
    place = Span(query.path)
    services = find_services(query.body)
    if not query.recorded:
        if services:
            hint = f"add # recorded: with what, from where and when, and {query.name}{RECORDING}"
            report.add("KG403", "the query asks another endpoint and has no '# recorded:'", place, hint=hint)
        return query
    if len(services) != 1:
        report.add("KG403", "a query with '# recorded:' has exactly one SERVICE", place)
        return query
    path = recording_of(query, root)
    if not path.exists():
        hint = f"run `kgbuild query {query.name} --record`, which asks the endpoint"
        report.add("KG406", f"the recorded answer {relative(root, path)} is missing", place, hint=hint)
        return query
    source = read_source(root, path, report)
    if source is None:
        return query
    try:
        answer = ox.parse_query_results(source.text.encode("utf-8"), format=ox.QueryResultsFormat.TSV)
        if not isinstance(answer, ox.QuerySolutions):
            raise ValueError("it holds no rows")
        variables = tuple(variable.value for variable in answer.variables)
        return replace(query, recording=Solutions(variables, tuple(tuple(row) for row in answer)))
    except (SyntaxError, ValueError) as error:
        report.add("KG114", f"broken table of results: {error}", Span(source.path))
        return query


def record(query: Query, project: Project, values: Mapping[str, str]) -> Path:
    """Ask the endpoint of a query and write its answer as the recording; return where it stands."""
    sparql = query.sparql(project.prefixes, values)
    services = find_services(sparql)
    if len(services) != 1 or not query.recorded:
        raise UsageError(f"'{query.name}' has no '# recorded:' or not one SERVICE, so there is nothing to record")
    answer = EndpointStore(services[0].endpoint).query(question(sparql, services[0]))
    assert isinstance(answer, Solutions)
    path = recording_of(query, project.root)
    rows = tuple(sorted(answer.rows, key=lambda row: [str(term) for term in row]))
    _write(path, expected_text(Solutions(answer.variables, rows)))
    return path


def read_query(source: Source, prefixes: dict[str, str], report: Report) -> Query | None:
    """Read the heading of a query file and check its parameters."""
    heading: dict[str, str] = {}
    parameters = []
    places: dict[str, Span] = {}
    for number, line in enumerate(source.text.split("\n"), 1):
        found = _HEADING.match(line)
        if found is None:
            if line.strip():
                break
            continue
        place = Span(source.path, number, 1, len(line))
        if found[1] == "param":
            parameter = _parameter(found[2], place, prefixes, report)
            if parameter is not None:
                parameters.append(parameter)
                places[parameter.name] = place
        elif found[1] not in HEADINGS:
            hint = did_you_mean(found[1], (*HEADINGS, "param")) or f"known: {', '.join(HEADINGS)}, param"
            report.add("KG403", f"unknown heading '{found[1]}'", place, hint=hint)
        elif found[1] in heading:
            report.add("KG403", f"heading '{found[1]}' is given twice", place)
        else:
            heading[found[1]] = found[2].strip()
    for key in ("title", "question"):
        if not heading.get(key):
            report.add(
                "KG403", f"the query has no '# {key}:'", Span(source.path), hint=f"start the file with # {key}: …"
            )
    named = {token[1:] for token in tokens(source.text) if token.startswith("$")}
    for parameter in parameters:
        if parameter.name not in named:
            report.add("KG405", f"the query does not use ${parameter.name}", places[parameter.name])
    name = Path(source.path).stem
    return Query(
        name=name,
        title=heading.get("title", name),
        question=heading.get("question", ""),
        text=source.text,
        path=source.path,
        parameters=tuple(parameters),
        recorded=heading.get("recorded", ""),
    )


def _parameter(text: str, place: Span, prefixes: dict[str, str], report: Report) -> Parameter | None:
    found = _PARAMETER.match(text)
    if found is None:
        report.add("KG403", "a parameter is written as: name kind default meaning", place)
        return None
    parameter = Parameter(found[1], found[2], found[3] if found[3] is not None else found[4], (found[5] or "").strip())
    if parameter.kind not in KINDS:
        hint = did_you_mean(parameter.kind, KINDS) or "one of: " + ", ".join(KINDS)
        report.add("KG405", f"unknown kind of parameter '{parameter.kind}'", place, hint=hint)
        return None
    try:
        spell(parameter, parameter.default, prefixes)
    except UsageError as error:
        report.add("KG405", f"the default does not fit: {error}", place)
        return None
    return parameter


def spell(parameter: Parameter, value: str, prefixes: dict[str, str]) -> str:
    """Spell the value of a parameter as an RDF term; raise `UsageError` where it does not fit its kind.

    >>> spell(Parameter("n", "text", "", ""), 'a" . DROP', {})
    '"a\\\\" . DROP"'
    """
    match parameter.kind:
        case "iri":
            expanded = expand(value, prefixes) or value.strip("<>")
            if not is_iri(expanded):
                raise UsageError(
                    f"'{value}' is no IRI for parameter '{parameter.name}'; write it as id:magnesium or <…>"
                )
            return iri(expanded)
        case "integer":
            if not re.fullmatch(r"-?[0-9]{1,18}", value):
                raise UsageError(f"'{value}' is no whole number for parameter '{parameter.name}'")
            return literal(value, datatype=XSD + "integer")
        case "decimal":
            if decimal(value) is None:
                raise UsageError(f"'{value}' is no number for parameter '{parameter.name}'")
            return literal(value, datatype=XSD + "decimal")
        case _:
            return literal(value)


def fill(text: str, parameters: tuple[Parameter, ...], prefixes: dict[str, str], values: Mapping[str, str]) -> str:
    """Replace `$name` by the value of each parameter, outside strings, IRIs and comments."""
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else "the query has none")
            raise UsageError(f"unknown parameter '{name}'; {hint}")
    spelt = {name: spell(parameter, values.get(name, parameter.default), prefixes) for name, parameter in known.items()}
    return "".join(spelt.get(token[1:], token) if token.startswith("$") else token for token in tokens(text))


def find_query(project: Project, name: str) -> Query:
    """Return a query by its name or by the path of its file; raise `UsageError` where there is none."""
    report = Report()
    path = Path(name)
    if path.suffix == ".rq":
        source = read_source(Path.cwd(), path.absolute(), report)
        if source is None:
            raise UnreadableError(report.sorted()[0].message)
        query = read_query(source, project.prefixes, Report())
        if query is not None:
            return _with_recording(query, Path.cwd(), Report())
    queries = {query.name: query for query in read_queries(project, report)}
    if name not in queries:
        hint = did_you_mean(name, queries) or f"known: {', '.join(queries) or 'none'}"
        raise UsageError(f"unknown query '{name}'; {hint}")
    return queries[name]


def run(query: Query, store: Store, prefixes: dict[str, str], report: Report) -> Answer | None:
    """Run a query with its defaults, its recording in the place of a SERVICE; report where it cannot be parsed."""
    try:
        return store.query(query.replayed(prefixes))
    except QuerySyntaxError as error:
        report_syntax(_as_written(query, store) or error, query, report)
        return None


def _as_written(query: Query, store: Store) -> QuerySyntaxError | None:
    """Return where a query breaks with its parameters left as they are, so that the columns are those of its file."""
    try:
        store.query(query.body)
    except QuerySyntaxError as error:
        return error
    return None


def report_syntax(error: QuerySyntaxError, query: Query, report: Report) -> None:
    """Add the finding of a query that cannot be parsed, at its place in the file."""
    heading = query.text.count("\n", 0, query.text.find(query.body.split("\n", 1)[0]))
    report.add("KG402", f"broken query: {error.message}", Span(query.path, error.line + heading, error.column))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a query did against its expected answer."""

    query: Query
    passed: bool
    rows: int


def compare_answers(
    queries: tuple[Query, ...], store: Store, project: Project, report: Report, *, update: bool = False
) -> list[Outcome]:
    """Compare every answer with the expected one beside the query; with `update` write the answers instead."""
    outcomes = []
    for query in queries:
        answer = run(query, store, project.prefixes, report)
        if answer is None:
            outcomes.append(Outcome(query, False, 0))
            continue
        path = (project.root / query.path).with_suffix(EXPECTED[form(answer)])
        actual = expected_text(answer)
        if update:
            _write(path, actual)
        passed = _compare(query, path, actual, project, report)
        outcomes.append(Outcome(query, passed, size(answer)))
    return outcomes


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableError(f"cannot write {path}: {error.strerror or error}") from error


def _compare(query: Query, path: Path, actual: str, project: Project, report: Report) -> bool:
    name = relative(project.root, path)
    if not path.exists():
        hint = "run `kgbuild test --update` and read what it wrote"
        report.add("KG406", f"the expected answer {name} is missing", Span(query.path), hint=hint)
        return False
    source = read_source(project.root, path, report)
    if source is None:
        return False
    expected, given = source.text.split("\n"), actual.split("\n")
    if not any(token.upper() == "ORDER" for token in tokens(query.body)):
        expected, given = expected[:1] + sorted(expected[1:]), given[:1] + sorted(given[1:])
    if expected == given:
        return True
    missing = [line for line in expected if line not in given]
    extra = [line for line in given if line not in expected]
    parts = [f"{len(missing)} expected rows missing"] if missing else []
    parts += [f"{len(extra)} rows not expected"] if extra else []
    first = f"first missing: {missing[0]}" if missing else f"first extra: {extra[0]}" if extra else ""
    place = Span(name, source.text.split("\n").index(missing[0]) + 1 if missing else 1)
    message = f"the answer of {query.name} differs: {', '.join(parts) or 'the order of rows differs'}"
    report.add("KG407", message, place, hint=first or None)
    return False


def form(answer: Answer) -> str:
    """Return which kind of answer it is: select, graph or ask."""
    return "ask" if isinstance(answer, bool) else "graph" if isinstance(answer, Graph) else "select"


def size(answer: Answer) -> int:
    """Return the number of rows or triples."""
    if isinstance(answer, bool):
        return 1
    return len(answer.triples) if isinstance(answer, Graph) else len(answer.rows)


def expected_text(answer: Answer) -> str:
    """Write an answer as expected-answer files hold it: SPARQL TSV, N-Triples, or true/false."""
    if isinstance(answer, bool):
        return f"{str(answer).lower()}\n"
    return write(answer, "nt" if isinstance(answer, Graph) else "tsv", {}).decode("utf-8")


RESULT_FORMATS = {
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
}
GRAPH_FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "ttl": ox.RdfFormat.TURTLE,
    "nt": ox.RdfFormat.N_TRIPLES,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "rdfxml": ox.RdfFormat.RDF_XML,
    "jsonld": ox.RdfFormat.JSON_LD,
}


def write(answer: Answer, name: str, prefixes: dict[str, str]) -> bytes:
    """Write an answer in a result format (SPARQL 1.1 Results) or, for graphs, an RDF syntax."""
    if isinstance(answer, Graph):
        if name not in GRAPH_FORMATS:
            raise UsageError(f"the answer is a graph; formats: {', '.join(GRAPH_FORMATS)}")
        used = {key: space for key, space in prefixes.items() if any(space in str(triple) for triple in answer.triples)}
        chosen = GRAPH_FORMATS[name]
        return ox.serialize(answer.triples, format=chosen, prefixes=used) or b""
    if name not in RESULT_FORMATS:
        raise UsageError(f"the answer is a table; formats: table, {', '.join(RESULT_FORMATS)}")
    if name == "json":
        return results_json(answer)
    if isinstance(answer, bool) and name in {"csv", "tsv"}:
        return f"{str(answer).lower()}\n".encode()
    if name == "csv":
        return _csv(answer)
    parsed = ox.parse_query_results(results_json(answer), format=ox.QueryResultsFormat.JSON)
    written = parsed.serialize(format=RESULT_FORMATS[name])
    return written if written is not None else b""


def _csv(answer: Answer) -> bytes:
    assert isinstance(answer, Solutions)
    rows = [["" if term is None else lexical(term) for term in row] for row in answer.rows]
    return write_csv(answer.variables, rows)


def results_json(answer: Answer) -> bytes:
    """Write SPARQL 1.1 Query Results JSON."""
    if isinstance(answer, bool):
        return json.dumps({"head": {}, "boolean": answer}).encode()
    assert isinstance(answer, Solutions)
    bindings = [
        {name: _json_term(term) for name, term in zip(answer.variables, row, strict=True) if term is not None}
        for row in answer.rows
    ]
    document = {"head": {"vars": list(answer.variables)}, "results": {"bindings": bindings}}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _json_term(term: Term) -> dict[str, object]:
    if isinstance(term, ox.Triple):
        parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
        return {"type": "triple", "value": {name: _json_term(part) for name, part in parts.items()}}
    if isinstance(term, ox.NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, ox.BlankNode):
        return {"type": "bnode", "value": term.value}
    spelt: dict[str, object] = {"type": "literal", "value": term.value}
    if term.language:
        spelt["xml:lang"] = term.language
    elif term.datatype.value != XSD + "string":
        spelt["datatype"] = term.datatype.value
    return spelt


_FACETS = """
{ ?s kgb:certainty/skos:notation ?word BIND(1 AS ?order) }
UNION { ?s kgb:modality/skos:notation ?word FILTER(?word != "actual") BIND(2 AS ?order) }
UNION { ?s kgb:polarity/skos:notation ?word FILTER(?word != "affirmed") BIND(3 AS ?order) }
UNION { ?s kgb:frequency/skos:notation ?word BIND(4 AS ?order) }
UNION { ?s kgb:presupposed true BIND("presupposed" AS ?word) BIND(5 AS ?order) }
UNION { ?s kgb:implied true BIND("implied" AS ?word) BIND(6 AS ?order) }
"""


class Labels:
    """Words for the IRIs of an answer; a claim is shown with its certainty, modality, polarity and sentence.

    Where the answer has columns `statement` and `certainty` of its own, a claim is shown by its identifier alone.
    """

    def __init__(
        self, store: Store, prefixes: dict[str, str], answer: Solutions, languages: tuple[str, ...] = ("en",)
    ) -> None:
        self.prefixes = prefixes
        iris = sorted({term.value for row in answer.rows for term in row if isinstance(term, ox.NamedNode)})
        self.words: dict[str, str] = {}
        self.told = {"statement", "certainty"} <= set(answer.variables)
        if iris:
            self._fetch(store, " ".join(f"<{name}>" for name in iris), languages)

    def _fetch(self, store: Store, values: str, languages: tuple[str, ...]) -> None:
        named = store.query(
            f"SELECT ?s ?label WHERE {{ VALUES ?s {{ {values} }} ?s rdfs:label|skos:prefLabel ?label }}", self.prefixes
        )
        assert isinstance(named, Solutions)
        texts: dict[str, dict[str, str]] = {}
        for subject, label in named.rows:
            if isinstance(subject, ox.NamedNode) and isinstance(label, ox.Literal):
                known = texts.setdefault(subject.value, {})
                tag = (label.language or "").lower()
                known[tag] = min(known.get(tag, label.value), label.value)
        self.words = {name: known[in_language(known, languages)] for name, known in texts.items()}
        facets = store.query(
            f"""SELECT ?s ?order ?word ?n WHERE {{ VALUES ?s {{ {values} }} ?s a kgb:Claim . {_FACETS}
                OPTIONAL {{ ?np npx:introduces ?s ; np:hasAssertion/prov:wasDerivedFrom/kgb:sentenceNumber ?n }} }}""",
            self.prefixes,
        )
        assert isinstance(facets, Solutions)
        said: dict[str, set[tuple[str, str]]] = {}
        numbers: dict[str, set[int]] = {}
        for row in facets.dicts():
            said.setdefault(row["s"], set()).add((row["order"], row["word"]))
            if "n" in row:
                numbers.setdefault(row["s"], set()).add(int(row["n"]))
        for name, words in said.items():
            place = [f"sentence {', '.join(map(str, sorted(numbers[name])))}"] if name in numbers else []
            beside = ", ".join([word for _, word in sorted(words)] + place)
            short = name.rsplit("/", 1)[-1]
            self.words[name] = short if self.told else f"{short} “{self.words.get(name, '')}” [{beside}]"

    def show(self, term: Term | None) -> str:
        """Return what a person reads in a cell."""
        if term is None:
            return ""
        if isinstance(term, ox.NamedNode):
            return self.words.get(term.value) or compress(term.value, self.prefixes)
        return lexical(term)
