"""`kgbuild serve --watch`: a change is built, open pages are told, mistakes are shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from servers import serving, until


def news(response: HTTPResponse) -> Iterator[Any]:
    while line := response.readline():
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_a_change_is_built_and_a_mistake_is_shown(built: Path, tmp_path: Path) -> None:
    project = shutil.copytree(built, tmp_path / "project")
    foods = project / "data/entities/foods.yaml"
    good = foods.read_text()
    with serving(project, "--watch") as server:
        page = server.ask("id/kale.html", accept="text/html").text
        assert "-/live.js" in page
        assert "http-equiv" not in page
        assert b"EventSource" in server.ask("-/live.js").body
        connection = server.connect()
        connection.request("GET", "/-/events")
        told = news(connection.getresponse())
        first = next(told)
        foods.write_text(good.replace("de: Grünkohl\n", "de: Blattkohl\n"))
        assert next(item for item in told if item["build"] != first["build"])["lines"] == []
        assert until(lambda: "Blattkohl" in server.ask("id/kale.html").text)
        foods.write_text(good.replace("category: food", "category: fod", 1))
        wrong = next(item for item in told if item["lines"])
        assert any("data/entities/foods.yaml" in line and "error[KG302]" in line for line in wrong["lines"])
        assert "Blattkohl" in server.ask("id/kale.html").text, "the last good build is still served"
        connection.close()
