"""Build the service from its settings: who needs whom, and what is opened and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from datastorage.aggregates import Aggregates
from datastorage.analysis_routes import AnalysisRoutes
from datastorage.dead_letters import DeadLetterQueue
from datastorage.embedding_cache import CachedEmbedder
from datastorage.event_routes import EventRoutes
from datastorage.events import Events
from datastorage.metrics import StoreMetrics
from datastorage.notification_routes import NotificationRoutes
from datastorage.notifications import Notifications
from datastorage.partitions import PartitionKeeper
from datastorage.remediations import Remediations
from datastorage.replays import replaying
from datastorage.routes import RemediationRoutes
from datastorage.settings import DatastorageSettings
from datastorage.store import Store
from datastorage.success_rates import SuccessRates
from datastorage.trace_routes import TraceRoutes
from datastorage.traces import Traces
from datastorage.vectors import Vectors
from datastorage.writes import Writer
from servicekit import Dependency, ServiceApp, new_registry
from servicekit.database import Database

_QUEUE_RETRIES = 3


class Parts:
    """All parts of one service, each given what it needs."""

    def __init__(self, settings: DatastorageSettings, registry: CollectorRegistry) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self.metrics = metrics = StoreMetrics(registry)
        self.redis = redis = _redis(settings, timeout=settings.redis_timeout)
        self._queue_redis = _redis(settings, timeout=settings.dlq_timeout, retries=_QUEUE_RETRIES)
        self.database = database = Database(
            settings.postgres_dsn.get_secret_value(),
            name="datastorage",
            pool_min=settings.pool_min,
            pool_max=settings.pool_max,
            timeout=settings.postgres_timeout,
        )
        queue = DeadLetterQueue(
            self._queue_redis,
            key_prefix=settings.redis_key_prefix,
            timeout=settings.dlq_timeout,
            max_length=settings.dlq_max_length,
        )
        embedder = settings.make_embedder()
        if embedder is not None:
            embedder = CachedEmbedder(embedder, redis, key_prefix=settings.redis_key_prefix, metrics=metrics)
        self.writer = Writer(queue, metrics)
        self.store = Store(Remediations(database), embedder, metrics)
        self.notifications = Notifications(database, metrics)
        self.events = Events(database, metrics)
        self.traces = Traces(database, Vectors(embedder), metrics)

    async def redis_answers(self) -> None:
        """Return when Redis answers."""
        await self.redis.ping()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Be connected, keep partitions and replay dead letters while the context lasts."""
        events = self.events
        kinds = (self.store.kind, self.notifications.kind, events.kind, events.batch_kind, self.traces.kind)
        replays = replaying(self._queue_redis, kinds, self.metrics, self._settings)
        partitions = PartitionKeeper(self.database)
        async with self.redis, self._queue_redis, self.database.opened(), partitions.running(), replays:
            yield

    def routers(self) -> list[APIRouter]:
        """Return all routes."""
        return [
            RemediationRoutes(self.store, self.writer).router(),
            NotificationRoutes(self.notifications, self.writer).router(),
            EventRoutes(self.events, self.writer).router(),
            TraceRoutes(self.traces, self.writer).router(),
            AnalysisRoutes(SuccessRates(self.database, self.metrics), Aggregates(self.database, self.metrics)).router(),
        ]


def create_app(settings: DatastorageSettings) -> ServiceApp:
    """Return the service; it connects to nothing before it is served."""
    registry = new_registry()
    parts = Parts(settings, registry)
    app = ServiceApp(
        title="datastorage",
        version=version("datastorage"),
        settings=settings,
        registry=registry,
        needs=(
            Dependency(name="postgres", probe=parts.database.probe),
            Dependency(name="redis", probe=parts.redis_answers, required=False),
        ),
        resources=parts.running,
        on_field_error=parts.metrics.field_failed,
    )
    for router in parts.routers():
        app.include_router(router)
    return app


def _redis(settings: DatastorageSettings, *, timeout: float, retries: int = 0) -> Redis:
    """Return a client whose calls have `timeout` seconds each; the cache's never tries again, as a slow one is none."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), retries),
    )
