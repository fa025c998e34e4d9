"""Pages that only a server has: the form for queries, and an answer as a table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kgbuild.server.negotiation import GRAPHS, HTML, choose
from kgbuild.server.replies import answer
from kgbuild.server.snapshots import Snapshot
from kgbuild.server.sparql import RefusedError, describe_service

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

WORKBENCH = "workbench/index.html"
ROWS = 500
"""Rows of an answer that a page shows."""
EXAMPLE = """\
SELECT ?claim ?statement ?certainty WHERE {
  ?claim a kgb:Claim ; rdfs:label ?statement ; kgb:certainty/skos:prefLabel ?certainty
} LIMIT 10
"""


def endpoint(request: Request, address: str, snapshot: Snapshot) -> Response:
    """Answer a request without a query: the service description (SPARQL 1.1 SD §2), or the form."""
    offers = (*GRAPHS, HTML)
    chosen = choose(request.headers.get("accept", ""), offers)
    if chosen is None:
        raise RefusedError(406, "the formats are: " + ", ".join(item.media_type for item in offers), {"Vary": "Accept"})
    tag = f"{snapshot.digest[:24]}-service-{chosen.extension}"
    headers = {"Vary": "Accept"}
    if chosen is HTML:
        page = render("sparql.html", query=EXAMPLE, heads=(), rows=(), total=0, workbench=WORKBENCH in snapshot.sums)
        return answer(request, page, "text/html", tag, headers)
    triples = describe_service(address, snapshot.project.base)
    prefixes = {"sd": "http://www.w3.org/ns/sparql-service-description#", "formats": "http://www.w3.org/ns/formats/"}
    data = ox.serialize(triples, format=ox.RdfFormat.from_media_type(chosen.media_type), prefixes=prefixes) or b""
    return answer(request, data, chosen.media_type, tag, headers)


def answer_page(query: str, body: bytes) -> bytes:
    """Return an answer in SPARQL JSON as a page; where it shows fewer rows than there are, it says so."""
    answer = ox.parse_query_results(body, format=ox.QueryResultsFormat.JSON)
    if isinstance(answer, ox.QueryBoolean):
        heads, cells, total = ["answer"], [[("yes" if answer else "no", "")]], 1
    else:
        assert isinstance(answer, ox.QuerySolutions)
        heads = [variable.value for variable in answer.variables]
        cells = [[_cell(row[head]) for head in heads] for row in islice(answer, ROWS)]
        total = len(cells) + sum(1 for _ in answer)
    return render("sparql.html", query=query, heads=heads, rows=cells, total=total, workbench=False)


def _cell(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple | None) -> tuple[str, str]:
    """Return the text of a term, and the address to link it to where it is one."""
    if term is None:
        return "", ""
    value = str(term) if isinstance(term, ox.Triple) else term.value
    return value, value if isinstance(term, ox.NamedNode) and value.startswith(("http://", "https://")) else ""


def render(template: str, **context: object) -> bytes:
    """Render a page of the server."""
    from kgbuild.site.render import document, environment

    return document(environment().get_template(template).render(context))
