"""So many requests of one source in each window of time, counted in Redis for all replicas together.

Rule 1: fails open: without Redis nobody is limited, and the metric says so. After a failure it is left alone for a
        second, so that a slow one does not slow every request.
Rule 2: a source is who the token says, and without tokens the address; in the key stands its hash.
"""

from __future__ import annotations

import hashlib
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.live import Live
from gateway.metrics import GatewayMetrics

_LEAVE_ALONE = 1.0


class RateLimits:
    """Counts requests by source."""

    def __init__(self, redis: Redis, live: Live, metrics: GatewayMetrics, *, key_prefix: str) -> None:
        """Count in `redis`."""
        self._redis = redis
        self._live = live
        self._metrics = metrics
        self._prefix = key_prefix
        self._not_before = 0.0

    async def wait_for(self, source: str) -> int:
        """Count a request of `source`; return 0 where it may pass, else the seconds until the next window."""
        settings = self._live.settings
        if not settings.rate_limit:
            return 0
        if time.monotonic() < self._not_before:
            self._count("skipped")
            return 0
        window, passed = divmod(time.time(), settings.rate_window)
        name = hashlib.sha256(source.encode()).hexdigest()[:32]
        key = f"{self._prefix}gateway:rate:{settings.rate_window}:{int(window)}:{name}"
        try:
            async with self._redis.pipeline(transaction=True) as both:
                both.execute_command("INCR", key)
                both.execute_command("EXPIRE", key, settings.rate_window + 1)
                counted, _ = await both.execute()
        except (RedisError, OSError):
            self._not_before = time.monotonic() + _LEAVE_ALONE
            self._count("error")
            return 0
        if counted <= settings.rate_limit:
            self._count("allowed")
            return 0
        self._count("limited")
        return max(1, round(settings.rate_window - passed + 0.5))

    def _count(self, result: str) -> None:
        self._metrics.redis.labels("rate_limit", result).inc()
