"""The store where its embedder fails, which no setting can bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from datastorage.dead_letters import DeadLetterQueue, Queued
from datastorage.metrics import StoreMetrics
from datastorage.models import Remediation, RemediationIn
from datastorage.remediations import Remediations
from datastorage.store import Store
from datastorage.writes import Writer
from servicekit.database import Database
from servicekit.embedding import Vector
from servicekit.logs import to_standard_logging
from testinfra.endpoints import Postgres
from testinfra.endpoints import Redis as RedisEndpoint


class Broken:
    """An embedder whose model is gone."""

    name = "broken"

    async def embed(self, text: str) -> Vector:
        """Fail."""
        raise RuntimeError(f"no model for {len(text)} characters")


def test_a_record_is_stored_without_a_vector_when_none_can_be_made(
    postgres_schema: Postgres,
    redis_db: RedisEndpoint,
    db: psycopg.Connection[Any],
    record: Callable[..., dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The row is there, the loss is counted as a failed dual write of the embedder, and the log has the cause."""
    to_standard_logging()
    registry = CollectorRegistry()

    async def add() -> Remediation | Queued:
        database = Database(postgres_schema.dsn, name="datastorage", pool_min=1, pool_max=1, timeout=10)
        async with database.opened(), Redis.from_url(redis_db.url) as redis:
            metrics = StoreMetrics(registry)
            queue = DeadLetterQueue(redis, key_prefix=redis_db.key_prefix, timeout=1, max_length=1)
            store = Store(Remediations(database), Broken(), metrics)
            return await Writer(queue, metrics).write(store.kind, RemediationIn.model_validate(record()))

    stored = asyncio.run(add())
    assert isinstance(stored, Remediation)
    assert stored.embedded is False
    assert db.execute("SELECT count(*), count(embedding) FROM remediation_audit").fetchone() == (1, 0)
    assert registry.get_sample_value("datastorage_dualwrite_failure_total", {"reason": "embedder"}) == 1
    assert "no model for" in caplog.text
