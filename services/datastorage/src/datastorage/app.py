"""Build the service from its settings: who needs whom, and what is opened and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

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


def create_app(settings: DatastorageSettings) -> ServiceApp:
    """Return the service; it connects to nothing before it is served."""
    registry = new_registry()
    metrics = StoreMetrics(registry)
    redis = _redis(settings, timeout=settings.redis_timeout)
    database = Database(
        settings.postgres_dsn.get_secret_value(),
        name="datastorage",
        pool_min=settings.pool_min,
        pool_max=settings.pool_max,
        timeout=settings.postgres_timeout,
    )
    queue_redis = _redis(settings, timeout=settings.dlq_timeout, retries=_QUEUE_RETRIES)
    queue = DeadLetterQueue(
        queue_redis,
        key_prefix=settings.redis_key_prefix,
        timeout=settings.dlq_timeout,
        max_length=settings.dlq_max_length,
    )
    embedder = settings.make_embedder()
    if embedder is not None:
        embedder = CachedEmbedder(embedder, redis, key_prefix=settings.redis_key_prefix, metrics=metrics)
    writer = Writer(queue, metrics)
    store = Store(Remediations(database), embedder, metrics)
    notifications = Notifications(database, metrics)
    events = Events(database, metrics)
    traces = Traces(database, Vectors(embedder), metrics)
    kinds = (store.kind, notifications.kind, events.kind, events.batch_kind, traces.kind)
    partitions = PartitionKeeper(database)

    async def redis_answers() -> None:
        await redis.ping()

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        replays = replaying(queue_redis, kinds, metrics, settings)
        async with redis, queue_redis, database.opened(), partitions.running(), replays:
            yield

    app = ServiceApp(
        title="datastorage",
        version=version("datastorage"),
        settings=settings,
        registry=registry,
        needs=(
            Dependency(name="postgres", probe=database.probe),
            Dependency(name="redis", probe=redis_answers, required=False),
        ),
        resources=resources,
        on_field_error=metrics.field_failed,
    )
    for routes in (
        RemediationRoutes(store, writer),
        NotificationRoutes(notifications, writer),
        EventRoutes(events, writer),
        TraceRoutes(traces, writer),
        AnalysisRoutes(SuccessRates(database, metrics), Aggregates(database, metrics)),
    ):
        app.include_router(routes.router())
    return app


def _redis(settings: DatastorageSettings, *, timeout: float, retries: int = 0) -> Redis:
    """Return a client whose calls have `timeout` seconds each; the cache's never tries again, as a slow one is none."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), retries),
    )
