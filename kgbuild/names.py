"""What entities are called and what claims say, in two sorted text files that a search reads through.

A line is an IRI, a tab, and a name or statement in lower case with single spaces, in the order of the IRIs. To read a
hundred megabytes takes a fraction of a second, finds any part of a word, and holds nothing in memory.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import BinaryIO, Final

import pyoxigraph as ox

from kgbuild.store import OxigraphStore
from kgbuild.terms import KGB, RDFS, SKOS

FOLDER: Final = "names"
_ENTITIES: Final = "entities.tsv"
_CLAIMS: Final = "claims.tsv"
_BLOCK: Final = 1 << 15
_AT_ONCE: Final = 100_000
"""Lines that are sorted in memory."""


@dataclass(frozen=True, slots=True)
class NameTable:
    """One of the files, open for reading."""

    file: BinaryIO

    def named(self, *parts: str) -> Iterator[tuple[str, str]]:
        """Yield IRI and name where the name holds all parts; before a name stands a tab, behind it a line break."""
        wanted = [part.encode() for part in parts]
        for line in self._lines(wanted):
            tab = line.index(b"\t")
            if all(line.find(part, tab) >= 0 for part in wanted):
                yield line[:tab].decode(), line[tab + 1 : -1].decode()

    def ending(self, end: str) -> Iterator[str]:
        """Yield the IRIs that end so, each as often as it has names."""
        wanted = f"{end}\t".encode()
        return (line.partition(b"\t")[0].decode() for line in self._lines([wanted]) if wanted in line)

    def _lines(self, parts: list[bytes]) -> Iterator[bytes]:
        """Yield the lines of the blocks that hold all parts."""
        for block in self._blocks():
            if all(part in block for part in parts):
                yield from block.splitlines(keepends=True)

    def _blocks(self) -> Iterator[bytes]:
        """Yield the file in blocks of whole lines."""
        self.file.seek(0)
        rest = b""
        while part := self.file.read(_BLOCK):
            rest += part
            end = rest.rfind(b"\n") + 1
            yield rest[:end]
            rest = rest[end:]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the entities and the statements of the claims of a build."""

    entities: NameTable
    claims: NameTable

    @classmethod
    def open(cls, folder: Path) -> Names:
        """Open the files in a folder."""
        return cls(*(NameTable(open(folder / name, "rb", buffering=0)) for name in (_ENTITIES, _CLAIMS)))

    def close(self) -> None:
        """Close the files."""
        self.entities.file.close()
        self.claims.file.close()


def plain(name: str) -> str:
    """Return a name as it is compared: in lower case, with single spaces.

    >>> plain("Willis-Ekbom\\n Disease ")
    'willis-ekbom disease'
    """
    return " ".join(name.lower().split())


def write_names(store: OxigraphStore, base: str, folder: Path) -> None:
    """Write the names of what a store holds; the last part of an entity's IRI is a name of it."""
    folder.mkdir()
    things = f"{base}id/"
    entity, claim = f"?s a <{KGB}Entity>", f"?s a <{KGB}Claim>"
    slugs = ((iri, iri.removeprefix(things)) for (iri,) in _rows(store, f"SELECT ?s {{ {entity} }}"))
    called = _rows(store, f"SELECT ?s ?name {{ {entity} ; <{RDFS}label>|<{SKOS}altLabel> ?name }}")
    stated = _rows(store, f"SELECT ?s ?name {{ {claim} ; <{RDFS}label> ?name }}")
    for file, named in ((_ENTITIES, chain(called, slugs)), (_CLAIMS, stated)):
        with (folder / file).open("wb") as table:
            table.writelines(in_order(f"{iri}\t{plain(name)}\n".encode() for iri, name in named))


def in_order(lines: Iterable[bytes], at_once: int = _AT_ONCE) -> Iterator[bytes]:
    """Yield lines sorted, each once; no more than `at_once` of them are held in memory.

    >>> b"".join(in_order([b"c\\n", b"a\\n", b"b\\n", b"a\\n"], at_once=2))
    b'a\\nb\\nc\\n'
    """
    lines = iter(lines)
    with ExitStack() as files:
        runs: list[Iterable[bytes]] = []
        run = sorted(islice(lines, at_once))
        while following := sorted(islice(lines, at_once)):
            file = files.enter_context(tempfile.TemporaryFile())
            file.writelines(run)
            file.seek(0)
            runs.append(file)
            run = following
        yield from (line for line, _ in groupby(heapq.merge(*runs, run)))


def _rows(store: OxigraphStore, query: str) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a query one by one, as the values of their terms."""
    answer = store.store.query(query, use_default_graph_as_union=True)
    assert isinstance(answer, ox.QuerySolutions)
    for row in answer:
        yield tuple([term.value for term in row])
