"""A build made of what a remote store holds: the same pages and files, in a folder that the server serves from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from kgbuild.diagnostics import Report
from kgbuild.formats import Resources
from kgbuild.ontology import read_ontology
from kgbuild.project import Project
from kgbuild.queries import read_queries, run, write
from kgbuild.site.documents import Document, read_documents
from kgbuild.site.plan import RESOURCE_FORMATS, QueryPage, SiteInput, answer_formats, plan_site
from kgbuild.site.scripts import has_workbench, web_files, web_parts
from kgbuild.store import OxigraphStore
from kgbuild.validate import load_shapes
from kgbuild.views import Views

UNCHECKED = "nobody: the graph is that of a remote store, which this server does not validate"


def gather(project: Project, nquads: bytes, folder: Path) -> None:
    """Write pages, files about each thing, and a store, as a build has them."""
    site, dump = folder / "site", folder / "graph.nq"
    site.mkdir(parents=True)
    dump.write_bytes(nquads)
    OxigraphStore.write(folder / "store", dump)
    store = OxigraphStore.of(nquads)
    views = Views(store, project.base, project.prefixes, project.fallback)
    documents = read_documents(project, Report())
    files = dict(_pages(project, store, views, nquads, documents)) | dict(_resources(project, views, nquads))
    files |= {path: write() for path, write in web_parts(nquads.count(b"\n"), nquads)}
    for path, data in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items())).encode()
    (site / "SHA256SUMS").write_bytes(sums)
    (folder / "report.json").write_text(json.dumps({"output": hashlib.sha256(nquads + sums).hexdigest()}), "ascii")


def _pages(
    project: Project, store: OxigraphStore, views: Views, nquads: bytes, documents: tuple[Document, ...]
) -> Iterator[tuple[str, bytes]]:
    report = Report()
    answers = [(query, run(query, store, project.prefixes, report)) for query in read_queries(project, report)]
    asked = tuple(QueryPage.of(query, answer, project.prefixes) for query, answer in answers if answer is not None)
    given = SiteInput(
        project=project,
        views=views,
        queries=asked,
        downloads=(),
        shapes=load_shapes(read_ontology(project, report).shapes, report),
        findings=(),
        engine=UNCHECKED,
        triples=nquads.count(b"\n"),
        formats=RESOURCE_FORMATS,
        scripts=bool(web_files()),
        workbench=has_workbench(nquads.count(b"\n")),
        documents=documents,
    )
    yield from ((page.path, page.content) for page in plan_site(given))
    for page in asked:
        for form, _ in answer_formats(page.answer):
            yield f"query/{page.name}.{form}", write(page.answer, form, {})


def _resources(project: Project, views: Views, nquads: bytes) -> Iterator[tuple[str, bytes]]:
    resources = Resources(nquads, project.prefixes, project.base)
    things = [item.iri for item in views.entities] + [item.iri for item in views.articles]
    things += [item.iri for item in views.datasets] + [item.iri for item in views.claims]
    for iri in (iri for iri in things if iri.startswith(project.base) and iri in resources):
        path = iri.removeprefix(project.base)
        yield f"{path}.ttl", resources.turtle(iri)
        yield f"{path}.jsonld", resources.jsonld(iri)
    for claim in views.claims:
        if claim.nanopublication:
            data = resources.trig(claim.nanopublication)
            yield f"claim/{claim.key}.trig", data
            yield f"np/{claim.nanopublication.rpartition('/')[2]}.trig", data
    for name, graph in (("ns.ttl", "ontology"), ("void.ttl", "void")):
        yield name, resources.graph(project.graph(graph))
