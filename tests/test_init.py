"""What `kgbuild init` writes works at once, with every command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kgbuild.cli import main

if TYPE_CHECKING:
    import pytest


def test_a_new_project_works_with_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mine"
    assert main(["init", str(root)]) == 0
    said = capsys.readouterr()
    assert f"kgbuild -C {root} build" in said.err
    written = [Path(line) for line in said.out.splitlines()]
    assert {path.name for path in written} >= {"kgbuild.toml", "README.md", "tea.yaml", ".gitignore"}
    assert sorted(written) == sorted(path for path in root.rglob("*") if path.is_file())
    here = ["-C", str(root)]
    for command in (["check"], ["build"], ["test"], ["anchor", "tea", str(root / "tea.txt")], ["query", "contents"]):
        assert main([*here, *command]) == 0, command
        said = capsys.readouterr()
        assert "warning" not in said.err
        assert "mismatch" not in said.err
    assert "caffeine" in said.out
    assert main(["verify", str(root / "build")]) == 0


def test_what_exists_is_never_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kgbuild.toml").write_text("mine", "utf-8")
    assert main(["init", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kgbuild.toml"]
    assert main(["init", str(tmp_path / "kgbuild.toml" / "x")]) == 3
    (tmp_path / "empty").mkdir()
    assert main(["init", str(tmp_path / "empty")]) == 0
