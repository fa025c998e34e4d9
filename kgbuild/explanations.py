"""What a code means: the page of a diagnostic (`codes/CODE.md`), or what a SHACL shape says of itself."""

from __future__ import annotations

from pathlib import Path

from kgbuild.codes import CODES, page_of
from kgbuild.diagnostics import KgbuildError, Report, UsageError, did_you_mean
from kgbuild.ontology import read_ontology, vocabulary_sources
from kgbuild.project import load_project
from kgbuild.validate import Shape, Shapes, load_shapes

_LEVELS = {"Violation": "error", "Warning": "warning", "Info": "note"}


def explain(code: str, start: Path | str = ".") -> str:
    """Return what a code means, with an example and the fix, or why a triple holds; raise `UsageError` for others.

    A triple is three terms, such as `id:kale mr:sourceOf id:magnesium`. Codes of shapes are those of the project at or
    above `start`, or of the tool alone where there is no sound project.
    """
    if len(code.split()) > 1:
        from kgbuild.reasons import explain_triple

        return explain_triple(code, start).text
    return explain_code(code, None if code.strip().upper() in CODES else shapes_at(start))


def explain_code(code: str, shapes: Shapes | None) -> str:
    """Return the Markdown page of a code: of its own file, or made of its shape.

    >>> print(explain_code("kg204", None).splitlines()[0])
    # KG204: unknown entity
    """
    name = code.strip().upper()
    page = page_of(name)
    if page is not None:
        return page
    own = _shapes_of(name, shapes)
    if own:
        return _shape_page(own)
    hint = did_you_mean(name, all_codes(shapes)) or "run `kgbuild explain` to list them"
    raise UsageError(f"unknown code '{code}'; {hint}")


def all_codes(shapes: Shapes | None = None) -> tuple[str, ...]:
    """Return every code: those of the diagnostics, then those of the shapes.

    >>> all_codes()[0]
    'KG101'
    """
    return (*sorted(CODES), *sorted({shape.code for shape in shapes.described.values()} if shapes else ()))


def list_codes(start: Path | str = ".") -> str:
    """Return every code with its severity and title, one a line."""
    shapes = shapes_at(start)
    rows = [(code, *CODES[code]) for code in sorted(CODES)]
    for code in all_codes(shapes)[len(rows) :]:
        shape = _shapes_of(code, shapes)[0]
        rows.append((code, _LEVELS.get(shape.severity, "error"), shape.label))
    return "\n".join(f"{code:<6} {level:<8} {title}" for code, level, title in rows)


def shapes_at(start: Path | str) -> Shapes:
    """Return the shapes of the project at or above a folder, or those of the tool where it has no sound ones."""
    report = Report()
    try:
        sources = read_ontology(load_project(Path(start)), report).shapes
    except KgbuildError:
        sources = ()
    if not sources or report.has_errors:
        sources = tuple(source for source in vocabulary_sources() if "/shapes" in source.path)
    return load_shapes(sources)


def _shapes_of(code: str, shapes: Shapes | None) -> list[Shape]:
    """Return the shapes of a rule, the one that stands for the whole rule first."""
    own = [shape for shape in shapes.described.values() if shape.code == code] if shapes else []
    return sorted((shape for shape in own if shape.label), key=lambda shape: (len(shape.iri), shape.iri))


def _shape_page(own: list[Shape]) -> str:
    whole = own[0]
    level = _LEVELS.get(whole.severity, "error")
    lines = [
        f"# {whole.code}: {whole.label}",
        "",
        f"A rule about the graph ({level}), written in SHACL as `{whole.iri}`.",
    ]
    lines += ["", "## What it means", "", whole.comment or whole.label]
    if len(own) > 1:
        lines += ["", "## What it looks at", ""]
        lines += [f"- {part.label}: {part.comment}" if part.comment else f"- {part.label}" for part in own[1:]]
    words = dict.fromkeys(shape.message.removeprefix(f"{shape.code}: ") for shape in own if shape.message)
    lines += ["", "## Fix", "", *(f"- {message}" for message in words)]
    return "\n".join(lines) + "\n"
