"""Named graphs (SPARQL 1.1 Graph Store Protocol §5.2, reads only), and the bare description of an IRI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kgbuild.project import Project
from kgbuild.server.jobs import Job
from kgbuild.server.negotiation import GRAPHS, Syntax, by_extension, choose
from kgbuild.server.sparql import Endpoint, Question, RefusedError, client_of, refusal
from kgbuild.terms import is_iri

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

DESCRIBED = ("alignment/", "article/", "claim/", "dataset/", "id/", "mapping/", "np/")
"""Where there are IRIs that have no file of their own."""


async def respond(request: Request, path: str, endpoint: Endpoint, project: Project) -> Response:
    """Answer with a graph: `graph-store?graph=IRI`, `graph-store?default`, or `graph/NAME` itself."""
    parameters = request.query_params
    if path != "graph-store":
        name = project.base + path
    elif "default" in parameters and "graph" not in parameters:
        question = Question("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
        return await endpoint.answer(request, question, None, _syntax(request))
    else:
        name = parameters.get("graph", "")
    if not is_iri(name):
        raise RefusedError(400, "name a graph: ?graph=IRI, or ?default for the union of all")
    if not await _holds(request, endpoint, f"ASK {{ GRAPH <{name}> {{ ?s ?p ?o }} }}"):
        raise RefusedError(404, f"there is no graph <{name}>")
    question = Question(f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH <{name}> {{ ?s ?p ?o }} }}")
    return await endpoint.answer(request, question, None, _syntax(request))


async def describe(request: Request, path: str, endpoint: Endpoint, project: Project) -> Response | None:
    """Answer with the triples about an IRI that has no file, or return None where there are none."""
    name = project.base + path
    if not path.startswith(DESCRIBED) or not is_iri(name):
        return None
    if not await _holds(request, endpoint, f"ASK {{ <{name}> ?p ?o }}"):
        return None
    question = Question(f"CONSTRUCT {{ <{name}> ?p ?o }} WHERE {{ <{name}> ?p ?o }}")
    return await endpoint.answer(request, question, None, _syntax(request))


def _syntax(request: Request) -> Syntax:
    wanted = request.query_params.get("format")
    chosen = by_extension(wanted, GRAPHS) if wanted else choose(request.headers.get("accept", ""), GRAPHS)
    if chosen is None and not wanted and "text/html" in request.headers.get("accept", ""):
        chosen = GRAPHS[0]
    if chosen is None:
        raise RefusedError(406, "the formats are: " + ", ".join(item.media_type for item in GRAPHS), {"Vary": "Accept"})
    return chosen


async def _holds(request: Request, endpoint: Endpoint, question: str) -> bool:
    reply = (await endpoint.find(Job(question, "text/csv"), client_of(request))).reply
    if reply.status != "ok":
        raise refusal(reply)
    return reply.body.strip() == b"true"
