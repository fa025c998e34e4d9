"""`kgbuild mcp`, spoken to by the SDK's own client over both transports."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from servers import finish, serving

mcp = pytest.importorskip("mcp", reason="mcp is not installed (pip install 'kgbuild[mcp]')")

Talk = Callable[[Any], Awaitable[None]]


def over_stdio(project: Path, talk: Talk) -> None:
    command = ["-m", "kgbuild", "-C", str(project), "mcp"]

    async def run() -> None:
        server = mcp.StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
        async with mcp.Client(server, read_timeout_seconds=30) as client:
            await talk(client)

    finish(run())


async def call(client: Any, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content


def cited(claim: dict[str, Any]) -> bool:
    return all(claim.get(name) for name in ("iri", "certainty", "polarity", "modality", "basis")) and bool(
        claim["source"]["attributed_to"]["iri"] and claim["source"]["sentences"]
    )


async def use_every_tool(client: Any) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "describe_entity", "get_claim", "list_questions", "ask_question", "run_sparql"}
    assert all(tool.description for tool in tools.values())

    found = await call(client, "search", text="restless legs")
    assert found["results"][0]["iri"].endswith("id/restless-legs-syndrome")
    assert all(cited(item) for item in found["results"] if item["type"] == "claim")

    entity = await call(client, "describe_entity", entity="Willis-Ekbom disease")
    assert entity["id"] == "restless-legs-syndrome"
    assert entity["claims"]
    assert all(map(cited, entity["claims"]))

    claim = await call(client, "get_claim", claim="magnesium-rls/c094")
    assert cited(claim)
    assert (claim["certainty"], claim["modality"]) == ("probable", "potential")

    questions = (await call(client, "list_questions"))["questions"]
    assert any(item["name"] == "claims-about" and item["parameters"] for item in questions)

    answer = await call(client, "ask_question", name="claims-about", parameters={"entity": "id:calcium"})
    assert answer["claims"]
    assert all(map(cited, answer["claims"].values()))

    rows = await call(client, "run_sparql", query="SELECT ?c { ?c a kgb:Claim } LIMIT 3")
    assert len(rows["claims"]) == 3
    assert all(map(cited, rows["claims"].values()))
    graph = await call(client, "run_sparql", query="CONSTRUCT WHERE { id:kale mr:sourceOf ?x }")
    assert "mr:sourceOf" in graph["turtle"]
    many = await call(client, "run_sparql", query="SELECT ?s ?p ?o { ?s ?p ?o } LIMIT 300")
    assert "first 200 of 300" in many["cut"]
    assert "medical advice" in many["notice"]


async def make_mistakes(client: Any) -> None:
    for tool, arguments, words in (
        ("describe_entity", {"entity": "magnesum"}, "did you mean 'magnesium'"),
        ("get_claim", {"claim": "none"}, "no claim 'none'"),
        ("ask_question", {"name": "food"}, "did you mean 'foods'"),
        ("run_sparql", {"query": "SELEC"}, "line 1"),
        ("run_sparql", {"query": "DROP ALL"}, "line 1"),
        ("run_sparql", {"query": "SELECT * { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }"}, "SERVICE"),
    ):
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert words in result.content[0].text


def test_every_tool_over_stdio(built: Path) -> None:
    async def talk(client: Any) -> None:
        await use_every_tool(client)
        await make_mistakes(client)

    over_stdio(built, talk)


def test_every_tool_over_http(built: Path) -> None:
    with serving(built, "--http", command="mcp") as server:

        async def run() -> None:
            async with mcp.Client(f"{server.url}mcp", read_timeout_seconds=30) as client:
                await use_every_tool(client)

        finish(run())
