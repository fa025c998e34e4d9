"""`kgbuild serve --watch`: a change is built, open pages are told, mistakes are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from servers import serving, until


def news(response: HTTPResponse) -> Iterator[Any]:
    while line := response.readline():
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_a_change_is_built_and_a_mistake_is_shown(small: Path) -> None:
    source = small / "data/entities/things.yaml"
    good = source.read_text()
    with serving(small, "--watch") as server:
        page = server.ask("id/caffeine.html", accept="text/html").text
        assert "-/live.js" in page
        assert "http-equiv" not in page
        assert b"EventSource" in server.ask("-/live.js").body
        connection = server.connect()
        connection.request("GET", "/-/events")
        told = news(connection.getresponse())
        first = next(told)
        source.write_text(good.replace("de: Koffein", "de: Thein"))
        assert next(item for item in told if item["build"] != first["build"])["lines"] == []
        assert until(lambda: "Thein" in server.ask("id/caffeine.html").text)
        source.write_text(good.replace("category: substance", "category: substnce"))
        wrong = next(item for item in told if item["lines"])
        assert any("data/entities/things.yaml" in line and "error[KG302]" in line for line in wrong["lines"])
        assert "Thein" in server.ask("id/caffeine.html").text, "the last good build is still served"
        connection.close()
