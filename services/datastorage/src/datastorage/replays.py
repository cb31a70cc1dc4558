"""The replays of all kinds: started and stopped with the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from datastorage.durability import tell_durability
from datastorage.kinds import Kind
from datastorage.metrics import StoreMetrics
from datastorage.queue_consumer import QueueConsumer, consumer_name
from datastorage.replay import Replay
from datastorage.settings import DatastorageSettings

_CANCEL_AGAIN = 0.05


@asynccontextmanager
async def replaying(
    redis: Redis, kinds: Sequence[Kind[Any, Any]], metrics: StoreMetrics, settings: DatastorageSettings
) -> AsyncIterator[None]:
    """Replay inside the context. What is in hand when it is left stays pending, for the next process."""
    name = consumer_name()
    tasks = [asyncio.create_task(_durability(redis, settings.dlq_poll))]
    for kind in kinds:
        consumer = QueueConsumer(
            redis,
            key_prefix=settings.redis_key_prefix,
            type_=kind.name,
            name=name,
            claim_after=settings.dlq_claim_after,
        )
        replay = Replay(
            kind,
            consumer,
            metrics,
            tries=settings.dlq_tries,
            poll=settings.dlq_poll,
            longest_pause=settings.dlq_longest_pause,
        )
        tasks.append(asyncio.create_task(replay.run()))
    try:
        yield
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks until they end: `wait_for` of Python 3.11, in redis-py, loses a cancellation at times."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN)


async def _durability(redis: Redis, poll: float) -> None:
    """Tell it once, as soon as Redis is there."""
    while True:
        try:
            return await tell_durability(redis)
        except (RedisError, OSError):
            await asyncio.sleep(poll)
