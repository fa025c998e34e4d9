"""schema.org JSON-LD for search engines: data blocks in the pages of entities, claims, articles and the whole.

A claim is a schema:Claim with its certainty in words, never a ClaimReview: nothing here is rated. An entity is a
defined term of its type; no relation between entities is stated, for the relations are claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kgbuild import jsonld
from kgbuild.project import Project
from kgbuild.terms import SCHEMA, TYPE
from kgbuild.views import ArticleView, ClaimView, EntityView, Link, Views

Node = dict[str, Any]
NOTICE: Final = "Reports what an article claims. Not medical advice."


def script(node: Mapping[str, Any]) -> str:
    """Spell a node as the text of a `<script type="application/ld+json">` that no value can close.

    >>> script({"name": "</script><!--"})
    '{"name":"\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    return jsonld.in_page(node)


def entity(found: EntityView, views: Views, project: Project) -> Node:
    """Describe an entity as a defined term, and as what its category is mapped to."""
    kind = views.match(found.category.iri, SCHEMA, inherit=True).removeprefix(SCHEMA)
    exact = [item.iri for item in found.mappings if item.match == "exactMatch" and _web(item.iri)]
    return _node(
        ["DefinedTerm", *([kind] if kind else [])],
        found.iri,
        name=found.label,
        alternateName=[name for name in dict.fromkeys((*found.labels.values(), *found.aliases)) if name != found.label],
        description=found.definition,
        termCode=found.slug,
        inDefinedTermSet={
            "@type": "DefinedTermSet",
            "@id": f"{project.base}id/",
            "name": f"Entities of {project.title}",
        },
        sameAs=exact,
    )


def claim(found: ClaimView, views: Views, project: Project) -> Node:
    """Describe a claim with its author, its article and, in words, how it is said."""
    return _node(
        "Claim",
        found.iri,
        name=found.statement,
        text=found.statement,
        description=said(found),
        author=_agent(found.attributed_to, views),
        creditText=f"Recorded by {found.extractor.label}" if found.extractor else "",
        appearance={"@type": "Article", "@id": found.article.iri, "name": found.article.label},
        about=_thing(found.subject),
        mentions=_thing(found.object),
        identifier=found.nanopublication,
        dateCreated=found.created,
        license=found.license,
        isPartOf=_dataset_link(project),
    )


def said(claim: ClaimView) -> str:
    """Say in words how sure a claim is and who makes it.

    Every facet that limits it is named: certainty, modality, polarity, frequency, presupposition and qualifiers.
    """
    words = [f"Claim of {claim.attributed_to.label or 'an unrecorded source'}", f"certainty: {claim.certainty.label}"]
    words += [f"modality: {claim.modality.label}"] if claim.modality.slug != "actual" else []
    words += [f"polarity: {claim.polarity.label}"] if claim.polarity.slug != "affirmed" else []
    words += [f"frequency: {claim.frequency.label}"] if claim.frequency else []
    words += ["presupposed, not said outright"] if claim.presupposed else []
    words += ["implied, not said outright"] if claim.implied else []
    words += [f"{item.type.label}: {item.value}" for item in claim.qualifiers]
    words += [f"amount of the subject: {claim.subject_quantity}"] if claim.subject_quantity else []
    words += [f"amount of the object: {claim.object_quantity}"] if claim.object_quantity else []
    words += [f"basis: {claim.basis.label}"]
    words += [f"the author calls the evidence “{claim.stated_evidence}”"] if claim.stated_evidence else []
    return f"{'; '.join(words)}. {NOTICE}"


def article(found: ArticleView, views: Views, project: Project) -> Node:
    """Describe an article; its text is not part of the graph."""
    return _node(
        "Article",
        found.iri,
        headline=found.title,
        publisher=_agent(found.publisher, views),
        author=[_agent(link, views) for link in found.authors],
        inLanguage=found.language,
        datePublished=found.issued,
        url=found.source if _web(found.source) else "",
        subjectOf=_dataset_link(project),
    )


def dataset(
    project: Project, articles: Iterable[ArticleView], files: Iterable[tuple[str, str, str, int]], modified: str
) -> Node:
    """Describe the whole graph; `files` are path, label, media type and size of what can be downloaded."""
    return _node(
        "Dataset",
        project.base,
        name=project.title,
        description=f"{project.description or project.title} {NOTICE}",
        url=f"{project.base}index.html",
        license=project.license,
        version=project.version,
        dateModified=modified,
        inLanguage=project.language,
        isAccessibleForFree=True,
        isBasedOn=[{"@type": "Article", "@id": item.iri, "name": item.title} for item in articles],
        distribution=[
            {
                "@type": "DataDownload",
                "name": label,
                "encodingFormat": media_type,
                "contentUrl": project.base + path,
                "contentSize": f"{size} B",
            }
            for path, label, media_type, size in files
        ],
    )


def _node(kind: str | list[str], iri: str, **properties: Any) -> Node:
    """Make a node; what is empty is left out, and a list of one is its value."""
    made: Node = {"@context": "https://schema.org", "@type": kind, "@id": iri}
    for name, value in properties.items():
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value not in ("", None, []):
            made[name] = value
    if isinstance(kind, list) and len(kind) == 1:
        made["@type"] = kind[0]
    return made


def _agent(link: Link, views: Views) -> Node:
    node = views.described.get(link.iri, {})
    types = [str(getattr(term, "value", "")) for term in node.get(TYPE, ())]
    known = sorted({views.match(name, SCHEMA).removeprefix(SCHEMA) for name in types} & _AGENTS)
    return {"@type": known[0] if known else "Organization", "@id": link.iri, "name": link.label}


_AGENTS: Final = {"Organization", "Person"}


def _thing(link: Link) -> Node:
    return {"@type": "Claim" if link.kind == "claim" else "DefinedTerm", "@id": link.iri, "name": link.label}


def _dataset_link(project: Project) -> Node:
    return {"@type": "Dataset", "@id": project.base, "name": project.title}


def _web(iri: str) -> bool:
    return iri.startswith(("http://", "https://"))
