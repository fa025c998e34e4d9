"""Why a triple holds: the claims that state it plainly, or the rule it follows by with its premises, down to claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kgbuild.claims import PLAIN_KINDS
from kgbuild.compilation import compile_project
from kgbuild.diagnostics import UsageError, did_you_mean
from kgbuild.inference import Inference, Step, Triple, both_ways, infer, read_facts, without
from kgbuild.nodes import one
from kgbuild.project import load_project
from kgbuild.store import Solutions, Store
from kgbuild.terms import KGB, OWL, TYPE, compress, expand, is_iri, kebab
from kgbuild.views import ClaimView, Views


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a triple holds or does not, in words; it holds where it is stated plainly or inferred."""

    triple: Triple
    holds: bool
    text: str


def terms_of(text: str) -> tuple[str, str, str] | None:
    """Return the three terms of a triple as written, or None for a text of fewer or more.

    >>> terms_of("id:kale mr:sourceOf id:magnesium ."), terms_of("KG204")
    (('id:kale', 'mr:sourceOf', 'id:magnesium'), None)
    """
    terms = text.removesuffix(" .").split()
    return (terms[0], terms[1], terms[2]) if len(terms) == 3 else None


def explain_triple(text: str, start: Path | str = ".", store: Store | None = None) -> Reasons:
    """Tell why a triple holds; its terms are CURIEs, `<IRIs>`, or identifiers as in the source files.

    Asks `store`, or the project at or above `start`, compiled in memory. Raises `UsageError` for unknown terms.
    """
    project = load_project(Path(start))
    written = terms_of(text)
    if written is None:
        raise UsageError(f"a triple is three terms, not '{text}'")
    store = store or compile_project(project.root).store
    views = Views(store, project.base, project.prefixes, project.fallback)
    return _Explainer(views).explain(_Terms(views).triple(written))


class _Terms:
    """The terms that people may name, by identifier."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.slugs: dict[str, str] = {}
        for iri, node in views.described.items():
            types = {getattr(term, "value", "") for term in node.get(TYPE, ())}
            if types & {OWL + "ObjectProperty", OWL + "Class"}:
                self.slugs.setdefault(kebab(iri.rpartition("#")[2]), iri)
        self.slugs |= {entity.slug: entity.iri for entity in views.entities}

    def triple(self, written: tuple[str, str, str]) -> Triple:
        subject, predicate, target = (self.term(text) for text in written)
        return subject, predicate, target

    def term(self, text: str) -> str:
        """Return a term in N-Quads spelling."""
        if text == "a":
            return f"<{TYPE}>"
        if text.startswith("<") and text.endswith(">"):
            iri: str | None = text[1:-1]
        else:
            iri = expand(text, self.views.prefixes) or self.slugs.get(text)
        if iri is None or not is_iri(iri) or (self._own(iri) and iri not in self.views.described):
            names = [compress(known, self.views.prefixes) for known in self.slugs.values()]
            hint = did_you_mean(text, [*self.slugs, *names])
            raise UsageError(f"unknown term '{text}'" + (f"; {hint}" if hint else "; write it as id:magnesium or <…>"))
        return f"<{iri}>"

    def _own(self, iri: str) -> bool:
        return iri.startswith((self.views.base + "id/", self.views.base + "ns#"))


class _Explainer:
    def __init__(self, views: Views) -> None:
        self.views = views
        self.inference = infer(read_facts(views.store, views.base))

    def explain(self, triple: Triple) -> Reasons:
        facts = self.inference.facts
        heading = [self._written(triple), f"({', '.join(self._label(term) for term in triple)})", ""]
        if triple in facts.given:
            lines = [*self._stands(triple), *self._follows_too(triple)]
            return Reasons(triple, True, "\n".join([*heading, *lines]))
        if triple in self.inference.steps:
            return Reasons(triple, True, "\n".join([*heading, *self._inferred(triple, self.inference)]))
        graphs = self._graphs(triple)
        lines = [f"stands in {', '.join(graphs)}"] if graphs else list(self._neither(triple))
        return Reasons(triple, bool(graphs), "\n".join([*heading, *lines]))

    def _stands(self, triple: Triple) -> Iterator[str]:
        """Tell where a given triple comes from: its claims, or the graph of descriptions that holds it."""
        graph = self.inference.facts.given[triple]
        if graph != "asserted":
            yield f"stands in graph/{graph}"
            return
        claims = [claim for claim in self._claims({triple}) if self._licenses(claim)]
        yield f"stated plainly by {'a claim' if len(claims) == 1 else f'{len(claims)} claims'}"
        for claim in claims:
            yield from _indented(self._claim(claim))

    def _follows_too(self, triple: Triple) -> Iterator[str]:
        other = infer(without(self.inference.facts, triple))
        if triple in other.steps:
            yield ""
            yield "it would follow without that, too:"
            yield from self._inferred(triple, other)

    def _inferred(self, triple: Triple, inference: Inference) -> Iterator[str]:
        step = inference.steps[triple]
        yield f"inferred by the rule “{step.rule.name}”: {step.rule.words}"
        yield from self._premises(step, inference)

    def _premises(self, step: Step, inference: Inference) -> Iterator[str]:
        for number, premise in enumerate(step.premises, 1):
            yield f"  {number}. {self._written(premise)}"
            lines = self._stands(premise) if premise in inference.facts.given else self._inferred(premise, inference)
            yield from _indented(lines, "     ")

    def _neither(self, triple: Triple) -> Iterator[str]:
        yield "neither stated plainly nor inferred"
        step = self.inference.withheld.get(triple)
        if step is not None:
            yield f"it would follow by the rule “{step.rule.name}”, but is withheld: {step.rule.words}"
            yield from self._premises(step, self.inference)
        claims = self._claims(both_ways({triple}, self.inference.facts.given))
        if claims:
            yield "said, but with a hedge, a limit or a denial, by"
        for claim in claims:
            yield from _indented(self._claim(claim))

    def _claims(self, triples: set[Triple]) -> list[ClaimView]:
        return [
            claim
            for claim in self.views.claims
            if (f"<{claim.subject.iri}>", f"<{claim.predicate.iri}>", f"<{claim.object.iri}>") in triples
        ]

    def _licenses(self, claim: ClaimView) -> bool:
        """Tell whether a claim licenses its plain triple, as `mint.plain_triple` decides it."""
        restricts = KGB + "restricts"
        return (
            claim.certainty.slug == "asserted"
            and claim.modality.slug == "actual"
            and claim.polarity.slug == "affirmed"
            and (claim.frequency is None or claim.frequency.slug == "always")
            and claim.kind in PLAIN_KINDS
            and not (claim.presupposed or claim.implied)
            and not any(one(self.views.described[item.type.iri], restricts) == "true" for item in claim.qualifiers)
        )

    def _claim(self, claim: ClaimView) -> Iterator[str]:
        """Tell what a claim says, how surely, where, who says so and on what basis."""
        yield f"claim {claim.key} “{claim.statement}”"
        sentences = ", ".join(str(sentence.number) for sentence in claim.sentences)
        place = f"sentence{'s' if len(claim.sentences) > 1 else ''} {sentences} of {claim.article.label}"
        yield f"  {'; '.join(_facets(claim))} · {place}"
        yield f"  source: {claim.attributed_to.label} · basis: {claim.basis.label}"

    def _graphs(self, triple: Triple) -> list[str]:
        answer = self.views.store.query(f"SELECT DISTINCT ?g {{ GRAPH ?g {{ {' '.join(triple)} }} }} ORDER BY ?g")
        assert isinstance(answer, Solutions)
        return [row["g"].removeprefix(self.views.base) for row in answer.dicts()]

    def _written(self, triple: Triple) -> str:
        return " ".join(
            compress(term[1:-1], self.views.prefixes) if term.startswith("<") else term.partition('"^^')[0].strip('"')
            for term in triple
        )

    def _label(self, term: str) -> str:
        return self.views.label(term[1:-1])


def _facets(claim: ClaimView) -> list[str]:
    """Return how a claim is said: certainty always, the others where they say more than the plain triple.

    What is presupposed or implied is named, and so is every qualifier.
    """
    facets = [f"certainty: {claim.certainty.slug}"]
    facets += [f"modality: {claim.modality.slug}"] if claim.modality.slug != "actual" else []
    facets += [f"polarity: {claim.polarity.slug}"] if claim.polarity.slug != "affirmed" else []
    facets += [f"frequency: {claim.frequency.slug}"] if claim.frequency else []
    facets += ["presupposed"] if claim.presupposed else []
    facets += ["implied"] if claim.implied else []
    return facets + [f"{item.type.label}: {item.value}" for item in claim.qualifiers]


def _indented(lines: Iterator[str], margin: str = "  ") -> Iterator[str]:
    return (margin + line for line in lines)
