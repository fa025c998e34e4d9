"""The graph as JSON: named queries with parameters, entities, claims, and a search, described by OpenAPI."""

from __future__ import annotations

import hashlib
import json
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


_JSON: Final = "application/json"
_FOUND: Final = 20
MOST_CLAIMS: Final = 1000
"""Claims that stand beside the rows of an answer."""
_AT_ONCE: Final = 100


async def respond(request: Request, path: str, snapshot: Snapshot, endpoint: Endpoint, address: str) -> Response:
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
        return await _query(request, key, snapshot, endpoint)
    if kind == "search" and not key:
        return await _search(request, snapshot, endpoint)
    if kind in {"entity", "claim"} and key:
        return await _record(request, kind, key.removesuffix(".json"), snapshot, endpoint)
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


async def _query(request: Request, key: str, snapshot: Snapshot, endpoint: Endpoint) -> Response:
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
        return await _with_claims(request, sparql, snapshot, endpoint)
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


async def _with_claims(request: Request, sparql: str, snapshot: Snapshot, endpoint: Endpoint) -> Response:
    """Answer in SPARQL JSON; beside the rows stands each claim they name, with certainty, polarity and source."""
    media = RESULTS[0].media_type
    reply, tag, _ = await endpoint.find(Job(sparql, media, ""), client_of(request))
    if reply.status != "ok":
        raise refusal(reply)
    document = await told(reply.body, snapshot.project.base, endpoint, client_of(request))
    body = json.dumps(document, ensure_ascii=False).encode()
    return answer(request, body, media, f"{tag}-claims" if tag else "", {"Kgbuild-Notice": NOTICE})


async def told(results: bytes, base: str, endpoint: Endpoint, client: str) -> dict[str, Any]:
    """Read SPARQL JSON, and add what must be read beside it: the notice, and each claim that the rows name.

    Of more claims than can be looked up at once the first are there, and `cut` says so.
    """
    document: dict[str, Any] = json.loads(results)
    rows = document.get("results", {}).get("bindings", ())
    named = {term["value"] for row in rows for term in row.values() if term["type"] == "uri"}
    document["notice"] = NOTICE
    claims = sorted(value for value in named if value.startswith(f"{base}claim/"))
    if claims:
        document["claims"] = {}
    for start in range(0, min(len(claims), MOST_CLAIMS), _AT_ONCE):
        document["claims"] |= await endpoint.look_up("claims", claims[start : start + _AT_ONCE], client)
    if len(claims) > MOST_CLAIMS:
        document["cut"] = f"beside the rows stand {MOST_CLAIMS:,} of {len(claims):,} claims; ask for fewer rows"
    return document


# Entities, claims, search


async def _record(request: Request, kind: str, key: str, snapshot: Snapshot, endpoint: Endpoint) -> Response:
    document = None
    if kind == "entity" or "/" in key:
        document = await endpoint.look_up(kind, key, client_of(request))
    if document is None:
        raise RefusedError(404, f"there is no {kind} '{key[:100]}'")
    return _json(request, {"notice": NOTICE, **document}, snapshot)


async def _search(request: Request, snapshot: Snapshot, endpoint: Endpoint) -> Response:
    for name in request.query_params:
        if name not in {"q", "limit"}:
            raise RefusedError(400, f"unknown parameter '{name[:100]}'; known: q, limit")
    text = request.query_params.get("q", "")
    given = request.query_params.get("limit", str(_FOUND))
    if not text or len(text) > LONGEST:
        raise RefusedError(400, f"give what to look for as the parameter 'q', of at most {LONGEST} characters")
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST):
        raise RefusedError(400, f"'limit' is a whole number from 1 to {MOST}")
    found = await endpoint.look_up("search", [text, int(given)], client_of(request))
    return _json(request, {"notice": NOTICE, "query": text, "results": found}, snapshot)
