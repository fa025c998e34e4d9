"""kgbuild: a compiler for claims. Every command has a function here of the same name; imports are late.

>>> import kgbuild
>>> kg = kgbuild.load()
>>> len(kg.claims(subject="magnesium", certainty="suggested")) > 0
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgbuild.anchors import anchor
    from kgbuild.building import build, check, export
    from kgbuild.comparison import diff
    from kgbuild.explanations import explain
    from kgbuild.graph import KnowledgeGraph, load, query
    from kgbuild.linking import link
    from kgbuild.pushing import push
    from kgbuild.starting import init
    from kgbuild.testing import test
    from kgbuild.verification import verify

__version__ = "0.1.0"
__all__ = [
    "KnowledgeGraph",
    "anchor",
    "build",
    "check",
    "diff",
    "explain",
    "export",
    "init",
    "link",
    "load",
    "push",
    "query",
    "test",
    "verify",
]

_HOMES = {
    "KnowledgeGraph": "graph",
    "anchor": "anchors",
    "build": "building",
    "check": "building",
    "diff": "comparison",
    "explain": "explanations",
    "export": "building",
    "init": "starting",
    "link": "linking",
    "load": "graph",
    "push": "pushing",
    "query": "graph",
    "test": "testing",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"kgbuild.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kgbuild' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
