"""The data of the benchmarks, made from the article's claims: the same for every number, size and machine.

Claims are the article's under new names. Those for the peers keep what a row of a table can hold: one sentence, at most
one cue, no qualifiers, quantities or links; so all can write the same quads.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pyoxigraph as ox

from kgbuild.claims import Claim
from kgbuild.compilation import Compilation, compile_project
from kgbuild.lines import nquads, ntriples, quads_of, without_graphs
from kgbuild.mint import Context, context_of
from kgbuild.moulds import Minter
from kgbuild.shards import compile_shard, plan

ROOT = Path(__file__).parents[1]
SHARD = 1000
MARK, CUT = "# shard\n", "# claim\n"
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


def lay(folder: Path, count: int, works: Collection[str]) -> None:
    """Write everything that the jobs of some works read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "size.json").write_text(json.dumps({"claims": count}))
    compilation = article()
    prefixes = compilation.project.prefixes
    used = ("kgb", "rdf", "rdfs", "np", "npx", "prov", "id")
    heading = "".join(f"PREFIX {name}: <{prefixes[name]}>\n" for name in used)
    (folder / "queries.json").write_text(json.dumps({name: heading + text for name, text in QUERIES.items()}))
    (folder / "descriptions.nq").write_text(nquads(compilation.descriptions), "utf-8")
    (folder / "local-shapes.nt").write_text(compilation.shapes.local, "utf-8")
    (folder / "all-shapes.nt").write_text(compilation.shapes.whole, "utf-8")
    if {"compile", "validate", "validate_all"}.intersection(works):
        _lay_claims(folder, count, whole="validate_all" in works, peers="compile" in works and count <= 10**5)
    if "shards" in works:
        _lay_table(folder / "project", count)
    if "render" in works and count <= 10**4:
        from pages import make

        make(folder / "site", count, count)


def _lay_claims(folder: Path, count: int, *, whole: bool, peers: bool) -> None:
    """Write claims, some of them faulty, as triples, of the whole graph as quads too, and for peers as a table."""
    context, pattern = context_and_pattern()
    minter = Minter(context)
    columns: Columns = {}
    asserted = {quad for quad in article().descriptions if quad[0] == _asserted()}
    with (
        (folder / "faulty.nt").open("w", encoding="utf-8") as triples,
        (folder / "faulty.nq").open("w", encoding="utf-8") as quads,
        (folder / "rows.jsonl").open("w") as rows,
    ):
        for start in range(0, count, SHARD):
            (shard,) = plan(claims_of(pattern, range(start, min(start + SHARD, count))), context, SHARD)
            compiled = compile_shard(shard, minter)
            asserted |= {(_asserted(), *triple) for triple in compiled.asserted}
            for number, item in enumerate(compiled.nanopublications, start):
                text = _broken(item.text, number) if number % 100 == 7 else item.text
                triples.write(without_graphs(text) + CUT)
                quads.write(text + CUT if whole else "")
                if peers:
                    rows.write(json.dumps(_row(item.text, columns)) + "\n")
            triples.write(MARK)
            quads.write(MARK)
    about = sorted({*article().descriptions, *asserted})
    (folder / "about.nq").write_text(nquads(about), "utf-8")
    (folder / "about.nt").write_text(ntriples(about), "utf-8")
    if peers:
        _tables(folder, columns)


def _asserted() -> str:
    """Return the graph of plain triples."""
    return f"<{article().project.graph('asserted')}>"


def _lay_table(root: Path, count: int) -> None:
    """Write the article's project with its claims as a large table, repeated, without what refers to other claims."""
    import yaml
    from pages import lay_settings

    lay_settings(root, "large = 1\n")
    for part in ("articles", "entities"):
        shutil.copytree(ROOT / "data" / part, root / "data" / part)
    name = "magnesium-rls"
    head, _, claims = (ROOT / f"data/articles/{name}.yaml").read_text("utf-8").partition("\nclaims:")
    (root / f"data/articles/{name}.yaml").write_text(head + "\n", "utf-8")
    records = yaml.load(f"claims:{claims}", yaml.BaseLoader)["claims"]
    pattern = [
        {key: value for key, value in record.items() if key not in {"rationale", "derived-from", "contrasts-with"}}
        for record in records
        if isinstance(record["object"], str)
    ]
    with (root / f"data/articles/{name}.claims.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            record = pattern[number % len(pattern)]
            words = f"{record['statement']} ({number})"
            file.write(json.dumps(record | {"id": f"{record['id']}-{number}", "statement": words}) + "\n")


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


def shards_of(path: Path) -> Iterator[list[str]]:
    """Cut the triples, or quads, of claims at the marks between shards, and each shard into its claims."""
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line == MARK:
                yield "".join(lines).split(CUT)
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
