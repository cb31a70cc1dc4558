"""The store: a record is embedded and written, a question is embedded and answered; all of it is counted."""

from __future__ import annotations

import structlog

from datastorage.embedding import Embedder, Vector
from datastorage.errors import NoEmbedderError
from datastorage.metrics import StoreMetrics
from datastorage.models import ListFilter, Remediation, RemediationIn, RemediationPage, Search, SearchResult
from datastorage.remediations import Remediations

_TABLE = "remediation_audit"
_log = structlog.get_logger(__name__)


class Store:
    """What the routes talk to. `embedder` None: rows are written without vectors, and only vectors can be searched."""

    def __init__(self, remediations: Remediations, embedder: Embedder | None, metrics: StoreMetrics) -> None:
        """Work on `remediations`."""
        self._remediations = remediations
        self._embedder = embedder
        self._metrics = metrics

    async def add(self, record: RemediationIn) -> Remediation:
        """Store the record, with a vector unless it asks for none or none can be made."""
        dual = record.wants_vector and (self._embedder is not None or record.embedding is not None)
        with self._metrics.write(_TABLE, dual=dual) as outcome:
            vector = record.embedding
            if dual and vector is None:
                vector = await self._vector(record)
                outcome.without_vector = vector is None
            return await self._remediations.add(record, vector)

    async def _vector(self, record: RemediationIn) -> Vector | None:
        """Return the record's vector, or None where the embedder fails: a record without one is better than none."""
        assert self._embedder is not None
        try:
            return await self._embedder.embed(record.text())
        except Exception as exc:  # noqa: BLE001 - a model may raise anything, and the row is to be stored all the same
            _log.warning("no vector was made, the row is stored without", embedder=self._embedder.name, error=str(exc))
            return None

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
            vector = asked.embedding
            if vector is None:
                if self._embedder is None:
                    raise NoEmbedderError
                vector = await self._embedder.embed(asked.query or "")
            found = await self._remediations.nearest(
                vector, limit=asked.limit, threshold=asked.threshold, namespace=asked.namespace
            )
            return SearchResult(data=found)
