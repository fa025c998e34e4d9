"""A small working project to start from: the files of `skeleton/`, the same that the tests break in many ways."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from kgbuild.diagnostics import UnreadableError, UsageError

_IGNORED = "build/\n"


def init(folder: Path | str) -> list[Path]:
    """Write a small working project into a new or empty folder and return its files.

    Raises `UsageError` where the folder holds anything, and `UnreadableError` where it cannot be written.
    """
    target = Path(folder)
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty; name a new folder")
    try:
        with as_file(files("kgbuild") / "skeleton") as skeleton:
            sources = sorted(path for path in skeleton.rglob("*") if path.is_file())
            written = [_put(target / path.relative_to(skeleton), path.read_bytes()) for path in sources]
        written.append(_put(target / ".gitignore", _IGNORED.encode()))
    except OSError as error:
        raise UnreadableError(f"cannot write {target}: {error.strerror or error}") from error
    return written


def _put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
