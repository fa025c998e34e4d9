"""Checks of the values that were read, before anything is minted: every name resolves, every hedge is kept.

A check is a function in `CHECKS`. What can be said of RDF is said by the shapes instead (`validate`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace

from kgbuild.claims import KINDS, Article, Claim, Place
from kgbuild.datasets import FITS, NOT_COVERED, RECORD_KINDS, DatasetStatement
from kgbuild.diagnostics import Related, Report, Span, did_you_mean
from kgbuild.sources import Sources

Check = Callable[[Sources, Report], None]


def check_sources(sources: Sources, report: Report) -> Sources:
    """Run every check and return the sources with input aliases of predicates resolved."""
    for check in CHECKS:
        check(sources, report)
    return replace(sources, claims=tuple(_resolve_alias(sources, claim) for claim in sources.claims))


def statements_of(sources: Sources) -> Iterator[DatasetStatement]:
    """Return every statement of every dataset."""
    for dataset in sources.datasets:
        yield from dataset.statements


def _resolve_alias(sources: Sources, claim: Claim) -> Claim:
    predicate = sources.ontology.predicate(claim.predicate)
    if predicate is None or predicate.slug == claim.predicate:
        return claim
    modality = "potential" if claim.modality == "actual" else claim.modality
    return replace(claim, predicate=predicate.slug, modality=modality)


def unique_ids(sources: Sources, report: Report) -> None:
    """Report identifiers given twice: entities, articles, sections of an article, claims of an article."""
    named: dict[tuple[str, str], Span] = {}

    def once(kind: str, name: str, span: Span) -> None:
        first = named.setdefault((kind, name), span)
        if first is not span:
            shown = name.rsplit("/", 1)[-1]
            report.add("KG201", f"{kind} '{shown}' is given twice", span, related=[Related(first, "first given here")])

    for entity in sources.entities:
        once("entity", entity.id, entity.place.of("id"))
    for article in sources.articles:
        once("article", article.id, article.place.of("id"))
        for section in article.sections:
            once("section", f"{article.id}/{section.id}", section.place.of("id"))
    for claim in sources.claims:
        once("claim", claim.key, claim.place.of("id"))
    for dataset in sources.datasets:
        once("dataset", dataset.id, dataset.place.of("id"))
        for key, place in dataset.places():
            once("statement or record", key, place.of("id"))
    for alignments in sources.alignments:
        once("article's alignments", alignments.article, alignments.place.of("article"))
        for criterion in alignments.criteria:
            once("criterion", f"{alignments.article}/{criterion.id}", criterion.place.of("id"))


def known_entities(sources: Sources, report: Report) -> None:
    """Report names of entities that no file describes."""
    known = {entity.id: entity.place.span for entity in sources.entities}

    def known_entity(name: str | None, span: Span) -> None:
        if name is None or name in known:
            return
        hint = did_you_mean(name, known)
        if hint:
            near = hint.split("'")[1]
            hint = f"{hint} ({known[near].path}:{known[near].line})"
        report.add("KG204", f"unknown entity '{name}'", span, hint=hint)

    for article in sources.articles:
        known_entity(article.publisher, article.place.of("publisher"))
        known_entity(article.extractor, article.place.of("extractor"))
        for number, author in enumerate(article.author):
            known_entity(author, article.place.of(f"author[{number}]"))
    for entity in sources.entities:
        for number, name in enumerate(entity.broader):
            known_entity(name, entity.place.of(f"broader[{number}]"))
    for claim in sources.claims:
        known_entity(claim.subject, claim.place.of("subject"))
        if claim.object.kind == "entity":
            known_entity(claim.object.id, claim.place.of("object"))
        known_entity(claim.attributed_to, claim.place.of("attributed-to"))
        known_entity(claim.compared_dimension, claim.place.of("compared-dimension"))
        for type_ in dict.fromkeys(qualifier.type for qualifier in claim.qualifiers):
            same = [qualifier for qualifier in claim.qualifiers if qualifier.type == type_]
            for number, qualifier in enumerate(same):
                known_entity(qualifier.entity, claim.place.of(f"qualifiers.{type_}[{number}]"))
    for mapping_set in sources.mappings:
        for mapping in mapping_set.mappings:
            known_entity(mapping.subject, mapping.place.of("subject_id"))
    for statement in statements_of(sources):
        for key, thing in (("subject", statement.subject), ("object", statement.object)):
            if thing.kind == "entity":
                known_entity(thing.id, statement.place.of(key))
    for alignments in sources.alignments:
        known_entity(alignments.judge, alignments.place.of("judge"))


def known_terms(sources: Sources, report: Report) -> None:
    """Report predicates, categories and terms of schemes that no ontology describes."""
    ontology = sources.ontology

    def known(code: str, what: str, word: str | None, terms: Iterable[str], span: Span) -> None:
        terms = tuple(terms)
        if word is not None and word not in terms:
            hint = did_you_mean(word, terms) or "one of: " + ", ".join(terms)
            report.add(code, f"unknown {what} '{word}'", span, hint=hint)

    aliases = {alias for predicate in ontology.predicates.values() for alias in predicate.aliases}
    for entity in sources.entities:
        known("KG302", "category", entity.category, ontology.categories, entity.place.of("category"))
    for claim in sources.claims:
        place = claim.place
        known("KG205", "predicate", claim.predicate, sorted({*ontology.predicates, *aliases}), place.of("predicate"))
        known("KG206", "kind", claim.kind, KINDS, place.of("kind"))
        for facet in ("certainty", "basis", "modality", "polarity", "frequency"):
            known("KG206", facet, getattr(claim, facet), ontology.concepts[facet], place.of(facet))
        for qualifier in claim.qualifiers:
            span = place.of(f"qualifiers.{qualifier.type}")
            known("KG206", "qualifier type", qualifier.type, ontology.concepts["qualifierType"], span)
    for statement in statements_of(sources):
        place = statement.place
        known("KG205", "predicate", statement.predicate, sorted(ontology.predicates), place.of("predicate"))
        known("KG206", "polarity", statement.polarity, ontology.concepts["polarity"], place.of("polarity"))
        known("KG206", "subject-match", statement.subject_match, FITS, place.of("subject-match"))
        for qualifier in statement.qualifiers:
            span = place.of(f"qualifiers.{qualifier.type}")
            known("KG206", "qualifier type", qualifier.type, ontology.concepts["qualifierType"], span)
    for dataset in sources.datasets:
        for record in dataset.records:
            known("KG206", "kind of record", record.kind, RECORD_KINDS, record.place.of("kind"))
            known("KG206", "design", record.design, ontology.concepts["design"], record.place.of("design"))
    verdicts = [verdict for verdict in ontology.concepts["alignment"] if verdict != NOT_COVERED]
    for alignments in sources.alignments:
        for alignment in alignments.alignments:
            span = alignment.place.of("verdict")
            if alignment.verdict == NOT_COVERED:
                hint = "claims without a verdict are marked so by themselves"
                report.add("KG206", f"the verdict '{NOT_COVERED}' is not for writing", span, hint=hint)
            else:
                known("KG206", "verdict", alignment.verdict, verdicts, span)


def known_sentences(sources: Sources, report: Report) -> None:
    """Report claims that stand on no sentence, and sentences on which no claim stands."""
    used: dict[str, set[int]] = defaultdict(set)
    articles = {article.id: article for article in sources.articles if article.sentences}
    numbers = {name: {sentence.number for sentence in article.sentences} for name, article in articles.items()}
    for claim in sources.claims:
        known = numbers.get(claim.article)
        used[claim.article].update(claim.sentences)
        for index, number in enumerate(claim.sentences if known else ()):
            if known and number not in known:
                hint = f"the table has sentences {min(known)} to {max(known)}"
                message = f"the article has no sentence {number}"
                report.add("KG207", message, claim.place.of(f"sentence[{index}]"), hint=hint)
    for name, article in articles.items():
        if not article.large:
            covered_sentences(article, used[name], report)


def covered_sentences(article: Article, used: Container[int], report: Report) -> None:
    """Report sentences of an article on which no claim stands; `used` are the numbers of the others."""
    for sentence in article.sentences:
        if sentence.number not in used:
            message = f"no claim stands on sentence {sentence.number}"
            report.add("KG216", message, sentence.place.of("number"), hint="record what it states")


def references(claim: Claim) -> Iterator[tuple[str, str, Span]]:
    """Return the claims that a claim refers to: key, name as written, and place."""
    lists = {
        "object": (claim.object.id,) if claim.object.kind == "claim" else (),
        "rationale": claim.rationale,
        "contrasts-with": claim.contrasts_with,
        "derived-from": claim.derived_from,
    }
    for key, names in lists.items():
        for number, name in enumerate(names):
            full = name if "/" in name else f"{claim.article}/{name}"
            yield full, name, claim.place.of(key if key == "object" else f"{key}[{number}]")


def known_claims(sources: Sources, report: Report) -> None:
    """Report references to claims that no article holds."""
    known = {claim.key for claim in sources.claims}
    elsewhere = sources.elsewhere()
    for claim in sources.claims:
        for full, name, span in references(claim):
            if full == claim.key:
                report.add("KG208", f"claim '{name}' refers to itself", span)
            elif full not in known and not elsewhere(full):
                near = did_you_mean(full, known)
                hint = near.replace(f"{claim.article}/", "") if near else None
                report.add("KG208", f"unknown claim '{name}'", span, hint=hint)


def asked_elsewhere(sources: Sources) -> Iterator[tuple[str, str, Span]]:
    """Return the claims that are referred to and not held: key, name as written, and place."""
    known = {claim.key for claim in sources.claims}
    for claim in sources.claims:
        yield from (asked for asked in references(claim) if asked[0] not in known)
    large = {article.id for article in sources.articles if article.large}
    for alignments in sources.alignments:
        for alignment in alignments.alignments:
            if alignments.article in large and alignment.claim not in known:
                yield (
                    alignment.claim,
                    alignment.claim.removeprefix(f"{alignments.article}/"),
                    alignment.place.of("claim"),
                )


def kept_hedges(sources: Sources, report: Report) -> None:
    """Report hedge words that are unknown, or weaker than the certainty or modality given."""
    certainties = sources.ontology.concepts["certainty"]
    by_cue = {cue: level for level in certainties.values() for cue in level.cues}
    modal = {cue: mode for mode in sources.ontology.concepts["modality"].values() for cue in mode.cues}
    for claim in sources.claims:
        level = certainties.get(claim.certainty)
        for number, cue in enumerate(claim.cues):
            word = cue.lower()
            span = claim.place.of(f"cues[{number}]")
            allowed = by_cue.get(word)
            if allowed is not None and level is not None and (level.rank or 0) > (allowed.rank or 0):
                message = f"the cue '{cue}' makes a claim at most {allowed.slug}, not {claim.certainty}"
                certainty = Related(claim.place.of("certainty"), "certainty given here")
                hint = f"write certainty: {allowed.slug}"
                report.add("KG209", message, span, hint=hint, related=[certainty])
            if word in modal and claim.modality == "actual":
                message = f"the cue '{cue}' tells of {modal[word].slug}, the modality says actual"
                report.add("KG209", message, span, hint=f"write modality: {modal[word].slug}")
            if allowed is None and word not in modal:
                near = did_you_mean(word, [*by_cue, *modal])
                report.add(
                    "KG219", f"unknown cue '{cue}'", span, hint=near or "cues are listed in the schemes as kgb:cue"
                )


def allowed_quotes(sources: Sources, report: Report) -> None:
    """Report quotes of articles whose rights are not open."""
    rights = {article.id: article.rights for article in sources.articles}
    for claim in sources.claims:
        if claim.quote is not None and rights.get(claim.article) != "open":
            hint = "leave the quote out; the sentence's offsets and digest point to the words"
            message = "the article's rights are unclear, so its words may not be quoted"
            report.add("KG212", message, claim.place.of("quote"), hint=hint)


def known_records(sources: Sources, report: Report) -> None:
    """Report source records that no table describes, and records that no statement is taken from."""
    for dataset in sources.datasets:
        known = {record.id for record in dataset.records}
        used = set()
        for statement in dataset.statements:
            for number, name in enumerate(statement.records):
                used.add(name)
                if name not in known:
                    span = statement.place.of(f"record[{number}]")
                    hint = did_you_mean(name, known) or "describe it in the table of records"
                    report.add("KG702", f"unknown source record '{name}'", span, hint=hint)
        for record in () if dataset.large else dataset.records:
            if record.id not in used:
                message = f"no statement is taken from the record '{record.id}'"
                report.add("KG708", message, record.place.of("id"), hint="state what it says, or remove it")


def known_judgements(sources: Sources, report: Report) -> None:
    """Report alignments of what is unknown, and claims judged twice by one statement."""
    articles = {article.id for article in sources.articles}
    claims = {claim.key for claim in sources.claims}
    elsewhere = {article.id for article in sources.articles if article.large}
    statements = {statement.key for statement in statements_of(sources)}
    large = {dataset.id for dataset in sources.datasets if dataset.large}
    judged: dict[tuple[str, str], Place] = {}
    for alignments in sources.alignments:
        article = alignments.article
        if article not in articles:
            hint = did_you_mean(article, articles)
            report.add("KG707", f"unknown article '{article}'", alignments.place.of("article"), hint=hint)
            continue
        criteria = {criterion.id for criterion in alignments.criteria}
        for alignment in alignments.alignments:
            place = alignment.place
            known = alignment.claim in claims or article in elsewhere
            if not known or not alignment.claim.startswith(f"{article}/"):
                own = [name.partition("/")[2] for name in claims if name.startswith(f"{article}/")]
                name = alignment.claim.removeprefix(f"{article}/")
                report.add("KG208", f"unknown claim '{name}'", place.of("claim"), hint=did_you_mean(name, own))
            if alignment.statement not in statements and alignment.statement.partition("/")[0] not in large:
                hint = did_you_mean(alignment.statement, statements) or "name it as dataset/id"
                message = f"unknown dataset statement '{alignment.statement}'"
                report.add("KG704", message, place.of("statement"), hint=hint)
            if alignment.criterion is not None and alignment.criterion not in criteria:
                hint = did_you_mean(alignment.criterion, criteria) or "criteria stand at the top of the file"
                report.add("KG706", f"unknown criterion '{alignment.criterion}'", place.of("criterion"), hint=hint)
            first = judged.setdefault((alignment.claim, alignment.statement), place)
            if first is not place:
                related = [Related(first.of("statement"), "first judged here")]
                message = f"the claim is judged twice by '{alignment.statement}'"
                report.add("KG705", message, place.of("statement"), related=related)


CHECKS: tuple[Check, ...] = (
    unique_ids,
    known_entities,
    known_terms,
    known_sentences,
    known_claims,
    kept_hedges,
    allowed_quotes,
    known_records,
    known_judgements,
)
