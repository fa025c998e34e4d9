"""Options and fixtures that several tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = Path(__file__).parent / "broken" / "_good"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite expected output instead of comparing with it")


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Tell whether expected output is to be rewritten."""
    return bool(request.config.getoption("--update"))
