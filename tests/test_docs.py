"""Documentation under test: what the pages tell people to type works, and nothing is left out."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kgbuild.claims import CLAIM_FIELDS
from kgbuild.cli import parser
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import Report
from kgbuild.project import SETTINGS
from kgbuild.queries import read_queries

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    path
    for path in ROOT.glob("**/README.md")
    if not any(part in {"build", "node_modules"} or part[0] == "." for part in path.relative_to(ROOT).parts)
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    line.split("#")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith(".venv/bin/kgbuild")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_runs(command: str) -> None:
    arguments = shlex.split(command.removeprefix(".venv/bin/kgbuild"))
    done = subprocess.run(
        [sys.executable, "-m", "kgbuild", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = blocks("python")
    names: dict[str, object] = {}
    exec(block, names)
    shown = re.findall(r"^(kg\.[^#\n]*?)\s+# '(.*)'$", block, re.MULTILINE)
    assert shown
    for expression, value in shown:
        assert eval(expression, names) == value


def test_the_claim_of_the_readme_uses_only_known_keys() -> None:
    (block,) = blocks("yaml")
    (claim,) = yaml.safe_load(block)
    assert set(claim) <= {field.key for field in CLAIM_FIELDS}


def test_every_command_and_setting_is_in_the_readme() -> None:
    actions = [action for action in parser()._actions if hasattr(action, "choices") and action.dest == "command"]
    for command in actions[0].choices or ():
        assert f"`kgbuild {command}" in README, command
    for setting in SETTINGS:
        assert f"`{setting}`" in README, setting


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_query_is_in_its_readme(compilation: Compilation) -> None:
    text = (ROOT / "queries/README.md").read_text("utf-8")
    for query in read_queries(compilation.project, Report()):
        assert query.name in text, query.name
