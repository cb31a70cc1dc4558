"""What the cache does when Redis is not what it should be; where it is, scenario 14 says."""

from __future__ import annotations

import asyncio
import socket

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from datastorage.embedding_cache import CachedEmbedder
from datastorage.metrics import StoreMetrics
from servicekit.embedding import HashingEmbedder
from servicekit.logs import to_standard_logging


def test_a_cache_that_is_away_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The vector is the one that the embedder makes; the failure is a warning and a miss."""
    to_standard_logging()
    registry = CollectorRegistry()

    async def embed(port: int) -> tuple[float, ...]:
        async with Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0)) as redis:
            cached = CachedEmbedder(HashingEmbedder(), redis, key_prefix="", metrics=StoreMetrics(registry))
            return await cached.embed("text")

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        vector = asyncio.run(embed(held.getsockname()[1]))
    assert vector == asyncio.run(HashingEmbedder().embed("text"))
    assert "the embedding cache cannot be read" in caplog.text
    assert registry.get_sample_value("datastorage_cache_misses_total") == 1
