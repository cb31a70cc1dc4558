"""Build the service from its settings: who needs whom, and what is opened and closed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from starlette.middleware import Middleware

from contextapi.aggregation_routes import AggregationRoutes
from contextapi.aggregations import Aggregations
from contextapi.cache import Answers, CacheOptions
from contextapi.calls import Calls
from contextapi.incidents import Incidents
from contextapi.metrics import ContextMetrics
from contextapi.routes import IncidentRoutes
from contextapi.settings import ContextapiSettings
from contextapi.short_way import ShortWay
from servicekit import Dependency, ServiceApp, new_registry
from servicekit.database import Database
from servicekit.embedding import Embedder

_WHERE = ("host", "hostaddr", "port", "dbname", "service", "user", "options")


def create_app(settings: ContextapiSettings) -> ServiceApp:
    """Return the service; it connects to nothing before it is served."""
    registry = new_registry()
    database = Database(
        settings.postgres_dsn.get_secret_value(),
        name="contextapi",
        pool_min=settings.pool_min,
        pool_max=settings.pool_max,
        timeout=settings.postgres_timeout,
        read_only=True,
    )
    embedder = settings.make_embedder()
    answers = Answers(_cache_options(settings), registry, source=data_source(settings, embedder), probe=database.probe)
    calls = Calls(answers, ContextMetrics(registry))

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with database.opened(), answers.running():
            yield

    app = ServiceApp(
        title="contextapi",
        version=version("contextapi"),
        settings=settings,
        registry=registry,
        needs=(
            Dependency(name="postgres", probe=database.probe),
            Dependency(name="redis", probe=answers.redis_answers, required=False),
        ),
        resources=resources,
        short_way=Middleware(ShortWay, calls=calls),
    )
    app.include_router(IncidentRoutes(calls, Incidents(database, embedder)).router())
    app.include_router(AggregationRoutes(calls, Aggregations(database)).router())
    return app


def _cache_options(settings: ContextapiSettings) -> CacheOptions:
    return CacheOptions(
        redis_url=settings.redis_url.get_secret_value(),
        redis_key_prefix=settings.redis_key_prefix,
        redis_timeout=settings.redis_timeout,
        ttl=settings.cache_ttl,
        keep=settings.cache_keep,
        memory_first=settings.cache_memory_first,
        entries=settings.cache_entries,
        value_limit=settings.cache_value_limit,
        breaker_failures=settings.breaker_failures,
        breaker_open_seconds=settings.breaker_open_seconds,
    )


def data_source(settings: ContextapiSettings, embedder: Embedder | None) -> str:
    """Return what tells this service's data from another's on the same Redis; no secret is in it."""
    given = conninfo_to_dict(settings.postgres_dsn.get_secret_value())
    by_default = {option.keyword.decode(): (option.val or b"").decode() for option in Conninfo.get_defaults()}
    where = {name: str(given.get(name, by_default.get(name, ""))) for name in _WHERE}
    return json.dumps({**where, "embedder": embedder.name if embedder else ""}, sort_keys=True)
