"""Builds: same input, same bytes; nothing changed, nothing done; a failure leaves the last good build untouched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import GOOD
from servers import copy_project

from kgbuild import building
from kgbuild.building import build, check, open_store
from kgbuild.compilation import compile_project
from kgbuild.diagnostics import FindingsError, UnreadableError, UsageError
from kgbuild.store import OxigraphStore, Solutions


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a copy of the article's project once."""
    root = copy_project(tmp_path_factory.mktemp("made") / "project")
    assert build(root).written
    return root


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a build but the store, whose files hold times of their own."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "store" not in path.relative_to(folder).parts[:1]
    }


def dump(store: Path) -> list[str]:
    return sorted(str(quad) for quad in OxigraphStore.open(store).store)


def test_the_build_has_its_parts(made: Path) -> None:
    site = made / "build/site"
    for path in (
        "index.html", "id/magnesium.html", "id/magnesium.ttl", "id/magnesium.jsonld", "claim/magnesium-rls/c094.html",
        "claim/magnesium-rls/c094.trig", "article/magnesium-rls.html", "query/foods.html", "query/foods.csv", "ns.html",
        "ns.ttl", "report.html", "void.ttl", "SHA256SUMS", "data/magnesium-rls.nq", "data/magnesium-rls.trig",
        "data/magnesium-rls.ttl", "data/magnesium-rls.jsonld", "data/magnesium-rls.rdf",
    ):  # fmt: skip
        assert (site / path).is_file(), path
    report = json.loads((made / "build/report.json").read_text("utf-8"))
    assert report["figures"]["sentences"] == report["figures"]["covered"] == 35
    assert report["findings"] == []


def test_the_store_answers(made: Path) -> None:
    answer = OxigraphStore.open(made / "build/store").query("SELECT ?c { ?c a <https://w3id.org/kgbuild/ns#Claim> }")
    assert isinstance(answer, Solutions)
    assert len(answer.rows) == json.loads((made / "build/report.json").read_text())["figures"]["claims"]


def test_the_sums_fit_every_file(made: Path) -> None:
    site = made / "build/site"
    lines = (site / "SHA256SUMS").read_text("utf-8").splitlines()
    for line in lines:
        digest, path = line.split("  ", 1)
        assert hashlib.sha256((site / path).read_bytes()).hexdigest() == digest
    assert len(lines) + 1 == sum(path.is_file() for path in site.rglob("*"))


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_same_sources_give_the_same_bytes_anywhere(made: Path, tmp_path: Path, seed: str) -> None:
    root = copy_project(tmp_path / f"elsewhere with spaces {seed}")
    environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(
        [sys.executable, "-m", "kgbuild", "-C", root, "build"], check=True, env=environment, capture_output=True
    )
    assert digests(root / "build") == digests(made / "build")
    assert dump(root / "build/store") == dump(made / "build/store")


def test_nothing_changed_nothing_done(made: Path) -> None:
    before = (made / "build/site/index.html").stat().st_mtime_ns
    again = build(made)
    assert again.unchanged
    assert not again.written
    assert again.figures.claims > 90
    assert (made / "build/site/index.html").stat().st_mtime_ns == before


def test_a_store_serves_queries_as_long_as_its_graph_is_current(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "asked"
    shutil.copytree(made, root)
    query = root / "queries/foods.rq"
    query.write_text(query.read_text("utf-8") + "# a word\n", "utf-8")
    compiled = []
    monkeypatch.setattr(building, "compile_project", lambda *_, **__: compiled.append(1) or compile_project(made))
    assert open_store(root).query("ASK { ?c a <https://w3id.org/kgbuild/ns#Claim> }") is True
    assert not compiled
    entities = root / "data/entities/foods.yaml"
    entities.write_text(entities.read_text("utf-8") + "# a word\n", "utf-8")
    open_store(root)
    assert compiled


def test_a_damaged_build_is_made_again(made: Path) -> None:
    page = made / "build/site/index.html"
    good = page.read_bytes()
    page.write_bytes(b"damaged")
    assert build(made).written
    assert page.read_bytes() == good


def test_a_changed_source_is_built(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "changed"
    shutil.copytree(made, root)
    path = root / "data/articles/magnesium-rls.yaml"
    path.write_text(
        path.read_text("utf-8").replace("publisher: mypinsonline", "publisher: mypinsonline # here", 1), "utf-8"
    )
    assert build(root).written


def test_a_broken_source_leaves_the_last_build(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "broken"
    shutil.copytree(made, root)
    before = digests(root / "build")
    path = root / "data/articles/magnesium-rls.yaml"
    path.write_text(path.read_text("utf-8").replace("subject: magnesium\n", "subject: magnesum\n", 1), "utf-8")
    with pytest.raises(FindingsError):
        build(root)
    assert digests(root / "build") == before
    assert sorted(path.name for path in root.iterdir() if path.name.startswith(".")) == []


def test_a_full_disk_leaves_the_last_build(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "full"
    shutil.copytree(made, root)
    before = digests(root / "build")

    def full(folder: Path, nquads: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OxigraphStore, "write", full)
    with pytest.raises(UnreadableError, match="no space left on the disk; the last build is untouched"):
        build(root, force=True)
    assert digests(root / "build") == before
    assert not (root / ".build.new").exists()


def test_a_really_full_disk_leaves_the_last_build(made: Path, tmp_path: Path) -> None:
    """The project lies on a small file system of its own, which fills up while the build writes."""
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", root], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        shutil.copytree(made, root, dirs_exist_ok=True)
        before = digests(root / "build")
        free = shutil.disk_usage(root).free
        (root / "ballast").write_bytes(b"0" * (free - 4_000_000))
        done = subprocess.run(
            [sys.executable, "-m", "kgbuild", "-C", root, "build", "--force"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3, done.stderr
        assert "the last build is untouched" in done.stderr
        assert "Traceback" not in done.stderr
        assert digests(root / "build") == before
    finally:
        subprocess.run(["umount", root], check=True)


@pytest.mark.parametrize("after", [0.15, 0.4, 0.7, 1.0])
def test_a_kill_leaves_the_last_build_and_the_next_one_works(made: Path, tmp_path: Path, after: float) -> None:
    root = tmp_path / "killed"
    shutil.copytree(made, root)
    before = digests(root / "build")
    process = subprocess.Popen(
        [sys.executable, "-m", "kgbuild", "-C", root, "build", "--force"], stderr=subprocess.DEVNULL
    )
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert digests(root / "build") == before
    assert build(root, force=True).written
    assert not [path.name for path in root.iterdir() if path.name.startswith(".build")]


def test_a_kill_between_the_steps_of_a_swap_is_mended(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "between"
    shutil.copytree(made, root)
    before = digests(root / "build")
    (root / "build").rename(root / ".build.old")
    assert build(root).unchanged
    assert digests(root / "build") == before


def test_two_builds_at_once_are_refused(made: Path, tmp_path: Path) -> None:
    import fcntl

    root = tmp_path / "twice"
    shutil.copytree(made, root)
    handle = os.open(root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(UsageError, match="another build"):
            build(root)
    finally:
        os.close(handle)


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    root = copy_project(tmp_path / "checked")
    before = sorted(path for path in root.rglob("*"))
    assert check(root).figures.pages > 200
    assert sorted(path for path in root.rglob("*")) == before


def test_only_files_that_changed_are_written_again(tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(GOOD, root)
    site = build(root).index.parent
    before = {path.relative_to(site): path.stat().st_mtime_ns for path in site.rglob("*.html")}
    article = root / "data" / "articles" / "tea.yaml"
    article.write_text(article.read_text("utf-8").replace("It is possible that", "It may be that"), "utf-8")
    build(root)
    after = {path.relative_to(site): path.stat().st_mtime_ns for path in site.rglob("*.html")}
    changed = {path.as_posix() for path in before if after[path] != before[path]}
    assert "claim/tea/c2.html" in changed
    assert "about.html" not in changed
    assert len(changed) < len(before) / 2
    assert "It may be that" in (site / "claim/tea/c2.html").read_text("utf-8")
