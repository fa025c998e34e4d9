"""Trusty URIs of RDF graphs: the artifact code of module RA (Kuhn & Dumontier 2014, trustyuri.net).

Quads are spelt as N-Quads terms. In a quad that is not yet named, `\\0` stands where the code will stand.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

Quad = tuple[str, str, str, str]
"""Graph, subject, predicate, object, each in N-Quads spelling."""

HOLE = "\0"
CODE = re.compile(r"RA[A-Za-z0-9_-]{43}")
_STRING = "http://www.w3.org/2001/XMLSchema#string"
_UNESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}


def artifact_code(quads: Iterable[Quad]) -> str:
    """Return the artifact code of quads in which `\\0` stands for the code.

    >>> artifact_code([("<http://a/\\0#g>", "<http://a/\\0>", "<http://a/p>", '"x"@en')])[:6]
    'RA4Z5E'
    """
    return code_of(normal_text(quads))


def code_of(normal: str) -> str:
    """Return the artifact code of a normal text.

    >>> code_of("")[:10]
    'RA47DEQpj8'
    """
    digest = hashlib.sha256(normal.encode("utf-8")).digest()
    return "RA" + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def normal_text(quads: Iterable[Quad]) -> str:
    """Return the text that is hashed, and signed: each quad once, in order, its four terms on a line each.

    >>> normal_text([("<http://a/\\0#g>", "<http://a/\\0>", "<http://a/p>", '"x"@en')])
    'http://a/ #g\\nhttp://a/ \\nhttp://a/p\\n@en x\\n'
    """
    lines = sorted({(_key(quad), "".join(f"{_hashed(term)}\n" for term in quad)) for quad in quads})
    return "".join(line for _, line in lines)


def is_trusty(quads: Iterable[Quad], code: str) -> bool:
    """Tell whether quads that carry `code` in their IRIs have that code.

    >>> is_trusty([("<http://a/RAx#g>", "<http://a/RAx>", "<http://a/p>", '"x"')], "RAx")
    False
    """
    holed = [tuple(term.replace(code, HOLE) if term.startswith("<") else term for term in quad) for quad in quads]
    return artifact_code(holed) == code  # type: ignore[arg-type]  # four terms in, four terms out


def unescape(text: str) -> str:
    """Undo the escapes of an N-Quads literal.

    >>> unescape('a\\\\nb \\\\u0041')
    'a\\nb A'
    """
    if "\\" not in text:
        return text

    def plain(found: re.Match[str]) -> str:
        digits = found[1] or found[2]
        return chr(int(digits, 16)) if digits else _PLAIN.get(found[3], found[3])

    return _UNESCAPE.sub(plain, text)


def one_line(value: str) -> str:
    """Spell the value of a literal as normalized texts do.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _literal(term: str) -> tuple[str, str, str]:
    """Split a literal into its value, datatype and language."""
    end = term.rindex('"')
    value, rest = unescape(term[1:end]), term[end + 1 :]
    if rest.startswith("@"):
        return value, "", rest[1:]
    return value, rest[3:-1] if rest else _STRING, ""


def _hashed(term: str) -> str:
    if not term.startswith('"'):
        return term[1:-1].replace(HOLE, " ")
    value, datatype, language = _literal(term)
    value = one_line(value)
    return f"@{language.lower()} {value}" if language else f"^{datatype} {value}"


def _key(quad: Quad) -> tuple[str, str, str, int, tuple[str, str, str]]:
    graph, subject, predicate, target = quad
    names = (_hashed(graph), _hashed(subject), _hashed(predicate))
    if target.startswith('"'):
        return (*names, 1, _literal(target))
    return (*names, 0, (_hashed(target), "", ""))
