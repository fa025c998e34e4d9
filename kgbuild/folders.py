"""Folders in which files are written whole or not at all: of this machine, in an object store, or held in memory.

Knows nothing of what the files are.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

from kgbuild.diagnostics import AbsentError, UsageError


class Folder(Protocol):
    """Where files are kept by name; what cannot be done raises `OSError`."""

    def read(self, name: str) -> bytes:
        """Return what a file holds."""

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, over the one of that name."""

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name."""


class HeldFolder:
    """Files in memory.

    >>> folder = HeldFolder(); folder.write("a", b"1"); folder.read("a"), folder.has("b")
    (b'1', False)
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place."""
        self.files[name] = data

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return name in self.files


class LocalFolder:
    """A folder of a file system, which several machines may share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        return (self.path / name).read_bytes()

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read any part of it."""
        return (self.path / name).open("rb")

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return (self.path / name).is_file()

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, in one step."""
        self.copy(name, (data,))

    def copy(self, name: str, blocks: Iterable[bytes]) -> None:
        """Put what some blocks make in place as a file, in one step."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
        try:
            with aside.open("wb") as file:
                file.writelines(blocks)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def sizes(self, below: str) -> dict[str, int]:
        """Return the sizes of the files in a folder below, by their names from here."""
        folder = self.path / below
        found = folder.iterdir() if folder.is_dir() else ()
        return {f"{below}/{path.name}": path.stat().st_size for path in found if path.is_file()}

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.path / name).unlink(missing_ok=True)


class RemoteFolder:
    """A folder of an object store, by its address: whatever pyarrow knows, such as s3://, gs://, abfs:// and hdfs://.

    A file is there when the whole of it has arrived.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def __str__(self) -> str:
        return re.sub(r"//[^/?]*@", "//", self.address.partition("?")[0])  # what stands there may be a secret

    def __reduce__(self) -> tuple[type[RemoteFolder], tuple[str]]:
        return RemoteFolder, (self.address,)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        try:
            from pyarrow import ArrowInvalid, fs
        except ImportError:
            raise AbsentError(f"{self} needs pyarrow: pip install 'kgbuild[parquet]'") from None
        try:
            system, path = fs.FileSystem.from_uri(self.address)
        except (ArrowInvalid, NotImplementedError) as error:
            raise UsageError(f"cannot use {self}: {error}") from None
        return system, path.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._opened[1]}/{name}"

    @property
    def _system(self) -> Any:
        return self._opened[0]

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        with self.open(name) as file:
            return bytes(file.read())

    def open(self, name: str) -> Any:
        """Open a file to read any part of it."""
        return self._system.open_input_file(self._path(name))

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return bool(self._system.get_file_info(self._path(name)).is_file)

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place."""
        self.copy(name, (data,))

    def copy(self, name: str, blocks: Iterable[bytes]) -> None:
        """Put what some blocks make in place as a file."""
        if self._system.type_name in {"local", "hdfs"}:  # an object store has no folders to make
            self._system.create_dir(self._path(name).rpartition("/")[0], recursive=True)
        with self._system.open_output_stream(self._path(name), compression=None) as file:  # else told by the name
            for block in blocks:
                file.write(block)

    def sizes(self, below: str) -> dict[str, int]:
        """Return the sizes of the files in a folder below, by their names from here."""
        from pyarrow import fs

        chosen = fs.FileSelector(self._path(below), allow_not_found=True)
        found = self._system.get_file_info(chosen)
        return {f"{below}/{item.base_name}": item.size for item in found if item.is_file}

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._system.delete_file(self._path(name))


Storage = LocalFolder | RemoteFolder


def folder_of(location: str) -> Storage:
    """Return the folder at a path or an address.

    >>> type(folder_of("s3://bucket/graph")).__name__, type(folder_of("out")).__name__
    ('RemoteFolder', 'LocalFolder')
    """
    path = location.removeprefix("file://")
    return RemoteFolder(path) if "://" in path else LocalFolder(Path(path).absolute())
