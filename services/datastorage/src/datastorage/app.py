"""Build the service from its settings: who needs whom, and what is opened and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from datastorage.database import Database
from datastorage.embedding import HashingEmbedder
from datastorage.embedding_cache import CachedEmbedder
from datastorage.metrics import StoreMetrics
from datastorage.remediations import Remediations
from datastorage.routes import RemediationRoutes
from datastorage.settings import DatastorageSettings
from datastorage.store import Store
from servicekit import Dependency, ServiceApp, new_registry


def create_app(settings: DatastorageSettings) -> ServiceApp:
    """Return the service; it connects to nothing before it is served."""
    registry = new_registry()
    metrics = StoreMetrics(registry)
    redis = _redis(settings)
    database = Database(
        settings.postgres_dsn.get_secret_value(),
        pool_min=settings.pool_min,
        pool_max=settings.pool_max,
        timeout=settings.postgres_timeout,
    )
    embedder = None
    if settings.embedder == "hashing":
        embedder = CachedEmbedder(HashingEmbedder(), redis, key_prefix=settings.redis_key_prefix, metrics=metrics)

    async def redis_answers() -> None:
        await redis.ping()

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with redis, database.opened():
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
    app.include_router(RemediationRoutes(Store(Remediations(database), embedder, metrics)).router())
    return app


def _redis(settings: DatastorageSettings) -> Redis:
    """Return a client that fails within its timeout instead of trying again: a cache that is slow is no cache."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        retry=Retry(NoBackoff(), 0),
    )
