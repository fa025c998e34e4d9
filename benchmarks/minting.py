"""Mint many claims beside peers that write the same quads: `python benchmarks/minting.py [CLAIMS]`.

The article's claims are repeated under new names. Peers build the same quads as objects and serialise them as N-Quads;
the sorted lines of all must be equal. One core, CPU seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyoxigraph as ox
import rdflib

from kgbuild.compilation import compile_project
from kgbuild.mint import context_of
from kgbuild.moulds import Minter
from kgbuild.shards import compile_shard, plan

ROOT = Path(__file__).parents[1]


def main(count: int) -> None:
    """Print quads per CPU second of kgbuild, pyoxigraph objects and rdflib."""
    compilation = compile_project(ROOT)
    context = context_of(compilation.sources)
    pattern = compilation.sources.claims
    claims = tuple(replace(pattern[n % len(pattern)], id=f"{pattern[n % len(pattern)].id}-{n}") for n in range(count))

    def ours() -> str:
        minter = Minter(context)
        shards = [compile_shard(shard, minter) for shard in plan(claims, context, 1000)]
        return "".join([item.text for shard in shards for item in shard.nanopublications])

    text, taken = timed(ours)
    lines = sorted(text.splitlines())
    print(f"{count:,} claims, {len(lines):,} quads")
    print(f"{'kgbuild (with trusty URIs)':<34} {len(lines) / taken:>12,.0f} quads per CPU second")
    parsed = list(ox.parse(text, ox.RdfFormat.N_QUADS))

    def objects() -> str:
        quads = [ox.Quad(quad.subject, quad.predicate, quad.object, quad.graph_name) for quad in parsed]
        return (ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b"").decode()

    def graph() -> str:
        dataset = rdflib.Dataset()
        for quad in parsed:
            dataset.add((node(quad.subject), node(quad.predicate), node(quad.object), node(quad.graph_name)))
        return dataset.serialize(format="nquads")

    for name, run in (("pyoxigraph objects (no hashing)", objects), ("rdflib (no hashing)", graph)):
        other, taken = timed(run)
        same = len([line for line in other.splitlines() if line]) == len(lines)
        print(f"{name:<34} {len(lines) / taken:>12,.0f} quads per CPU second{'' if same else '  DIFFERENT OUTPUT'}")


def node(term: object) -> rdflib.term.Node:
    """Turn a term of Oxigraph into one of rdflib."""
    if isinstance(term, ox.Literal):
        if term.language:
            return rdflib.Literal(term.value, lang=term.language)
        return rdflib.Literal(term.value, datatype=rdflib.URIRef(term.datatype.value), normalize=False)
    assert isinstance(term, ox.NamedNode)
    return rdflib.URIRef(term.value)


def timed(run: Callable[[], str]) -> tuple[str, float]:
    """Return what a function returns and its CPU seconds."""
    start = time.process_time()
    made = run()
    return made, time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
