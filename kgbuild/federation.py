"""Federated queries: the one SERVICE of a query, and the recorded answer that stands for it where nobody is asked.

Pure: text in, text out. A recording is what the endpoint answered to the group within SERVICE (SPARQL 1.1 Federated
Query §2), as a table of all its variables; replayed, it stands in the place of the SERVICE as inline data.
"""

from __future__ import annotations

from dataclasses import dataclass

from kgbuild.store import Solutions, tokens

_FORMS = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})


@dataclass(frozen=True, slots=True)
class Service:
    """A SERVICE clause: the endpoint, the group asked of it, and where the clause stands in the query."""

    endpoint: str
    group: str
    start: int
    end: int


def find_services(sparql: str) -> tuple[Service, ...]:
    """Return the SERVICE clauses of a query, in their order, outer ones only.

    >>> found = find_services("SELECT * { SERVICE SILENT <http://a/sparql> { ?s ?p '}' } ?s ?q ?o }")
    >>> found[0].endpoint, found[0].group
    ('http://a/sparql', "{ ?s ?p '}' }")
    """
    parts = tokens(sparql)
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    found = []
    place = 0
    while place < len(parts):
        if parts[place].upper() == "SERVICE":
            opening = next((n for n in range(place, len(parts)) if parts[n] == "{"), len(parts))
            closing = _closing(parts, opening)
            name = [part for part in parts[place + 1 : opening] if part.strip() and not part.startswith("#")]
            group = "".join(parts[opening : closing + 1])
            endpoint = name[-1].strip("<>") if name else ""
            found.append(Service(endpoint, group, offsets[place], offsets[min(closing + 1, len(parts))]))
            place = closing
        place += 1
    return tuple(found)


def _closing(parts: list[str], opening: int) -> int:
    depth = 0
    for place in range(opening, len(parts)):
        depth += (parts[place] == "{") - (parts[place] == "}")
        if depth == 0:
            return place
    return len(parts)


def question(sparql: str, service: Service) -> str:
    """Return the query that an endpoint is asked: the group alone, with the prefixes of the whole."""
    prologue = []
    for part in tokens(sparql):
        if part.upper() in _FORMS:
            break
        prologue.append(part)
    return f"{''.join(prologue).strip()}\nSELECT * WHERE {service.group}\n"


def replay(sparql: str, service: Service, answer: Solutions) -> str:
    """Return a query with a recorded answer in the place of its SERVICE.

    >>> query = "SELECT * { SERVICE <http://a/> { ?s ?p 1 } }"
    >>> replay(query, find_services(query)[0], Solutions(("s", "p"), ()))
    'SELECT * { VALUES (?s ?p) { } }'
    """
    names = " ".join(f"?{name}" for name in answer.variables)
    rows = ("(" + " ".join("UNDEF" if term is None else str(term) for term in row) + ")" for row in answer.rows)
    values = " ".join(["VALUES", f"({names})", "{", *rows, "}"])
    return sparql[: service.start] + values + sparql[service.end :]
