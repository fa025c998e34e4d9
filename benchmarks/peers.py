"""The peers, each in an environment of its own below the cache folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".benchmarks"
PEERS = {
    "rdflib": "rdflib==7.6.0",
    "pyshacl": "pyshacl==0.40.1",
    "pyshifty": "pyshifty==0.5.1 rdflib==7.6.0",
    "morph_kgc": "morph-kgc==2.10.0",
    "maplib": "maplib==0.20.26",
    "linkml": "linkml==1.12.1 linkml-runtime==1.12.1",
    "oxigraph": "oxigraph==0.5.13",
    "rdflib_endpoint": "rdflib-endpoint==0.6.3 uvicorn[standard]==0.54.0",
}


def environment(who: str, cache: Path) -> Path:
    """Return the Python of a peer's environment, made where it is not there; of who has none, the one running."""
    if who not in PEERS:
        return Path(sys.executable)
    folder = cache.resolve() / who
    python = folder / "bin/python"
    ready = folder / "ready"
    if not ready.exists() or ready.read_text("utf-8") != PEERS[who]:
        print(f"making the environment of {who}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS[who].split()]
        subprocess.run(install, check=True)
        ready.write_text(PEERS[who], "utf-8")
    return python


def memory(pid: int) -> float:
    """Return the resident memory of a process and its children in MB; pages that they share count once (PSS)."""
    total, todo = 0.0, [pid]
    while todo:
        each = todo.pop()
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{each}/smaps_rollup").read_text(), re.M)
            total += int(found[1]) / 1024 if found else 0.0
            for task in Path(f"/proc/{each}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total
