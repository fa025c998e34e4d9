"""Namespaces, slugs, and the spelling of RDF terms: IRIs, literals, N-Quads text.

Pure: no clock, no files, no network. Every term that reaches the output is spelt here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pyoxigraph import Literal, NamedNode

KGB: Final = "https://w3id.org/kgbuild/ns#"
KGBUILD: Final = "https://w3id.org/kgbuild"

PREFIXES: Final[dict[str, str]] = {
    "biolink": "https://w3id.org/biolink/vocab/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "eco": "http://purl.obolibrary.org/obo/ECO_",
    "kgb": KGB,
    "np": "http://www.nanopub.org/nschema#",
    "npx": "http://purl.org/nanopub/x/",
    "oa": "http://www.w3.org/ns/oa#",
    "obo": "http://purl.obolibrary.org/obo/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "https://schema.org/",
    "sh": "http://www.w3.org/ns/shacl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "sssom": "https://w3id.org/sssom/",
    "vann": "http://purl.org/vocab/vann/",
    "void": "http://rdfs.org/ns/void#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
RDF: Final = PREFIXES["rdf"]
RDFS: Final = PREFIXES["rdfs"]
OWL: Final = PREFIXES["owl"]
XSD: Final = PREFIXES["xsd"]
SKOS: Final = PREFIXES["skos"]
DCTERMS: Final = PREFIXES["dcterms"]
PROV: Final = PREFIXES["prov"]
SCHEMA: Final = PREFIXES["schema"]
BIOLINK: Final = PREFIXES["biolink"]
OA: Final = PREFIXES["oa"]
NP: Final = PREFIXES["np"]
NPX: Final = PREFIXES["npx"]
SH: Final = PREFIXES["sh"]
SSSOM: Final = PREFIXES["sssom"]
TYPE: Final = RDF + "type"

_FORBIDDEN_IN_IRI: Final = re.compile(r'[\x00-\x20<>"{}|^`\\\ud800-\udfff]')
_ABSOLUTE_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\\ud800-\udfff]*\Z")
_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\\x7f]')
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    | {chr(code): f"\\u{code:04X}" for code in (*range(8), 11, *range(14, 32), 127)}
)


def is_iri(text: str) -> bool:
    """Tell whether `text` is an absolute IRI that N-Quads can carry (RFC 3987; RDF 1.1 §3.2).

    >>> is_iri("https://w3id.org/x"), is_iri("no scheme"), is_iri("http://a/ b"), is_iri("http://[::1/")
    (True, False, False, False)
    """
    if _ABSOLUTE_IRI.match(text) is None or _PERCENT.search(text):
        return False
    try:
        NamedNode(text)
    except ValueError:
        return False
    return True


def is_language(text: str) -> bool:
    """Tell whether `text` is a well-formed language tag (BCP 47, RDF 1.1 Turtle LANGTAG).

    >>> is_language("de-CH"), is_language("deutsch!"), is_language("en-a")
    (True, False, False)
    """
    if _LANGUAGE.match(text) is None:
        return False
    try:
        Literal("", language=text)
    except ValueError:
        return False
    return True


def in_language(texts: dict[str, str], languages: Iterable[str]) -> str:
    """Return the language, of those in which texts are given, that suits a reader of `languages` best.

    Each language stands for its shorter tags as well (RFC 4647 §3.4). After them come a text without a language, under
    the empty tag, and then the first tag in order. Tags in `texts` are in lower case; no text gives the empty tag.

    >>> in_language({"de": "Schlaf", "en": "sleep"}, ("de-CH", "en"))
    'de'
    >>> in_language({"en": "sleep", "es": "sueño"}, ("de", "es")), in_language({"en": "sleep"}, ("de", "es"))
    ('es', 'en')
    """
    for language in languages:
        tag = language.lower()
        while tag:
            if tag in texts:
                return tag
            tag = tag.rpartition("-")[0]
    return min(texts, default="")


def is_slug(text: str) -> bool:
    """Tell whether `text` can be an identifier in files, paths and IRIs alike.

    >>> is_slug("restless-legs-syndrome"), is_slug("../x"), is_slug("A b")
    (True, False, False)
    """
    return _SLUG.match(text) is not None


def iri(text: str) -> str:
    """Spell an IRI as N-Quads; raise `ValueError` where it cannot be one.

    >>> iri("https://w3id.org/x")
    '<https://w3id.org/x>'
    """
    if _FORBIDDEN_IN_IRI.search(text):
        raise ValueError(f"not an IRI: {text!r}")
    return f"<{text}>"


def escaped(text: str) -> str:
    """Spell the value of a literal as it stands between quotes.

    >>> escaped('a "b"')
    'a \\\\"b\\\\"'
    """
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def literal(text: str, *, language: str | None = None, datatype: str | None = None) -> str:
    """Spell a literal as canonical N-Quads (RDF 1.1 N-Triples §4).

    >>> literal('a "b"', language="en"), literal("3", datatype=XSD + "integer")
    ('"a \\\\"b\\\\""@en', '"3"^^<http://www.w3.org/2001/XMLSchema#integer>')
    """
    spelt = f'"{escaped(text)}"'
    if language is not None:
        return f"{spelt}@{language}"
    if datatype is not None:
        return f"{spelt}^^{iri(datatype)}"
    return spelt


def kebab(local_name: str) -> str:
    """Turn a local name of an ontology into the slug that source files use.

    >>> kebab("hasSymptom"), kebab("BodyPart"), kebab("isA")
    ('has-symptom', 'body-part', 'is-a')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", local_name).lower()


def compress(text: str, prefixes: dict[str, str]) -> str:
    """Shorten an IRI to a CURIE with the longest fitting prefix, or give it back as it is.

    >>> compress("http://www.w3.org/2004/02/skos/core#broader", PREFIXES)
    'skos:broader'
    """
    best = ""
    name = ""
    for prefix, namespace in prefixes.items():
        if len(namespace) > len(best) and text.startswith(namespace):
            best, name = namespace, prefix
    local = text[len(best) :]
    if not best or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?", local):
        return text
    return f"{name}:{local}"


def expand(curie: str, prefixes: dict[str, str]) -> str | None:
    """Expand a CURIE, or return None when its prefix is not declared.

    >>> expand("skos:broader", PREFIXES), expand("nope:x", PREFIXES)
    ('http://www.w3.org/2004/02/skos/core#broader', None)
    """
    prefix, colon, local = curie.partition(":")
    if not colon or prefix not in prefixes:
        return None
    return prefixes[prefix] + local
