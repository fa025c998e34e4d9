"""Alignments: `data/alignments/*.yaml`, how the claims of an article stand to what datasets state."""

from __future__ import annotations

from kgbuild.claims import Place
from kgbuild.datasets import (
    ALIGNMENT_SET_FIELDS,
    CRITERION_FIELDS,
    JUDGEMENT_FIELDS,
    VERDICT_FIELDS,
    Alignment,
    AlignmentSet,
    Criterion,
)
from kgbuild.diagnostics import Report
from kgbuild.read.articles import records, top_level
from kgbuild.read.records import Record
from kgbuild.read.yaml import Mapping, Value, parse
from kgbuild.source import Source


def read_alignments(source: Source, language: str, report: Report) -> AlignmentSet | None:
    """Read the judgements on one article; a verdict on several statements is one alignment for each."""
    root = parse(source, report)
    top = None if root is None else top_level(root, {"alignments", "criteria", "claims"}, source.path, report)
    if root is None or top is None:
        return None
    head = top.get("alignments")
    if not isinstance(head, Mapping):
        hint = "alignments: followed by article, judged, judge and method"
        report.add("KG106", "the file has no 'alignments' record", root.span, hint=hint)
        return None
    record = Record(head, ALIGNMENT_SET_FIELDS, "the record of alignments", language, report)
    article = str(record.values.get("article", ""))
    criteria = _criteria(top.get("criteria"), language, report)
    alignments = _alignments(top.get("claims"), article, language, report)
    if not record.complete:
        return None
    values = record.values
    return AlignmentSet(
        article=article,
        judged=values["judged"],
        judge=values["judge"],
        method=values["method"],
        criteria=tuple(criteria),
        alignments=tuple(alignments),
        place=record.place(head),
    )


def _criteria(value: Value | None, language: str, report: Report) -> list[Criterion]:
    found = []
    for node in records(value, "criteria", report):
        record = Record(node, CRITERION_FIELDS, "the criterion", language, report)
        if record.complete:
            values = record.values
            found.append(
                Criterion(
                    values["id"], values["statement"], record.place(node), values.get("threshold"), values.get("source")
                )
            )
    return found


def _alignments(value: Value | None, article: str, language: str, report: Report) -> list[Alignment]:
    found = []
    for node in records(value, "claims", report):
        record = Record(node, JUDGEMENT_FIELDS, "the judgement", language, report)
        if not record.complete:
            continue
        name = record.values["claim"]
        for inner in records(record.values["verdicts"], "verdicts", report):
            verdict = Record(inner, VERDICT_FIELDS, "the verdict", language, report)
            if not verdict.complete:
                continue
            verdict.keys["claim"] = record.keys["claim"]
            values = verdict.values
            found += [
                Alignment(
                    claim=name if "/" in name else f"{article}/{name}",
                    verdict=values["verdict"],
                    statement=statement,
                    reason=values["reason"],
                    place=Place(inner.span, verdict.keys | {"statement": verdict.keys[f"on[{number}]"]}),
                    criterion=values.get("criterion"),
                )
                for number, statement in enumerate(values["on"])
            ]
    return found
