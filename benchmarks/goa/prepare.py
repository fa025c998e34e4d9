"""Write the GO annotations of human gene products as a dataset of a project.

    python benchmarks/goa/prepare.py FILE PROJECT [NAMES]

FILE is the public download goa_human.gaf.gz (GAF 2.1 or 2.2), or a table with the columns entrez_gene, symbol, go_id,
ontology and evidence made of one. NAMES gives the names of the terms: go-basic.obo, or a table with id and label.
Every annotation becomes part of a statement about one gene product and one term; the source record of each pair of
reference and evidence code carries its type of evidence. What says only that nothing is known (ND) is left out.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

NAME = "goa-human"
EVIDENCE = {
    "EXP": "ECO:0000269", "IDA": "ECO:0000314", "IPI": "ECO:0000353", "IMP": "ECO:0000315", "IGI": "ECO:0000316",
    "IEP": "ECO:0000270", "HTP": "ECO:0006056", "HDA": "ECO:0007005", "HMP": "ECO:0007001", "HGI": "ECO:0007003",
    "HEP": "ECO:0007007", "ISS": "ECO:0000250", "ISO": "ECO:0000266", "ISA": "ECO:0000247", "ISM": "ECO:0000255",
    "IGC": "ECO:0000317", "IBA": "ECO:0000318", "IBD": "ECO:0000319", "IKR": "ECO:0000320", "IRD": "ECO:0000321",
    "RCA": "ECO:0000245", "TAS": "ECO:0000304", "NAS": "ECO:0000303", "IC": "ECO:0000305", "IEA": "ECO:0000501",
}  # fmt: skip
"""The evidence codes of GO and the class of the Evidence Ontology that each stands for by default (gaf-eco-mapping)."""
UNKNOWN = "ND"
RELATIONS = {"F": "enables", "P": "involved_in", "C": "located_in"}
"""The relation of an annotation that names none, by aspect (GAF 2.1)."""
PREDICATES = {
    "enables": "has-property", "contributes_to": "has-property", "involved_in": "has-role-in",
    "located_in": "located-in", "part_of": "located-in", "is_active_in": "located-in", "colocalizes_with": "located-in",
}  # fmt: skip
"""The predicate of the project for each relation; others (acts upstream of) are `related-to`."""
COLUMNS = ("id", "statement", "subject", "subject-label", "predicate", "object", "object-label", "polarity", "record")
RECORD = f"""# The GO annotations of human gene products, written by benchmarks/goa/prepare.py.
dataset:
  id: {NAME}
  title: Gene Ontology annotations of human gene products
  description: Which functions, processes and places in the cell are ascribed to human gene products, and on what evidence.
  publisher: GO Consortium and UniProt-GOA
  release: "RELEASE"
  license: https://creativecommons.org/licenses/by/4.0/
  citation: "The Gene Ontology Consortium. The Gene Ontology knowledgebase in 2023. Genetics 224(1), iyad031 (2023). Annotations of human gene products, RELEASE."
  landing-page: https://www.ebi.ac.uk/GOA/human_release
  method: Annotations by curators and by rules; each names its reference and its evidence code, which is given as a class of the Evidence Ontology.
  limits: What is not annotated is not known to be absent. Most annotations are made by rules or from sequence, not from experiments on the gene product. Annotations that say only that nothing is known (ND) are left out.
  prefixes:
    GO: "http://purl.obolibrary.org/obo/GO_"
    SPACE
"""  # noqa: E501
SPACES = {
    "UniProtKB": "http://purl.uniprot.org/uniprot/", "ncbigene": "https://identifiers.org/ncbigene:",
    "RNAcentral": "https://rnacentral.org/rna/", "ComplexPortal": "https://identifiers.org/complexportal:",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Annotation:
    """One row of the release."""

    product: str
    symbol: str
    relation: str
    negated: bool
    term: str
    reference: str
    code: str


def main(release: Path, project: Path, names: Path | None) -> None:
    """Write the record and the two tables."""
    folder = project / "data/datasets"
    folder.mkdir(parents=True, exist_ok=True)
    labels = dict(read_names(names)) if names else {}
    version, annotations = read(release)
    records: set[tuple[str, str]] = set()
    spaces: set[str] = set()
    count = unknown = 0
    with gzip.GzipFile(folder / f"{NAME}.tsv.gz", "wb", compresslevel=6, mtime=0) as file:
        file.write(row(*COLUMNS))
        for product, group in groupby(annotations, lambda item: item.product):
            spaces.add(product.partition(":")[0])
            known = [item for item in group if item.code != UNKNOWN]
            known.sort(key=lambda item: (item.term, item.relation, item.negated, item.reference, item.code))
            for _, same in groupby(known, lambda item: (item.term, item.relation, item.negated)):
                items = list(same)
                records |= {(item.reference, item.code) for item in items}
                file.write(statement(items, labels))
                count += 1
            unknown += len(known) == 0
    with gzip.GzipFile(folder / f"{NAME}.records.tsv.gz", "wb", mtime=0) as file:
        file.write(row("id", "kind", "title", "identifier", "pmid", "evidence"))
        for reference, code in sorted(records):
            file.write(record(reference, code))
    declared = "\n    ".join(f'{space}: "{SPACES[space]}"' for space in sorted(spaces))
    (folder / f"{NAME}.yaml").write_text(RECORD.replace("RELEASE", version).replace("SPACE", declared), "utf-8")
    print(
        f"{count:,} statements from {len(records):,} records in {folder}; "
        f"of {unknown:,} gene products nothing is known",
        file=sys.stderr,
    )


def statement(items: list[Annotation], labels: dict[str, str]) -> bytes:
    """Return the row of what some annotations say alike; its records tell the evidence of each."""
    item = items[0]
    name = labels.get(item.term, item.term)
    relation = item.relation.replace("_", " ")
    said = f"{item.symbol} {'NOT ' if item.negated else ''}{relation} {name}."
    own = [slug(item.product), item.term.removeprefix("GO:"), *([] if _usual(item) else [slug(item.relation)])]
    return row(
        "-".join([*own, *(["not"] if item.negated else [])]),
        said,
        item.product,
        item.symbol,
        PREDICATES.get(item.relation, "related-to"),
        item.term,
        name,
        "negated" if item.negated else "affirmed",
        "|".join(dict.fromkeys(record_id(each.reference, each.code) for each in items)),
    )


def record(reference: str, code: str) -> bytes:
    """Return the row of a source record: a reference as cited with one evidence code."""
    pmid = reference.removeprefix("PMID:") if re.fullmatch(r"PMID:\d+", reference) else ""
    title = f"{reference or 'annotations'} ({code})"
    return row(
        record_id(reference, code), "publication" if pmid else "entry", title, reference or code, pmid, EVIDENCE[code]
    )


def record_id(reference: str, code: str) -> str:
    """Name a record.

    >>> record_id("PMID:123", "IDA"), record_id("", "IEA")
    ('pmid-123-ida', 'iea')
    """
    return slug(f"{reference} {code}")


def slug(text: str) -> str:
    """Make a text an identifier."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def row(*cells: str) -> bytes:
    """Write cells as TSV, which knows no quotes."""
    return ("\t".join(re.sub(r"\s+", " ", cell) for cell in cells) + "\n").encode("utf-8")


def _usual(item: Annotation) -> bool:
    return item.relation in RELATIONS.values()


def read(path: Path) -> tuple[str, Iterator[Annotation]]:
    """Read a release: its version, and its annotations, those of one gene product after another."""
    lines = _lines(path)
    first = next(lines)
    if first.startswith("!gaf-version"):
        head = [first]
        for line in lines:
            if not line.startswith("!"):
                break
            head.append(line)
        else:
            raise SystemExit(f"{path} holds no annotation")
        made = [
            found[1] for line in head if (found := re.match(r"!\s*(?:date-generated|generated):\s*(\S+)", line, re.I))
        ]
        return (made or ["release not stated"])[0], _gaf(_chain(line, lines))
    heading = first.split("\t")
    if heading != ["entrez_gene", "symbol", "go_id", "ontology", "evidence"]:
        raise SystemExit(f"{path} is neither GAF nor a table of annotations")
    aspects = {"MF": "F", "BP": "P", "CC": "C"}
    rows = (line.split("\t") for line in lines)
    return "org.Hs.eg.db 3.16.0", (
        Annotation(f"ncbigene:{gene}", symbol, RELATIONS[aspects[aspect]], False, term, "", code)
        for gene, symbol, term, aspect, code in rows
    )


def _gaf(lines: Iterable[str]) -> Iterator[Annotation]:
    """Read GAF: 17 columns, of which the fourth names the relation, after NOT where it is denied."""
    for line in lines:
        if not line or line.startswith("!"):
            continue
        cells = line.split("\t")
        said = cells[3].split("|")
        relations = [name for name in said if name and name.upper() != "NOT"] or [RELATIONS[cells[8]]]
        negated = "NOT" in (name.upper() for name in said)
        yield Annotation(
            f"{cells[0]}:{cells[1]}", cells[2], relations[0], negated, cells[4], cells[5].split("|")[0], cells[6]
        )


def read_names(path: Path) -> Iterator[tuple[str, str]]:
    """Read the names of terms from OBO or from a table whose first columns are id and label."""
    term = ""
    for line in _lines(path):
        if line.startswith("id: GO:"):
            term = line.removeprefix("id: ")
        elif line.startswith("name: ") and term:
            yield term, line.removeprefix("name: ")
            term = ""
        elif line.startswith("GO:"):
            cells = line.split("\t")
            yield cells[0], cells[1]


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\r\n")


if __name__ == "__main__":
    if len(sys.argv) not in {3, 4}:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
