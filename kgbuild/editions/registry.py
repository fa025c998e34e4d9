"""All editions, each registered once: `kgbuild build` writes them, `kgbuild export NAME` one, the site lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from kgbuild.diagnostics import UsageError, did_you_mean
from kgbuild.editions import kgx, records, schemas, sssom
from kgbuild.editions.edition import Edition, File, Material, name_of
from kgbuild.editions.rdf12 import write_rdf12
from kgbuild.editions.tables import table
from kgbuild.formats import FORMATS, Format, check_rdfxml, write_format
from kgbuild.inference import inferred_quads
from kgbuild.lines import nquads
from kgbuild.pool import share
from kgbuild.project import Project


def _graph(form: Format, material: Material) -> bytes:
    return write_format(material.quads, form, material.project.prefixes, material.project.base)


def _rdf12(material: Material) -> bytes:
    return write_rdf12(material.quads)


def _inferred(material: Material) -> bytes:
    return nquads(inferred_quads(material.inference, material.project.base)).encode("utf-8")


def _context(material: Material) -> bytes:
    return material.resources.context.document()


def _csv(name: str, material: Material) -> bytes:
    return table(name, material.views).to_csv()


def _parquet(name: str, material: Material) -> bytes:
    project = material.project
    metadata = {
        "title": f"{project.title}: {name}",
        "license": project.license,
        "source": project.base,
        "version": project.version,
        "notice": "Claims of articles with their certainty, not facts; not medical advice.",
    }
    return table(name, material.views).to_parquet(metadata)


def _formats() -> tuple[Edition, ...]:
    union, named = "the union of all graphs; claims are reified", "every statement in its named graph"
    return tuple(
        Edition(
            form.name,
            f"data/{{name}}.{form.extension}",
            form.media_type,
            form.label,
            named if form.graphs else union,
            partial(_graph, form),
        )
        for form in FORMATS.values()
    )


_KGX: Final = "https://github.com/biolink/kgx/blob/master/specification/kgx-format.md"
_SSSOM: Final = "https://w3id.org/sssom/spec"
_TSV: Final = "text/tab-separated-values"
_TABLES: Final = (
    ("claims", "every claim with certainty, source and place"),
    ("entities", "every entity with category and definition"),
    ("links", "every link to another vocabulary"),
)
EDITIONS: Final[dict[str, Edition]] = {
    item.name: item
    for item in (
        *_formats(),
        Edition(
            "rdf12", "data/{name}-rdf12.nq", "application/n-quads", "RDF 1.2 (N-Quads)",
            "claims reify triple terms, which are not asserted; trusty IRIs hold for the RDF 1.1 form",
            _rdf12, standard="https://www.w3.org/TR/rdf12-n-quads/",
        ),
        Edition(
            "inferred", "data/{name}-inferred.nq", "application/n-quads", "Inferred graph (N-Quads)",
            "what follows from the plain triples by the rules of kgbuild; no claim says it",
            _inferred, inferred=True,
        ),
        Edition(
            "context", "data/context.jsonld", "application/ld+json", "JSON-LD context",
            "the names that the JSON-LD files use", _context,
        ),
        *(Edition(name, f"data/{{name}}-{name}.csv", "text/csv", f"CSV: {name}", words, partial(_csv, name))
          for name, words in _TABLES),
        *(Edition(f"{name}-parquet", f"data/{{name}}-{name}.parquet", "application/vnd.apache.parquet",
                  f"Parquet: {name}", words, partial(_parquet, name), package="pyarrow", extra="parquet")
          for name, words in _TABLES),
        Edition(
            "kgx-nodes", "data/kgx/{name}_nodes.tsv", _TSV, "KGX nodes", "entities with Biolink categories",
            kgx.write_nodes, standard=_KGX,
        ),
        Edition(
            "kgx-edges", "data/kgx/{name}_edges.tsv", _TSV, "KGX edges",
            "claims as Biolink edges, each with its certainty; advice and claims about claims are left out",
            kgx.write_edges, standard=_KGX,
        ),
        Edition(
            "kgx-readme", "data/kgx/README.md", "text/markdown", "KGX read-me",
            "how to read the edges without losing their hedges", kgx.write_readme,
        ),
        Edition(
            "sssom", "data/{name}.sssom.tsv", _TSV, "SSSOM: links", "all links of entities as one mapping set",
            sssom.write_links, standard=_SSSOM,
        ),
        Edition(
            "sssom-ontology", "data/{name}-ontology.sssom.tsv", _TSV, "SSSOM: ontology",
            "mappings of the classes, predicates and concepts", sssom.write_terms, standard=_SSSOM,
        ),
        Edition(
            "schema", "data/schema.json", "application/schema+json", "JSON Schema",
            "the source format: claims, entities, statements and source records", schemas.write_json_schema,
            standard="https://json-schema.org/draft/2020-12/schema",
        ),
        Edition(
            "csvw", "data/csv-metadata.json", "application/csvm+json", "CSVW metadata",
            "the columns of source tables", schemas.write_csvw,
            standard="https://www.w3.org/TR/tabular-metadata/",
        ),
        Edition(
            "dcat", "dcat.ttl", "text/turtle", "DCAT 3", "a record of every file, with size and checksum",
            records.write_dcat, about_files=True,
        ),
        Edition(
            "citation", "CITATION.cff", "application/yaml", "Citation", "how to cite the graph (CFF 1.2)",
            records.write_citation, about_files=True,
        ),
        Edition(
            "ro-crate", "ro-crate-metadata.json", "application/ld+json", "RO-Crate", "the site as a research object",
            records.write_ro_crate, about_files=True,
        ),
        Edition(
            "croissant", "croissant.json", "application/ld+json", "Croissant", "files and columns for machine learning",
            records.write_croissant, about_files=True,
        ),
    )
}  # fmt: skip


def find_edition(name: str) -> Edition:
    """Return an edition by name, file ending or media type, the first that fits; raise `UsageError` for none.

    >>> find_edition("ttl").name, find_edition(".nq").name, find_edition("kgx-edges").name, find_edition("cff").name
    ('turtle', 'nquads', 'kgx-edges', 'citation')
    """
    wanted = name.lower().removeprefix(".")
    if wanted in EDITIONS:
        return EDITIONS[wanted]
    for item in EDITIONS.values():
        if wanted == item.media_type or item.path.endswith(f".{wanted}"):
            return item
    endings = [item.path.rpartition(".")[2] for item in EDITIONS.values()]
    hint = did_you_mean(wanted, [*EDITIONS, *endings])
    raise UsageError(f"unknown format '{name}': {hint or 'one of ' + ', '.join(EDITIONS)}")


def path_of(edition: Edition, project: Project) -> str:
    """Return where an edition stands below the site."""
    return edition.path.format(name=name_of(project))


def wanted(material: Material) -> list[Edition]:
    """Return the editions of a build, those among them whose package is missing."""
    return [edition for edition in EDITIONS.values() if material.infer or not edition.inferred]


def write_editions(
    material: Material, keep: Callable[[Edition], bool] = lambda edition: True, jobs: int = 1
) -> dict[str, File]:
    """Write editions, in `jobs` processes, and return them by path; one whose package is missing is left out and noted.

    Those about the files of the others come last.
    """
    kept = [edition for edition in wanted(material) if keep(edition)]
    plain = [edition for edition in kept if edition.available and not edition.about_files]
    if jobs > 1:
        material.gather()

    def write(edition: Edition) -> tuple[bytes, list[str]]:
        before, material.notes = material.notes, []
        try:
            return edition.write(material), material.notes
        finally:
            material.notes = before

    for edition, (data, notes) in zip(plain, share(write, plain, jobs), strict=True):
        path = path_of(edition, material.project)
        material.files[path] = File(edition, path, data)
        for note in notes:
            material.note(note)
    for edition in kept:
        if edition.available and edition.about_files:
            path = path_of(edition, material.project)
            material.records[path] = File(edition, path, edition.write(material))
    _note_missing(material, [edition for edition in kept if not edition.available])
    return material.files | material.records


def _note_missing(material: Material, missing: Sequence[Edition]) -> None:
    for package in dict.fromkeys(edition.package for edition in missing):
        editions = [edition for edition in missing if edition.package == package]
        names = ", ".join(edition.name for edition in editions)
        material.note(f"left out, for {package} is not installed ({_install(editions[0])}): {names}")


def name_editions(material: Material) -> list[str]:
    """Return the paths of the editions a build writes, and note what is left out.

    Raises `UsageError` where a term cannot stand in RDF/XML, the one format that refuses some.
    """
    check_rdfxml(material.quads, material.project.prefixes)
    available = [edition for edition in wanted(material) if edition.available]
    _note_missing(material, [edition for edition in wanted(material) if not edition.available])
    return [path_of(edition, material.project) for edition in available]


def write_edition(edition: Edition, material: Material) -> bytes:
    """Write one edition; raise `UsageError` where its package is missing."""
    if not edition.available:
        raise UsageError(f"'{edition.name}' needs {edition.package}: {_install(edition)}")
    if edition.about_files:
        write_editions(material, lambda item: not item.about_files)
    return edition.write(material)


def _install(edition: Edition) -> str:
    return f"pip install 'kgbuild[{edition.extra}]'"
