"""The check of what was published: nanopublications (structure, trusty URI, signature) and release folders.

Needs no project: it looks at files alone, its own and those of others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pyoxigraph as ox

from kgbuild.diagnostics import AbsentError, Report, Span, UnreadableError
from kgbuild.dumps import FORMATS, SUMS, read_file, release_of, whole_graph
from kgbuild.terms import DCTERMS, NP, NPX, PROV, TYPE
from kgbuild.trusty import CODE, HOLE, Quad, is_trusty, normal_text, unescape

_NAMED: Final = (".trig", ".nq", ".jsonld")
_NANOPUBLICATION: Final = f"<{NP}Nanopublication>"
_PARTS: Final = {
    "assertion": f"<{NP}hasAssertion>",
    "provenance": f"<{NP}hasProvenance>",
    "publication info": f"<{NP}hasPublicationInfo>",
}
_DATES: Final = (f"<{DCTERMS}created>", f"<{PROV}generatedAtTime>")
_SUM: Final = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at: how many of each, the hash of each release's graph by folder, and what was found."""

    nanopublications: int
    signed: int
    files: int
    graphs: dict[str, str]
    report: Report


def verify(*paths: Path | str) -> Verified:
    """Verify nanopublications in files, and folders of a release against their `SHA256SUMS`.

    A release folder is whole when every file has its digest and every dump of `data/` holds the same graph, whose hash
    is the SHA-256 of its canonical N-Quads (W3C RDF Dataset Canonicalization). In a folder without `SHA256SUMS` every
    TriG and N-Quads file is looked at. Raises `UnreadableError` where there is nothing to read.
    """
    seen = _Verification(Report())
    for path in map(Path, paths):
        if not path.exists():
            raise UnreadableError(f"no such file or folder: {path}")
        seen.folder(path) if path.is_dir() else seen.file(path)
    return Verified(seen.nanopublications, seen.signed, seen.files, seen.graphs, seen.report)


class _Verification:
    """Gathers what is found over all paths."""

    def __init__(self, report: Report) -> None:
        self.report, self.graphs = report, dict[str, str]()
        self.nanopublications = self.signed = self.files = 0

    def folder(self, folder: Path) -> None:
        """Verify a release, a build that holds one, or every file in a folder."""
        release = release_of(folder)
        if release is not None:
            return self.release(release)
        files = sorted(path for path in folder.rglob("*") if path.suffix in {".trig", ".nq"} and path.is_file())
        if not files:
            raise UnreadableError(f"{folder} holds no {SUMS}, TriG or N-Quads file")
        for path in files:
            self.file(path)
        return None

    def release(self, folder: Path) -> None:
        """Verify the digests of a release, then its dumps."""
        digests = self._digests(folder)
        for path, (digest, line) in digests.items():
            self._digest(folder, path, digest, line)
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            if file.is_file() and name not in digests and name != SUMS:
                words = "the release does not list this file"
                self.report.add("KG804", words, Span(str(file)), hint="remove it, or build the release anew")
        self._dumps(folder, [path for path in digests if (folder / path).is_file()])

    def _digests(self, folder: Path) -> dict[str, tuple[str, int]]:
        found = {}
        for number, line in enumerate(_text(folder / SUMS).splitlines(), 1):
            parts = _SUM.fullmatch(line)
            path = PurePosixPath(parts[2]) if parts else None
            if parts is None or path is None or path.is_absolute() or ".." in path.parts:
                words = "not a digest and a path inside the release"
                self.report.add("KG804", words, Span(str(folder / SUMS), number), hint="build the release anew")
            else:
                found[str(path)] = (parts[1], number)
        return found

    def _digest(self, folder: Path, path: str, digest: str, line: int) -> None:
        self.files += 1
        hint = "fetch the release again, or build it anew"
        try:
            with open(folder / path, "rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            words = f"cannot read {path}: {error.strerror}"
            self.report.add("KG804", words, Span(str(folder / SUMS), line), hint=hint)
            return
        if actual != digest:
            self.report.add("KG804", f"not the file that was released: {path}", Span(str(folder / path)), hint=hint)

    def _dumps(self, folder: Path, paths: list[str]) -> None:
        """Compare the graph of every dump with the N-Quads one, and verify its nanopublications."""
        for dump in whole_graph(folder):
            path = dump.relative_to(folder).as_posix()
            quads = self.quads(dump)
            self.published(quads, dump)
            self.graphs[str(folder)] = f"sha256:{graph_hash(quads)}"
            triples = {("", *quad[1:]) for quad in quads}
            for suffix in FORMATS:
                other = path.removesuffix(".nq") + suffix
                if suffix == ".nq" or other not in paths:
                    continue
                expected = set(quads) if suffix in _NAMED else triples
                if set(self.quads(folder / other)) != expected:
                    hint = "build the release anew; the N-Quads are the reference"
                    self.report.add("KG805", f"another graph than {path}", Span(str(folder / other)), hint=hint)

    def file(self, path: Path) -> None:
        """Verify the nanopublications of one file."""
        if not self.published(self.quads(path), path):
            self.report.add(
                "KG801", "no nanopublication", Span(str(path)), hint="give a TriG or N-Quads file with some"
            )

    def quads(self, path: Path) -> list[Quad]:
        """Read a file of RDF; a broken one is a finding, and empty."""
        try:
            return read_file(path)
        except SyntaxError as error:
            span = Span(str(path), error.lineno or 1, error.offset or 1)
            self.report.add("KG801", f"not {FORMATS[path.suffix].name}: {error.msg}", span, hint="fetch the file again")
        return []

    def published(self, quads: list[Quad], path: Path) -> int:
        """Verify all nanopublications among some quads and return how many there are."""
        graphs: dict[str, list[Quad]] = defaultdict(list)
        for quad in quads:
            graphs[quad[0]].append(quad)
        found = [(quad[1], quad[0]) for quad in quads if quad[2] == f"<{TYPE}>" and quad[3] == _NANOPUBLICATION]
        for me, head in sorted(found):
            self.nanopublications += 1
            for code, words, hint in self._faults(me, head, graphs):
                self.report.add(code, f"{me[1:-1]}: {words}", Span(str(path)), hint=hint)
        return len(found)

    def _faults(self, me: str, head: str, graphs: dict[str, list[Quad]]) -> Iterator[tuple[str, str, str]]:
        names = {part: [quad[3] for quad in graphs[head] if quad[1:3] == (me, link)] for part, link in _PARTS.items()}
        wrong = list(_broken(me, head, names, graphs))
        for words in wrong:
            yield "KG801", words, "correct the nanopublication and mint it anew"
        if wrong:
            return
        own = [quad for name in (head, *(found[0] for found in names.values())) for quad in graphs[name]]
        code = CODE.search(me)
        if code is None:
            yield "KG802", "its IRI holds no trusty code", "mint it with a trusty URI"
        elif not is_trusty(own, code[0]):
            yield "KG802", "the content is not the one its IRI was made of", "fetch it again from its publisher"
        elif signature := _Signature.of(own):
            self.signed += 1
            if not signature.holds(own, code[0]):
                yield "KG803", "the signature does not fit the content and the key", "fetch it from its publisher"


def graph_hash(quads: Iterable[Quad]) -> str:
    """Return the SHA-256 of the canonical N-Quads of a graph (RDFC-1.0, SHA-256), in hexadecimal.

    >>> graph_hash([("", "<http://a/s>", "<http://a/p>", '"x"')])[:12]
    '3a0ba9caef3b'
    """
    lines = sorted({" ".join([*quad[1:], *([quad[0]] if quad[0] else []), ".\n"]) for quad in quads})
    if any("_:" in line for line in lines):
        dataset = ox.Dataset(ox.parse("".join(lines), format=ox.RdfFormat.N_QUADS))
        dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        lines = sorted(f"{quad} .\n" for quad in dataset)
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _broken(me: str, head: str, names: dict[str, list[str]], graphs: dict[str, list[Quad]]) -> Iterator[str]:
    """Return what a nanopublication lacks (nanopub.net guidelines, section 3)."""
    if not head:
        yield "it stands in no named graph"
    for part, found in names.items():
        if len(found) != 1:
            yield f"it names {len(found)} graphs as its {part}, not one"
        elif not graphs.get(found[0]):
            yield f"its {part} is empty"
    single = [found[0] for found in names.values() if len(found) == 1]
    if len({head, *single}) != len(single) + 1:
        yield "its graphs are not four different ones"
    about = {"provenance": names["assertion"], "publication info": [me]}
    for part, subjects in about.items():
        for name in names[part]:
            quads = graphs.get(name, [])
            if quads and not any(term in quad for quad in quads for term in subjects):
                yield f"its {part} says nothing of its {'assertion' if part == 'provenance' else 'IRI'}"
    if len(names["publication info"]) == 1:
        info = graphs.get(names["publication info"][0], [])
        if info and not any(quad[1] == me and quad[2] in _DATES for quad in info):
            yield "its publication info has no date (dcterms:created)"


@dataclass(frozen=True, slots=True)
class _Signature:
    """A signature of a nanopublication: RSA over the normal text without the signature itself."""

    key: str
    algorithm: str
    value: str
    quad: Quad

    @classmethod
    def of(cls, quads: list[Quad]) -> _Signature | None:
        for quad in quads:
            if quad[2] == f"<{NPX}hasSignature>":
                about = {other[2]: other[3] for other in quads if other[1] == quad[1]}
                texts = [
                    unescape(about.get(f"<{NPX}{name}>", '""').strip('"')) for name in ("hasPublicKey", "hasAlgorithm")
                ]
                return cls(texts[0], texts[1], unescape(quad[3].strip('"')), quad)
        return None

    def holds(self, quads: list[Quad], code: str) -> bool:
        """Tell whether the key signed these quads."""
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric import padding, rsa
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.serialization import load_der_public_key
        except ImportError:
            raise AbsentError("a signature needs cryptography: pip install 'kgbuild[verify]'") from None
        text = normal_text(
            tuple(term.replace(code, HOLE) if term.startswith("<") else term for term in quad)  # type: ignore[misc]
            for quad in quads
            if quad != self.quad
        )
        try:
            key = load_der_public_key(base64.b64decode(self.key, validate=True))
            if self.algorithm != "RSA" or not isinstance(key, rsa.RSAPublicKey):
                return False
            signed = base64.b64decode(self.value, validate=True)
            key.verify(signed, text.encode("utf-8"), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError, binascii.Error):
            return False
        return True


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8") from error
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}") from error
