"""Folders: whatever keeps them, a file is there whole or not at all, and what is secret in an address is not shown."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgbuild.diagnostics import UsageError
from kgbuild.folders import LocalFolder, RemoteFolder, Storage, folder_of


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalFolder(tmp_path / "a") if request.param == "local" else RemoteFolder((tmp_path / "a").as_uri())


def test_files_are_kept_as_they_are(folder: Storage) -> None:
    assert folder.sizes("parts") == {}
    folder.write("parts/a.nq.gz", b"12345")
    folder.write("parts/a.nq.gz", b"123")
    folder.copy("parts/b", (b"1", b"2"))
    again = pickle.loads(pickle.dumps(folder))
    assert (again.read("parts/a.nq.gz"), again.read("parts/b")) == (b"123", b"12")
    assert (again.has("parts/b"), again.has("parts"), again.has("c")) == (True, False, False)
    assert again.sizes("parts") == {"parts/a.nq.gz": 3, "parts/b": 2}
    with again.open("parts/a.nq.gz") as file:
        file.seek(1)
        assert file.read(1) == b"2"
    again.delete("parts/b")
    again.delete("parts/b")
    assert folder.sizes("parts") == {"parts/a.nq.gz": 3}
    with pytest.raises(FileNotFoundError):
        folder.read("parts/b")


def test_a_file_that_fails_midway_is_not_there(tmp_path: Path) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"1"
        raise OSError("away")

    folder = LocalFolder(tmp_path)
    folder.write("a", b"good")
    with pytest.raises(OSError, match="away"):
        folder.copy("a", blocks())
    assert folder.read("a") == b"good"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_address_shows_no_secret() -> None:
    assert str(folder_of("s3://me:word@bucket/graph?endpoint_override=h:1&secret=x")) == "s3://bucket/graph"
    assert str(folder_of("file:///a/b")) == "/a/b"


def test_an_unknown_address_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="cannot use ftp://host/a"):
        folder_of("ftp://host/a").has("b")
