"""The diagnostic codes: each with its severity and title; its worked example is `codes/CODE.md`.

KG1xx files and settings, KG2xx claims and articles, KG3xx entities and mappings, KG4xx ontologies and queries,
KG5xx the graph, KG6xx the site, KG7xx datasets and alignments, KG8xx what was published. Codes of SHACL shapes (S01,
MR01, …) belong to the shapes files.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

CODES: Final[dict[str, tuple[str, str]]] = {
    "KG101": ("error", "unreadable file"),
    "KG102": ("error", "not UTF-8"),
    "KG103": ("error", "broken YAML"),
    "KG104": ("error", "duplicate key"),
    "KG105": ("error", "unknown key"),
    "KG106": ("error", "missing key"),
    "KG107": ("error", "wrong type"),
    "KG108": ("error", "empty file"),
    "KG109": ("error", "unknown setting"),
    "KG110": ("error", "invalid setting"),
    "KG111": ("warning", "byte order mark or carriage return"),
    "KG112": ("error", "symbolic link loop or link out of the project"),
    "KG113": ("warning", "file that no stage reads"),
    "KG114": ("error", "broken table"),
    "KG115": ("error", "character not allowed"),
    "KG201": ("error", "duplicate id"),
    "KG202": ("error", "invalid id"),
    "KG203": ("error", "invalid date"),
    "KG204": ("error", "unknown entity"),
    "KG205": ("error", "unknown predicate"),
    "KG206": ("error", "unknown term"),
    "KG207": ("error", "unknown sentence"),
    "KG208": ("error", "unknown claim"),
    "KG209": ("error", "cue contradicts certainty"),
    "KG210": ("error", "invalid quantity"),
    "KG211": ("error", "invalid number"),
    "KG212": ("error", "quote not allowed"),
    "KG213": ("error", "unknown section"),
    "KG214": ("error", "invalid offsets"),
    "KG215": ("error", "anchor mismatch"),
    "KG216": ("warning", "sentence without a claim"),
    "KG217": ("error", "invalid digest"),
    "KG218": ("error", "no sentence table"),
    "KG219": ("error", "unknown cue"),
    "KG301": ("error", "invalid language tag"),
    "KG302": ("error", "unknown category"),
    "KG305": ("error", "unknown prefix"),
    "KG306": ("error", "invalid IRI"),
    "KG307": ("error", "unknown mapping predicate"),
    "KG308": ("error", "duplicate mapping"),
    "KG401": ("error", "broken Turtle"),
    "KG402": ("error", "broken query"),
    "KG403": ("error", "invalid query heading"),
    "KG404": ("error", "blank node in an ontology"),
    "KG405": ("error", "unknown parameter"),
    "KG406": ("error", "missing expected answer"),
    "KG407": ("error", "answer differs"),
    "KG501": ("error", "shape violated"),
    "KG502": ("error", "rule cannot run"),
    "KG601": ("error", "broken link"),
    "KG602": ("error", "two pages at one path"),
    "KG603": ("error", "heading missing or empty"),
    "KG604": ("error", "link or picture without words"),
    "KG605": ("error", "picture that a page cannot show"),
    "KG606": ("error", "link that a page cannot have"),
    "KG701": ("error", "dataset without its tables"),
    "KG702": ("error", "unknown source record"),
    "KG703": ("error", "invalid DOI or PMID"),
    "KG704": ("error", "unknown dataset statement"),
    "KG705": ("error", "judged twice"),
    "KG706": ("error", "unknown criterion"),
    "KG707": ("error", "unknown article"),
    "KG708": ("warning", "source record that nothing uses"),
    "KG801": ("error", "broken nanopublication"),
    "KG802": ("error", "trusty URI does not fit"),
    "KG803": ("error", "signature does not fit"),
    "KG804": ("error", "release file differs"),
    "KG805": ("error", "dump of another graph"),
}


def severity_of(code: str) -> str:
    """Return the severity word of a code: the one listed, else error (codes of shapes carry their own).

    >>> severity_of("KG216"), severity_of("S02")
    ('warning', 'error')
    """
    return CODES[code][0] if code in CODES else "error"


def title_of(code: str) -> str | None:
    """Return the title of a listed code.

    >>> title_of("KG204")
    'unknown entity'
    """
    return CODES[code][1] if code in CODES else None


def page_of(code: str) -> str | None:
    """Return the page of a listed code as Markdown, or None for another code.

    >>> (page_of("KG204") or "").splitlines()[0], page_of("S02")
    ('# KG204: unknown entity', None)
    """
    page = files("kgbuild") / "codes" / f"{code}.md"
    return page.read_text("utf-8") if code in CODES and page.is_file() else None
