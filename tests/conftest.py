"""Options and fixtures that several tests use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Server, built_project, serving

from kgbuild.building import build
from kgbuild.compilation import Compilation, compile_project
from kgbuild.site.scripts import web_files

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.sync_api import Browser

GOOD = Path(__file__).parent / "broken" / "_good"
ROOT = Path(__file__).parents[1]
collect_ignore_glob = ["validators/*"]  # programs for the environment of the validators, not tests


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite expected output instead of comparing with it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, object, object]:
    """Turn a skip into a failure where `KGBUILD_CI` promises that every part is installed."""
    report = yield
    assert isinstance(report, pytest.TestReport)
    if report.skipped and "KGBUILD_CI" in os.environ and not hasattr(report, "wasxfail") and not _shared(item):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {report.longrepr}"
    return report


def _shared(item: pytest.Item) -> bool:
    return item.get_closest_marker("shared") is not None


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Tell whether expected output is to be rewritten."""
    return bool(request.config.getoption("--update"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the folder of the article's project."""
    return ROOT


@pytest.fixture(scope="session")
def compilation() -> Compilation:
    """Compile the article's project once."""
    return compile_project(ROOT)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a copy of the article's project once."""
    return built_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def server(built: Path) -> Iterator[Server]:
    """Serve the article's project."""
    with serving(built, "--timeout", "5") as running:
        yield running


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the small project once; its build is only read."""
    root = shutil.copytree(GOOD, tmp_path_factory.mktemp("released") / "project")
    build(root)
    return root / "build"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Build a copy of the small project, to change it."""
    project = shutil.copytree(GOOD, tmp_path / "small")
    build(project)
    return project


@pytest.fixture(scope="session")
def site(built: Path) -> Path:
    """Return the folder of the article's site, with its search and workbench."""
    if not web_files():
        pytest.skip("search and workbench were not made when kgbuild was installed")
    return built / "build" / "site"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start a browser once."""
    from browsing import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Visit]:
    """Open a page from disk, which may ask nothing of other sites and may not complain."""
    from browsing import watched

    with watched(browser, f"{site.as_uri()}/") as made:
        yield made


@pytest.fixture(params=["disk", "http"])
def anywhere(request: pytest.FixtureRequest, browser: Browser, site: Path) -> Iterator[Visit]:
    """Open a page as `visit` does, from disk, then over HTTP at a sub-path."""
    from browsing import served, watched

    if request.param == "disk":
        with watched(browser, f"{site.as_uri()}/") as made:
            yield made
    else:
        with served(site) as root, watched(browser, root) as made:
            yield made
