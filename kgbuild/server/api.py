"""The graph as JSON: named queries with parameters, entities, claims, and a search, described by OpenAPI."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kgbuild.diagnostics import UsageError, did_you_mean
from kgbuild.queries import Query
from kgbuild.server.jobs import Job, form_of
from kgbuild.server.negotiation import GRAPHS, HTML, RESULTS, by_extension
from kgbuild.server.openapi import LONGEST, MOST, describe
from kgbuild.server.replies import answer
from kgbuild.server.settings import NOTICE
from kgbuild.server.snapshots import Snapshot
from kgbuild.server.sparql import Endpoint, Question, RefusedError, client_of, refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from kgbuild.views import Views

_JSON: Final = "application/json"
_FOUND: Final = 20


class Records:
    """Entities and claims of one build, gathered when they are first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.gathering: asyncio.Task[Views] | None = None

    async def views(self) -> Views:
        """Return the views of the graph."""
        if self.gathering is None:
            self.gathering = asyncio.get_running_loop().create_task(asyncio.to_thread(self._gather))
        return await asyncio.shield(self.gathering)

    def _gather(self) -> Views:
        from kgbuild.store import OxigraphStore
        from kgbuild.views import Views

        project = self.snapshot.project
        store = OxigraphStore.open(Path(self.snapshot.place("../store")))
        views = Views(store, project.base, project.prefixes, project.fallback)
        _ = views.entities
        return views


async def respond(
    request: Request, path: str, snapshot: Snapshot, endpoint: Endpoint, records: Records, address: str
) -> Response:
    """Answer a path below `api/`."""
    _, _, rest = path.partition("/")
    kind, _, key = rest.partition("/")
    if kind == "openapi.json":
        return _json(request, _description(snapshot, address), snapshot)
    if kind in {"", "index.html"} and not key:
        from kgbuild.server.pages import render

        return answer(
            request,
            render("api.html", document=_description(snapshot, address)),
            HTML.media_type,
            _tag(snapshot, "api"),
        )
    if kind == "query" and key:
        return await _query(request, key, snapshot, endpoint, records)
    if kind == "search" and not key:
        return await _search(request, snapshot, records)
    if kind in {"entity", "claim"} and key:
        return await _record(request, kind, key.removesuffix(".json"), snapshot, records)
    raise RefusedError(404, "there is nothing at this address; the interface is described at api/openapi.json")


def _description(snapshot: Snapshot, address: str) -> dict[str, Any]:
    return describe(snapshot.project, snapshot.queries, address, _first(snapshot, "id/"), _first(snapshot, "claim/"))


def _first(snapshot: Snapshot, place: str) -> str:
    """Return the name of the first thing that has a file below a place, or nothing."""
    found = (path for path in snapshot.sums if path.startswith(place) and path.endswith(".ttl"))
    return next(found, "").removeprefix(place).removesuffix(".ttl")


def _tag(snapshot: Snapshot, *parts: str) -> str:
    return hashlib.sha256(repr((snapshot.digest, *parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _json(request: Request, document: Any, snapshot: Snapshot) -> Response:
    body = json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    return answer(request, body, _JSON, hashlib.sha256(body).hexdigest()[:32], {"Kgbuild-Notice": NOTICE})


# Named queries


async def _query(request: Request, key: str, snapshot: Snapshot, endpoint: Endpoint, records: Records) -> Response:
    name, dot, extension = key.rpartition(".")
    if not dot:
        name, extension = key, request.query_params.get("format", "")
    query = snapshot.queries.get(name)
    if query is None:
        hint = did_you_mean(name, snapshot.queries)
        raise RefusedError(404, f"there is no query '{name[:100]}'" + (f"; {hint}" if hint else ""))
    sparql = _filled(request, query, snapshot, given_by_name=not dot)
    offers = GRAPHS if form_of(query.body) == "graph" else RESULTS
    syntax = by_extension(extension, offers) if extension else offers[0]
    if syntax is None:
        known = ", ".join(item.extension for item in offers)
        raise RefusedError(404, f"the query '{name}' has no answer as '{extension[:20]}'; there are: {known}")
    if syntax.extension == "json" and offers is RESULTS:
        return await _with_claims(request, sparql, snapshot, endpoint, records)
    results, graph = (syntax, None) if offers is RESULTS else (None, syntax)
    return await endpoint.answer(request, Question(sparql), results, graph)


def _filled(request: Request, query: Query, snapshot: Snapshot, *, given_by_name: bool) -> str:
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name == "format" and given_by_name:
            continue
        if name in values:
            raise RefusedError(400, f"the parameter '{name[:100]}' is given twice")
        if len(value) > LONGEST:
            raise RefusedError(400, f"the parameter '{name[:100]}' is longer than {LONGEST} characters")
        values[name] = value
    try:
        return query.replayed(snapshot.project.prefixes, values)
    except (UsageError, ValueError) as error:
        raise RefusedError(400, str(error)) from None


async def _with_claims(
    request: Request, sparql: str, snapshot: Snapshot, endpoint: Endpoint, records: Records
) -> Response:
    """Answer in SPARQL JSON; beside the rows stands each claim they name, with certainty, polarity and source."""
    media = RESULTS[0].media_type
    reply, tag = await endpoint.find(Job(sparql, media, ""), client_of(request))
    if reply.status != "ok":
        raise refusal(reply)
    document = await told(reply.body, snapshot.project.base, records)
    body = json.dumps(document, ensure_ascii=False).encode()
    return answer(request, body, media, f"{tag}-claims" if tag else "", {"Kgbuild-Notice": NOTICE})


async def told(results: bytes, base: str, records: Records) -> dict[str, Any]:
    """Read SPARQL JSON, and add what must be read beside it: the notice, and each claim that the rows name."""
    from kgbuild.server.records import short_record

    document: dict[str, Any] = json.loads(results)
    rows = document.get("results", {}).get("bindings", ())
    named = {term["value"] for row in rows for term in row.values() if term["type"] == "uri"}
    document["notice"] = NOTICE
    if any(value.startswith(f"{base}claim/") for value in named):
        views = await records.views()
        document["claims"] = {claim.iri: short_record(claim) for claim in views.claims if claim.iri in named}
    return document


# Entities, claims, search


async def _record(request: Request, kind: str, key: str, snapshot: Snapshot, records: Records) -> Response:
    from kgbuild.server.records import claim_record, entity_record

    views = await records.views()
    if kind == "entity":
        entity = next((item for item in views.entities if key in {item.slug, item.iri}), None)
        document = entity_record(entity) if entity else None
    else:
        claim = next((item for item in views.claims if key in {item.key, item.iri}), None)
        document = claim_record(claim) if claim else None
    if document is None:
        raise RefusedError(404, f"there is no {kind} '{key[:100]}'")
    return _json(request, {"notice": NOTICE, **document}, snapshot)


async def _search(request: Request, snapshot: Snapshot, records: Records) -> Response:
    from kgbuild.server.records import search

    for name in request.query_params:
        if name not in {"q", "limit"}:
            raise RefusedError(400, f"unknown parameter '{name[:100]}'; known: q, limit")
    text = request.query_params.get("q", "")
    given = request.query_params.get("limit", str(_FOUND))
    if not text or len(text) > LONGEST:
        raise RefusedError(400, f"give what to look for as the parameter 'q', of at most {LONGEST} characters")
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST):
        raise RefusedError(400, f"'limit' is a whole number from 1 to {MOST}")
    views = await records.views()
    return _json(request, {"notice": NOTICE, "query": text, "results": search(views, text, int(given))}, snapshot)
