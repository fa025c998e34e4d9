"""Entities and claims as JSON, looked up by a worker in the store that it holds: only what is asked for is gathered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import pyoxigraph as ox

from kgbuild import excerpts
from kgbuild.diagnostics import did_you_mean
from kgbuild.excerpts import Excerpt
from kgbuild.names import Names, plain
from kgbuild.server.records import Record, claim_record, entity_record, found_record, short_record
from kgbuild.store import OxigraphStore
from kgbuild.terms import is_iri
from kgbuild.views import Views

_NAMES: Final = 20_000
"""Names among which one is looked for that is like a name that nothing has."""


@dataclass(frozen=True)
class Lookup:
    """What a store says of single things, which are found by their names."""

    store: OxigraphStore
    names: Names
    base: str
    prefixes: dict[str, str]
    languages: tuple[str, ...]

    def answer(self, task: str, text: str) -> bytes:
        """Do a task; `text` is its JSON, and so is the answer: `null` where nothing is found."""
        given = json.loads(text)
        found: Any
        match task:
            case "entity":
                found = self.entity(given)
            case "called":
                found = self.called(given)
            case "claim":
                found = self.claim(given)
            case "claims":
                found = self.claims(given)
            case _:
                found = self.search(*given)
        return json.dumps(found, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def entity(self, name: str) -> Record | None:
        """Return an entity by its identifier or IRI, with the claims that name it."""
        slug = name.removeprefix(f"{self.base}id/")
        if not is_iri(f"{self.base}id/{slug}"):
            return None
        excerpt = excerpts.ask(excerpts.about_entity(self.base, slug), self.store, self.prefixes)
        if excerpt is None:
            return None
        found = next((item for item in self._views(excerpt).entities if item.slug == slug), None)
        if found is None:
            return None
        record = entity_record(found)
        named, total = set(excerpt.named), excerpt.portion.total
        record["claims"] = [claim for claim in record["claims"] if claim["iri"] in named]
        if total > len(named):
            record["cut"] = f"these are the first {len(named)} of {total:,} claims; a query gives all"
        return record

    def called(self, name: str) -> Record | None:
        """Return an entity by identifier, IRI, label or alias; else, under `hint`, which name was perhaps meant."""
        found = self.entity(name)
        if found is not None:
            return found
        wanted = plain(name)
        for iri, _ in self.names.entities.named(f"\t{wanted}\n"):
            return self.entity(iri)
        names = (known for _, known in self.names.entities.named())
        return {"hint": did_you_mean(wanted, dict.fromkeys(islice(names, _NAMES)))}

    def claim(self, name: str) -> Record | list[str] | None:
        """Return a claim by IRI, by article and identifier, or by an identifier that one claim alone has."""
        iri = f"{self.base}claim/{name.removeprefix(f'{self.base}claim/')}"
        if not is_iri(iri):
            return None
        if "/" not in name:
            found = list(islice(dict.fromkeys(self.names.claims.ending(f"/{name}")), 2))
            if len(found) != 1:
                return found or None
            iri = found[0]
        key = iri.removeprefix(f"{self.base}claim/")
        excerpt = excerpts.ask(excerpts.about_claim(self.base, key), self.store, self.prefixes)
        views = self._views(excerpt) if excerpt else None
        return next((claim_record(item) for item in views.claims if item.iri == iri), None) if views else None

    def claims(self, iris: list[str]) -> dict[str, Record]:
        """Return what must be read beside the statements of claims, by IRI; what is no claim is left out."""
        wanted = {iri for iri in iris if is_iri(iri)}
        excerpt = excerpts.ask(excerpts.about_claims(self.base, sorted(wanted)), self.store, self.prefixes)
        return {claim.iri: short_record(claim) for claim in self._views(excerpt).claims if claim.iri in wanted}

    def search(self, text: str, limit: int) -> list[Record]:
        """Return entities and claims whose names or statement hold every word of a text, the nearest first."""
        words = text.lower().split()
        if not words:
            return []
        best = self._entities(words)
        found = sorted(best, key=lambda iri: (best[iri], iri))[:limit]
        claims = self._claims(words, limit - len(found))
        excerpt = excerpts.ask(excerpts.about_claims(self.base, claims, found), self.store, self.prefixes)
        views = self._views(excerpt)
        records = {item.iri: found_record(item) for item in views.entities if item.iri in best}
        stated = (item for item in views.claims if item.iri in claims)
        records |= {item.iri: {"type": "claim", **short_record(item)} for item in stated}
        return [records[iri] for iri in (*found, *claims) if iri in records]

    def _entities(self, words: list[str]) -> dict[str, int]:
        """Return the entities with a name that holds all words, and how near the nearest is."""
        whole, best = " ".join(words), dict[str, int]()
        for iri, name in self.names.entities.named(*words):
            rank = 0 if name == whole else 1 if name.startswith(whole) else 2
            best[iri] = min(rank, best.get(iri, rank))
        return best

    def _claims(self, words: list[str], limit: int) -> dict[str, None]:
        """Return the first claims whose statement holds all words."""
        stated, found = self.names.claims.named(*words), dict[str, None]()
        while len(found) < limit and (pair := next(stated, None)):
            found[pair[0]] = None
        return found

    @cached_property
    def _constant(self) -> frozenset[ox.Quad]:
        return excerpts.ask(excerpts.constant(self.base), self.store, self.prefixes)

    def _views(self, excerpt: Excerpt) -> Views:
        part = ox.Store()
        part.bulk_extend({*excerpt.quads, *self._constant})
        return Views(OxigraphStore(part), self.base, self.prefixes, self.languages)
