"""The data of the benchmarks, made from the article's claims: the same for every number, size and machine.

Claims are the article's under new names. Those for the peers keep what a row of a table can hold: one sentence, at most
one cue, no qualifiers, quantities or links; so all can write the same quads.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pyoxigraph as ox

from kgbuild.claims import Claim
from kgbuild.compilation import Compilation, compile_project
from kgbuild.lines import nquads, quads_of, without_graphs
from kgbuild.mint import Context, context_of
from kgbuild.moulds import Minter

ROOT = Path(__file__).parents[1]
SHARD = 1000
MARK = "# shard\n"
GRAPHS = ("head", "assertion", "provenance", "pubinfo")
XSD = "http://www.w3.org/2001/XMLSchema#"
QUERIES = {
    "certainties": "SELECT ?c (COUNT(*) AS ?n) { ?s a kgb:Claim ; kgb:certainty ?c } GROUP BY ?c",
    "hedged": "SELECT (COUNT(*) AS ?n) { ?s kgb:certainty kgb:certainty-possible ; rdf:subject ?x ; kgb:polarity ?p }",
    "one": "SELECT ?s ?l { ?s rdf:object id:restless-legs-syndrome ; rdfs:label ?l } ORDER BY ?s LIMIT 20",
    "sentences": """SELECT ?sentence (COUNT(*) AS ?n) { ?np npx:introduces ?s ; np:hasAssertion ?a .
        ?a prov:wasDerivedFrom ?sentence } GROUP BY ?sentence""",
    "negated": "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s kgb:polarity kgb:polarity-negated ; rdf:object ?o }",
}


@cache
def article() -> Compilation:
    """Compile the article's project once."""
    return compile_project(ROOT)


def context_and_pattern() -> tuple[Context, tuple[Claim, ...]]:
    """Return what claims are minted with, and the claims that are repeated."""
    compilation = article()
    flat = [
        replace(
            claim,
            sentences=claim.sentences[:1],
            cues=claim.cues[:1],
            qualifiers=(),
            subject_quantity=None,
            object_quantity=None,
            rationale=(),
            contrasts_with=(),
            derived_from=(),
            confidence=None,
            quote=None,
            note=None,
        )
        for claim in compilation.sources.claims
        if claim.object.kind == "entity" and claim.kind in {"factual", "causal"}
    ]
    return context_of(compilation.sources), tuple(flat)


def claims_of(pattern: tuple[Claim, ...], numbers: Iterable[int]) -> tuple[Claim, ...]:
    """Return claims by their numbers."""
    return tuple([
        replace(claim, id=f"{claim.id}-{number}", statement=f"{claim.statement} ({number})")
        for number in numbers
        for claim in [pattern[number % len(pattern)]]
    ])  # fmt: skip


def lay(folder: Path, count: int, *, peers: bool) -> None:
    """Write everything the jobs read: queries and descriptions, faulty data, and for the peers tables and mappings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "size.json").write_text(json.dumps({"claims": count}))
    compilation = article()
    prefixes = compilation.project.prefixes
    used = ("kgb", "rdf", "rdfs", "np", "npx", "prov", "id")
    heading = "".join(f"PREFIX {name}: <{prefixes[name]}>\n" for name in used)
    (folder / "queries.json").write_text(json.dumps({name: heading + text for name, text in QUERIES.items()}))
    (folder / "descriptions.nq").write_text(nquads(compilation.descriptions), "utf-8")
    (folder / "shapes.nt").write_text(compilation.shapes.local, "utf-8")
    context, pattern = context_and_pattern()
    minter = Minter(context)
    columns: Columns = {}
    with (folder / "faulty.nt").open("w", encoding="utf-8") as faulty, (folder / "rows.jsonl").open("w") as rows:
        for start in range(0, count, SHARD):
            for number, claim in enumerate(claims_of(pattern, range(start, min(start + SHARD, count))), start):
                text = minter.mint(claim).text
                faulty.write(without_graphs(_broken(text, number) if number % 100 == 7 else text))
                if peers:
                    rows.write(json.dumps(_row(text, columns)) + "\n")
            faulty.write(MARK)
    if peers:
        _tables(folder, columns)


def _broken(text: str, number: int) -> str:
    """Break a claim in one of four ways that only shapes can tell."""
    kgb = "https://w3id.org/kgbuild/ns#"
    lines = text.splitlines(keepends=True)
    match number // 100 % 4:
        case 0:
            return text.replace(f"<{kgb}polarity-affirmed>", f"<{kgb}polarity-vague>")
        case 1:
            return "".join(line for line in lines if f"<{kgb}certainty>" not in line)
        case 2:
            return "".join([*lines, *(line.replace("/id/", "/id/other-") for line in lines if "ns#subject> " in line)])
        case _:
            return "".join(line for line in lines if "wasGeneratedBy" not in line)


def shards_of(path: Path) -> Iterator[str]:
    """Cut the triples of claims at the marks between shards."""
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line == MARK:
                yield "".join(lines)
                lines = []
            else:
                lines.append(line)


Columns = dict[tuple[str, str, str, int], dict[str, str]]


def _row(text: str, columns: Columns) -> dict[str, str]:
    """Turn the quads of a claim into a row; a column is a graph, a subject, a predicate and the how many-th value."""
    row: dict[str, str] = {}
    for graph, subject, predicate, target in quads_of(text):
        me, _, part = graph[1:-1].partition("#")
        row |= {"np": me, f"graph_{part.lower()}": graph[1:-1]}
        role = "np" if subject[1:-1] == me else "graph_assertion" if subject[1:-1].startswith(me) else "claim"
        row.setdefault(role, subject[1:-1])
        number = 0
        while (key := (part.lower(), role, predicate, number)) in columns and columns[key]["name"] in row:
            number += 1
        if key not in columns:
            columns[key] = {
                "name": f"c{len(columns)}", "graph": f"graph_{part.lower()}", "subject": role,
                "predicate": predicate[1:-1], **_kind(target),
            }  # fmt: skip
        row[columns[key]["name"]] = _value(target)
    return row


def _kind(target: str) -> dict[str, str]:
    if target.startswith("<"):
        return {"kind": "iri", "language": "", "datatype": ""}
    tail = target.rpartition('"')[2]
    return {"kind": "literal", "language": tail[1:] if tail.startswith("@") else "", "datatype": _datatype(tail)}


def _datatype(tail: str) -> str:
    return tail[3:-1] if tail.startswith("^^") else "" if tail else f"{XSD}string"


def _value(target: str) -> str:
    if target.startswith("<"):
        return target[1:-1]
    (quad,) = ox.parse(f"<s:> <p:> {target} .", ox.RdfFormat.N_TRIPLES)
    return quad.object.value  # type: ignore[union-attr]  # a literal


def _tables(folder: Path, columns: Columns) -> None:
    """Write the table of claims, and what the peers map it with: RML and stOTTR."""
    described = list(columns.values())
    names = ["np", "claim", *(f"graph_{part}" for part in GRAPHS), *(column["name"] for column in described)]
    with (folder / "claims.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        with (folder / "rows.jsonl").open(encoding="utf-8") as rows:
            writer.writerows(json.loads(line) for line in rows)
    (folder / "rows.jsonl").unlink()
    (folder / "columns.json").write_text(json.dumps(described))
    (folder / "mapping.ttl").write_text(_rml(folder / "claims.csv", described), "utf-8")
    (folder / "template.stottr").write_text(_ottr(described), "utf-8")


def _rml(table: Path, columns: list[dict[str, str]]) -> str:
    """Return an RML mapping: one triples map for each graph and subject."""
    lines = ["@prefix rr: <http://www.w3.org/ns/r2rml#> .", "@prefix rml: <http://semweb.mmlab.be/ns/rml#> ."]
    lines.append("@prefix ql: <http://semweb.mmlab.be/ns/ql#> .")
    for graph, subject in dict.fromkeys((column["graph"], column["subject"]) for column in columns):
        lines.append(
            f"<#{graph}-{subject}> a rr:TriplesMap ;\n"
            f'  rml:logicalSource [ rml:source "{table}" ; rml:referenceFormulation ql:CSV ] ;\n'
            f'  rr:subjectMap [ rml:reference "{subject}" ; rr:termType rr:IRI ;\n'
            f'    rr:graphMap [ rml:reference "{graph}" ; rr:termType rr:IRI ] ] ;'
        )
        objects = []
        for column in columns:
            if (column["graph"], column["subject"]) == (graph, subject):
                kind = "rr:IRI" if column["kind"] == "iri" else "rr:Literal"
                tail = f' ; rr:language "{column["language"]}"' if column["language"] else ""
                if column["kind"] != "iri" and column["datatype"] not in {"", f"{XSD}string"}:
                    tail = f" ; rr:datatype <{column['datatype']}>"
                objects.append(
                    f"  rr:predicateObjectMap [ rr:predicate <{column['predicate']}> ;\n"
                    f'    rr:objectMap [ rml:reference "{column["name"]}" ; rr:termType {kind}{tail} ] ]'
                )
        lines.append(" ;\n".join(objects) + " .")
    return "\n".join(lines) + "\n"


def _ottr(columns: list[dict[str, str]]) -> str:
    """Return a stOTTR template; columns that may be empty are optional."""
    subjects = dict.fromkeys(column["subject"] for column in columns)
    graphs = [f"graph_{part}" for part in GRAPHS if f"graph_{part}" not in subjects]
    said = [f"? ottr:IRI ?{name}" for name in (*subjects, *graphs)]
    triples = []
    for column in columns:
        kind = "ottr:IRI" if column["kind"] == "iri" else f"<{column['datatype'] or XSD + 'string'}>"
        said.append(f"? {kind} ?{column['name']}")
        triples.append(f"  ottr:Triple(?{column['subject']}, <{column['predicate']}>, ?{column['name']})")
    return (
        "@prefix ottr: <http://ns.ottr.xyz/0.4/> .\n"
        f"<http://example.org/claim> [ {', '.join(said)} ] :: {{\n" + ",\n".join(triples) + "\n} .\n"
    )
