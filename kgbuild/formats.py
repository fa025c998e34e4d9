"""The graph in every syntax: whole dumps, and files about one resource.

Pure: N-Quads in, bytes out, the same for the same quads in any order; never through a store, which rewrites literals.
Turtle and TriG are written for people: one block a subject, only the prefixes in use. There are no blank nodes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from typing import Final

import pyoxigraph as ox

from kgbuild import jsonld
from kgbuild.diagnostics import UnreadableError, UsageError
from kgbuild.jsonld import graph_order, natural, nearness, parse_literal
from kgbuild.terms import KGB, NP, NPX, OA, PROV, RDF, RDFS, SSSOM, TYPE, XSD, literal
from kgbuild.trusty import Quad


@dataclass(frozen=True, slots=True)
class Format:
    """A syntax of RDF: its names, and whether it keeps named graphs."""

    name: str
    extension: str
    media_type: str
    label: str
    graphs: bool


FORMATS: Final[dict[str, Format]] = {
    item.name: item
    for item in (
        Format("trig", "trig", "application/trig", "TriG", graphs=True),
        Format("nquads", "nq", "application/n-quads", "N-Quads", graphs=True),
        Format("turtle", "ttl", "text/turtle", "Turtle", graphs=False),
        Format("jsonld", "jsonld", "application/ld+json", "JSON-LD", graphs=True),
        Format("rdfxml", "rdf", "application/rdf+xml", "RDF/XML", graphs=False),
    )
}


def write_format(nquads: bytes | Sequence[Quad], form: Format, prefixes: Mapping[str, str], base: str) -> bytes:
    """Write N-Quads, or the quads that `read_quads` made of them, in a format.

    A format without named graphs gets the union of all graphs, each triple once. Raises `UsageError` where the format
    cannot carry a term (RDF/XML: some predicates and control characters).

    >>> nquads = b'<http://a/x> <http://a/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> <http://a/g> .'
    >>> print(write_format(nquads, FORMATS["turtle"], {"a": "http://a/"}, "http://b/").decode())
    @prefix a: <http://a/> .
    <BLANKLINE>
    a:x a:p 1 .
    <BLANKLINE>
    """
    quads = read_quads(nquads) if isinstance(nquads, bytes) else nquads
    return _WRITERS[form.name](quads, prefixes, base)


# Reading

_CHARACTERS: Final = r"[!$&-;=?-Z_a-z~\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef]*"
_IRI: Final = rf"<[A-Za-z][A-Za-z0-9+.-]*:{_CHARACTERS}(?:#{_CHARACTERS})?>"
_PLAIN: Final = r'[^"\\\x00-\x1f\x7f]*'
_ESCAPE: Final = r'\\(?:[tbnrf"\\]|u00(?:0[0-7BEF]|1[0-9A-F]|7F))'
_TAG: Final = r"@[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"
_LITERAL: Final = rf'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*"(?:{_TAG}|\^\^(?!<{re.escape(XSD)}string>){_IRI})?'


@cache
def _line() -> re.Pattern[str]:
    """Return the pattern of a canonical line; compiled when first wanted, for it takes a while."""
    return re.compile(rf"({_IRI}) ({_IRI}) ({_IRI}|{_LITERAL})(?: ({_IRI}))? \.")


def read_quads(nquads: bytes) -> tuple[Quad, ...]:
    """Read N-Quads into quads in canonical spelling, sorted, each once; the default graph is the empty string.

    Canonical lines are kept letter for letter; pyoxigraph, which writes language tags in lower case, reads the others.
    Raises `UnreadableError` at broken lines, and at blank nodes and the terms of RDF 1.2, which no export carries.

    >>> read_quads(b'<http://a/s>   <http://a/p> "\\\\u0041" .')
    (('', '<http://a/s>', '<http://a/p>', '"A"'),)
    """
    try:
        text = nquads.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"the N-Quads are not UTF-8: {error}") from error
    quads: set[Quad] = set()
    canonical = _line()
    for number, line in enumerate(text.split("\n"), 1):
        found = canonical.fullmatch(line)
        if found is not None:
            subject, predicate, target, graph = found.groups("")
            quads.add((graph, subject, predicate, target))
        elif line:
            quads.update(_read_line(line, number))
    return tuple(sorted(quads))


def _read_line(line: str, number: int) -> Iterator[Quad]:
    try:
        for quad in ox.parse(line.encode("utf-8"), ox.RdfFormat.N_QUADS):
            graph = "" if isinstance(quad.graph_name, ox.DefaultGraph) else _spell(quad.graph_name)
            yield graph, _spell(quad.subject), _spell(quad.predicate), _spell(quad.object)
    except (SyntaxError, ValueError) as error:
        raise UnreadableError(f"N-Quads line {number}: {error}") from None


def _spell(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
    if isinstance(term, ox.NamedNode):
        return str(term)
    if isinstance(term, ox.BlankNode):
        raise ValueError(f"a blank node ({term}); exports have none, give it an IRI")
    if isinstance(term, ox.Triple) or term.direction is not None:
        raise ValueError(f"a term of RDF 1.2, which this export does not carry: {term}")
    if term.language is not None:
        return literal(term.value, language=term.language)
    datatype = term.datatype.value
    return literal(term.value, datatype=None if datatype == XSD + "string" else datatype)


# Turtle and TriG

Pairs = Sequence[tuple[str, str]]
"""The predicates and objects of one subject."""

_LABEL: Final = f"<{RDFS}label>"
_TYPE: Final = f"<{TYPE}>"
_RANKS: Final = {_TYPE: 0, _LABEL: 1}
_PN_LOCAL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
_SEGMENT: Final = r"[A-Za-z0-9_][A-Za-z0-9_.~-]*"
_RELATIVE: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*/?(?:#[A-Za-z0-9_][A-Za-z0-9_.~/-]*)?")
_BARE: Final = {
    XSD + "boolean": re.compile(r"true|false"),
    XSD + "integer": re.compile(r"0|-?[1-9][0-9]{0,14}"),
    XSD + "decimal": re.compile(r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,6}"),
}
_BASE: Final = "@base"
_LINE_WIDTH: Final = 110


class _Turtle:
    """Spells terms as Turtle does, each once.

    An IRI with a prefix is shortened where its local name needs no escape; one below the base is written relative to it
    where that is sure to resolve to the same IRI. A number is bare where every reader gives back the same digits.
    """

    def __init__(self, prefixes: Mapping[str, str], base: str) -> None:
        self.prefixes = dict(prefixes)
        self.base = base if re.fullmatch(r"https?://[^?#]+/", base) else ""
        self.longest_first = sorted(prefixes.items(), key=lambda item: (-len(item[1]), item[0]))
        self.spelt: dict[str, tuple[str, str]] = {}
        self.ranks: dict[str, tuple[int, str]] = {}
        self.blocks: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[str, frozenset[str]]] = {}

    def term(self, term: str) -> tuple[str, str]:
        """Return the spelling of a term, and the prefix it takes, `@base`, or the empty string."""
        found = self.spelt.get(term)
        if found is None:
            found = self.spelt[term] = self._iri(term) if term.startswith("<") else self._literal(term)
        return found

    def _iri(self, term: str) -> tuple[str, str]:
        iri = term[1:-1]
        for name, space in self.longest_first:
            if iri.startswith(space):
                if _PN_LOCAL.fullmatch(iri, len(space)) or (iri == space and not space.endswith(("/", "#"))):
                    return f"{name}:{iri[len(space) :]}", name
                break
        if self.base and iri.startswith(self.base) and _RELATIVE.fullmatch(iri, len(self.base)):
            return f"<{iri[len(self.base) :]}>", _BASE
        return term, ""

    def _literal(self, term: str) -> tuple[str, str]:
        if not term.endswith(">"):
            return term, ""
        end = term.rindex('"^^<')
        datatype = term[end + 3 :]
        if (bare := _BARE.get(datatype[1:-1])) and bare.fullmatch(term, 1, end):
            return term[1:end], ""
        text, prefix = self.term(datatype)
        return f"{term[: end + 1]}^^{text}", prefix

    def rank(self, predicate: str) -> tuple[int, str]:
        """Return a key that sorts the type first, then the label, then the rest by their spelling."""
        found = self.ranks.get(predicate)
        if found is None:
            found = self.ranks[predicate] = (_RANKS.get(predicate, 2), self.term(predicate)[0])
        return found

    def block(self, subject: str, pairs: Pairs, used: set[str]) -> str:
        """Write all of one subject; a subject that stands in many files is written once and kept."""
        key = (subject, tuple(pairs))
        if key not in self.blocks:
            own: set[str] = set()
            self.blocks[key] = (self._block(subject, pairs, own), frozenset(own))
        text, prefixes = self.blocks[key]
        used |= prefixes
        return text

    def _block(self, subject: str, pairs: Pairs, used: set[str]) -> str:
        objects: dict[str, list[str]] = {}
        for predicate, target in pairs:
            text, prefix = self.term(target)
            used.add(prefix)
            objects.setdefault(predicate, []).append(text)
        lines = []
        for predicate in sorted(objects, key=self.rank):
            name, prefix = self.term(predicate)
            if predicate == _TYPE:
                name = "a"
            else:
                used.add(prefix)
            lines.append(_predicate_line(name, sorted(objects[predicate])))
        name, prefix = self.term(subject)
        used.add(prefix)
        return f"{name} " + " ;\n    ".join(lines) + " .\n"

    def header(self, used: set[str]) -> str:
        """Declare the base and the prefixes in use."""
        base = f"@base <{self.base}> .\n" if _BASE in used else ""
        lines = [f"@prefix {name}: <{self.prefixes[name]}> .\n" for name in sorted(used - {_BASE, ""})]
        return base + "".join(lines) + ("\n" if used - {""} else "")


def _predicate_line(name: str, objects: list[str]) -> str:
    """Write a predicate with its objects on one line where they fit, else one a line."""
    line = f"{name} {', '.join(objects)}"
    if len(objects) == 1 or len(line) <= _LINE_WIDTH:
        return line
    return f"{name}\n        " + ",\n        ".join(objects)


def _by_subject(triples: Iterable[tuple[str, str, str]]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for subject, predicate, target in sorted(triples):
        found[subject].append((predicate, target))
    return found


def _blocks(triples: Iterable[tuple[str, str, str]], turtle: _Turtle, used: set[str], first: str = "") -> str:
    subjects = _by_subject(triples)
    order = sorted(subjects, key=lambda term: (nearness(term, first), natural(term)))
    return "\n".join([turtle.block(subject, subjects[subject], used) for subject in order])


def _turtle(
    quads: Iterable[Quad], prefixes: Mapping[str, str], base: str, first: str = "", turtle: _Turtle | None = None
) -> bytes:
    turtle, used = turtle or _Turtle(prefixes, base), set[str]()
    blocks = _blocks({quad[1:] for quad in quads}, turtle, used, first)
    return (turtle.header(used) + blocks).encode("utf-8")


def _trig(quads: Iterable[Quad], prefixes: Mapping[str, str], base: str, first: str = "") -> bytes:
    turtle, used = _Turtle(prefixes, base), set[str]()
    graphs: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for quad in quads:
        graphs[quad[0]].add(quad[1:])
    parts = []
    for graph in sorted(graphs, key=graph_order):
        blocks = _blocks(graphs[graph], turtle, used, first)
        if graph:
            name, prefix = turtle.term(graph)
            used.add(prefix)
            inside = re.sub(r"^(?=.)", "    ", blocks, flags=re.MULTILINE)
            blocks = f"{name} {{\n{inside}}}\n"
        parts.append(blocks)
    return (turtle.header(used) + "\n".join(parts)).encode("utf-8")


# N-Quads and JSON-LD


def _nquads(quads: Iterable[Quad], prefixes: Mapping[str, str], base: str) -> bytes:
    lines = [f"{s} {p} {o} {g} .\n" if g else f"{s} {p} {o} .\n" for g, s, p, o in set(quads)]
    return "".join(sorted(lines)).encode("utf-8")


def _jsonld(quads: Iterable[Quad], prefixes: Mapping[str, str], base: str) -> bytes:
    quads = tuple(quads)
    return jsonld.document(quads, jsonld.context(prefixes, quads, base))


# RDF/XML

_NAME_START: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd"
)
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_ELEMENT: Final = {
    RDF + name
    for name in (
        "RDF", "ID", "about", "bagID", "parseType", "resource", "nodeID", "datatype", "Description", "aboutEach",
        "aboutEachPrefix", "li",
    )
}  # fmt: skip
_NO_NAMESPACE: Final = ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/")


@cache
def _ncname() -> re.Pattern[str]:
    """Return the pattern of an XML name at the end of an IRI; compiled when first wanted, for it takes a while."""
    return re.compile(rf"[{_NAME_START}][{_NAME_START}0-9.\u00b7\u0300-\u036f\u203f-\u2040-]*\Z")


def check_rdfxml(quads: Iterable[Quad], prefixes: Mapping[str, str]) -> None:
    """Raise `UsageError` where RDF/XML cannot carry a term of these quads, without writing any."""
    quads = tuple(quads)
    _elements({predicate[1:-1] for _, _, predicate, _ in quads}, prefixes)
    for term in {term for _, subject, _, target in quads for term in (subject, target)}:
        if "\\" in term or _NO_XML.search(term):
            _element("", term)


def _rdfxml(quads: Iterable[Quad], prefixes: Mapping[str, str], base: str) -> bytes:
    subjects = _by_subject({quad[1:] for quad in quads})
    predicates = sorted({predicate[1:-1] for pairs in subjects.values() for predicate, _ in pairs})
    names, spaces = _elements(predicates, prefixes)
    parts = []
    for subject in sorted(subjects, key=natural):
        pairs = sorted(subjects[subject], key=lambda pair: (_RANKS.get(pair[0], 2), names[pair[0][1:-1]], pair[1]))
        inside = "".join([_element(names[predicate[1:-1]], target) for predicate, target in pairs])
        parts.append(f"\n  <rdf:Description rdf:about={_attribute(subject)}>\n{inside}  </rdf:Description>\n")
    declared = "".join(f'\n    xmlns:{name}="{escape(space)}"' for name, space in sorted(spaces.items()))
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF{declared}>\n{"".join(parts)}\n</rdf:RDF>\n'
    return text.encode("utf-8")


def _elements(predicates: Iterable[str], prefixes: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the element name of each predicate, and the namespaces in use by prefix."""
    known = {space: name for name, space in sorted(prefixes.items()) if not name.startswith(("xml", "ns", "rdf"))}
    known[RDFS] = "rdfs"
    known[RDF] = "rdf"
    names: dict[str, str] = {}
    spaces = {"rdf": RDF}
    name = _ncname()
    for predicate in predicates:
        fitting = [space for space in known if predicate.startswith(space) and name.match(predicate, len(space))]
        found = name.search(predicate)
        if found is None or predicate in _NO_ELEMENT or predicate.startswith(_NO_NAMESPACE):
            raise UsageError(
                f"RDF/XML cannot name the property <{predicate}>; rename it so that it ends with a name, "
                "or choose Turtle, TriG, N-Quads or JSON-LD"
            )
        space = max(fitting, key=len) if fitting else predicate[: found.start()]
        prefix = known.setdefault(space, f"ns{len(known)}")
        spaces[prefix] = space
        names[predicate] = f"{prefix}:{predicate[len(space) :]}"
    return names, spaces


def _element(name: str, target: str) -> str:
    if target.startswith("<"):
        return f"    <{name} rdf:resource={_attribute(target)}/>\n"
    read = parse_literal(target)
    kind = ""
    if read.language:
        kind = f' xml:lang="{read.language}"'
    elif read.datatype != XSD + "string":
        kind = f" rdf:datatype={_attribute(f'<{read.datatype}>')}"
    return f"    <{name}{kind}>{_xml(escape(read.value, quote=False).replace(chr(13), '&#13;'))}</{name}>\n"


def _attribute(term: str) -> str:
    return f'"{_xml(escape(term[1:-1]))}"'


def _xml(text: str) -> str:
    found = _NO_XML.search(text)
    if found is not None:
        raise UsageError(
            f"RDF/XML cannot carry the character U+{ord(found[0]):04X}, as in {text[:60]!r}; remove it, "
            "or choose Turtle, TriG, N-Quads or JSON-LD"
        )
    return text


_WRITERS: Final[dict[str, Callable[[Sequence[Quad], Mapping[str, str], str], bytes]]] = {
    "trig": _trig,
    "nquads": _nquads,
    "turtle": _turtle,
    "jsonld": _jsonld,
    "rdfxml": _rdfxml,
}


# One resource

_CLAIM: Final = f"<{KGB}Claim>"
_ENTITY: Final = f"<{KGB}Entity>"
_SENTENCE: Final = f"<{KGB}Sentence>"
_STATEMENT: Final = f"<{KGB}datasetStatement>"
_DATASET_STATEMENT: Final = f"<{KGB}DatasetStatement>"
_ENDS: Final = {f"<{RDF}subject>", f"<{RDF}object>"}
_RECORD_OF: Final = {f"<{SSSOM}subject_id>", f"<{KGB}articleClaim>"}
_GRAPHS_OF: Final = {f"<{NP}{name}>" for name in ("hasAssertion", "hasProvenance", "hasPublicationInfo")}


class Resources:
    """The quads by resource, indexed once, for one file about each.

    What belongs to a resource: the triples about it and its fragments, from every graph. To a claim also its
    nanopublication, and the sentences it was read from; to an entity also the records of its links, every claim that
    names it with all its facets and its source, and the plain triples with it that those claims license: none stands
    without its claim, no statement without its hedge; and what datasets state with it as subject or object, with the
    records they took it from. Judgements that align a claim with a dataset stand beside it, with the statements they
    rest on. To a dataset belongs all of its graph.
    """

    def __init__(self, nquads: bytes | Sequence[Quad], prefixes: Mapping[str, str], base: str) -> None:
        self.prefixes, self.base = prefixes, base
        self.quads = read_quads(nquads) if isinstance(nquads, bytes) else tuple(nquads)
        self.context = jsonld.context(prefixes, self.quads, base)
        self._about: dict[str, list[Quad]] = defaultdict(list)
        self._graphs: dict[str, list[Quad]] = defaultdict(list)
        self._types: dict[str, set[str]] = defaultdict(set)
        self._records: dict[str, set[str]] = defaultdict(set)
        self._heads: dict[str, set[str]] = defaultdict(set)
        self._nanopublication: dict[str, str] = {}
        for quad in self.quads:
            self._index(quad)
        self._speller = _Turtle(prefixes, base)
        self._fragments = self._owned()
        self._naming, self._plain = self._named()
        self._last: tuple[str, tuple[Quad, ...]] = ("", ())

    def __contains__(self, iri: str) -> bool:
        return f"<{iri}>" in self._about

    def turtle(self, iri: str) -> bytes:
        """Return the description of a resource in Turtle, the resource first; raise `KeyError` where there is none."""
        return _turtle(self.describe(iri), self.prefixes, self.base, iri, self._speller)

    def jsonld(self, iri: str) -> bytes:
        """Return the description of a resource in JSON-LD, the resource first; raise `KeyError` where there is none."""
        return jsonld.document(self.describe(iri), self.context, graphs=False, first=iri)

    def trig(self, iri: str) -> bytes:
        """Return a nanopublication, by its IRI or its claim's, in TriG; raise `KeyError` where there is none."""
        term = self._nanopublication.get(f"<{iri}>", f"<{iri}>")
        own = {"this": term[1:-1], "sub": f"{term[1:-1]}#"}
        return _trig(self._published(term), {**self.prefixes, **own}, self.base, term[1:-1])

    def graph(self, iri: str) -> bytes:
        """Return a named graph in Turtle; raise `KeyError` where there is none."""
        if f"<{iri}>" not in self._graphs:
            raise KeyError(iri)
        return _turtle(self._graphs[f"<{iri}>"], self.prefixes, self.base)

    def describe(self, iri: str) -> tuple[Quad, ...]:
        """Return the quads that belong to a resource, sorted; raise `KeyError` where there is none."""
        if self._last[0] != iri:  # asked for once for each format
            self._last = iri, self._describe(iri)
        return self._last[1]

    def _describe(self, iri: str) -> tuple[Quad, ...]:
        term = f"<{iri}>"
        if term not in self._about:
            raise KeyError(iri)
        found = set(self._with_fragments(term))
        for record in self._records.get(term, ()):
            found.update(self._with_fragments(record))
        for statement in {quad[3] for quad in found if quad[2] == _STATEMENT}:
            found.update(self._with_fragments(statement))
        if iri.startswith(f"{self.base}dataset/"):
            found.update(self._graphs.get(f"<{self.base}graph/dataset-{iri.rpartition('/')[2]}>", ()))
        if term in self._nanopublication:
            found.update(self._published(self._nanopublication[term]))
        elif term in self._heads:
            found.update(self._published(term))
        if _ENTITY in self._types.get(term, ()):
            found.update(self._plain.get(term, ()))
            for claim in self._naming.get(term, ()):
                found.update(self._with_fragments(claim))
                if claim in self._nanopublication:
                    found.update(self._published(self._nanopublication[claim]))
            found.update(self._stated_of(term))
        return tuple(sorted(found.union(self._anchors(found))))

    def _index(self, quad: Quad) -> None:
        graph, subject, predicate, target = quad
        self._about[subject].append(quad)
        self._graphs[graph].append(quad)
        if predicate == _TYPE:
            self._types[subject].add(target)
        elif predicate in _GRAPHS_OF:
            self._heads[subject].update((graph, target))
        elif predicate == f"<{NPX}introduces>":
            self._nanopublication[target] = subject
        elif predicate in _RECORD_OF:
            self._records[target].add(subject)

    def _owned(self) -> dict[str, list[str]]:
        """Return the fragments of each subject."""
        found: dict[str, list[str]] = defaultdict(list)
        for subject in self._about:
            whole, mark, _ = subject.partition("#")
            if mark:
                found[f"{whole}>"].append(subject)
        return found

    def _named(self) -> tuple[dict[str, set[str]], dict[str, list[Quad]]]:
        """Return the claims that name each thing, and the plain triples that have it as their object."""
        naming: dict[str, set[str]] = defaultdict(set)
        for claim in [subject for subject, types in self._types.items() if _CLAIM in types]:
            for _, _, predicate, target in self._with_fragments(claim):
                if predicate != _TYPE and target.startswith("<"):
                    naming[target].add(claim)
        plain: dict[str, list[Quad]] = defaultdict(list)
        for quad in self._graphs.get(f"<{self.base}graph/asserted>", ()):
            plain[quad[3]].append(quad)
        return naming, plain

    @cached_property
    def _statements(self) -> dict[str, set[str]]:
        """Return the statements of datasets by what they have as subject or object."""
        found: dict[str, set[str]] = defaultdict(set)
        for statement in [subject for subject, types in self._types.items() if _DATASET_STATEMENT in types]:
            for _, _, predicate, target in self._about[statement]:
                if predicate in _ENDS:
                    found[target].add(statement)
        return found

    def _stated_of(self, term: str) -> Iterator[Quad]:
        """Return what datasets state of a thing, with the records it is taken from."""
        for statement in self._statements.get(term, ()):
            yield from self._with_fragments(statement)
            for _, _, predicate, target in self._about[statement]:
                if predicate == f"<{PROV}wasDerivedFrom>":
                    yield from self._with_fragments(target)

    def _with_fragments(self, term: str) -> Iterator[Quad]:
        yield from self._about.get(term, ())
        for fragment in self._fragments.get(term, ()):
            yield from self._about[fragment]

    def _published(self, nanopublication: str) -> Iterator[Quad]:
        """Return the quads of the four graphs of a nanopublication."""
        if nanopublication not in self._heads:
            raise KeyError(nanopublication[1:-1])
        for graph in self._heads[nanopublication]:
            yield from self._graphs.get(graph, ())

    def _anchors(self, quads: Collection[Quad]) -> Iterator[Quad]:
        """Return the sentences that quads are derived from, and the selectors of all sentences among both."""
        sources = {quad[3] for quad in quads if quad[2] == f"<{PROV}wasDerivedFrom>"}
        sentences = {term for term in sources if _SENTENCE in self._types.get(term, ())}
        anchors = [*quads, *(quad for term in sentences for quad in self._about[term])]
        yield from anchors
        for selector in {quad[3] for quad in anchors if quad[2] == f"<{OA}hasSelector>"}:
            yield from self._about.get(selector, ())
