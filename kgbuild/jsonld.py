"""JSON-LD 1.1 in compact form, with a context of our own: named terms, language maps, named graphs, parts in place.

Pure: quads in N-Quads spelling in, JSON text out. The context stands in the text, so that nothing is fetched to read
it, and `< > &` are escaped, so that the text can stand in a page.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from kgbuild.terms import RDF, TYPE, XSD
from kgbuild.trusty import Quad, unescape

Json = str | float | list["Json"] | dict[str, "Json"]

_STRING: Final = XSD + "string"
_INTEGER: Final = XSD + "integer"
_BOOLEAN: Final = XSD + "boolean"
_TYPE: Final = f"<{TYPE}>"
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,14}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_GEN_DELIMS: Final = (":", "/", "?", "#", "[", "]", "@")
_IN_PAGES: Final = {mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FIRST: Final = ("rdfs", "rdf", "skos", "dcterms", "prov", "schema", "oa", "np", "npx", "biolink", "sssom")
_DIGITS: Final = re.compile(r"[0-9]+")
_WIDTH: Final = 100
_quoted: Final = json.encoder.encode_basestring
_plain: Final = json.JSONEncoder(ensure_ascii=False).encode


class Literal(NamedTuple):
    """A literal: its lexical form, its datatype, and its language, or the empty string."""

    value: str
    datatype: str
    language: str


@lru_cache(maxsize=65_536)
def parse_literal(term: str) -> Literal:
    """Split a literal in N-Quads spelling.

    >>> parse_literal('"Schlaf"@de')
    Literal(value='Schlaf', datatype='http://www.w3.org/1999/02/22-rdf-syntax-ns#langString', language='de')
    """
    end = term.rindex('"')
    value, rest = unescape(term[1:end]), term[end + 1 :]
    if rest.startswith("@"):
        return Literal(value, RDF + "langString", rest[1:])
    return Literal(value, rest[3:-1] if rest else _STRING, "")


@dataclass(frozen=True, slots=True)
class Term:
    """A name in the context: the IRI it stands for, and how its values are read.

    `coercion` is `@id` (values are IRIs), `@language` (values are texts by language), a datatype, or empty.
    """

    name: str
    iri: str
    coercion: str = ""


class Context:
    """What the names in a document mean: prefixes, and terms by IRI."""

    def __init__(self, prefixes: Mapping[str, str], terms: Iterable[Term]) -> None:
        self.prefixes = dict(sorted(prefixes.items()))
        self.terms = {term.iri: term for term in sorted(terms, key=lambda term: (term.name.lower(), term.name))}
        self._longest_first = sorted(self.prefixes.items(), key=lambda item: (-len(item[1]), item[0]))
        self._short: dict[str, tuple[str, str]] = {}

    def short(self, iri: str) -> tuple[str, str]:
        """Return an IRI in short form, and the prefix it takes, or the empty string.

        >>> Context({"skos": "http://www.w3.org/2004/02/skos/core#"}, []).short("http://www.w3.org/2004/02/skos/core#note")
        ('skos:note', 'skos')
        """
        found = self._short.get(iri)
        if found is None:
            found = self._short[iri] = next(
                (
                    (f"{name}:{iri[len(space) :]}", name)
                    for name, space in self._longest_first
                    if iri.startswith(space) and iri != space and not iri.startswith("//", len(space))
                ),
                (iri, ""),
            )
        return found

    def definitions(self, used: Iterable[str] | None = None) -> dict[str, Json]:
        """Return the value of `@context`: all of it, or the names in use and what their definitions need."""
        terms = list(self.terms.values())
        prefixes = set(self.prefixes)
        if used is not None:
            names = set(used)
            terms = [term for term in terms if term.name in names]
            needed = {self.short(iri)[1] for term in terms for iri in (term.iri, term.coercion)}
            prefixes &= names | needed
        defined: dict[str, Json] = {"@version": 1.1}
        for name in sorted(prefixes):
            space = self.prefixes[name]
            defined[name] = space if space.endswith(_GEN_DELIMS) else {"@id": space, "@prefix": True}
        for term in terms:
            defined[term.name] = self._definition(term)
        return defined

    def document(self) -> bytes:
        """Return the whole context as a file of its own (`context.jsonld`)."""
        return _text({"@context": self.definitions()})

    def _definition(self, term: Term) -> Json:
        iri = self.short(term.iri)[0]
        if not term.coercion:
            return iri
        if term.coercion == "@language":
            return {"@id": iri, "@container": "@language"}
        return {"@id": iri, "@type": self.short(term.coercion)[0]}


def context(prefixes: Mapping[str, str], quads: Iterable[Quad], base: str = "") -> Context:
    """Make the context for documents about `quads` or a part of them.

    Every property and class in use is named by its local name; where two share one, the tool's vocabulary comes first,
    then the project's (`{base}ns#`), and the other keeps its prefix. A property whose values are all IRIs, all of one
    datatype, or all texts in a language says so once, here. A name that is also the scheme of an IRI is left out, for
    that IRI would be misread.

    >>> quad = ("", "<http://a/x>", "<http://a/ns#eats>", "<http://a/y>")
    >>> context({"a": "http://a/ns#"}, [quad]).definitions()["eats"]
    {'@id': 'a:eats', '@type': '@id'}
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    iris: set[str] = set()
    for graph, subject, predicate, target in set(quads):
        iris.update((graph, subject, predicate))
        if target.startswith("<"):
            iris.add(target)
            kinds[target if predicate == _TYPE else predicate].add("" if predicate == _TYPE else "@id")
        else:
            read = parse_literal(target)
            iris.add(f"<{read.datatype}>")
            kinds[predicate].add("@language" if read.language else read.datatype)
    schemes = {iri[1:].partition(":")[0] for iri in iris}
    kept = {name: space for name, space in prefixes.items() if _NAME.fullmatch(name) and name not in schemes}
    taken = {*schemes, *prefixes}
    spaces = _spaces(prefixes, base)
    named = [(*_cut(term[1:-1]), kinds[term]) for term in kinds if term != _TYPE]
    named.sort(key=lambda item: (spaces.index(item[0]) if item[0] in spaces else len(spaces), item[0], item[1]))
    terms = []
    for space, local, found in named:
        if _NAME.fullmatch(local) and local not in taken:
            taken.add(local)
            terms.append(Term(local, space + local, _coercion(found)))
    return Context(kept, terms)


def _spaces(prefixes: Mapping[str, str], base: str) -> list[str]:
    """Return the namespaces whose terms take a shared name before others."""
    own = {"kgb": prefixes.get("kgb", ""), "": f"{base}ns#"}
    return [*own.values(), *(prefixes[name] for name in _FIRST if name in prefixes)]


def _cut(iri: str) -> tuple[str, str]:
    """Split an IRI into its namespace and its local name."""
    local = re.split(r"[#/:]", iri)[-1]
    return iri[: len(iri) - len(local)], local


def _coercion(kinds: set[str]) -> str:
    kind = next(iter(kinds)) if len(kinds) == 1 else ""
    return "" if kind == _STRING else kind


def document(quads: Iterable[Quad], context: Context, *, graphs: bool = True, first: str = "") -> bytes:
    """Write quads as a document with its context inside.

    With `graphs` each named graph stands in a `@graph` of its own; without, the document is their union. A node whose
    IRI is a fragment of the node that points at it stands inside that node. `first` is the IRI of the first node.
    """
    return _text(_Writer(context, first).document(quads, graphs))


class _Writer:
    """Turns quads into the nodes of one document, and remembers which names it used."""

    def __init__(self, context: Context, first: str) -> None:
        self.context, self.first = context, first
        self.used: set[str] = set()

    def document(self, quads: Iterable[Quad], graphs: bool) -> dict[str, Json]:
        by_graph: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for graph, *triple in quads:
            by_graph[graph if graphs else ""].add(tuple(triple))  # type: ignore[arg-type]  # three terms
        content: list[Json] = []
        for graph in sorted(by_graph, key=graph_order):
            nodes = list(self.nodes(by_graph[graph]))
            content += nodes if not graph else [{"@id": self.short(graph), "@graph": nodes}]
        return {"@context": self.context.definitions(self.used), "@graph": content}

    def nodes(self, triples: Iterable[tuple[str, str, str]]) -> Iterator[Json]:
        """Return the nodes of one graph that stand in no other."""
        properties: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for subject, predicate, target in sorted(triples):
            properties[subject][predicate].append(target)
        parts = {
            target
            for subject, found in properties.items()
            for predicate, targets in found.items()
            for target in targets
            if predicate != _TYPE and target in properties and is_part(target, subject)
        }
        roots = [subject for subject in properties if subject not in parts]
        for subject in sorted(roots, key=lambda term: (nearness(term, self.first), natural(term))):
            yield self.node(subject, properties, parts)

    def node(self, subject: str, properties: Mapping[str, Mapping[str, list[str]]], parts: set[str]) -> Json:
        """Return a node with its parts inside; each part is taken from `parts` by the first node that points at it."""
        made: dict[str, Json] = {"@id": self.short(subject)}
        entries: dict[str, Json] = {}
        for predicate, targets in properties[subject].items():
            if predicate == _TYPE:
                self._types(targets, made, entries)
                continue
            term = self.context.terms.get(predicate[1:-1])
            values: list[Json] = []
            texts: dict[str, list[Json]] = {}
            for target in targets:
                if target in parts and is_part(target, subject):
                    parts.remove(target)
                    values.append(self.node(target, properties, parts))
                elif target.startswith("<"):
                    values.append(self._link(target, term))
                else:
                    read = parse_literal(target)
                    if term and term.coercion == "@language" and read.language:
                        texts.setdefault(read.language, []).append(read.value)
                    else:
                        values.append(self._value(read, term))
            if term and texts:
                entries[self._use(term)] = {language: _one_or_all(found) for language, found in sorted(texts.items())}
            if values:
                by_name = term is not None and term.coercion != "@language"
                entries[self._use(term) if term and by_name else self.short(predicate)] = _one_or_all(values)
        order = sorted(entries, key=lambda key: (key != "label", key.lower(), key))
        return made | {key: entries[key] for key in order}

    def short(self, term: str) -> str:
        """Return an IRI in N-Quads spelling in its short form."""
        text, prefix = self.context.short(term[1:-1])
        if prefix:
            self.used.add(prefix)
        return text

    def _use(self, term: Term) -> str:
        self.used.add(term.name)
        return term.name

    def _types(self, targets: list[str], made: dict[str, Json], entries: dict[str, Json]) -> None:
        classes: list[str] = []
        others: list[Json] = []
        for target in targets:
            if target.startswith("<"):
                term = self.context.terms.get(target[1:-1])
                classes.append(self._use(term) if term else self.short(target))
            else:
                others.append(self._value(parse_literal(target), None))
        if classes:
            made["@type"] = _one_or_all(sorted(classes))
        if others:
            entries[self.short(_TYPE)] = _one_or_all(others)

    def _link(self, target: str, term: Term | None) -> Json:
        short = self.short(target)
        return short if term and term.coercion == "@id" else {"@id": short}

    def _value(self, read: Literal, term: Term | None) -> Json:
        coercion = term.coercion if term else ""
        if read.language:
            return {"@value": read.value, "@language": read.language}
        if coercion in {"", read.datatype}:
            if read.datatype == _INTEGER and _WHOLE.fullmatch(read.value):
                return int(read.value)
            if read.datatype == _BOOLEAN and read.value in {"true", "false"}:
                return read.value == "true"
        if read.datatype == (coercion or _STRING):
            return read.value
        if read.datatype == _STRING:
            return {"@value": read.value}
        return {"@value": read.value, "@type": self.short(f"<{read.datatype}>")}


def is_part(target: str, subject: str) -> bool:
    """Tell whether an IRI is a fragment of another, or a part of its fragment; both in N-Quads spelling.

    >>> is_part("<http://a/x#y>", "<http://a/x>"), is_part("<http://a/x#y-position>", "<http://a/x#y>")
    (True, True)
    """
    size = len(subject) - 1
    if not target.startswith(subject[:-1]) or len(target) <= size + 2:
        return False
    return target[size] == ("-" if "#" in subject else "#")


@lru_cache(maxsize=65_536)
def natural(term: str) -> tuple[str, str]:
    """Return a key that sorts IRIs in N-Quads spelling, the numbers in them by size.

    >>> sorted(["<a#s10>", "<a#s9>", "<a>"], key=natural)
    ['<a>', '<a#s9>', '<a#s10>']
    """
    iri = term[1:-1]
    return _DIGITS.sub(_padded, iri), iri


def _padded(found: re.Match[str]) -> str:
    return found[0].zfill(8)


def nearness(term: str, first: str) -> int:
    """Return a key that sorts the IRI `first` before its fragments, and these before all others."""
    iri = term[1:-1]
    return 0 if iri == first else 1 if first and iri.startswith(first + "#") else 2


def graph_order(graph: str) -> tuple[str, int, str]:
    """Return a key that keeps the graphs of a nanopublication together, in the order in which it lists them.

    >>> graph_order("<http://a/np/RA1#Head>") < graph_order("<http://a/np/RA1#assertion>")
    True
    """
    whole, _, part = graph[1:-1].partition("#")
    parts = ("", "Head", "assertion", "provenance", "pubinfo")
    return whole, parts.index(part) if part in parts else len(parts), part


def _one_or_all(values: Sequence[Json]) -> Json:
    return values[0] if len(values) == 1 else list(values)


def in_page(value: object) -> str:
    """Spell a value as JSON on one line that can stand inside a script element.

    What could end the element is escaped, and so are the marks that turn the direction of text.

    >>> in_page({"a": "</script>"})
    '{"a":"\\\\u003c/script\\\\u003e"}'
    """
    text = _escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return _DIRECTIONS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(text: str) -> str:
    for mark, escaped in _IN_PAGES.items():
        text = text.replace(mark, escaped)
    return text


def _text(value: Json) -> bytes:
    return f"{_escaped(_rendered(value, 0))}\n".encode()


def _rendered(value: Json, depth: int) -> str:
    """Render JSON, with what fits on one line on one line."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        inner = [f"{_quoted(key)}: {_rendered(item, depth + 2)}" for key, item in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        inner = [_rendered(item, depth + 2) for item in value]
        opening, closing = "[", "]"
    else:
        return _plain(value)
    if sum(map(len, inner)) + 2 * len(inner) + depth <= _WIDTH and not any("\n" in item for item in inner):
        return f"{opening}{', '.join(inner)}{closing}"
    pad = " " * (depth + 2)
    return f"{opening}\n{pad}" + f",\n{pad}".join(inner) + f"\n{' ' * depth}{closing}"
