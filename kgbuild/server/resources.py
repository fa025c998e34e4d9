"""Pages and linked data: which file, or which other syntax of it, answers a path, and which links stand beside it.

`id/`, `claim/`, `article/` and `dataset/` name things: their IRIs lead on with 303 (Cool URIs for the Semantic Web §4).
`np/` and `ns` name documents, which are answered at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote

import pyoxigraph as ox
from starlette.responses import FileResponse, RedirectResponse, Response

from kgbuild.formats import FORMATS, write_format
from kgbuild.server.cache import Cache
from kgbuild.server.negotiation import GRAPHS, HTML, Syntax, by_extension, choose
from kgbuild.server.replies import answer, content_type, is_known, problem
from kgbuild.server.snapshots import Snapshot
from kgbuild.site.hosting import MEDIA_TYPES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

THINGS: Final = ("id/", "claim/", "article/", "dataset/")
_LARGE: Final = 2 << 20
"""Files of more bytes are not kept in memory."""
_WRITERS: Final = {"ttl": "turtle", "jsonld": "jsonld", "rdf": "rdfxml", "trig": "trig", "nq": "nquads", "nt": "nquads"}
_WITH_GRAPHS: Final = {"trig", "nq", "jsonld"}


@dataclass(frozen=True, slots=True)
class Document:
    """What there is about one thing: the stem of its files, and the syntaxes in which it can be had."""

    stem: str
    syntaxes: tuple[Syntax, ...]


class _FileAnswer(FileResponse):
    """A file, or ranges of it, open from the first: a build that goes away takes the name, not the file."""

    def __init__(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        super().__init__(f"/dev/fd/{file.fileno()}", headers=headers)
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self.file:
            await super().__call__(scope, receive, send)


class Resources:
    """The files of one build, and what can be made of them."""

    def __init__(self, snapshot: Snapshot, prefix: str, memory: Cache[bytes]) -> None:
        self.snapshot, self.prefix, self.memory = snapshot, prefix, memory
        self.base = snapshot.project.base

    def respond(self, request: Request, path: str) -> Response | None:
        """Answer a path below the base, or return None where nothing is there."""
        if path in {"", "index.html"}:
            return self._home(request, path)
        if path in self.snapshot.sums:
            return self._file(request, path)
        if f"{path}/index.html" in self.snapshot.sums:
            return RedirectResponse(f"{self.prefix}{quote(path)}/", status_code=308)
        if path.endswith("/"):
            return self._file(request, f"{path}index.html") if f"{path}index.html" in self.snapshot.sums else None
        document = self.document(path)
        if document is not None:
            return self.negotiated(request, path, document)
        stem, dot, extension = path.rpartition(".")
        document = self.document(stem) if dot else None
        syntax = by_extension(extension, document.syntaxes) if document else None
        return self._made(request, stem, syntax) if syntax else None

    def document(self, stem: str) -> Document | None:
        """Return what there is about the thing whose files have a stem, or None."""
        sums = self.snapshot.sums
        html = (HTML,) if f"{stem}.html" in sums else ()
        if f"{stem}.ttl" in sums:
            return Document(stem, (*html, *GRAPHS))
        if f"{stem}.trig" in sums:
            return Document(stem, tuple(item for item in GRAPHS if item.extension in {"trig", *_WITH_GRAPHS}))
        return None

    def _home(self, request: Request, path: str) -> Response:
        if not path and "void.ttl" in self.snapshot.sums:
            chosen = choose(request.headers.get("accept", ""), (HTML, *GRAPHS))
            if chosen is not None and chosen is not HTML:
                return self.lead(f"void.{chosen.extension}", {"Vary": "Accept"})
        return self._file(request, "index.html", {"Vary": "Accept"})

    def lead(self, path: str, headers: Mapping[str, str]) -> Response:
        """Lead on to another path."""
        return RedirectResponse(self.prefix + quote(path), status_code=303, headers=dict(headers))

    def negotiated(self, request: Request, path: str, document: Document) -> Response:
        """Lead on to the file that the client likes best, or answer with it where the path names a document."""
        wanted = request.query_params.get("format")
        offers = document.syntaxes
        if path.startswith("np/"):
            offers = (*offers, HTML)
        chosen = by_extension(wanted, offers) if wanted else choose(request.headers.get("accept", ""), offers)
        known = ", ".join(f"{item.media_type} ({item.extension})" for item in offers)
        if chosen is None and wanted:
            return problem(request, 400, f"no format '{wanted}'; there are: {known}")
        links = {"Vary": "Accept", "Link": self.links(document)}
        if chosen is None:
            return problem(request, 406, f"the formats are: {known}", links)
        if path.startswith("np/") and chosen is HTML:
            return self.lead(self._claim_page(path), links)
        if path.startswith(THINGS):
            return self.lead(f"{path}.{chosen.extension}", links)
        place = {"Content-Location": f"{self.prefix}{quote(path)}.{chosen.extension}"}
        if chosen is HTML:
            return self._file(request, f"{path}.html", links | place)
        return self._made(request, path, chosen, links | place)

    def _claim_page(self, path: str) -> str:
        """Return the page of the claim that a nanopublication introduces; the index of all has that of all claims."""
        text = self._load(f"{path}.trig").decode("utf-8", "replace")
        found = re.search(r"npx:introduces\s+(?:claim:|<(?:[^>]*/)?claim/)([\w/.-]+)", text)
        page = f"claim/{found[1]}.html" if found else ""
        return page if page in self.snapshot.sums else "claim/"

    def links(self, document: Document, shown: str = "") -> str:
        """Return the links beside a document (RFC 8288; FAIR Signposting)."""
        stem = document.stem
        links = [
            f'<{self.prefix}{quote(stem)}.{item.extension}>; rel="alternate"; type="{item.media_type}"'
            for item in document.syntaxes
            if item.extension != shown
        ]
        name = "trig" if not any(item.extension == "ttl" for item in document.syntaxes) else "ttl"
        if shown == "html":
            media = by_extension(name, GRAPHS)
            assert media is not None
            links.append(f'<{self.prefix}{quote(stem)}.{name}>; rel="describedby"; type="{media.media_type}"')
        links.append(f'<{quote(self.base + stem, safe=":/#%")}>; rel="{"cite-as" if shown else "canonical"}"')
        links.append(f'<{self.snapshot.project.license}>; rel="license"')
        return ", ".join(links)

    def _file(self, request: Request, path: str, headers: Mapping[str, str] | None = None) -> Response:
        sent = dict(headers or {})
        stem, _, extension = path.rpartition(".")
        media = MEDIA_TYPES.get(extension, "application/octet-stream")
        if "Link" not in sent and (document := self.document(stem)) is not None:
            sent["Link"] = self.links(document, extension)
        elif "Link" not in sent and path == "index.html":
            sent["Link"] = self._home_links()
        digest = self.snapshot.sums[path][:32]
        if self.snapshot.size(path) > _LARGE or "range" in request.headers:
            return self._ranged(request, path, media, digest, sent)
        sent["Accept-Ranges"] = "bytes"
        return answer(request, self._load(path), media, digest, sent)

    def _home_links(self) -> str:
        links = [f'<{self.prefix}void.ttl>; rel="describedby"; type="text/turtle"']
        links += [f'<{self.prefix}sparql>; rel="http://www.w3.org/ns/sparql-service-description#endpoint"']
        links += [f'<{self.prefix}api/openapi.json>; rel="service-desc"; type="application/json"']
        links += [f'<{self.snapshot.project.license}>; rel="license"']
        return ", ".join(links)

    def _ranged(self, request: Request, path: str, media: str, digest: str, headers: dict[str, str]) -> Response:
        tag = f'"{digest}"'
        kept = {**headers, "ETag": tag, "Cache-Control": "public, max-age=60"}
        if is_known(request, tag):
            return Response(status_code=304, headers=kept)
        return _FileAnswer(self.snapshot.open_file(path), {**kept, "Content-Type": content_type(media)})

    def _load(self, path: str) -> bytes:
        key = (self.snapshot.digest, path)
        data = self.memory.get(key)
        if data is None:
            data = self.snapshot.read(path)
            self.memory.put(key, data, len(data))
        return data

    def _made(self, request: Request, stem: str, syntax: Syntax, headers: Mapping[str, str] | None = None) -> Response:
        """Answer with a document in a syntax in which the build has no file of it."""
        path = f"{stem}.{syntax.extension}"
        if path in self.snapshot.sums:
            return self._file(request, path, headers)
        source = self._source(stem, syntax)
        key = (self.snapshot.digest, path)
        data = self.memory.get(key)
        if data is None:
            data = convert(self._load(source), source, syntax, self.snapshot.project.prefixes, self.base)
            self.memory.put(key, data, len(data))
        document = self.document(stem)
        sent = {"Link": self.links(document, syntax.extension)} if document else {}
        tag = f"{self.snapshot.sums[source][:24]}-{syntax.extension}"
        return answer(request, data, syntax.media_type, tag, {**sent, **(headers or {})})

    def _source(self, stem: str, syntax: Syntax) -> str:
        """Return the file to convert: one with named graphs for a syntax that has them, where there is one."""
        names = [f"{stem}.trig", f"{stem}.ttl"]
        if syntax.extension not in {"trig", "nq"}:
            names.reverse()
        return next(name for name in names if name in self.snapshot.sums)


def convert(data: bytes, path: str, syntax: Syntax, prefixes: Mapping[str, str], base: str) -> bytes:
    """Write the RDF of a file in another syntax.

    >>> convert(b"<http://a/s> <http://a/p> 1 .", "s.ttl", GRAPHS[1], {}, "http://a/")
    b'<http://a/s> <http://a/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .\\n'
    """
    form = ox.RdfFormat.from_extension(path.rpartition(".")[2])
    quads: Sequence[ox.Quad] = list(ox.parse(data, form))
    if syntax.extension not in _WITH_GRAPHS:
        quads = [ox.Quad(quad.subject, quad.predicate, quad.object) for quad in quads]
    nquads = ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
    return write_format(nquads, FORMATS[_WRITERS[syntax.extension]], prefixes, base)
