"""The build hook: what the pages run is made from a lock, once; an absent registry is told, a wrong digest stops."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kgbuild.site import scripts

ROOT = Path(__file__).parents[1]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("KGBUILD_WITHOUT_WORKBENCH", raising=False)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def hook(module: ModuleType, tmp_path: Path) -> Any:
    """Return the hook of a copy of the project that has nothing made yet."""
    shutil.copytree(ROOT / "kgbuild" / "web", tmp_path / "kgbuild" / "web")
    return module.WebAssets(str(tmp_path), {}, None, None, str(tmp_path), "wheel")


class Npm:
    """Stands for npm and Node: fails with a log, or makes one file."""

    def __init__(self, log: str = "") -> None:
        self.log = log
        self.runs: list[str] = []

    def __call__(self, program: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        self.runs.append(f"{program} {arguments[0]}")
        if program == "node":
            (folder / "out" / "fonts").mkdir(parents=True)
            (folder / "out" / "search.js").write_text("made")
        return subprocess.CompletedProcess(arguments, 1 if self.log else 0, "", self.log)


def test_what_is_made_is_made_once(hook: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = Npm()
    monkeypatch.setattr(module, "_run", npm)
    assert hook.dependencies() == [module.NODE]
    hook.initialize("editable", {})
    hook.initialize("standard", {})
    assert npm.runs == ["npm ci", "node bundle.mjs"]
    assert hook.dependencies() == []
    assert (hook.vendor / "search.js").read_text() == "made"


def test_a_changed_source_is_made_again(hook: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = Npm()
    monkeypatch.setattr(module, "_run", npm)
    hook.initialize("editable", {})
    (hook.web / "search.js").write_text("// changed\n")
    assert hook.dependencies() == [module.NODE]
    hook.initialize("editable", {})
    assert len(npm.runs) == 4


def test_an_absent_registry_is_told_and_stops_nothing(
    hook: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run", Npm("npm error code ENOTFOUND\nnpm error errno ENOTFOUND\n"))
    hook.initialize("editable", {})
    monkeypatch.setattr(scripts, "_vendor", lambda: hook.vendor)
    scripts.web_files.cache_clear()
    try:
        assert scripts.web_files() == {}
        (note,) = scripts.absences(1, 1, 1)
        assert "the npm registry could not be read when kgbuild was installed (ENOTFOUND)" in note
        assert "make assets" in note
    finally:
        scripts.web_files.cache_clear()
    assert hook.dependencies() == [module.NODE]


def test_a_package_that_is_not_the_one_of_the_lock_stops_the_install(
    hook: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run", Npm("npm error code EINTEGRITY\nnpm error wanted sha512-a but got sha512-b\n"))
    with pytest.raises(RuntimeError, match="is not the one of the lock"):
        hook.initialize("editable", {})
    assert not hook.vendor.exists()


def test_it_can_be_left_out_on_purpose(hook: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGBUILD_WITHOUT_WORKBENCH", "1")
    monkeypatch.setattr(module, "_run", Npm("must not run"))
    assert hook.dependencies() == []
    hook.initialize("editable", {})
    assert "KGBUILD_WITHOUT_WORKBENCH" in (hook.vendor / "missing.txt").read_text()


def test_every_package_of_the_lock_has_its_digest() -> None:
    lock = json.loads((ROOT / "kgbuild/web/package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/oxigraph" in packages
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
