"""What Redis is set to, and whether a record that it was given survives its death.

Rule 1: a 202 says that a record is kept. Redis keeps it through a crash only with `appendonly yes` and `appendfsync
        always` (it answers after the write is on disk), and under memory pressure only where it evicts no key without
        a time to live. Anything else is told in the log when the service meets the server.
Rule 2: a server that does not tell its settings (managed ones forbid CONFIG) is one of which nothing is known, and
        that is told too.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

_WANTED = {"appendonly": "yes", "appendfsync": "always"}
_EVICTS_ANY_KEY = "allkeys-"
_SET = "appendonly yes, appendfsync always, maxmemory-policy noeviction"
_log = structlog.get_logger(__name__)


def risks(config: Mapping[str | None, str | None]) -> list[str]:
    """Return the settings with which a queued record may be lost, as `name value`."""
    found = [f"{name} {config.get(name)}" for name, wanted in _WANTED.items() if config.get(name) != wanted]
    policy = f"maxmemory-policy {config.get('maxmemory-policy')}"
    if config.get("maxmemory") != "0" and _EVICTS_ANY_KEY in policy:
        found.append(policy)
    return found


async def tell_durability(redis: Redis) -> None:
    """Log whether a record in the queue is safe there; raise RedisError where Redis is away."""
    try:
        config = await redis.config_get("append*") | await redis.config_get("maxmemory*")
    except ResponseError as exc:
        _log.warning("it is unknown whether Redis keeps queued records when it dies", error=str(exc), needed=_SET)
        return
    if found := risks(config):
        _log.warning("queued records are lost when Redis dies or runs full", settings=found, needed=_SET)
    else:
        _log.info("queued records survive the death of Redis")
