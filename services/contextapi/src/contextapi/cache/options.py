"""What can be told to the cache; the service's settings say the same to its user."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """Plain values; times in seconds."""

    redis_url: str = field(repr=False)
    redis_key_prefix: str = ""
    """Put before every key, where the Redis is shared."""
    redis_timeout: float = 0.05
    """What a lookup in Redis may take; a Redis that is slower is taken for none."""
    ttl: float = 300.0
    """How long an entry answers as fresh."""
    keep: float = 3600.0
    """How long after that it may still answer, marked stale, while Postgres is away."""
    memory_first: float = 1.0
    """How long a copy that this process has from Redis, or from Postgres, answers without asking Redis again."""
    entries: int = 1000
    """How many answers the process's memory keeps."""
    value_limit: int = 5 * 2**20
    """Bytes of the largest answer that is kept."""
    breaker_failures: int = 5
    """Failures of Postgres in a row after which it is not asked for a while."""
    breaker_open_seconds: float = 0.5
    """That while; then one probe is let through."""
