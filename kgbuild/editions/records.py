"""Records about the release: DCAT, CITATION.cff, RO-Crate and Croissant describe the files of the other editions.

Each names every file with media type, size and SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from kgbuild.editions.edition import File, Material
from kgbuild.editions.tables import TABLES
from kgbuild.formats import FORMATS, write_format
from kgbuild.terms import DCTERMS, KGB, PREFIXES, PROV, RDFS, SKOS, TYPE, XSD, literal
from kgbuild.trusty import Quad
from kgbuild.views import Link

DCAT: Final = PREFIXES["dcat"]
SPDX: Final = "http://spdx.org/rdf/terms#"
FOAF: Final = "http://xmlns.com/foaf/0.1/"
SITEMAP_ADDRESSES: Final = 50_000
SITEMAP_BYTES: Final = 50_000_000
"""What one file of a sitemap may hold (sitemaps.org)."""
_MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
_CROISSANT_KINDS: Final = {
    "text": "sc:Text",
    "boolean": "sc:Boolean",
    "integer": "sc:Integer",
    "number": "sc:Float",
}


def creators(material: Material) -> list[Link]:
    """Return who made the record: the readers of the articles."""
    found = {
        material.project.entity(article.extractor): article.extractor
        for article in material.compilation.sources.articles
    }
    return [material.views.link(iri, "entity") for iri in sorted(found)]


def write_dcat(material: Material) -> bytes:
    """Write the DCAT 3 record of the graph, one distribution per file (checksums as SPDX).

    What it points at has the type that the DCAT Application Profile asks for.
    """
    quads = [("", f"<{subject}>", f"<{predicate}>", value) for subject, predicate, value in _dcat(material)]
    prefixes = material.project.prefixes | {"spdx": SPDX, "foaf": FOAF}
    triples: list[Quad] = list(quads)
    return write_format(triples, FORMATS["turtle"], prefixes, "")


def _dcat(material: Material) -> Iterator[tuple[str, str, str]]:
    project = material.project
    me, language = project.base, project.language
    vocabularies = (project.namespace[:-1], KGB[:-1], SKOS, PROV)
    yield me, TYPE, f"<{DCAT}Dataset>"
    yield me, DCTERMS + "title", literal(project.title, language=language)
    yield me, DCTERMS + "description", literal(project.description or project.title, language=language)
    yield me, DCTERMS + "identifier", literal(me)
    yield me, DCTERMS + "license", f"<{project.license}>"
    yield project.license, TYPE, f"<{DCTERMS}LicenseDocument>"
    yield me, DCTERMS + "issued", literal(material.recorded, datatype=XSD + "date")
    yield me, DCTERMS + "modified", literal(material.recorded, datatype=XSD + "date")
    yield me, DCAT + "version", literal(project.version)
    yield me, DCAT + "landingPage", f"<{me}index.html>"
    yield f"{me}index.html", TYPE, f"<{FOAF}Document>"
    for space in vocabularies:
        yield me, DCTERMS + "conformsTo", f"<{space}>"
        yield space, TYPE, f"<{DCTERMS}Standard>"
    for article in material.compilation.sources.articles:
        yield me, PROV + "wasDerivedFrom", f"<{project.article(article.id)}>"
    for link in creators(material):
        yield me, DCTERMS + "creator", f"<{link.iri}>"
        yield link.iri, TYPE, f"<{FOAF}Agent>"
        yield link.iri, FOAF + "name", literal(link.label, language=language)
    for file in material.files.values():
        yield me, DCAT + "distribution", f"<{me}dcat.ttl#{file.edition.name}>"
        yield from _distribution(file, material)


def _distribution(file: File, material: Material) -> Iterator[tuple[str, str, str]]:
    project, edition = material.project, file.edition
    me = f"{project.base}dcat.ttl#{edition.name}"
    media_type = edition.media_type.partition(";")[0]
    yield me, TYPE, f"<{DCAT}Distribution>"
    yield me, DCTERMS + "title", literal(edition.label, language="en")
    yield me, DCTERMS + "description", literal(edition.description, language="en")
    yield me, DCTERMS + "license", f"<{project.license}>"
    yield me, DCAT + "accessURL", f"<{project.base}{file.path}>"
    yield me, DCAT + "downloadURL", f"<{project.base}{file.path}>"
    yield f"{project.base}{file.path}", TYPE, f"<{RDFS}Resource>"
    yield me, DCAT + "mediaType", f"<{_MEDIA_TYPES}{media_type}>"
    yield f"{_MEDIA_TYPES}{media_type}", TYPE, f"<{DCTERMS}MediaType>"
    yield me, DCAT + "byteSize", literal(str(len(file.data)), datatype=XSD + "nonNegativeInteger")
    yield me, SPDX + "checksum", f"<{me}-checksum>"
    yield f"{me}-checksum", TYPE, f"<{SPDX}Checksum>"
    yield f"{me}-checksum", SPDX + "algorithm", f"<{SPDX}checksumAlgorithm_sha256>"
    yield f"{SPDX}checksumAlgorithm_sha256", TYPE, f"<{SPDX}ChecksumAlgorithm>"
    yield f"{me}-checksum", SPDX + "checksumValue", literal(file.sha256, datatype=XSD + "hexBinary")
    if edition.standard:
        yield me, DCTERMS + "conformsTo", f"<{edition.standard}>"
        yield edition.standard, TYPE, f"<{DCTERMS}Standard>"
        yield edition.standard, RDFS + "label", literal(edition.label, language="en")


def write_citation(material: Material) -> bytes:
    """Write CITATION.cff (Citation File Format 1.2.0)."""
    project = material.project
    lines = [
        "cff-version: 1.2.0",
        f"title: {_quoted(project.title)}",
        "message: If you use this graph, cite it, and keep source and certainty beside every claim.",
        "type: dataset",
        "authors:",
        *(f"  - name: {_quoted(link.label)}" for link in creators(material) or [Link("", project.title)]),
        f"version: {_quoted(project.version)}",
        f'date-released: "{material.recorded}"',
        f"url: {_quoted(project.base)}",
        f"license-url: {_quoted(project.license)}",
    ]
    if project.description:
        lines.append(f"abstract: {_quoted(project.description)}")
    lines += [
        "references:",
        *(f"  - {line}" if first else f"    {line}" for first, line in _references(material)),
    ]
    if lines[-1] == "references:":
        lines.pop()
    return ("\n".join(lines) + "\n").encode("utf-8")


def _references(material: Material) -> Iterator[tuple[bool, str]]:
    for article in material.views.articles:
        yield True, "type: article"
        yield False, f"title: {_quoted(article.title)}"
        yield False, "authors:"
        for link in article.authors or (article.publisher,):
            yield False, f"  - name: {_quoted(link.label)}"
        yield False, f"url: {_quoted(article.source or article.iri)}"


def write_ro_crate(material: Material) -> bytes:
    """Write ro-crate-metadata.json (RO-Crate 1.1); the crate is the folder of the site."""
    project = material.project
    authors = creators(material)
    files = list(material.files.values())
    root: dict[str, object] = {
        "@id": "./",
        "@type": "Dataset",
        "identifier": project.base,
        "name": project.title,
        "description": project.description or project.title,
        "datePublished": material.recorded,
        "version": project.version,
        "license": {"@id": project.license},
        "author": [{"@id": link.iri} for link in authors],
        "isBasedOn": [{"@id": article.iri} for article in material.views.articles],
        "hasPart": [{"@id": file.path} for file in files],
    }
    people = [_crate_node(link.iri, "Organization", link.label) for link in authors]
    articles = [_crate_node(article.iri, "Article", article.title) for article in material.views.articles]
    graph: list[dict[str, object]] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        root,
        {"@id": project.license, "@type": "CreativeWork", "name": "Licence of the data", "url": project.license,
         "description": "The licence under which the data are published."},
        *people,
        *articles,
        *(_crate_file(file, project.license) for file in files),
    ]  # fmt: skip
    return _json({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph})


def _crate_node(iri: str, kind: str, name: str) -> dict[str, object]:
    return {"@id": iri, "@type": kind, "name": name}


def _crate_file(file: File, license: str) -> dict[str, object]:  # noqa: A002  # the property's name
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.edition.label,
        "description": file.edition.description,
        "encodingFormat": file.edition.media_type,
        "contentSize": str(len(file.data)),
        "sha256": file.sha256,
        "license": {"@id": license},
    }


def write_croissant(material: Material) -> bytes:
    """Write croissant.json (MLCommons Croissant 1.0): every file, and the columns of the CSV tables."""
    project = material.project
    files = list(material.files.values())
    document: dict[str, object] = {
        "@context": _CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": material.name,
        "alternateName": project.title,
        "description": (project.description or project.title) + " Claims of articles, not facts; not medical advice.",
        "license": project.license,
        "url": project.base,
        "version": project.version if project.version.count(".") == 2 else f"{project.version}.0",
        "datePublished": material.recorded,
        "citeAs": f"{project.title}, version {project.version}. {project.base}",
        "creator": [{"@type": "Organization", "name": link.label} for link in creators(material)],
        "distribution": [_file_object(file, project.base) for file in files],
        "recordSet": [_record_set(file) for file in files if file.edition.name in TABLES],
    }
    return _json(document)


def _file_object(file: File, base: str) -> dict[str, object]:
    return {
        "@type": "cr:FileObject",
        "@id": file.edition.name,
        "name": file.path.rpartition("/")[2],
        "description": file.edition.description,
        "contentUrl": base + file.path,
        "contentSize": f"{len(file.data)} B",
        "encodingFormat": file.edition.media_type.partition(";")[0],
        "sha256": file.sha256,
    }


def _record_set(file: File) -> dict[str, object]:
    name = file.edition.name
    return {
        "@type": "cr:RecordSet",
        "@id": f"{name}-records",
        "name": f"{name}-records",
        "description": file.edition.description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}-records/{column.name}",
                "name": column.name,
                "description": column.doc,
                "dataType": _CROISSANT_KINDS[column.kind],
                "source": {"fileObject": {"@id": name}, "extract": {"column": column.name}},
            }
            for column in TABLES[name]
        ],
    }


_CROISSANT_CONTEXT: Final[dict[str, object]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def _quoted(text: str) -> str:
    """Spell a text in double quotes, as JSON and YAML both read it."""
    return json.dumps(text, ensure_ascii=False)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def sitemaps(paths: Iterable[str], base: str, modified: str) -> dict[str, bytes]:
    """Write the sitemap (sitemaps.org 0.9) of the pages at some paths, by path: one file, or an index of several.

    >>> b"<loc>https://a/x%20&amp;.html</loc>" in sitemaps(["x &.html"], "https://a/", "2026-01-01")["sitemap.xml"]
    True
    >>> list(sitemaps(map(str, range(50_001)), "https://a/", "2026-01-01"))
    ['sitemap.xml', 'sitemap-0001.xml', 'sitemap-0002.xml']
    """
    parts: list[list[str]] = [[]]
    size = 0
    for line in (_address("url", base, path, modified) for path in sorted(paths)):
        size += len(line.encode())
        if len(parts[-1]) == SITEMAP_ADDRESSES or size > SITEMAP_BYTES:
            parts.append([])
            size = len(line.encode())
        parts[-1].append(line)
    if len(parts) == 1:
        return {"sitemap.xml": _sitemap("urlset", parts[0])}
    files = {f"sitemap-{number:04}.xml": _sitemap("urlset", part) for number, part in enumerate(parts, 1)}
    listed = [_address("sitemap", base, path, modified) for path in files]
    return {"sitemap.xml": _sitemap("sitemapindex", listed)} | files


def _address(element: str, base: str, path: str, modified: str) -> str:
    from html import escape
    from urllib.parse import quote

    place = escape(base + quote(path, safe="/~&"))
    return f"  <{element}><loc>{place}</loc><lastmod>{modified}</lastmod></{element}>\n"


def _sitemap(element: str, lines: Iterable[str]) -> bytes:
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    inside = "".join(lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} xmlns="{space}">\n{inside}</{element}>\n'.encode()


def robots(base: str) -> bytes:
    """Write robots.txt (RFC 9309): everything may be read; where the sitemap stands."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {base}sitemap.xml\n".encode()
