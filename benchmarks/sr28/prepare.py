"""Write the whole USDA SR28 as a dataset of a project: `python benchmarks/sr28/prepare.py RELEASE PROJECT`.

RELEASE is the folder of the public download (SR28, ASCII: FOOD_DES.txt, NUT_DATA.txt, NUTR_DEF.txt), or one with the
tables `usda_sr28_foods.csv`, `usda_sr28_nutrients_long.csv.gz` and `usda_sr28_nutrient_definitions.csv` made of it.
Every value becomes a statement about 100 g of a food; nothing is left out, rounded or added.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "usda-sr28-whole"
ENTITIES = {"304": "magnesium", "301": "calcium"}
"""Nutrients that the project has as entities: their numbers in SR28."""
UNITS = {"µg": "ug", "mcg": "ug", "IU": "[IU]"}
MASSES = frozenset({"g", "mg", "ug"})
COLUMNS = (
    "id", "statement", "subject", "subject-label", "predicate", "object", "object-label", "measure", "value", "unit",
    "observations", "method", "record",
)  # fmt: skip
SOURCES = {
    "1": "analysed, or derived from analyses", "4": "calculated or imputed", "5": "value of a manufacturer, calculated",
    "6": "aggregated from several sources", "7": "assumed zero", "8": "calculated from the label by the manufacturer",
    "9": "calculated by the manufacturer, not from the label", "11": "aggregated from several source codes",
    "12": "analysed by the manufacturer", "13": "analysed from the literature",
}  # fmt: skip
RECORD = f"""# The whole food composition table of the USDA, written by benchmarks/sr28/prepare.py.
dataset:
  id: {NAME}
  title: USDA National Nutrient Database for Standard Reference, Release 28 (all foods and nutrients)
  description: All nutrient values of all foods of the release, each for 100 g of the edible portion.
  publisher: US Department of Agriculture, Agricultural Research Service
  release: SR28 (September 2015, slightly revised May 2016)
  issued: 2016-05
  license: https://creativecommons.org/publicdomain/mark/1.0/
  citation: "US Department of Agriculture, Agricultural Research Service, Nutrient Data Laboratory. USDA National Nutrient Database for Standard Reference, Release 28 (slightly revised). May 2016."
  landing-page: https://www.ars.usda.gov/northeast-area/beltsville-md-bhnrc/beltsville-human-nutrition-research-center/methods-and-application-of-food-composition-laboratory/mafcl-site-pages/sr11-sr28/
  method: Means of analysed values where there are any; where the release says how a number was derived, the statement does.
  limits: A mean hides how much foods differ by variety, soil and preparation. What the body takes up is not measured.
  prefixes:
    usda.ndb: "BASEdataset/usda-sr28/"
    usda.nutrient: "BASEdataset/usda-sr28-nutrient/"
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Value:
    """One nutrient value of the release."""

    food: str
    nutrient: str
    value: str
    points: str = ""
    source: str = ""


def main(release: Path, project: Path) -> None:
    """Write the record and the two tables."""
    foods, nutrients, values = (
        read_tables(release) if (release / "usda_sr28_foods.csv").exists() else read_ascii(release)
    )
    folder = project / "data/datasets"
    settings = next(project / name for name in ("kgbuild.toml", "pyproject.toml") if (project / name).exists())
    base = next(line.split('"')[1] for line in settings.read_text("utf-8").splitlines() if line.startswith("base ="))
    (folder / f"{NAME}.yaml").write_text(RECORD.replace("BASE", base), "utf-8")
    with gzip.GzipFile(folder / f"{NAME}.records.csv.gz", "wb", mtime=0) as file:
        file.write(b"id,kind,title,identifier\r\n")
        for number, name in sorted(foods.items()):
            file.write(row(number, "entry", name, f"NDB {number}"))
    count = 0
    with gzip.GzipFile(folder / f"{NAME}.csv.gz", "wb", compresslevel=6, mtime=0) as file:
        file.write(row(*COLUMNS))
        for count, value in enumerate(values, 1):  # noqa: B007  # told at the end
            file.write(statement(value, foods, nutrients))
    print(f"{len(foods):,} foods, {count:,} values in {folder}", file=sys.stderr)


def statement(value: Value, foods: dict[str, str], nutrients: dict[str, tuple[str, str]]) -> bytes:
    """Return the row of a value: a mass is a content, other numbers (energy, activity, a ratio) are properties."""
    food, (name, unit) = foods[value.food], nutrients[value.nutrient]
    unit = UNITS.get(unit, unit)
    entity = ENTITIES.get(value.nutrient)
    return row(
        f"{value.food}-{value.nutrient}",
        f"{food}: {value.value} {unit} of {name} in 100 g.",
        f"usda.ndb:{value.food}",
        food,
        "source-of" if unit in MASSES else "has-property",
        entity or f"usda.nutrient:{value.nutrient}",
        "" if entity else name,
        "content in 100 g, edible portion",
        value.value,
        f"{unit}/(100.g)",
        value.points,
        SOURCES.get(value.source, ""),
        value.food,
    )


def row(*cells: str) -> bytes:
    """Write cells as CSV (RFC 4180)."""
    quoted = ['"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\n') else cell for cell in cells]
    return (",".join(quoted) + "\r\n").encode("utf-8")


Release = tuple[dict[str, str], dict[str, tuple[str, str]], Iterator[Value]]


def read_ascii(folder: Path) -> Release:
    """Read the files of the public download: fields end with ^, texts stand between ~, Latin-1."""

    def fields(name: str) -> Iterator[list[str]]:
        with (folder / name).open(encoding="cp1252", newline="") as file:
            for line in file:
                yield [cell.strip("~").strip() for cell in line.rstrip("\r\n").split("^")]

    foods = {cells[0]: cells[2] for cells in fields("FOOD_DES.txt")}
    nutrients = {cells[0]: (cells[3], cells[1]) for cells in fields("NUTR_DEF.txt")}
    values = (
        Value(cells[0], cells[1], cells[2], cells[3] if cells[3] not in {"", "0"} else "", cells[5])
        for cells in fields("NUT_DATA.txt")
    )
    return foods, nutrients, values


def read_tables(folder: Path) -> Release:
    """Read the tables made of the download."""

    def rows(name: str) -> Iterator[dict[str, str]]:
        opened = gzip.open if name.endswith(".gz") else open
        with opened(folder / name, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    foods = {item["ndb_no"]: item["description"] for item in rows("usda_sr28_foods.csv")}
    nutrients = {item["nutr_no"]: (item["name"], item["unit"]) for item in rows("usda_sr28_nutrient_definitions.csv")}
    values = (
        Value(item["ndb_no"], item["nutr_no"], item["value_per_100g"])
        for item in rows("usda_sr28_nutrients_long.csv.gz")
    )
    return foods, nutrients, values


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
