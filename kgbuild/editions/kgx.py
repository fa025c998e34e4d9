"""KGX: nodes and edges of the Biolink model as TSV, where an edge keeps its hedge in columns of its own.

KGX has no word for how sure an author is. So every edge carries certainty, modality, frequency and polarity beside the
columns that KGX knows; what cannot be said without misleading is left out, and counted in a note. Lists are separated
by `|`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from kgbuild.claims import PLAIN_KINDS
from kgbuild.editions.edition import Material
from kgbuild.nodes import one
from kgbuild.store import lexical
from kgbuild.terms import BIOLINK, KGB, PREFIXES, compress
from kgbuild.views import ClaimView, EntityView, Views

NODE_COLUMNS: Final = ("id", "category", "name", "description", "synonym", "xref", "iri", "provided_by")
EDGE_COLUMNS: Final = (
    "id", "category", "subject", "predicate", "object", "negated", "knowledge_level", "agent_type",
    "primary_knowledge_source", "publications", "has_evidence", "certainty", "modality", "polarity", "frequency",
    "basis", "presupposed", "implied", "hedge_cues", "claim_qualifiers", "subject_quantity", "object_quantity",
    "statement", "attributed_to", "sentences",
)  # fmt: skip
_ECO: Final = PREFIXES["eco"]


def write_nodes(material: Material) -> bytes:
    """Write the entities as KGX nodes, each with one Biolink category."""
    views = material.views
    rows = [_node(entity, material) for entity in views.entities]
    return _tsv(NODE_COLUMNS, rows)


def write_edges(material: Material) -> bytes:
    """Write the claims that KGX can carry as edges, and note how many it cannot."""
    views = material.views
    omitted: Counter[str] = Counter()
    kept = []
    for claim in views.claims:
        reason = why_omitted(claim, views)
        if reason:
            omitted[reason] += 1
        else:
            kept.append(claim)
    if omitted:
        words = ", ".join(f"{count} {reason}" for reason, count in sorted(omitted.items()))
        material.note(f"KGX leaves out {omitted.total()} of {len(views.claims)} claims: {words}")
    extra = sorted({name for claim in kept for name in edge_qualifiers(claim.predicate.iri, views)})
    return _tsv((*EDGE_COLUMNS, *extra), [_edge(claim, material, extra) for claim in kept])


def why_omitted(claim: ClaimView, views: Views) -> str:
    """Return why a claim cannot be a KGX edge, or the empty string."""
    if claim.kind not in PLAIN_KINDS:
        return claim.kind
    if claim.object.kind == "claim":
        return "about another claim"
    if claim.polarity.slug == "neutral":
        return "neither affirmed nor negated"
    if claim.frequency and claim.frequency.slug == "never":
        return "said never to hold"
    return "" if views.match(claim.predicate.iri, BIOLINK) else "without a Biolink predicate"


def edge_qualifiers(predicate: str, views: Views) -> dict[str, str]:
    """Return the Biolink qualifiers that the ontology gives a predicate, by column."""
    node = views.described.get(predicate, {})
    return {
        name.removeprefix(BIOLINK): lexical(values[0])
        for name, values in sorted(node.items())
        if name.startswith(BIOLINK) and name.endswith("_qualifier")
    }


def node_prefix(material: Material) -> str:
    """Return the prefix of node identifiers, which stands for `{base}id/`."""
    return f"{material.project.prefix}.id"


def knowledge_source(material: Material) -> str:
    """Return the identifier of this graph as a source of knowledge: well-formed, and not yet in the infores catalogue.

    The local name is that of the base IRI, in lower case.
    """
    return "infores:" + re.sub(r"[^a-z0-9]+", "-", material.name.lower()).strip("-")


def write_readme(material: Material) -> bytes:
    """Write the page that stands beside nodes and edges."""
    project = material.project
    return f"""# {_flat(project.title)}: KGX

`{material.name}_nodes.tsv` and `{material.name}_edges.tsv` hold the graph as nodes and edges of the Biolink model.

**An edge is a claim of an article, not a fact.** KGX has no word of its own for how sure an author is, so read the
columns `certainty` (asserted, probable, suggested, possible, unknown), `modality` (actual, potential), `polarity` and
`frequency` with every edge, and keep them when you merge or reshape it. Only an edge with certainty `asserted`,
modality `actual`, `negated` false, no `frequency`, no `claim_qualifiers`, and neither `presupposed` nor `implied` says
its triple flatly. To drop every hedge, keep those alone, or take the plain triples of `graph/asserted`.

Left out: advice, reasons, claims about claims, claims that are neither affirmed nor negated or are said never to hold,
and relations for which Biolink has no predicate. The build counts them.

- Identifiers `{node_prefix(material)}:x` stand for <{project.base}id/x>. KGX knows only the prefixes of Biolink:
  declare this one in your prefix map. `xref` lists the exact matches in other vocabularies.
- The predicate is the nearest Biolink predicate of the ontology's mappings (exact, close or wider), and so is the
  category. Where it is wider, `statement` says what the article claims. Articles do not keep to the domains and ranges
  of Biolink's predicates: a practice, here a biolink:Procedure, may ease a condition.
- `primary_knowledge_source` is {knowledge_source(material)}, which is not registered in the infores catalogue.
- Lists are separated by `|`. `id` of an edge is the IRI of the claim, where source and place in the text stand.

Licence: <{project.license}>. Not medical advice.
""".encode()


def _node(entity: EntityView, material: Material) -> list[str]:
    category = material.views.match(entity.category.iri, BIOLINK, inherit=True) or BIOLINK + "NamedThing"
    return [
        f"{node_prefix(material)}:{entity.slug}",
        _curie(category),
        _flat(entity.label),
        _flat(entity.definition),
        _list(entity.aliases),
        _list(mapping.curie for mapping in entity.mappings if mapping.match == "exactMatch"),
        entity.iri,
        knowledge_source(material),
    ]


def _edge(claim: ClaimView, material: Material, extra: Sequence[str]) -> list[str]:
    views = material.views
    given = edge_qualifiers(claim.predicate.iri, views)
    evidence = one(views.described.get(claim.basis.iri, {}), KGB + "evidenceType")
    slug = len(views.base + "id/")
    return [
        claim.iri,
        "biolink:Association",
        f"{node_prefix(material)}:{claim.subject.iri[slug:]}",
        _curie(views.match(claim.predicate.iri, BIOLINK)),
        f"{node_prefix(material)}:{claim.object.iri[slug:]}",
        _truth(claim.negated),
        "knowledge_assertion",
        "text_mining_agent",
        knowledge_source(material),
        claim.article.iri,
        evidence.replace(_ECO, "ECO:"),
        claim.certainty.slug,
        claim.modality.slug,
        claim.polarity.slug,
        claim.frequency.slug if claim.frequency else "",
        claim.basis.slug,
        _truth(claim.presupposed),
        _truth(claim.implied),
        _list(claim.cues),
        _list(f"{item.type.slug}: {item.value}" for item in claim.qualifiers),
        _flat(claim.subject_quantity),
        _flat(claim.object_quantity),
        _flat(claim.statement),
        _flat(claim.attributed_to.label),
        _list(str(sentence.number) for sentence in claim.sentences),
        *(given.get(name, "") for name in extra),
    ]


def _curie(iri: str) -> str:
    return compress(iri, PREFIXES)


def _truth(value: bool) -> str:
    return str(value).lower()


def _flat(text: str) -> str:
    """Keep a text on one line and in one cell.

    >>> _flat("a\\tb\\nc")
    'a b c'
    """
    return " ".join(text.split())


def _list(values: Iterable[str]) -> str:
    return "|".join(_flat(value).replace("|", "/") for value in values)


def _tsv(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    return "".join("\t".join(cells) + "\n" for cells in (heading, *rows)).encode("utf-8")
