"""What changed between two builds, dumps or projects: claim by claim, facet by facet, a lost hedge first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kgbuild.diagnostics import UnreadableError
from kgbuild.dumps import read_file, release_of, whole_graph
from kgbuild.terms import KGB, NPX, OWL, PREFIXES, RDFS, SKOS, SSSOM, TYPE, compress
from kgbuild.trusty import Quad, unescape

KINDS: Final = {
    f"<{KGB}Claim>": "claim",
    f"<{KGB}Entity>": "entity",
    f"<{KGB}DatasetStatement>": "dataset statement",
    f"<{KGB}Alignment>": "alignment",
    f"<{KGB}Article>": "article",
    f"<{SSSOM}Mapping>": "link",
    f"<{OWL}Class>": "class",
    f"<{OWL}ObjectProperty>": "predicate",
}
"""The kinds of things that are compared, by class, in the order in which they are told."""

_CERTAINTY: Final = "certainty"
RANKS: Final = ("unknown", "possible", "suggested", "probable", "asserted")
"""Certainties, the least first, as the scheme ranks them: a dump need not hold the scheme."""
_NAMES: Final = (f"<{RDFS}label>", f"<{SKOS}prefLabel>")
_INTRODUCES: Final = f"<{NPX}introduces>"


@dataclass(frozen=True, slots=True)
class Change:
    """A thing that was added, removed or changed; `facets` are name, old values and new values."""

    kind: str
    iri: str
    label: str
    certainty: str
    how: str
    facets: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()

    @property
    def stronger(self) -> bool:
        """Tell whether a claim lost a hedge: it is more certain than it was."""
        return any(
            name == _CERTAINTY and old and new and _rank(new[0]) > _rank(old[0]) for name, old, new in self.facets
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes, in the order of kinds and IRIs; `stated` and `unstated` are the plain triples gained and lost."""

    changes: tuple[Change, ...]
    stated: tuple[str, ...]
    unstated: tuple[str, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the changes by kind and by how."""
        found: dict[str, dict[str, int]] = {}
        for change in self.changes:
            of_kind = found.setdefault(change.kind, {"added": 0, "removed": 0, "changed": 0})
            of_kind[change.how] += 1
        return found


def diff(old: Path | str, new: Path | str) -> Difference:
    """Compare two graphs: builds, release folders, files of RDF, or projects, which are compiled.

    Things are compared by IRI, with their fragments, and a claim with its provenance. The IRIs of nanopublications,
    which change with every content, and dates of publication are left out. Raises `UnreadableError` where there is no
    graph.
    """
    before, after = _Things(_read(Path(old))), _Things(_read(Path(new)))
    prefixes = PREFIXES | {"": _base(before.facets) or _base(after.facets)}
    order = {kind: number for number, kind in enumerate(KINDS.values())}
    changes = []
    for iri in sorted({*before.kinds, *after.kinds}):
        changes += _change(iri, before, after, prefixes)
    changes.sort(key=lambda change: (order[change.kind], not change.stronger, change.iri))
    gained, lost = after.plain - before.plain, before.plain - after.plain
    spelt = [tuple(sorted(_triple(triple, prefixes) for triple in triples)) for triples in (gained, lost)]
    return Difference(tuple(changes), *spelt)


def _read(path: Path) -> list[Quad]:
    if not path.exists():
        raise UnreadableError(f"no such file or folder: {path}")
    try:
        if path.is_file():
            return read_file(path)
        if release := release_of(path):
            return [quad for dump in whole_graph(release) for quad in read_file(dump)]
    except SyntaxError as error:
        raise UnreadableError(f"{path}:{error.lineno}:{error.offset}: not RDF: {error.msg}") from error
    if any((path / name).is_file() for name in ("kgbuild.toml", "pyproject.toml")):
        from kgbuild.compilation import compile_project

        return list(compile_project(path).quads)
    raise UnreadableError(f"{path} is no build, no release and no project")


_SIGNS: Final = {"added": ("+", "32"), "removed": ("-", "31"), "changed": ("~", "33")}


def as_text(found: Difference, *, color: bool = False) -> str:
    """Write a difference for people: counts, then each change with its certainty and facets."""
    from kgbuild.reporting import visible

    def paint(text: str, hue: str) -> str:
        return f"\x1b[{hue}m{visible(text)}\x1b[0m" if color else visible(text)

    lines = [
        f"{kind}: " + ", ".join(f"{number:,} {how}" for how, number in counts.items() if number)
        for kind, counts in found.counts().items()
    ]
    for change in found.changes:
        sign, hue = _SIGNS[change.how]
        certainty = f" ({change.certainty})" if change.certainty else ""
        lines.append(f"{paint(f'{sign} {change.kind} {change.iri}', hue)}  {visible(change.label)}{certainty}")
        if change.stronger:
            lines.append(f"    {paint('a hedge was lost: the claim is more certain than it was', '31')}")
        for name, old, new in change.facets:
            lines.append(f"    {visible(name)}: {visible(_listed(old))} → {visible(_listed(new))}")
    lines += [f"{paint('+ stated plainly', '32')}  {visible(triple)}" for triple in found.stated]
    lines += [f"{paint('- no longer stated plainly', '31')}  {visible(triple)}" for triple in found.unstated]
    return "\n".join(lines or ["no change"]) + "\n"


def as_json(found: Difference) -> str:
    """Write a difference as JSON: `counts`, `changes` with their facets, and the plain triples gained and lost."""
    document = {
        "counts": found.counts(),
        "changes": [
            {
                "how": change.how,
                "kind": change.kind,
                "iri": change.iri,
                "label": change.label,
                "certainty": change.certainty or None,
                "hedge_lost": change.stronger,
                "facets": [{"name": name, "old": old, "new": new} for name, old, new in change.facets],
            }
            for change in found.changes
        ],
        "stated": found.stated,
        "no_longer_stated": found.unstated,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _listed(values: tuple[str, ...]) -> str:
    return " · ".join(values) or "none"


class _Things:
    """The things of a graph, each with its kind and its facets."""

    def __init__(self, quads: Iterable[Quad]) -> None:
        self.kinds: dict[str, str] = {}
        self.facets: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.plain: set[tuple[str, str, str]] = set()
        quads = list(quads)
        heads = {quad[1]: quad[3] for quad in quads if quad[2] == _INTRODUCES}
        sources = {f"{head[:-1]}#assertion>": claim for head, claim in heads.items()}
        for _, subject, predicate, target in quads:
            if predicate == f"<{TYPE}>" and target in KINDS:
                self.kinds.setdefault(subject, KINDS[target])
        for graph, subject, predicate, target in quads:
            if graph.endswith("/graph/asserted>"):
                self.plain.add((subject, predicate, target))
                continue
            whole, mark, part = sources.get(subject, subject).partition("#")
            owner, name = (f"{whole}>", f"{part[:-1]} ") if mark else (whole, "")
            if mark and subject in self.kinds:
                owner, name = subject, ""
            self.facets[owner][name + predicate].add(target)

    def label(self, iri: str) -> str:
        """Return the first label of a thing, or nothing."""
        texts = [text for name in _NAMES for text in sorted(self.facets[iri].get(name, ()))]
        english = [text for text in texts if text.endswith("@en")]
        return _text((english or texts)[0], {}) if texts else ""


def _change(iri: str, before: _Things, after: _Things, prefixes: dict[str, str]) -> list[Change]:
    kind = (after.kinds.get(iri) or before.kinds.get(iri)) or ""
    how = "added" if iri not in before.kinds else "removed" if iri not in after.kinds else "changed"
    side = before if how == "removed" else after
    old, new = before.facets.get(iri, {}), after.facets.get(iri, {})
    facets = []
    if how == "changed":
        for name in sorted({*old, *new}):
            lost, gained = (old.get(name, set()), new.get(name, set()))
            if lost != gained:
                texts = [
                    tuple(sorted(_text(term, prefixes) for term in terms)) for terms in (lost - gained, gained - lost)
                ]
                facets.append((_facet(name, prefixes), texts[0], texts[1]))
        if not facets:
            return []
    certainty = next((_text(term, prefixes) for term in side.facets[iri].get(f"<{KGB}certainty>", ())), "")
    return [Change(kind, _text(iri, prefixes), side.label(iri), certainty, how, tuple(sorted(facets)))]


def _facet(name: str, prefixes: dict[str, str]) -> str:
    part, _, predicate = name.rpartition(" ")
    spelt = _text(predicate, prefixes).rpartition(":")[2]
    return f"{part} {spelt}".strip()


def _text(term: str, prefixes: Mapping[str, str]) -> str:
    """Spell a term for people: a CURIE, the word of a scheme, or a text with its language."""
    if term.startswith("<"):
        iri, base = term[1:-1], prefixes.get("", "")
        if base and iri.startswith(base):
            return iri[len(base) :]
        return compress(iri, dict(prefixes)).removeprefix("kgb:certainty-")
    value, _, rest = term.rpartition('"')
    language = f" ({rest[1:]})" if rest.startswith("@") and rest != "@en" else ""
    return unescape(value[1:]) + language


def _triple(triple: tuple[str, str, str], prefixes: dict[str, str]) -> str:
    return " ".join(_text(term, prefixes) for term in triple)


def _base(facets: Mapping[str, object]) -> str:
    """Return the base IRI of a graph, read off its claims."""
    return next((iri[1:].partition("claim/")[0] for iri in sorted(facets) if "/claim/" in iri), "")


def _rank(word: str) -> int:
    return RANKS.index(word) if word in RANKS else -1
