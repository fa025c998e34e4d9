"""One build as it is served: its files by path with their digests, its queries, its folder held open.

Files are opened relative to the open folder, so that a build stays whole while the next one takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kgbuild.diagnostics import Report, UnreadableError
from kgbuild.names import FOLDER as NAMES
from kgbuild.project import Project
from kgbuild.queries import Query, read_queries


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one build on the disk from the next."""

    inode: int
    modified: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A build that is open: `sums` holds the SHA-256 of each file of the site by path."""

    project: Project
    build: Path
    folder: int
    mark: Mark
    digest: str
    sums: dict[str, str]
    queries: dict[str, Query]

    @classmethod
    def open(cls, project: Project, build: Path) -> Snapshot:
        """Open a build of a project; raise `UnreadableError` where there is none."""
        try:
            folder = os.open(build, os.O_RDONLY)
        except OSError as error:
            raise UnreadableError(f"no build at {build}: run `kgbuild build` first") from error
        try:
            document = json.loads(_read(folder, "report.json"))
            sums = _read(folder, "site/SHA256SUMS")
            mark = _mark(os.stat("report.json", dir_fd=folder))
            os.stat(NAMES, dir_fd=folder)
            digest = str(document["output"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            os.close(folder)
            raise UnreadableError(f"the build at {build} is not whole: {error}; run `kgbuild build`") from error
        return cls(
            project=project,
            build=build,
            folder=folder,
            mark=mark,
            digest=digest,
            sums=_sums(sums) | {"SHA256SUMS": hashlib.sha256(sums).hexdigest()},
            queries={query.name: query for query in read_queries(project, Report())},
        )

    def read(self, path: str) -> bytes:
        """Return a file of the site; only those that the build lists are there."""
        if path not in self.sums:
            raise FileNotFoundError(path)
        return _read(self.folder, f"site/{path}")

    def report(self) -> dict[str, Any]:
        """Return what the build says of itself."""
        document: dict[str, Any] = json.loads(_read(self.folder, "report.json"))
        return document

    def size(self, path: str) -> int:
        """Return the size of a file of the site in bytes."""
        return os.stat(f"site/{path}", dir_fd=self.folder).st_size

    def open_file(self, path: str) -> BinaryIO:
        """Open a file of the site."""
        return open(os.open(f"site/{path}", os.O_RDONLY, dir_fd=self.folder), "rb")

    def close(self) -> None:
        """Let the folder go."""
        os.close(self.folder)


def current_mark(build: Path) -> Mark | None:
    """Return the mark of the build that is on the disk now."""
    try:
        return _mark((build / "report.json").stat())
    except OSError:
        return None


def _mark(found: os.stat_result) -> Mark:
    return Mark(found.st_ino, found.st_mtime_ns)


def _read(folder: int, path: str) -> bytes:
    with open(os.open(path, os.O_RDONLY, dir_fd=folder), "rb") as file:
        return file.read()


def _sums(data: bytes) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in data.decode("utf-8").splitlines())
    return {path: digest for digest, path in pairs}
