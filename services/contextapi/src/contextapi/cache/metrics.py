"""The cache's own metrics, in the registry of its app."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class CacheMetrics:
    """What begins with `context_api_` and is about kept answers."""

    def __init__(self, registry: CollectorRegistry, *, breaker_state: Callable[[], float]) -> None:
        """Register everything in `registry`; `breaker_state` is asked at every scrape."""

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"context_api_{name}", what, labels, registry=registry)

        self.hits = counter("cache_hits_total", "Answers from a fresh copy, by where it was", "tier")
        self.misses = counter("cache_misses_total", "Questions that no fresh copy answered")
        self.shared = counter("singleflight_shared_total", "Misses that waited for another's query of the same")
        self.stale = counter("stale_answers_total", "Answers marked stale, because Postgres is away")
        self.redis_failures = counter(
            "redis_failures_total", "Calls to Redis that failed or came too late", "operation"
        )
        for operation in ("get", "set", "probe"):
            self.redis_failures.labels(operation)
        breaker = Gauge(
            "context_api_breaker_state", "Whether Postgres is asked: 0 closed, 1 half-open, 2 open", registry=registry
        )
        breaker.set_function(breaker_state)
