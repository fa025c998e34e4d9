"""Pages and files of things that the build has none of: made when they are asked for, of an excerpt of the graph.

The excerpt is asked of the same workers, within the same limits, as any query; its page is planned and rendered by what
plans and renders the pages of a build, in a thread. What was made is kept with the files of the build.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import pyoxigraph as ox

from kgbuild import excerpts
from kgbuild.excerpts import Asking, Excerpt, Rows
from kgbuild.project import Project
from kgbuild.server.jobs import Job
from kgbuild.server.negotiation import GRAPHS, HTML, RESULTS, Syntax, by_extension, choose
from kgbuild.server.replies import answer
from kgbuild.server.resources import Document, Resources, convert
from kgbuild.server.snapshots import Snapshot
from kgbuild.server.sparql import Endpoint, RefusedError, client_of, refusal
from kgbuild.terms import is_iri

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from kgbuild.site.plan import SiteInput

T = TypeVar("T")
_PATH: Final = re.compile(r"(id|claim|article|dataset|np)/([^.]+?)(?:\.([1-9][0-9]{0,6}))?(?:\.([a-z]+))?")
_ABOUT: Final[Mapping[str, Callable[[str, str, int], Asking[Excerpt | None]]]] = {
    "id": excerpts.about_entity,
    "article": excerpts.about_article,
    "claim": lambda base, key, number: excerpts.about_claim(base, key),
    "dataset": lambda base, key, number: excerpts.about_statement(base, key),
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a path asks for: a kind of thing, its key, which part of it, and the extension of the file."""

    kind: str
    key: str
    number: int
    extension: str

    @property
    def stem(self) -> str:
        """Return the path of its files without part and extension."""
        return f"{self.kind}/{self.key}"

    @property
    def part(self) -> str:
        """Return the path of its files without extension."""
        return self.stem if self.number == 1 else f"{self.stem}.{self.number}"


class OnDemand:
    """Makes the pages of one build that it has no files of."""

    def __init__(self, snapshot: Snapshot, endpoint: Endpoint, resources: Resources) -> None:
        self.snapshot, self.endpoint, self.resources = snapshot, endpoint, resources
        self.project, self.base = snapshot.project, snapshot.project.base
        self.sparse = snapshot.report().get("sparse") is True
        self.constant: frozenset[ox.Quad] | None = None
        self.given: SiteInput | None = None

    async def listed(self, request: Request, path: str) -> Response | None:
        """Answer with the list of entities where the build has but a page that says there is none."""
        if path not in {"id/", "id/index.html"} or not self.sparse:
            return None
        return await self._list(request, _Wanted("id", "index", 1, "html"))

    async def respond(self, request: Request, path: str) -> Response | None:
        """Answer a path that no file of the build answers, or return None where there is no such thing."""
        found = _PATH.fullmatch(path)
        if found is None or not is_iri(self.base + path):
            return None
        wanted = _Wanted(found[1], found[2], int(found[3] or 1), found[4] or "")
        if wanted.stem == "id/index":
            return await self._list(request, wanted)
        if wanted.kind == "np":
            return await self._nanopublication(request, wanted)
        if not wanted.extension:
            return await self._lead(request, wanted)
        syntax = by_extension(wanted.extension, (HTML, *GRAPHS))
        if syntax is None:
            return None
        return await self._made(request, wanted, syntax)

    async def _lead(self, request: Request, wanted: _Wanted) -> Response | None:
        """Lead from the IRI of a thing to a page or file about it."""
        iri = self.base + wanted.stem
        kinds = "VALUES ?kind { kgb:Entity kgb:Claim kgb:Article kgb:DatasetStatement kgb:SourceRecord }"
        if wanted.number > 1 or not await self._rows(
            request, f"SELECT ?kind WHERE {{ {kinds} <{iri}> a ?kind }} LIMIT 1"
        ):
            return None
        return self.resources.negotiated(request, wanted.stem, Document(wanted.stem, (HTML, *GRAPHS)))

    async def _made(self, request: Request, wanted: _Wanted, syntax: Syntax) -> Response | None:
        path = f"{wanted.part}.{syntax.extension}"
        kept = self._kept(path)
        if kept is None:
            asking = _ABOUT[wanted.kind](self.base, wanted.key, wanted.number)
            excerpt = await self._ask(request, asking)
            if excerpt is None:
                return None
            rest = await self._constant(request)
            data = await asyncio.to_thread(self._write, excerpt, rest, wanted, syntax)
            if data is None:
                return None
            kept = self._keep(path, data, self._headers(excerpt, wanted, syntax))
        data, headers = kept
        document = Document(wanted.stem, (HTML, *GRAPHS))
        links = ", ".join(filter(None, (self.resources.links(document, syntax.extension), headers.pop("Link", ""))))
        tag = f"{self.snapshot.digest[:16]}-{hash_of(data)}"
        return answer(request, data, syntax.media_type, tag, {**headers, "Link": links})

    def _kept(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        found = self.resources.memory.get((self.snapshot.digest, "made", path))
        if found is None:
            return None
        head, _, data = found.partition(b"\n")
        return data, json.loads(head)

    def _keep(self, path: str, data: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        whole = json.dumps(headers).encode() + b"\n" + data
        self.resources.memory.put((self.snapshot.digest, "made", path), whole, len(whole))
        return data, headers

    def _headers(self, excerpt: Excerpt, wanted: _Wanted, syntax: Syntax) -> dict[str, str]:
        """Say where data about a thing go on, where they are cut."""
        if not excerpt.cut or syntax is HTML:
            return {}
        headers = {"Kgbuild-Limit": "part"}
        if wanted.number < excerpt.portion.pages:
            follows = f"{self.resources.prefix}{wanted.stem}.{wanted.number + 1}.{syntax.extension}"
            headers["Link"] = f'<{follows}>; rel="next"'
        return headers

    async def _nanopublication(self, request: Request, wanted: _Wanted) -> Response | None:
        """Answer with a nanopublication, or lead to the page of its claim."""
        key = await self._ask(request, excerpts.introduced(self.base, wanted.key))
        if not key or wanted.number > 1:
            return None
        syntaxes = tuple(item for item in GRAPHS if item.extension in {"trig", "nq", "jsonld"})
        syntax = by_extension(wanted.extension, syntaxes)
        if not wanted.extension:
            syntax = choose(request.headers.get("accept", ""), (*syntaxes, HTML))
            if syntax is None:
                known = ", ".join(item.media_type for item in (*syntaxes, HTML))
                raise RefusedError(406, f"the formats are: {known}", {"Vary": "Accept"})
            if syntax is HTML:
                return self.resources.lead(f"claim/{key}.html", {"Vary": "Accept"})
        return await self._made(request, _Wanted("claim", key, 1, ""), syntax) if syntax else None

    async def _list(self, request: Request, wanted: _Wanted) -> Response | None:
        """Answer with a page of the list of entities."""
        if wanted.extension != "html":
            return None
        path = f"{wanted.part}.html"
        kept = self._kept(path)
        if kept is None:
            excerpt = await self._ask(request, excerpts.list_entities(self.base, wanted.number))
            if excerpt is None:
                return None
            rest = await self._constant(request)
            kept = self._keep(path, await asyncio.to_thread(self._listed, excerpt, rest), {})
        return answer(request, kept[0], HTML.media_type, f"{self.snapshot.digest[:16]}-{hash_of(kept[0])}")

    # What an excerpt becomes

    def _write(self, excerpt: Excerpt, rest: frozenset[ox.Quad], wanted: _Wanted, syntax: Syntax) -> bytes | None:
        if syntax is HTML:
            from kgbuild.site.plan import plan_thing

            site = self._site(excerpt, rest)
            page = plan_thing(site, self.base + wanted.stem, excerpt.portion, excerpt.statements)
            return page.content if page else None
        from kgbuild.formats import Resources as Described

        described = Described(excerpt.nquads, self.project.prefixes, self.base)
        iri = self.base + wanted.stem
        if wanted.kind == "claim" and syntax.extension in {"trig", "nq"}:
            data, source = described.trig(iri), "claim.trig"
        elif syntax.extension == "jsonld":
            return described.jsonld(iri)
        else:
            data, source = described.turtle(iri), "thing.ttl"
        if source.endswith(f".{syntax.extension}"):
            return data
        return convert(data, source, syntax, self.project.prefixes, self.base)

    def _listed(self, excerpt: Excerpt, rest: frozenset[ox.Quad]) -> bytes:
        from dataclasses import replace

        from kgbuild.site.plan import plan_list
        from kgbuild.site.totals import totals_of

        site = self._site(excerpt, rest)
        totals = replace(totals_of(site.views), entities=excerpt.portion.total)
        return plan_list(replace(site, totals=totals), excerpt.portion).content

    def _site(self, excerpt: Excerpt, rest: Iterable[ox.Quad]) -> SiteInput:
        from dataclasses import replace

        from kgbuild.store import OxigraphStore
        from kgbuild.views import Views

        store = OxigraphStore(ox.Store())
        store.extend({*excerpt.quads, *rest})
        if self.given is None:
            self.given = site_given(self.project, self.snapshot)
        return replace(self.given, views=Views(store, self.base, self.project.prefixes, self.project.fallback))

    # Asking

    async def _constant(self, request: Request) -> frozenset[ox.Quad]:
        if self.constant is None:
            self.constant = await self._ask(request, excerpts.constant(self.base))
        return self.constant

    async def _ask(self, request: Request, asking: Asking[T]) -> T:
        """Ask the workers all that an excerpt needs; raise what the client is told where a query is refused."""
        try:
            query = next(asking)
            while True:
                query = asking.send(await self._rows(request, query))
        except StopIteration as stop:
            made: T = stop.value
            return made

    async def _rows(self, request: Request, query: str) -> Rows:
        reply = (await self.endpoint.find(Job(query, RESULTS[0].media_type, ""), client_of(request))).reply
        if reply.status != "ok":
            raise refusal(reply)
        found = ox.parse_query_results(reply.body, format=ox.QueryResultsFormat.JSON)
        if not isinstance(found, ox.QuerySolutions):
            raise RefusedError(500, "the graph cannot be read")
        return tuple([tuple(row) for row in found])


def site_given(project: Project, snapshot: Snapshot) -> SiteInput:
    """Return what the pages of a build show beside the graph, as far as its report and the project's rules tell."""
    from kgbuild.diagnostics import Report
    from kgbuild.ontology import read_ontology
    from kgbuild.reporting import from_json
    from kgbuild.site.documents import Document as Written
    from kgbuild.site.plan import RESOURCE_FORMATS, SiteInput
    from kgbuild.site.scripts import web_files
    from kgbuild.store import OxigraphStore
    from kgbuild.validate import load_shapes
    from kgbuild.views import Views

    quiet = Report()
    document = snapshot.report()
    return SiteInput(
        project=project,
        views=Views(OxigraphStore(ox.Store()), project.base, project.prefixes, project.fallback),
        queries=(),
        downloads=(),
        shapes=load_shapes(read_ontology(project, quiet).shapes, quiet),
        findings=tuple(from_json(document)) if "findings" in document else (),
        engine=str(document.get("engine", "")),
        triples=0,
        formats=RESOURCE_FORMATS,
        scripts=bool(web_files()),
        workbench="workbench/index.html" in snapshot.sums,
        sparse=document.get("sparse") is True,
        served=True,
        documents=tuple(Written(name, title) for name, title in document.get("documents", {}).items()),
    )


def hash_of(data: bytes) -> str:
    """Return a short digest of what was made."""
    import hashlib

    return hashlib.sha256(data).hexdigest()[:24]
