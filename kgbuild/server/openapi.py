"""The description of the interface in OpenAPI 3.1. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kgbuild.project import Project
from kgbuild.queries import Parameter, Query
from kgbuild.server.jobs import form_of
from kgbuild.server.negotiation import GRAPHS, RESULTS
from kgbuild.server.settings import NOTICE

LONGEST: Final = 1000
"""Characters of a parameter."""
MOST: Final = 100
"""Results of a search."""

Schema = dict[str, Any]
_KINDS: Final[dict[str, Schema]] = {
    "text": {"type": "string", "maxLength": LONGEST},
    "integer": {"type": "integer", "minimum": 1 - 10**18, "maximum": 10**18 - 1},
    "decimal": {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"},
}
_FAULTS: Final = (400, 404, 405, 422, 503, 504, 507)
_TEXTS: Final = ("iri", "id", "statement", "certainty", "modality", "polarity", "basis")


def describe(project: Project, queries: Mapping[str, Query], address: str, entity: str = "", claim: str = "") -> Schema:
    """Return the OpenAPI document of a project's interface; an entity and a claim that are there serve as examples."""
    paths: dict[str, Any] = {}
    for name, query in queries.items():
        for syntax in GRAPHS if form_of(query.body) == "graph" else RESULTS:
            paths[f"/api/query/{name}.{syntax.extension}"] = {
                "get": _query(query, syntax.extension, syntax.media_type, project.prefixes)
            }
    paths |= {
        "/api/search": {"get": _search()},
        "/api/entity/{id}": {"get": _one("entity", "an entity with the claims that name it", {"id": entity})},
        "/api/claim/{article}/{id}": {
            "get": _one("claim", "a claim with its certainty, polarity and source", _parts(claim))
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": project.title,
            "summary": NOTICE,
            "description": project.description,
            "version": project.version,
            "license": {"name": "Licence of the data", "url": project.license},
        },
        "servers": [{"url": address.rstrip("/")}],
        "paths": paths,
        "components": {"schemas": _schemas(), "responses": {"Problem": _problem()}},
    }


def _query(query: Query, extension: str, media: str, prefixes: Mapping[str, str]) -> Schema:
    parameters = [
        {
            "name": item.name,
            "in": "query",
            "required": False,
            "description": item.doc,
            "schema": _values(query, item, prefixes),
        }
        for item in query.parameters
    ]
    schema = {"$ref": "#/components/schemas/Results"} if extension == "json" else {"type": "string"}
    if extension == "jsonld":
        schema = {}
    return {
        "operationId": f"query-{query.name}-{extension}",
        "tags": ["queries"],
        "summary": query.title,
        "description": query.question,
        "parameters": parameters,
        "responses": {"200": {"description": "the answer", "content": {media: {"schema": schema}}}, **_faults()},
    }


def _values(query: Query, item: Parameter, prefixes: Mapping[str, str]) -> Schema:
    """Return what a parameter may be: what another endpoint was asked for is recorded for the default alone."""
    default = _default(item.kind, item.default)
    only = {"enum": [default]} if query.recording is not None else {}
    return {**_kind(item.kind, prefixes), **only, "default": default}


def _kind(kind: str, prefixes: Mapping[str, str]) -> Schema:
    if kind != "iri":
        return _KINDS[kind]
    pattern = rf"^((({'|'.join(prefixes)}):[A-Za-z0-9_-]+)|(https?://[a-z0-9.-]+/[A-Za-z0-9/._#-]*))$"
    return {"type": "string", "pattern": pattern, "maxLength": LONGEST}


def _default(kind: str, value: str) -> object:
    return int(value) if kind == "integer" else value


def _search() -> Schema:
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": 20}
    return {
        "operationId": "search",
        "tags": ["records"],
        "summary": "entities and claims that hold every word of a text",
        "parameters": [
            {"name": "q", "in": "query", "required": True, "description": "what to look for", "schema": text},
            {"name": "limit", "in": "query", "required": False, "description": "how many results", "schema": limit},
        ],
        "responses": {"200": _body("Found"), **_faults()},
    }


def _parts(claim: str) -> dict[str, str]:
    article, _, identifier = claim.partition("/")
    return {"article": article, "id": identifier}


def _one(kind: str, words: str, names: Mapping[str, str]) -> Schema:
    text = {"type": "string", "minLength": 1, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}
    return {
        "operationId": kind,
        "tags": ["records"],
        "summary": words,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": text, **({"example": example} if example else {})}
            for name, example in names.items()
        ],
        "responses": {"200": _body(kind.capitalize()), **_faults()},
    }


def _body(schema: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": "found", "content": content}


def _faults() -> Schema:
    found: Schema = {str(status): {"$ref": "#/components/responses/Problem"} for status in _FAULTS}
    for status, words in ((414, "the address is too long"), (431, "the headers are too long")):
        found[str(status)] = {"description": words, "content": {"text/plain": {"schema": {"type": "string"}}}}
    return found


def _problem() -> Schema:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "what went wrong (RFC 9457)", "content": {"application/problem+json": {"schema": schema}}}


def _schemas() -> Schema:
    text, link = {"type": "string"}, {"$ref": "#/components/schemas/Link"}
    links = {"type": "array", "items": link}
    claim = {
        "type": "object",
        "required": [*_TEXTS, "source"],
        "properties": {
            **dict.fromkeys(_TEXTS, text),
            "source": {
                "type": "object",
                "required": ["attributed_to", "article", "sentences"],
                "properties": {"attributed_to": link, "article": link, "sentences": {"type": "array"}},
            },
        },
    }
    claims = {"type": "array", "items": {"$ref": "#/components/schemas/Claim"}}
    rows = {"type": "object", "properties": {"bindings": {"type": "array", "items": {"type": "object"}}}}
    return {
        "Link": {"type": "object", "required": ["iri", "label"], "properties": {"iri": text, "label": text}},
        "Claim": claim,
        "Entity": {
            "type": "object",
            "required": ["iri", "id", "label", "claims"],
            "properties": {"iri": text, "id": text, "label": text, "broader": links, "claims": claims},
        },
        "Found": {
            "type": "object",
            "required": ["notice", "query", "results"],
            "properties": {"results": {"type": "array", "items": {"type": "object", "required": ["type", "iri"]}}},
        },
        "Results": {
            "type": "object",
            "required": ["head", "notice"],
            "properties": {
                "head": {"type": "object"},
                "results": rows,
                "boolean": {"type": "boolean"},
                "notice": text,
                "claims": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Claim"}},
            },
        },
        "Problem": {
            "type": "object",
            "required": ["title", "status", "detail"],
            "properties": {"title": text, "status": {"type": "integer"}, "detail": text},
        },
    }
