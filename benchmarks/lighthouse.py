"""Score a page of each kind with Lighthouse: `python benchmarks/lighthouse.py`.

Needs Chromium and Node with npm. The package comes from the npm registry, pinned below; the site is built in a
temporary folder and served on loopback at a sub-path, compressed, as hosts do. Prints a table and ends with 1 where a
category is below the limit.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kgbuild

ROOT = Path(__file__).parents[1]
LIGHTHOUSE = "lighthouse@13.5.0"
LIMIT = 95
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PAGES = (
    "index.html",
    "id/magnesium.html",
    "claim/magnesium-rls/c043.html",
    "query/foods-by-magnesium.html",
    "evidence.html",
    "graph.html",
    "workbench/index.html",
)
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-sync"


class Host(SimpleHTTPRequestHandler):
    """Serves files, compressed where they are text."""

    def do_GET(self) -> None:
        """Answer with a file."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, kind = path.read_bytes(), self.guess_type(str(path))
        packed = kind.startswith("text/") or path.suffix in {".js", ".svg"}
        data = gzip.compress(data, 6) if packed else data
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if packed else kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "max-age=31536000")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def scores(command: list[str], address: str) -> dict[str, int]:
    """Return the score of each category, 0 to 100, and print what costs a page its points."""
    options = ["--quiet", "--output=json", f"--chrome-flags={FLAGS}", f"--only-categories={','.join(CATEGORIES)}"]
    chromium = {"CHROME_PATH": shutil.which("chromium") or ""}
    done = subprocess.run([*command, address, *options], check=True, capture_output=True, env=os.environ | chromium)
    report = json.loads(done.stdout)
    for name in CATEGORIES[1:]:
        for part in report["categories"][name]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 1:
                print(f"  {part['id']}: {audit['title']}", file=sys.stderr)
    return {name: round(100 * (report["categories"][name]["score"] or 0)) for name in CATEGORIES}


def main() -> int:
    """Print a table of scores."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        for name in ("ontology", "data", "queries"):
            shutil.copytree(ROOT / name, project / name)
        (project / "benchmarks").mkdir()
        for path in (ROOT / "benchmarks").glob("results.*"):
            shutil.copy(path, project / "benchmarks")
        shutil.copy(ROOT / "pyproject.toml", project)
        kgbuild.build(project)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", folder]
        subprocess.run(["npm", "install", *options, LIGHTHOUSE], check=True)
        command = ["node", f"{folder}/node_modules/lighthouse/cli/index.js"]
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(project / "build")))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lowest = 100
        print(f"{'page':<34}", *(f"{name:>15}" for name in CATEGORIES))
        for path in PAGES:
            if (project / "build" / "site" / path).is_file():
                found = scores(command, f"http://127.0.0.1:{server.server_port}/site/{path}")
                lowest = min(lowest, *found.values())
                print(f"{path:<34}", *(f"{found[name]:>15}" for name in CATEGORIES), flush=True)
        server.shutdown()
    return int(lowest < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
