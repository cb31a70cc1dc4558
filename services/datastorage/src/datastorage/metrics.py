"""The store's own metrics, in the registry of its app.

Rule: labels are bounded. A field that the models do not know is `unknown`, a reason is pydantic's type of error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from datastorage.errors import RepeatedError
from datastorage.known_fields import KNOWN_FIELDS
from servicekit.errors import UnavailableError


@dataclass
class Write:
    """What only the writer knows of its write."""

    dual: bool = False
    """Whether a vector is to go with the row."""
    without_vector: bool = False
    """Whether the row is written alone because its vector could not be made."""
    queued_because: str = ""
    """Why Postgres did not take it, where the queue did."""


class StoreMetrics:
    """All counters and histograms that begin with `datastorage_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"datastorage_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, *labels: str) -> Histogram:
            return Histogram(f"datastorage_{name}", what, labels, registry=registry)

        self._writes = counter("write_total", "Writes, by outcome", "table", "status")
        self._write_seconds = histogram("write_duration_seconds", "Time of a write, the vector's included", "table")
        self._query_seconds = histogram("query_duration_seconds", "Time of a read", "operation")
        self._validation = counter("validation_failures_total", "Wrong fields of requests", "field", "reason")
        self.dual_writes = counter("dualwrite_success_total", "Rows written together with their vector")
        self.dual_write_failures = counter(
            "dualwrite_failure_total", "Rows that were to have a vector, and were not written or have none", "reason"
        )
        self.dlq_depth = Gauge(
            "datastorage_dlq_depth", "Writes that wait in the queue; NaN: Redis is away", ["type"], registry=registry
        )
        self.dlq_replays = counter(
            "dlq_replays_total", "Queued writes, by how they ended: written, found stored, dead", "type", "outcome"
        )
        self.cache_hits = counter("cache_hits_total", "Vectors found in the cache")
        self.cache_misses = counter("cache_misses_total", "Vectors not found in the cache, or the cache failed")

    def field_failed(self, field: str, reason: str) -> None:
        """Count one wrong field of a request."""
        name = field.lstrip("0123456789").removeprefix(".").partition(".")[0]  # without a batch's index
        self._validation.labels(name if name in KNOWN_FIELDS else "unknown", reason).inc()

    @contextmanager
    def read(self, operation: str) -> Iterator[None]:
        """Observe a read, whether it succeeds or not."""
        with self._query_seconds.labels(operation).time():
            yield

    @contextmanager
    def write(self, table: str) -> Iterator[Write]:
        """Observe a write and count what its client is told."""
        started = time.perf_counter()
        write = Write()
        status = "error"
        try:
            yield write
            status = "queued" if write.queued_because else "success"
        except RepeatedError:
            status = "conflict"
            raise
        except UnavailableError as exc:
            status = exc.reason
            raise
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            self._write_seconds.labels(table).observe(time.perf_counter() - started)
            self._writes.labels(table, status).inc()
            self.dual_write(write, write.queued_because or (status if status != "success" else ""))

    def dual_write(self, write: Write, failed: str = "") -> None:
        """Count how a write with a vector ended, a client's or a replayed one; `failed` is the reason, empty if not."""
        failed = failed or ("embedder" if write.without_vector else "")
        if write.dual and failed:
            self.dual_write_failures.labels(failed).inc()
        elif write.dual:
            self.dual_writes.inc()
