"""The store: a record is embedded and written, a question is embedded and answered; all of it is counted."""

from __future__ import annotations

from datastorage.metrics import StoreMetrics, Write
from datastorage.models import ListFilter, Remediation, RemediationIn, RemediationPage, Search, SearchResult
from datastorage.remediations import Remediations
from datastorage.vectors import Vectors
from servicekit.embedding import Embedder


class Store:
    """What the routes talk to. `embedder` None: rows are written without vectors, and only vectors can be searched."""

    def __init__(self, remediations: Remediations, embedder: Embedder | None, metrics: StoreMetrics) -> None:
        """Work on `remediations`; `kind` is how one is written."""
        self._remediations = remediations
        self._embedder = embedder
        self._vectors = Vectors(embedder)
        self._metrics = metrics
        self.kind = remediations.table.kind("remediations", insert=self._insert)

    async def _insert(self, record: RemediationIn, write: Write) -> Remediation:
        return await self._remediations.table.insert(record, await self._vectors.of(record, write))

    async def get(self, number: int) -> Remediation | None:
        """Return the remediation of this id."""
        with self._metrics.read("get"):
            return await self._remediations.get(number)

    async def page(self, asked: ListFilter) -> RemediationPage:
        """Return the page asked for."""
        with self._metrics.read("list"):
            return await self._remediations.page(asked)

    async def search(self, asked: Search) -> SearchResult:
        """Return what is most alike; raise NoEmbedderError where a text is given and there is no embedder."""
        with self._metrics.read("search"):
            vector = await asked.vector(self._embedder)
            found = await self._remediations.nearest(
                vector, limit=asked.limit, threshold=asked.threshold, namespace=asked.namespace
            )
            return SearchResult(data=found)
