"""Vectors kept in Redis for five minutes, so that the same text is embedded once.

Rule 1: the key is the sha256 of the text, under the embedder's name; the value is the packed vector.
Rule 2: a cache that fails costs a warning, never an answer; each call has the deadline of the client it is given.
"""

from __future__ import annotations

import hashlib

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from datastorage.metrics import StoreMetrics
from servicekit.embedding import Embedder, Vector, packed, unpacked

TTL_SECONDS = 300
_log = structlog.get_logger(__name__)


class CachedEmbedder:
    """An Embedder that asks Redis first."""

    def __init__(self, embedder: Embedder, redis: Redis, *, key_prefix: str, metrics: StoreMetrics) -> None:
        """Cache what `embedder` makes in `redis`, which answers in bytes, under keys that begin with `key_prefix`."""
        self._embedder = embedder
        self._redis = redis
        self._key_prefix = key_prefix
        self._metrics = metrics

    @property
    def name(self) -> str:
        """The name of the embedder behind."""
        return self._embedder.name

    def key(self, text: str) -> str:
        """Return the key of this text."""
        return f"{self._key_prefix}embedding:{self.name}:{hashlib.sha256(text.encode()).hexdigest()}"

    async def embed(self, text: str) -> Vector:
        """Return the vector of `text`, from the cache where it has it."""
        key = self.key(text)
        try:
            found = await self._redis.get(key)
            if isinstance(found, bytes):
                vector = unpacked(found)
                self._metrics.cache_hits.inc()
                return vector
        except (RedisError, OSError, ValueError) as exc:
            _log.warning("the embedding cache cannot be read", error=str(exc))
            self._metrics.cache_misses.inc()
            return await self._embedder.embed(text)
        self._metrics.cache_misses.inc()
        vector = await self._embedder.embed(text)
        try:
            await self._redis.set(key, packed(vector), ex=TTL_SECONDS)
        except (RedisError, OSError) as exc:
            _log.warning("the embedding cache cannot be written", error=str(exc))
        return vector
