"""The shape of the package: imports go down, start-up is light, nothing is named after nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "kgbuild"
HEAVY = {"rdflib", "pyshacl", "pyoxigraph", "jinja2", "yaml", "rich", "pandas", "shacl", "markdown_it"}


def modules() -> dict[str, Path]:
    named = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def top_level_imports(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the package that a module imports when it is imported."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kgbuild"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name in known} or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("kgbuild")}
    return found


def test_imports_make_no_cycle() -> None:
    named = modules()
    graph = {name: top_level_imports(path, set(named)) - {name} for name, path in named.items()}
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in done and needs <= done}:
        done |= ready
    assert set(graph) == done


def test_lower_layers_do_not_know_upper_ones() -> None:
    named = modules()
    upper = {"kgbuild.cli", "kgbuild.building", "kgbuild.graph", "kgbuild.testing"}
    for name, path in named.items():
        if name in upper or name in {"kgbuild", "kgbuild.__main__"}:
            continue
        assert not top_level_imports(path, set(named)) & upper, name


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from kgbuild.cli import parser; parser(); print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_a_check_of_good_data_does_not_load_the_judge(project_root: Path) -> None:
    code = f"import sys, kgbuild; kgbuild.check({str(project_root)!r}); print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyshacl", "rdflib"} & set(done.stdout.split())


def test_no_module_is_named_after_nothing() -> None:
    assert not {path.stem for path in modules().values()} & {"utils", "helpers", "common", "core", "base", "misc"}
