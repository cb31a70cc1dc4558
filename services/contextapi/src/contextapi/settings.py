"""The settings of contextapi; servicekit's `StoreSettings` says where they come from and adds what stores share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from servicekit.settings import RedisUrl
from servicekit.store_settings import Seconds, StoreSettings


class ContextapiSettings(StoreSettings):
    """What can be told to contextapi, each as a variable `CONTEXTAPI_<NAME>`; times in seconds."""

    prefix: ClassVar[str] = "CONTEXTAPI_"

    postgres_dsn: SecretStr = Field(
        description="a libpq connection string of a role that only reads, as postgresql://reader:password@host:5432/audit"
        " (secret)"
    )
    redis_url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="the first tier of the cache, as redis://:password@host:6379/0 (secret)",
    )
    redis_timeout: Seconds = Field(
        default=0.05, description="seconds for one call to Redis, more than 0; a slower one counts as none"
    )
    postgres_timeout: Seconds = Field(
        default=5.0, description="seconds for a connection and its query together, more than 0"
    )
    cache_ttl: Seconds = Field(default=300.0, description="seconds that an answer is given again, more than 0")
    cache_keep: Seconds = Field(
        default=3600.0,
        description="seconds after that for which it is still given, marked stale, while Postgres is away, more than 0",
    )
    cache_memory_first: float = Field(
        default=1.0,
        description="seconds for which a copy in the process's own memory answers without a look into Redis, 0 or more",
        ge=0,
        allow_inf_nan=False,
    )
    cache_entries: int = Field(default=1000, description="answers kept in the process's own memory, 1 or more", ge=1)
    cache_value_limit: int = Field(
        default=5_242_880, description="the largest answer in bytes that is kept, 1 or more", ge=1
    )
    breaker_failures: int = Field(
        default=5, description="failures of Postgres in a row after which it is not asked for a while, 1 or more", ge=1
    )
    breaker_open_seconds: Seconds = Field(
        default=0.5, description="seconds for which it is not asked then, until one query tries again, more than 0"
    )
