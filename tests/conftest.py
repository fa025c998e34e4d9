"""Options and fixtures that several tests use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from servers import Server, built_project, serving

from kgbuild.building import build
from kgbuild.compilation import Compilation, compile_project

GOOD = Path(__file__).parent / "broken" / "_good"
ROOT = Path(__file__).parents[1]


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


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Build a copy of the small project, to change it."""
    project = shutil.copytree(GOOD, tmp_path / "small")
    build(project)
    return project
