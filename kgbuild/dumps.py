"""Graphs that were published: files of RDF in any syntax, release folders and builds, read back as quads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kgbuild.diagnostics import UnreadableError
from kgbuild.trusty import Quad

SUMS: Final = "SHA256SUMS"
FORMATS: Final = {
    ".trig": ox.RdfFormat.TRIG,
    ".nq": ox.RdfFormat.N_QUADS,
    ".jsonld": ox.RdfFormat.JSON_LD,
    ".ttl": ox.RdfFormat.TURTLE,
    ".rdf": ox.RdfFormat.RDF_XML,
    ".nt": ox.RdfFormat.N_TRIPLES,
}


def read_file(path: Path) -> list[Quad]:
    """Read a file of RDF into quads, in its order; the default graph is the empty string.

    The ending tells the syntax. Raises `SyntaxError` with line and column at broken RDF, `UnreadableError` where the
    file cannot be read or its ending is unknown.
    """
    form = FORMATS.get(path.suffix)
    if form is None:
        raise UnreadableError(f"cannot tell the format of {path}: the name ends with none of {', '.join(FORMATS)}")
    try:
        return [
            (
                "" if isinstance(quad.graph_name, ox.DefaultGraph) else str(quad.graph_name),
                str(quad.subject),
                str(quad.predicate),
                str(quad.object),
            )
            for quad in ox.parse(path=str(path), format=form)
        ]
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror or error}") from error


def release_of(folder: Path) -> Path | None:
    """Return the release in a folder: itself, or the `site` of a build; None where it holds no `SHA256SUMS`."""
    return next((at for at in (folder, folder / "site") if (at / SUMS).is_file()), None)


def whole_graph(release: Path) -> list[Path]:
    """Return the N-Quads files of a release that hold all its statements."""
    return sorted(path for path in (release / "data").glob("*.nq") if not path.stem.endswith("-rdf12"))
