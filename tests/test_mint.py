"""Minting: nanopublications that others accept, hedges that never become plain triples, hostile text that stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.claims import Claim, Place, Qualifier, Quantity, Reference
from kgbuild.compilation import Compilation
from kgbuild.diagnostics import Span
from kgbuild.lines import nquads
from kgbuild.mint import Attribution, Context, context_of, mint, plain_triple
from kgbuild.moulds import Minter
from kgbuild.ontology import Concept
from kgbuild.shards import compile_shard, plan
from kgbuild.trusty import is_trusty


@cache
def small_context() -> Context:
    """Return a context with only what `a_claim` needs, so that hypothesis can show its examples."""
    concepts = {
        scheme: {slug: Concept(slug, f"http://example.org/{scheme}/{slug}", slug)}
        for scheme, slug in (
            ("certainty", "asserted"), ("modality", "actual"), ("polarity", "affirmed"), ("basis", "unsourced"),
        )
    }  # fmt: skip
    article = Attribution("publisher", "en", "2026-01-02", "agent")
    predicates = {"relieves": "http://example.org/relieves"}
    return Context(
        "http://example.org/", "http://example.org/licence", predicates, concepts, {"magnesium-rls": article}
    )


@pytest.fixture(scope="session")
def context(compilation: Compilation) -> Context:
    return context_of(compilation.sources)


def a_claim(**changes: object) -> Claim:
    claim = Claim(
        id="c1",
        article="magnesium-rls",
        statement="Magnesium relaxes.",
        subject="magnesium",
        predicate="relieves",
        object=Reference("entity", "muscle-cramp"),
        sentences=(1,),
        certainty="asserted",
        basis="unsourced",
        place=Place(Span("x.yaml")),
    )
    return replace(claim, **changes)  # type: ignore[arg-type]  # the fields of a claim


def test_a_claim_has_four_graphs_below_one_trusty_iri(context: Context) -> None:
    made = mint(a_claim(), context)
    graphs = {quad[0] for quad in made.quads}
    assert graphs == {f"<{made.iri}#{name}>" for name in ("Head", "assertion", "provenance", "pubinfo")}
    assert re.fullmatch(r"https://w3id\.org/magnesium-rls/np/RA[A-Za-z0-9_-]{43}", made.iri)


def test_every_nanopublication_of_the_article_has_its_own_code(compilation: Compilation) -> None:
    for item in compilation.nanopublications():
        assert is_trusty(item.quads, item.iri.rsplit("/", 1)[-1])


def test_minting_twice_gives_the_same(context: Context) -> None:
    assert mint(a_claim(), context) == mint(a_claim(), context)


def test_another_word_gives_another_name(context: Context) -> None:
    assert mint(a_claim(), context).iri != mint(a_claim(statement="Magnesium may relax."), context).iri


@pytest.mark.parametrize(
    "changes",
    [
        {"certainty": "probable"},
        {"certainty": "possible"},
        {"modality": "potential"},
        {"modality": "obligation", "kind": "advice"},
        {"polarity": "negated"},
        {"polarity": "neutral"},
        {"frequency": "sometimes"},
        {"frequency": "mostly"},
        {"presupposed": True},
        {"implied": True},
        {"kind": "meta"},
        {"kind": "rationale"},
        {"object": Reference("claim", "c2")},
        {"qualifiers": (Qualifier("population", entity="human"),)},
        {"qualifiers": (Qualifier("condition", text="when deficient"),)},
        {"qualifiers": (Qualifier("degree", text="good"), Qualifier("dose", text="daily"))},
    ],
    ids=str,
)
def test_what_is_hedged_limited_or_denied_is_never_stated_plainly(context: Context, changes: dict[str, object]) -> None:
    assert plain_triple(a_claim(**changes), context) is None


def test_a_flat_claim_is_stated_plainly(context: Context) -> None:
    triple = plain_triple(a_claim(qualifiers=(Qualifier("degree", text="good"),), frequency="always"), context)
    assert triple == (
        "<https://w3id.org/magnesium-rls/id/magnesium>",
        "<https://w3id.org/magnesium-rls/ns#relieves>",
        "<https://w3id.org/magnesium-rls/id/muscle-cramp>",
    )


def test_a_strict_bound_stays_strict(context: Context) -> None:
    made = mint(a_claim(object_quantity=Quantity("{enzyme}", more_than=Decimal(300))), context)
    text = nquads(made.quads)
    assert '#minExclusive> "300"^^<http://www.w3.org/2001/XMLSchema#integer>' in text
    assert "minValue" not in text


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(statement=texts, note=texts, cue=texts)
def test_any_text_survives_the_trip_through_n_quads(statement: str, note: str, cue: str) -> None:
    made = mint(a_claim(statement=statement, note=note, cues=(cue,)), small_context())
    text = nquads(made.quads)
    assert text.count("\n") == len(made.quads)
    parsed = list(ox.parse(text, ox.RdfFormat.N_QUADS))
    values = {quad.object.value for quad in parsed if isinstance(quad.object, ox.Literal)}
    assert {statement, note, cue} <= values
    assert sorted(text.rstrip("\n").split("\n")) == sorted(f"{quad} ." for quad in parsed)
    assert is_trusty(made.quads, made.iri.rsplit("/", 1)[-1])


def test_shards_of_any_size_give_the_same_nanopublications(compilation: Compilation) -> None:
    context = context_of(compilation.sources)

    def minted(size: int) -> list[str]:
        shards = [compile_shard(shard) for shard in plan(compilation.sources.claims, context, size)]
        return [item.iri for shard in shards for item in shard.nanopublications]

    assert minted(7) == minted(1000) == [item.iri for item in compilation.nanopublications()][:-1]


slugs = st.from_regex(r"[a-z0-9]{1,3}(-[a-z0-9]{1,3})?", fullmatch=True)
numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=999, places=2) | st.integers(0, 999)
numbers |= st.sampled_from([Decimal("0.0000005"), Decimal("0.0000000"), Decimal("12.000000000000000001")])
quantities = st.builds(
    lambda unit, value, low: Quantity(unit, value=Decimal(value), more_than=None if low is None else Decimal(low)),
    texts, numbers, st.none() | numbers,
)  # fmt: skip
lists = st.lists(slugs | slugs.map("other/{}".format), max_size=4).map(tuple)
flags = st.booleans()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_mould_gives_what_minting_quad_by_quad_gives(data: st.DataObject, context: Context) -> None:
    """Every order and every escape is that of the quads: the two ways of minting never differ by a byte."""
    types = sorted(context.concepts["qualifierType"])
    qualifiers = st.builds(Qualifier, st.sampled_from(types), text=st.none() | texts, entity=st.none() | slugs)
    changes = {
        "id": slugs,
        "statement": texts,
        "object": st.builds(Reference, st.just("entity"), slugs) | st.builds(Reference, st.just("claim"), lists.map("".join)),
        "sentences": st.lists(st.integers(1, 120), max_size=4).map(tuple),
        "basis": st.sampled_from(sorted(context.concepts["basis"])),
        "polarity": st.sampled_from(sorted(context.concepts["polarity"])),
        "frequency": st.none() | st.sampled_from(sorted(context.concepts["frequency"])),
        "cues": st.lists(texts, max_size=4).map(tuple),
        "subject_quantity": st.none() | quantities,
        "object_quantity": st.none() | quantities,
        "qualifiers": st.lists(qualifiers, max_size=12).map(tuple),
        "rationale": lists,
        "contrasts_with": lists,
        "derived_from": lists,
        "presupposed": flags,
        "implied": flags,
        "confidence": st.none() | st.sampled_from([Decimal("0.90"), Decimal("0.0000001")]),
        "note": st.none() | texts,
        "quote": st.none() | texts,
        "stated_evidence": st.none() | texts,
    }  # fmt: skip
    claim = a_claim(**{key: data.draw(values, label=key) for key, values in changes.items() if data.draw(flags)})
    assert Minter(context).mint(claim) == mint(claim, context)


def trig(compilation: Compilation, folder: Path) -> dict[str, Path]:
    files = {}
    for item in compilation.nanopublications():
        path = folder / f"{item.claim.replace('/', '-')}.trig"
        quads = ox.parse(nquads(item.quads), ox.RdfFormat.N_QUADS)
        path.write_bytes(ox.serialize(quads, format=ox.RdfFormat.TRIG) or b"")
        files[item.claim] = path
    return files


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_independent_library_accepts_every_nanopublication(compilation: Compilation, tmp_path: Path) -> None:
    from nanopub import Nanopub

    files = trig(compilation, tmp_path)
    assert len(files) == len(compilation.sources.claims) + 1
    for path in files.values():
        publication = Nanopub(rdf=path)
        assert publication.is_valid
        assert publication.has_valid_trusty


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_independent_library_refuses_a_tampered_nanopublication(compilation: Compilation, tmp_path: Path) -> None:
    from nanopub import Nanopub
    from nanopub.utils import MalformedNanopubError

    path = trig(compilation, tmp_path)["magnesium-rls/c094"]
    text = path.read_text("utf-8")
    tampered = text.replace("certainty-probable", "certainty-asserted")
    assert tampered != text
    path.write_text(tampered, "utf-8")
    with pytest.raises(MalformedNanopubError):
        _ = Nanopub(rdf=path).has_valid_trusty
