"""The kinds of large tables: what the rows of each are read into, and what they become."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from kgbuild import checks, describe, tiers
from kgbuild.claims import ARTICLE_ROW_FIELDS, CLAIM_FIELDS, Article, Place
from kgbuild.datasets import STATEMENT_FIELDS, Dataset
from kgbuild.diagnostics import Report
from kgbuild.folders import Folder
from kgbuild.lines import nquads
from kgbuild.mint import context_of, index
from kgbuild.moulds import Minter
from kgbuild.read.articles import ArticleTable, ClaimTable, articles_of, read_articles, read_claims
from kgbuild.read.datasets import StatementTable, read_statements
from kgbuild.read.streams import Batch
from kgbuild.shards import CompiledShard, Shard, Shards, Written, compile_shard
from kgbuild.sources import LargeTable, Sources
from kgbuild.terms import DCTERMS
from kgbuild.trusty import Quad
from kgbuild.validate import Shapes


class _StatementShards(Shards):
    """Shards of the statements of a dataset."""

    fields, what = STATEMENT_FIELDS, "statements"

    def __init__(
        self, sources: Sources, large: StatementTable, shapes: Shapes, engine: str, folder: Folder, dataset: Dataset
    ) -> None:
        self.dataset, self.large = dataset, large
        self.evidence = tiers.evidence_of(dataset)
        self.records = {record.id: record for record in dataset.records}
        inputs = (large.dataset, sorted(large.prefixes.items()), sorted(self.evidence.items()))
        super().__init__(sources, large, shapes, engine, folder, inputs)

    @property
    def name(self) -> str:
        return self.dataset.id

    @property
    def known(self) -> Iterable[str]:
        return self.records

    def read(self, batch: Batch, report: Report) -> Sources:
        found = read_statements(batch, self.dataset.id, self.large.prefixes, self.project.language, report)
        dataset = replace(self.dataset, statements=tuple(found))
        return replace(self.sources, articles=(), claims=(), mappings=(), alignments=(), datasets=(dataset,))

    def narrow(self, view: Sources) -> Sources:
        records = tuple(self.records[name] for name in set(self.used(view)) if name in self.records)
        return replace(view, datasets=tuple(replace(dataset, records=records) for dataset in view.datasets))

    def write(self, view: Sources) -> Written:
        quads = (
            quad
            for statement in checks.statements_of(view)
            for quad in sorted(set(tiers.describe_statement(statement, self.evidence, self.project, self.ontology)))
        )
        return Written((nquads(dict.fromkeys(quads)),))

    def names(self, view: Sources) -> Iterator[tuple[str, Place]]:
        return ((statement.id, statement.place) for statement in checks.statements_of(view))

    def used(self, view: Sources) -> Iterator[str]:
        return (name for statement in checks.statements_of(view) for name in statement.records)

    def knows(self, used: Iterable[str]) -> bool:
        return self.records.keys() >= set(used)

    def finish(self, used: Container[str], report: Report) -> None:
        for record in self.dataset.records:
            if record.id not in used:
                message = f"no statement is taken from the record '{record.id}'"
                report.add("KG708", message, record.place.of("id"), hint="state what it says, or remove it")

    def names_of(self, nodes: Iterable[str]) -> dict[str, str]:
        prefix = self.project.dataset(self.dataset.id) + "/"
        roots = {node.partition("#")[0] for node in nodes if node.startswith(prefix)}
        return {root.removeprefix(prefix): root for root in roots}


class _Claims(Shards):
    """What shards of claims have in common."""

    @cached_property
    def minter(self) -> Minter:
        return Minter(context_of(self.sources))

    @cached_property
    def covered(self) -> frozenset[str]:
        """Return the claims that data was laid beside."""
        return frozenset(item.claim for judged in self.sources.alignments for item in judged.alignments)

    def write(self, view: Sources) -> Written:
        context = context_of(view)
        made = compile_shard(Shard(0, view.claims, context), self.minter)
        beside = nquads(sorted(set(self._beside(view, made))))
        if not made.nanopublications:
            return Written((beside,))
        whole = index(made.nanopublications, context, *self.recorded(view))
        return Written((*(item.text for item in (*made.nanopublications, whole)), beside), whole.iri)

    def _beside(self, view: Sources, made: CompiledShard) -> Iterator[Quad]:
        """Return what is said of claims outside of their nanopublications."""
        asserted = f"<{self.project.graph('asserted')}>"
        yield from ((asserted, *triple) for triple in made.asserted)
        judged = {alignments.article for alignments in self.sources.alignments}
        for claim in view.claims if self.sources.datasets else ():
            if claim.article in judged and claim.key not in self.covered:
                yield from tiers.describe_not_covered(claim.key, claim.article, self.project, self.ontology)


class _ClaimShards(_Claims):
    """Shards of the claims of one article."""

    fields, what = CLAIM_FIELDS, "claims"

    def __init__(
        self, sources: Sources, large: ClaimTable, shapes: Shapes, engine: str, folder: Folder, article: Article
    ) -> None:
        self.article, self.large = article, large
        self.sentences = {str(sentence.number) for sentence in article.sentences}
        judged = [item for item in sources.alignments if item.article == article.id]
        covered = sorted({item.claim for alignments in judged for item in alignments.alignments})
        facts = (article.id, article.publisher, article.language, article.recorded, article.extractor, article.rights)
        inputs = (facts, len(judged), bool(sources.datasets), covered)
        super().__init__(sources, large, shapes, engine, folder, inputs)

    @property
    def name(self) -> str:
        return f"{self.article.id}.claims"

    @property
    def known(self) -> Iterable[str]:
        return [claim.key for claim in self.sources.claims if claim.article == self.article.id]

    def read(self, batch: Batch, report: Report) -> Sources:
        found = read_claims(batch, self.article.id, self.large.language, report)
        held = replace(self.sources, mappings=(), alignments=(), datasets=(), part=True)
        return replace(held, articles=(self.article,), claims=tuple(found))

    def names(self, view: Sources) -> Iterator[tuple[str, Place]]:
        return ((claim.key, claim.place) for claim in view.claims)

    def used(self, view: Sources) -> Iterator[str]:
        return (str(number) for claim in view.claims for number in claim.sentences)

    def knows(self, used: Iterable[str]) -> bool:
        return not self.sentences or self.sentences >= set(used)

    def finish(self, used: Container[str], report: Report) -> None:
        held = {
            number for claim in self.sources.claims if claim.article == self.article.id for number in claim.sentences
        }
        numbers = {int(name) for name in self.sentences if name in used} | held
        checks.covered_sentences(self.article, numbers, report)

    def names_of(self, nodes: Iterable[str]) -> dict[str, str]:
        return _claims_of(nodes, self.project.claim(self.article.id) + "/", self.project.base)


class _ArticleShards(_Claims):
    """Shards of articles with their claims."""

    fields, what = ARTICLE_ROW_FIELDS, "articles"

    def __init__(self, sources: Sources, large: ArticleTable, shapes: Shapes, engine: str, folder: Folder) -> None:
        super().__init__(sources, large, shapes, engine, folder)

    @property
    def name(self) -> str:
        return f"{self.table.file.name.partition('.')[0]}.articles"

    @property
    def size(self) -> int:
        return articles_of(self.project.shard)

    @property
    def known(self) -> Iterable[str]:
        return [*(article.id for article in self.sources.articles), *(claim.key for claim in self.sources.claims)]

    def read(self, batch: Batch, report: Report) -> Sources:
        found = read_articles(batch, report)
        held = replace(self.sources, mappings=(), alignments=(), datasets=(), part=True)
        claims = tuple(claim for _, claims in found for claim in claims)
        return replace(held, articles=tuple(article for article, _ in found), claims=claims)

    def names(self, view: Sources) -> Iterator[tuple[str, Place]]:
        yield from ((article.id, article.place) for article in view.articles)
        yield from ((claim.key, claim.place) for claim in view.claims)

    def names_of(self, nodes: Iterable[str]) -> dict[str, str]:
        return _claims_of(nodes, f"{self.project.base}claim/", self.project.base)

    def _beside(self, view: Sources, made: CompiledShard) -> Iterator[Quad]:
        yield from super()._beside(view, made)
        whole = f"<{self.project.graph('void')}>", f"<{self.project.base}>", f"<{DCTERMS}source>"
        for article in view.articles:
            yield from describe.describe_article(article, self.project)
            yield *whole, f"<{self.project.article(article.id)}>"


def shards_of(sources: Sources, large: LargeTable, shapes: Shapes, engine: str, folder: Folder) -> Shards | None:
    """Return what compiles the shards of a large table; None where what it belongs to could not be read."""
    match large:
        case StatementTable():
            datasets = {dataset.id: dataset for dataset in sources.datasets}
            dataset = datasets.get(large.dataset)
            return _StatementShards(sources, large, shapes, engine, folder, dataset) if dataset else None
        case ClaimTable():
            articles = {article.id: article for article in sources.articles}
            article = articles.get(large.article)
            return _ClaimShards(sources, large, shapes, engine, folder, article) if article else None
        case ArticleTable():
            return _ArticleShards(sources, large, shapes, engine, folder)


def _claims_of(nodes: Iterable[str], prefix: str, base: str) -> dict[str, str]:
    roots = {node.partition("#")[0] for node in nodes if node.startswith(prefix)}
    return {root.removeprefix(f"{base}claim/"): root for root in roots}
