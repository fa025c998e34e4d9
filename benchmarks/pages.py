"""Plan and render the site of many things beside plain jinja2: `python benchmarks/pages.py [ENTITIES [CLAIMS]]`.

A seeded project of realistic shape is compiled; the pages are made with one process and with two, whose bytes must be
the same, and jinja2 renders a page of 8 kB as the peer in the same run. Wall seconds; the index of the search is left
out. With `--keep FOLDER` the project stays there, for `kgbuild build --timings`. `run.py` does the same as a work.
"""

from __future__ import annotations

import argparse
import csv
import gc
import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import jinja2

from kgbuild.building import site_input
from kgbuild.compilation import compile_project
from kgbuild.editions.edition import Material
from kgbuild.site.plan import Page, SiteInput, plan_site

ROOT = Path(__file__).parents[1]
CATEGORIES = ("food", "symptom", "process", "practice", "substance", "condition", "body-part", "measure")
RELATIONS = (
    ("relieves", "substance", "symptom"),
    ("relieves", "practice", "symptom"),
    ("exacerbates", "food", "symptom"),
    ("has-symptom", "condition", "symptom"),
    ("regulates", "substance", "process"),
    ("located-in", "substance", "body-part"),
    ("is-a", "measure", "measure"),
)
CERTAINTIES = (
    ("asserted", ""),
    ("asserted", ""),
    ("probable", "likely"),
    ("suggested", "suggests"),
    ("possible", "may"),
)
BASES = ("unsourced", "unnamed-research", "definition", "author-opinion")
SYLLABLES = ("ma", "gne", "si", "um", "cal", "ci", "fer", "ro", "po", "tas", "zin", "co", "vi", "ta", "min", "lo", "re")
TEXT = (
    "many people report that taking it in the evening goes along with fewer complaints in the following weeks while "
    "others find no change at all and a few say that rest warmth and regular meals matter more than any"
)
WORDS = TEXT.split()
CLAIMS_OF_ARTICLE, SENTENCES, SECTIONS = 50, 40, 4


def main() -> None:
    """Print pages per second of kgbuild with one and with two processes, and of jinja2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entities", type=int, nargs="?", default=10_000)
    parser.add_argument("claims", type=int, nargs="?", default=20_000)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="kgbuild-pages-"))
    try:
        make(folder, arguments.entities, arguments.claims)
        given = gathered(folder)
        digests = set()
        for jobs in (1, 2):
            start = time.perf_counter()
            pages = render(given, jobs)
            taken = time.perf_counter() - start
            size = sum(len(page.content) for page in pages) / len(pages) / 1000
            print(f"kgbuild --jobs {jobs}: {len(pages) / taken:,.0f} pages/s ({len(pages):,} of {size:.1f} kB)")
            digests.add(digest(pages))
        assert len(digests) == 1, "the pages differ with the number of processes"
        start = time.perf_counter()
        print(f"jinja2, a page of 8 kB: {plain(5000) / (time.perf_counter() - start):,.0f} pages/s")
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder)


def gathered(folder: Path) -> SiteInput:
    """Compile a project and gather what its pages are made of."""
    gc.set_threshold(50_000, 20, 50)  # as the command does
    material = Material(compile_project(folder))
    assert material.views.claims
    return replace(site_input(material, [], {}), indexed=False)


def render(given: SiteInput, jobs: int) -> list[Page]:
    """Plan and render all pages."""
    return [page for page in plan_site(given, jobs) if page.path.endswith(".html")]


def digest(pages: list[Page]) -> str:
    """Return a digest of the bytes of pages."""
    found = hashlib.sha256()
    for page in pages:
        found.update(page.path.encode() + page.content)
    return found.hexdigest()


def plain(count: int) -> int:
    """Render pages of 8 kB with jinja2 alone, each with words of its own."""
    row = (
        "<li class='row'><a href='{{ row.address }}'>{{ row.name }}</a> <b>{{ row.words }}</b> {{ row.number }}</li>\n"
    )
    source = "<!doctype html><title>{{ title }}</title><ul>{% for row in rows %}" + row + "{% endfor %}</ul>"
    template = jinja2.Environment(autoescape=True).from_string(source)
    rows = [
        {"address": f"id/{n}.html", "name": f"thing {n}", "words": " ".join(WORDS[:20]), "number": n} for n in range(43)
    ]
    for number in range(count):
        made = template.render(title=f"Page {number}", rows=rows).encode()
        assert 7_500 < len(made) < 8_500, len(made)
    return count


def make(folder: Path, entities: int, claims: int, seed: int = 7) -> None:
    """Write a project of so many entities and claims."""
    dice = random.Random(seed)
    for part in ("articles", "entities", "mappings"):
        (folder / "data" / part).mkdir(parents=True, exist_ok=True)
    lay_settings(folder)
    names = [name(dice, number) for number in range(entities)]
    slugs = [made.replace(" ", "-") for made in names]
    (folder / "data/entities/sources.yaml").write_text(_SOURCES, "utf-8")
    _write(folder / "data/entities/things.csv", _entities(dice, names, slugs))
    _write(folder / "data/mappings/things.sssom.tsv", _mappings(dice, names, slugs), "\t")
    for number in range(-(-claims // CLAIMS_OF_ARTICLE)):
        left = min(CLAIMS_OF_ARTICLE, claims - number * CLAIMS_OF_ARTICLE)
        _article(folder / "data/articles", dice, f"article-{number:05}", names, slugs, left)


def lay_settings(folder: Path, more: str = "") -> None:
    """Write the article's settings but its documents, and some `more`, and its ontology into a folder."""
    shutil.copytree(ROOT / "ontology", folder / "ontology", dirs_exist_ok=True)
    settings = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.kgbuild]\n")[2].partition("\n[")[0]
    lines = [line for line in settings.splitlines(True) if not line.startswith("documents")]
    (folder / "kgbuild.toml").write_text(more + "".join(lines), "utf-8")


def name(dice: random.Random, number: int) -> str:
    """Make up the name of a thing; the number keeps it apart."""
    words = ("".join(dice.choices(SYLLABLES, k=dice.randint(2, 4))) for _ in range(dice.randint(1, 2)))
    return f"{' '.join(words)} {number}"


def _entities(dice: random.Random, names: list[str], slugs: list[str]) -> Iterator[list[str]]:
    yield ["id", "label.en", "label.de", "aliases.en", "category", "definition.en", "definition.de", "broader"]
    for number, (label, slug) in enumerate(zip(names, slugs, strict=True)):
        broader = slugs[dice.randrange(number)] if number and dice.random() < 0.3 else ""
        aliases = "|".join(f"{label} {word}" for word in dice.sample(("form", "type", "extract"), dice.randint(0, 2)))
        category = CATEGORIES[number % len(CATEGORIES)]
        words = " ".join(dice.choices(WORDS, k=14))
        yield [
            slug,
            label,
            label.title(),
            aliases,
            category,
            f"A {category}: {words}.",
            f"Definition: {words}.",
            broader,
        ]


def _mappings(dice: random.Random, names: list[str], slugs: list[str]) -> Iterator[list[str]]:
    yield ["#mapping_set_id: https://example.org/mappings/things"]
    yield ["#mapping_set_title: Things"]
    yield ["#license: https://creativecommons.org/licenses/by/4.0/"]
    yield ['#mapping_date: "2026-01-01"']
    yield ["#curie_map:"]
    yield ["#  mrls: https://w3id.org/magnesium-rls/"]
    yield ["#  skos: http://www.w3.org/2004/02/skos/core#"]
    yield ["#  semapv: https://w3id.org/semapv/vocab/"]
    yield ["#  wikidata: http://www.wikidata.org/entity/"]
    yield ["subject_id", "subject_label", "predicate_id", "object_id", "object_label", "mapping_justification"]
    for number, (label, slug) in enumerate(zip(names, slugs, strict=True)):
        if dice.random() < 0.7:
            match = dice.choice(("skos:exactMatch", "skos:closeMatch", "skos:broadMatch"))
            target = f"wikidata:Q{1_000_000 + number}"
            yield [f"mrls:id/{slug}", label, match, target, label, "semapv:ManualMappingCuration"]


def _article(folder: Path, dice: random.Random, key: str, names: list[str], slugs: list[str], claims: int) -> None:
    sections = "".join(f"    - id: part-{n}\n      title: Part {n}\n" for n in range(SECTIONS))
    day = f"2026-{dice.randint(1, 9):02}-{dice.randint(1, 28):02}"
    head = f"  id: {key}\n  title: What {key} reports\n  publisher: journal-{dice.randrange(8)}\n  language: en\n"
    digest = hashlib.sha256(key.encode()).hexdigest()
    facts = f"  recorded: {day}\n  extractor: reader\n  rights: unclear\n  characters: {SENTENCES * 100}\n"
    text = f"article:\n{head}{facts}  sha256: {digest}\n  sections:\n{sections}"
    (folder / f"{key}.yaml").write_text(text, "utf-8")
    _write(folder / f"{key}.sentences.tsv", _sentences(key), "\t")
    _write(folder / f"{key}.claims.csv", _claims(dice, names, slugs, claims))


def _sentences(key: str) -> Iterator[list[str]]:
    yield ["number", "section", "start", "end", "sha256"]
    for number in range(SENTENCES):
        digest = hashlib.sha256(f"{key} {number}".encode()).hexdigest()
        section = f"part-{number * SECTIONS // SENTENCES}"
        yield [str(number + 1), section, str(number * 100), str(number * 100 + 90), digest]


def _claims(dice: random.Random, names: list[str], slugs: list[str], count: int) -> Iterator[list[str]]:
    yield ["id", "statement", "subject", "predicate", "object", "sentence", "certainty", "cues", "basis", "polarity"]
    for number in range(count):
        predicate, *ends = dice.choice(RELATIONS)
        one, other = (_popular(dice, len(slugs), CATEGORIES.index(category)) for category in ends)
        if one == other:
            other = one - len(CATEGORIES) if one >= len(CATEGORIES) else one + len(CATEGORIES)
        words = " ".join(dice.choices(WORDS, k=8))
        certainty, cue = dice.choice(CERTAINTIES)
        yield [
            f"c{number:03}",
            f"{names[one].capitalize()} {predicate.replace('-', ' ')} {names[other]}: {words}.",
            slugs[one],
            predicate,
            slugs[other],
            str(number + 1 if number < SENTENCES else dice.randint(1, SENTENCES)),
            certainty,
            cue,
            dice.choice(BASES),
            "negated" if (7 * one + other) % 20 == 0 else "affirmed",  # so no article contradicts itself
        ]


def _popular(dice: random.Random, count: int, category: int) -> int:
    """Choose a thing of a category; few are named often, as in any literature."""
    part = count // len(CATEGORIES)
    chosen = min(int(part * dice.random() ** 3), part - 1) if dice.random() < 0.5 else dice.randrange(part)
    return chosen * len(CATEGORIES) + category


def _write(path: Path, rows: Iterable[list[str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if delimiter == ",":
            csv.writer(file, lineterminator="\n").writerows(rows)
        else:
            file.writelines("\t".join(row) + "\n" for row in rows)


_SOURCES = "entities:\n" + "".join(
    f"  - id: {key}\n    label: {label}\n    category: {category}\n    definition: {words}\n"
    for key, label, category, words in (
        *((f"journal-{n}", f"Journal {n}", "organization", "It publishes articles.") for n in range(8)),
        ("reader", "Reader", "software-agent", "It reads articles."),
    )
)


if __name__ == "__main__":
    main()
