"""The graph as three tables: claims, entities, links; one definition for CSV, Parquet and pandas.

A row about a claim carries everything that must be read beside its statement. Several values in a cell stand in their
order, separated by "; ".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kgbuild.spreadsheets import write_csv
from kgbuild.views import ClaimView, EntityView, Link, MappingView, Views

if TYPE_CHECKING:
    import pandas

Value = str | bool | int | float | None
KINDS: Final = ("text", "boolean", "integer", "number")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the kind of its values, what they mean, and how they are read from a row's view."""

    name: str
    kind: str
    doc: str
    read: Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Tabular:
    """A table of typed values."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def heading(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)

    def to_csv(self) -> bytes:
        """Return the table as CSV; true and false are spelt so, what is absent is empty."""
        return write_csv(self.heading, ([_spelt(value) for value in row] for row in self.rows))

    def to_parquet(self, metadata: dict[str, str]) -> bytes:
        """Return the table as Parquet with metadata of the file (needs the extra `kgbuild[parquet]`)."""
        import pyarrow
        import pyarrow.parquet

        types = {
            "text": pyarrow.string(),
            "boolean": pyarrow.bool_(),
            "integer": pyarrow.int64(),
            "number": pyarrow.float64(),
        }
        schema = pyarrow.schema(
            [
                pyarrow.field(column.name, types[column.kind], metadata={"description": column.doc})
                for column in self.columns
            ],
            metadata=metadata,
        )
        arrays = [
            pyarrow.array([row[number] for row in self.rows], type=schema.field(number).type)
            for number in range(len(self.columns))
        ]
        output = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), output, compression="zstd")
        return output.getvalue()

    def to_pandas(self) -> pandas.DataFrame:
        """Return the table as a pandas frame (needs the extra `kgbuild[pandas]`)."""
        import pandas

        return pandas.DataFrame(list(self.rows), columns=list(self.heading))


def _spelt(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _many(values: Iterable[object]) -> str:
    return "; ".join(str(value) for value in values)


def _keys(links: Iterable[Link]) -> str:
    return _many(link.iri.partition("/claim/")[2] or link.iri for link in links)


def _number(text: str) -> float | None:
    return float(text) if text else None


CLAIM_COLUMNS: Final = (
    Column("claim", "text", "identifier: article/id", lambda c: c.key),
    Column("statement", "text", "the claim as a sentence, in other words than the article's", lambda c: c.statement),
    Column("certainty", "text", "how sure the author is", lambda c: c.certainty.slug),
    Column("modality", "text", "actual, potential, obligation or recommendation", lambda c: c.modality.slug),
    Column("polarity", "text", "affirmed, negated or neutral", lambda c: c.polarity.slug),
    Column("frequency", "text", "how often it holds", lambda c: c.frequency.slug if c.frequency else ""),
    Column("basis", "text", "what the author rests it on", lambda c: c.basis.slug),
    Column("subject", "text", "label of the subject", lambda c: c.subject.label),
    Column("predicate", "text", "label of the relation", lambda c: c.predicate.label),
    Column("object", "text", "label of the object; of a claim, its statement", lambda c: c.object.label),
    Column("source", "text", "whose claim it is", lambda c: c.attributed_to.label),
    Column("article", "text", "title of the article", lambda c: c.article.label),
    Column("sentence", "text", "numbers of the sentences it stands on", lambda c: _many(s.number for s in c.sentences)),
    Column("kind", "text", "factual, causal, advice, comparison, rationale or meta", lambda c: c.kind),
    Column("hedged", "boolean", "less than asserted, or only potential", lambda c: c.hedged),
    Column("plain", "boolean", "whether graph/asserted holds the triple", lambda c: c.plain),
    Column("certainty_rank", "integer", "4 asserted to 0 unknown", lambda c: c.certainty.rank),
    Column("cues", "text", "hedge words of the sentence", lambda c: _many(c.cues)),
    Column("subject_quantity", "text", "how much of the subject", lambda c: c.subject_quantity),
    Column("object_quantity", "text", "how much of the object", lambda c: c.object_quantity),
    Column("qualifiers", "text", "what narrows or colours it, as type: value",
           lambda c: _many(f"{item.type.slug}: {item.value}" for item in c.qualifiers)),
    Column("compared_dimension", "text", "what is compared",
           lambda c: c.compared_dimension.label if c.compared_dimension else ""),
    Column("presupposed", "boolean", "said only by presupposition", lambda c: c.presupposed),
    Column("implied", "boolean", "only implied", lambda c: c.implied),
    Column("stated_evidence", "text", "the author's own word for the evidence", lambda c: c.stated_evidence),
    Column("rationale", "text", "claims given as its reason", lambda c: _keys(c.rationale)),
    Column("contrasts_with", "text", "claims it is set against", lambda c: _keys(c.contrasts_with)),
    Column("derived_from", "text", "claims it follows from", lambda c: _keys(c.derived_from)),
    Column("confidence", "number", "the extractor's confidence, 0 to 1", lambda c: _number(c.confidence)),
    Column("note", "text", "remark of the record", lambda c: c.note),
    Column("created", "text", "day of the record", lambda c: c.created),
    Column("license", "text", "licence of the record", lambda c: c.license),
    Column("iri", "text", "the claim", lambda c: c.iri),
    Column("subject_iri", "text", "the subject", lambda c: c.subject.iri),
    Column("predicate_iri", "text", "the relation", lambda c: c.predicate.iri),
    Column("object_iri", "text", "the object", lambda c: c.object.iri),
    Column("article_iri", "text", "the article", lambda c: c.article.iri),
    Column("nanopublication", "text", "trusty IRI of the nanopublication", lambda c: c.nanopublication),
)  # fmt: skip
ENTITY_COLUMNS: Final = (
    Column("entity", "text", "identifier", lambda e: e.slug),
    Column("label", "text", "preferred name", lambda e: e.label),
    Column("category", "text", "label of its category", lambda e: e.category.label),
    Column("definition", "text", "what it is", lambda e: e.definition),
    Column("aliases", "text", "other names", lambda e: _many(e.aliases)),
    Column("labels", "text", "preferred names as language: name",
           lambda e: _many(f"{tag}: {text}" for tag, text in sorted(e.labels.items()))),
    Column("broader", "text", "labels of what it is a kind or part of", lambda e: _many(e.broader)),
    Column("claims_as_subject", "integer", "claims whose subject it is", lambda e: len(e.as_subject)),
    Column("claims_as_object", "integer", "claims whose object it is", lambda e: len(e.as_object)),
    Column("links", "integer", "links to other vocabularies", lambda e: len(e.mappings)),
    Column("iri", "text", "the entity", lambda e: e.iri),
    Column("category_iri", "text", "the category", lambda e: e.category.iri),
)  # fmt: skip
LINK_COLUMNS: Final = (
    Column("entity", "text", "identifier", lambda r: r[0].slug),
    Column("label", "text", "preferred name", lambda r: r[0].label),
    Column("match", "text", "strength of the link (SKOS)", lambda r: r[1].match),
    Column("target", "text", "term of the other vocabulary, as a CURIE", lambda r: r[1].curie),
    Column("target_label", "text", "its label there", lambda r: r[1].label),
    Column("justification", "text", "how the link was found (SEMAPV)", lambda r: r[1].justification),
    Column("confidence", "number", "confidence in the link, 0 to 1", lambda r: _number(r[1].confidence)),
    Column("target_source", "text", "the other vocabulary", lambda r: r[1].source),
    Column("target_version", "text", "its version", lambda r: r[1].source_version),
    Column("comment", "text", "remark", lambda r: r[1].comment),
    Column("entity_iri", "text", "the entity", lambda r: r[0].iri),
    Column("target_iri", "text", "the term of the other vocabulary", lambda r: r[1].iri),
)
TABLES: Final = {"claims": CLAIM_COLUMNS, "entities": ENTITY_COLUMNS, "links": LINK_COLUMNS}


def table(name: str, views: Views) -> Tabular:
    """Return one of the three tables: claims, entities, links."""
    if name == "claims":
        return claims_table(views.claims)
    if name == "entities":
        return _tabular(name, views.entities)
    links: Iterable[tuple[EntityView, MappingView]] = (
        (entity, mapping) for entity in views.entities for mapping in entity.mappings
    )
    return _tabular(name, links)


def claims_table(claims: Iterable[ClaimView]) -> Tabular:
    """Return the table of some claims."""
    return _tabular("claims", claims)


def _tabular(name: str, things: Iterable[object]) -> Tabular:
    columns = TABLES[name]
    return Tabular(name, columns, tuple(tuple(column.read(thing) for column in columns) for thing in things))
