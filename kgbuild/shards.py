"""A shard: some thousand claims with the descriptions they refer to, compiled and screened by one pure function.

One shard runs inline, many in a process pool; nothing else differs between a small project and a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kgbuild.claims import Claim
from kgbuild.mint import Context, Nanopublication, plain_triple
from kgbuild.moulds import Minter


@dataclass(frozen=True, slots=True)
class Shard:
    """The unit of work: picklable."""

    number: int
    claims: tuple[Claim, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class CompiledShard:
    """What a shard became: its nanopublications and the plain triples they license."""

    number: int
    nanopublications: tuple[Nanopublication, ...]
    asserted: frozenset[tuple[str, str, str]]


def plan(claims: tuple[Claim, ...], context: Context, size: int) -> Iterator[Shard]:
    """Cut the claims into shards of `size`, in their order."""
    for number, start in enumerate(range(0, len(claims), size)):
        yield Shard(number, claims[start : start + size], context)


def compile_shard(shard: Shard, minter: Minter | None = None) -> CompiledShard:
    """Mint every claim of a shard; a `minter` of the same context keeps its moulds from shard to shard."""
    minter = minter or Minter(shard.context)
    triples = (plain_triple(claim, shard.context) for claim in shard.claims)
    return CompiledShard(
        number=shard.number,
        nanopublications=tuple(map(minter.mint, shard.claims)),
        asserted=frozenset(triple for triple in triples if triple is not None),
    )
