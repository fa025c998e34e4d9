"""The graph as tools for language models (Model Context Protocol): every answer carries certainty, source and IRI."""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgbuild.diagnostics import AbsentError, KgbuildError, UnreadableError, UsageError, did_you_mean
from kgbuild.project import load_project
from kgbuild.server.api import told
from kgbuild.server.application import Application, Serving
from kgbuild.server.jobs import Job, form_of
from kgbuild.server.pool import GoneError
from kgbuild.server.serving import bind
from kgbuild.server.settings import NOTICE, Settings
from kgbuild.server.sparql import RefusedError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

Tool = Callable[..., Awaitable[dict[str, Any]]]
ROWS = 200
"""Rows of an answer that a model is given."""
INSTRUCTIONS = f"""\
{NOTICE}
The graph holds claims of articles, each with its certainty (asserted, probable, suggested, possible, unknown),
modality, polarity (affirmed, negated, neutral), qualifiers, and source: who says it, in which article and sentence.
Never repeat a claim without its certainty and its source, and cite the IRI of the claim. A claim with `presupposed`,
`implied` or qualifiers holds only in that sense."""


class Tools:
    """What a model can ask; errors are sentences that say what to do instead."""

    def __init__(self, application: Application) -> None:
        self.application = application

    @property
    def serving(self) -> Serving:
        """Return the build that is served."""
        assert self.application.current is not None
        return self.application.current

    async def search(self, text: str, limit: int = 20) -> dict[str, Any]:
        """Find entities and claims by words in their names, aliases or statements."""
        return {"notice": NOTICE, "results": await self._look_up("search", [text, max(1, min(limit, 100))])}

    async def describe_entity(self, entity: str) -> dict[str, Any]:
        """Describe an entity, given by identifier, label, alias or IRI, with every claim that names it."""
        found = await self._look_up("called", entity)
        if "hint" in found:
            raise UsageError(f"there is no entity '{entity}'; {found['hint'] or 'try search'}")
        return {"notice": NOTICE, **found}

    async def get_claim(self, claim: str) -> dict[str, Any]:
        """Give a claim, by IRI or article/id, with certainty, polarity, source, sentence, and what data say of it."""
        found = await self._look_up("claim", claim)
        if not isinstance(found, dict):
            raise UsageError(f"there is {'more than one' if found else 'no'} claim '{claim}'; try search")
        return {"notice": NOTICE, **found}

    async def _look_up(self, task: str, given: object) -> Any:
        try:
            return await self.serving.endpoint.look_up(task, given, "model")
        except RefusedError as error:
            raise UsageError(error.message) from None

    async def list_questions(self) -> dict[str, Any]:
        """List the questions that the graph's makers put, with their parameters."""
        queries = self.serving.snapshot.queries.values()
        return {
            "notice": NOTICE,
            "questions": [
                {
                    "name": query.name,
                    "question": query.question,
                    "parameters": [
                        {"name": item.name, "kind": item.kind, "default": item.default, "meaning": item.doc}
                        for item in query.parameters
                    ],
                }
                for query in queries
            ],
        }

    async def ask_question(self, name: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
        """Ask one of the listed questions; the claims its answer names stand beside it with certainty and source."""
        queries = self.serving.snapshot.queries
        if name not in queries:
            raise UsageError(f"there is no question '{name}'; {did_you_mean(name, queries) or 'try list_questions'}")
        prefixes = self.serving.snapshot.project.prefixes
        return await self._asked(queries[name].replayed(prefixes, parameters or {}))

    async def run_sparql(self, query: str) -> dict[str, Any]:
        """Run a read-only SPARQL query; the prefixes of the graph are known. Select the claim, so that it can be cited.

        Claims have rdf:subject, rdf:predicate, rdf:object, kgb:certainty, kgb:modality, kgb:polarity, rdfs:label.
        """
        return await self._asked(query)

    async def _asked(self, sparql: str) -> dict[str, Any]:
        reply = (await self.serving.endpoint.find(Job(sparql), "model")).reply
        if reply.status != "ok":
            place = f" (line {reply.line}, column {reply.column})" if reply.line else ""
            raise UsageError(reply.message + place)
        if form_of(sparql) == "graph":
            return {"notice": NOTICE, "turtle": reply.body.decode("utf-8")}
        document = await told(reply.body, self.serving.snapshot.project.base, self.serving.endpoint, "model")
        rows = document.get("results", {}).get("bindings", [])
        if len(rows) > ROWS:
            document["results"]["bindings"] = rows[:ROWS]
            kept = {term["value"] for row in rows[:ROWS] for term in row.values()}
            document["claims"] = {iri: claim for iri, claim in document.get("claims", {}).items() if iri in kept}
            document["cut"] = f"these are the first {ROWS} of {len(rows)} rows; ask for fewer with LIMIT and OFFSET"
        return document


def make_server(application: Application) -> MCPServer[Any]:
    """Return a server of the Model Context Protocol with all tools."""
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError as error:
        raise AbsentError("kgbuild mcp needs the package mcp: pip install 'kgbuild[mcp]'") from error

    @contextlib.asynccontextmanager
    async def life(_: MCPServer[Any]) -> AsyncIterator[None]:
        await application.start()
        try:
            yield
        finally:
            await application.stop()

    title = application.project.title
    server: MCPServer[Any] = MCPServer("kgbuild", title, instructions=INSTRUCTIONS, lifespan=life, log_level="ERROR")
    tools = Tools(application)
    for tool in (tools.search, tools.describe_entity, tools.get_claim, tools.list_questions, tools.ask_question):
        server.add_tool(_telling(tool, application))
    server.add_tool(_telling(tools.run_sparql, application))
    return server


def _telling(tool: Tool, application: Application) -> Tool:
    """Let a tool tell the model what was wrong with its call, and ask the next build where one has gone."""
    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    async def told_of_mistakes(*args: Any, **arguments: Any) -> dict[str, Any]:
        try:
            try:
                return await tool(*args, **arguments)
            except GoneError:
                await application.replace()
                return await tool(*args, **arguments)
        except KgbuildError as error:
            raise ToolError(str(error)) from None
        except GoneError:
            raise ToolError("the graph is being replaced; try again in a moment") from None

    return told_of_mistakes


def mcp(start: Path | str = ".", settings: Settings | None = None, *, http: bool = False) -> None:
    """Serve the build of a project to language models, over standard input and output, or over HTTP at `/mcp`."""
    import anyio

    settings = settings or Settings()
    project = load_project(Path(start))
    if not (project.build / "report.json").is_file():
        raise UnreadableError(f"no build at {project.build}: run `kgbuild build` first")
    if not http:
        server = make_server(Application(project, settings, project.build))
        anyio.run(server.run_stdio_async)
        return
    with bind(settings.host, settings.port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        _run_http(Application(project, settings, project.build), listening)


def _run_http(application: Application, listening: socket.socket) -> None:
    import uvicorn

    server = make_server(application)
    app = server.streamable_http_app(stateless_http=True, json_response=True, host=application.settings.host)
    print(f"serving {application.local}mcp (Ctrl-C stops)", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])
