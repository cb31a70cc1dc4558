"""The service's own metrics besides the cache's, in the registry of its app.

Rule: labels are bounded: a type is one of the calls', a status is the word for how a call ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

from contextapi.errors import NotFoundError
from servicekit.errors import NoEmbedderError, UnavailableError


class ContextMetrics:
    """All that begin with `context_api_` and are not about the cache."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        self._queries = Counter(
            "context_api_queries_total", "Calls, by how they ended", ["type", "status"], registry=registry
        )
        self._seconds = Histogram(
            "context_api_query_duration_seconds",
            "Time of a call, whether the cache answered it or Postgres",
            ["type"],
            registry=registry,
        )
        self._database = Counter(
            "context_api_database_queries_total", "Queries to Postgres", ["type"], registry=registry
        )
        self._of_calls: dict[tuple[str, str], tuple[Histogram, Counter]] = {}

    @contextmanager
    def call(self, kind: str) -> Iterator[None]:
        """Observe one call and how it ends."""
        started = time.perf_counter()
        status = "error"
        try:
            yield
            status = "success"
        except NotFoundError:
            status = "not_found"
            raise
        except NoEmbedderError:
            status = "invalid"
            raise
        except UnavailableError as exc:
            status = exc.reason
            raise
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            self.observe(kind, status, time.perf_counter() - started)

    def observe(self, kind: str, status: str, seconds: float) -> None:
        """Count one call that ended."""
        found = self._of_calls.get((kind, status))
        if found is None:
            found = self._of_calls[kind, status] = (self._seconds.labels(kind), self._queries.labels(kind, status))
        found[0].observe(seconds)
        found[1].inc()

    def database_query(self, kind: str) -> None:
        """Count one query to Postgres."""
        self._database.labels(kind).inc()
