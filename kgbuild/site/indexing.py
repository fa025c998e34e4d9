"""The search index of a large site: made by Pagefind when the site is built, loaded by pages part by part.

Pagefind is given one small document for each entry of the search, and returns the entry with what it finds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kgbuild.diagnostics import KgbuildError
from kgbuild.site.scripts import Entry

INDEXED: Final = 2_000
"""More entries than a browser should load and index itself."""
_LEFT_OUT: Final = (
    "pagefind-ui",
    "pagefind-modular-ui",
    "pagefind-component-ui",
    "pagefind-highlight",
    "pagefind-worker",
)


def can_index() -> bool:
    """Tell whether Pagefind is installed."""
    return find_spec("pagefind") is not None and find_spec("pagefind_bin") is not None


def index_files(entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the files of the index by path; the same entries give the same bytes."""
    with tempfile.TemporaryDirectory(prefix="kgbuild-") as folder:
        source, made = Path(folder) / "source", Path(folder) / "made"
        source.mkdir()
        for number, entry in enumerate(entries):
            (source / f"{number:07}.html").write_text(_document(entry), "utf-8")
        command = [sys.executable, "-m", "pagefind", "--site", str(source), "--output-path", str(made)]
        done = subprocess.run(  # noqa: S603  # our own program
            [*command, "--force-language", "unknown", "--quiet"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KgbuildError(f"Pagefind failed: {(done.stderr or done.stdout).strip()[-500:]}")
        return {
            path.relative_to(made).as_posix(): path.read_bytes()
            for path in sorted(made.rglob("*"))
            if path.is_file() and not path.name.startswith(_LEFT_OUT)
        }


def _document(entry: Entry) -> str:
    """Spell an entry as a document: names weigh more than other names, and the entry itself is carried along."""
    _, label, kind, others, name, _ = entry
    carried = escape(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
    return (
        f'<!doctype html><html><body data-pagefind-body><div data-pagefind-meta="entry[data-entry]" '
        f'data-entry="{carried}"></div><p data-pagefind-weight="5">{escape(label)}</p>'
        f'<p data-pagefind-weight="3">{escape(" · ".join(others))}</p><p>{escape(name)} {escape(kind)}</p>'
        "</body></html>"
    )
