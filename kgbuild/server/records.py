"""Claims and entities as JSON objects. A claim always keeps certainty, polarity and source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kgbuild.evidence import AlignmentView
from kgbuild.nodes import Link
from kgbuild.views import ClaimView, EntityView, SentenceView

Record = dict[str, Any]


def claim_record(claim: ClaimView) -> Record:
    """Return a claim with everything that must be read beside it; what is not recorded is left out."""
    record = {
        "iri": claim.iri,
        "id": claim.key,
        "statement": claim.statement,
        "certainty": claim.certainty.slug,
        "modality": claim.modality.slug,
        "polarity": claim.polarity.slug,
        "frequency": claim.frequency.slug if claim.frequency else "",
        "kind": claim.kind,
        "subject": _link(claim.subject),
        "predicate": _link(claim.predicate),
        "object": _link(claim.object),
        "subject_quantity": claim.subject_quantity,
        "object_quantity": claim.object_quantity,
        "compared_dimension": _link(claim.compared_dimension) if claim.compared_dimension else None,
        "qualifiers": [
            {"type": item.type.slug, "value": item.value if isinstance(item.value, str) else _link(item.value)}
            for item in claim.qualifiers
        ],
        "cues": list(claim.cues),
        "presupposed": claim.presupposed,
        "implied": claim.implied,
        "basis": claim.basis.slug,
        "stated_evidence": claim.stated_evidence,
        "source": {
            "attributed_to": _link(claim.attributed_to),
            "article": _link(claim.article),
            "sentences": [_sentence(sentence) for sentence in claim.sentences],
        },
        "nanopublication": claim.nanopublication,
        "created": claim.created,
        "license": claim.license,
        "extraction_confidence": claim.confidence,
        "rationale": _links(claim.rationale),
        "contrasts_with": _links(claim.contrasts_with),
        "derived_from": _links(claim.derived_from),
        "evidence": [_alignment(alignment) for alignment in claim.alignments],
        "stated_plainly": claim.plain,
        "note": claim.note,
        "quote": claim.quote,
    }
    always = {"certainty", "modality", "polarity", "basis", "source", "stated_plainly", "evidence"}
    return {name: value for name, value in record.items() if name in always or value not in ("", None, [], False)}


def short_record(claim: ClaimView) -> Record:
    """Return what must be read beside the statement of a claim, and no more."""
    full = claim_record(claim)
    names = ("iri", "id", "statement", "certainty", "modality", "polarity", "frequency", "qualifiers", "presupposed",
             "implied", "basis", "source")  # fmt: skip
    return {name: full[name] for name in names if name in full}


def entity_record(entity: EntityView) -> Record:
    """Return an entity with its names, links, and the claims that name it."""
    return {
        "iri": entity.iri,
        "id": entity.slug,
        "label": entity.label,
        "labels": entity.labels,
        "aliases": list(entity.aliases),
        "category": _link(entity.category),
        "definition": entity.definition,
        "broader": _links(entity.broader),
        "narrower": _links(entity.narrower),
        "links": [
            {"match": item.match, "iri": item.iri, "curie": item.curie, "label": item.label} for item in entity.mappings
        ],
        "claims": [short_record(claim) for claim in entity.claims],
    }


def found_record(entity: EntityView) -> Record:
    """Return an entity as a search shows it."""
    return {
        "type": "entity",
        "iri": entity.iri,
        "id": entity.slug,
        "label": entity.label,
        "category": entity.category.label,
        "definition": entity.definition,
    }


def _link(link: Link) -> Record:
    return {"iri": link.iri, "label": link.label}


def _links(links: Iterable[Link]) -> list[Record]:
    return [_link(link) for link in links]


def _sentence(sentence: SentenceView) -> Record:
    return {
        "iri": sentence.iri,
        "number": sentence.number,
        "section": sentence.section.label,
        "start": sentence.start,
        "end": sentence.end,
        "sha256": sentence.sha256,
        "anchor": sentence.state,
    }


def _alignment(alignment: AlignmentView) -> Record:
    record: Record = {"iri": alignment.iri, "verdict": alignment.verdict.slug, "reason": alignment.reason}
    statement = alignment.statement
    if statement is not None:
        record["statement"] = {
            "iri": statement.iri,
            "statement": statement.statement,
            "polarity": statement.polarity.slug,
            "dataset": _link(statement.dataset),
            "release": statement.release,
        }
    return record
