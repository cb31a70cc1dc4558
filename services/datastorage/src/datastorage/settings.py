"""The settings of datastorage; servicekit's `StoreSettings` says where they come from and adds what stores share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from servicekit.settings import RedisUrl
from servicekit.store_settings import Seconds, StoreSettings


class DatastorageSettings(StoreSettings):
    """What can be told to datastorage, each as a variable `DATASTORAGE_<NAME>`; times in seconds."""

    prefix: ClassVar[str] = "DATASTORAGE_"

    redis_url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="the cache and the queue, as redis://:password@host:6379/0 (secret)",
    )
    dlq_timeout: Seconds = Field(
        default=2.0, description="seconds to queue a write that Postgres did not take, more than 0"
    )
    dlq_max_length: int = Field(
        default=10_000, description="writes of one type that may wait in the queue, 1 or more; then it is 503", ge=1
    )
    dlq_tries: int = Field(default=6, description="tries of a queued write before it is a dead letter, 1 or more", ge=1)
    dlq_poll: Seconds = Field(
        default=1.0, description="seconds between looks at the queue, and the first pause after a failure, more than 0"
    )
    dlq_longest_pause: Seconds = Field(
        default=30.0, description="seconds that the pauses after failures grow to, more than 0"
    )
    dlq_claim_after: Seconds = Field(
        default=60.0,
        description="seconds after which what another process has in hand is taken over, above dlq_longest_pause",
    )

    @field_validator("dlq_claim_after")
    @classmethod
    def _outlasts_a_pause(cls, value: float, info: ValidationInfo) -> float:
        longest = info.data.get("dlq_longest_pause", 0)
        if value <= longest:
            raise ValueError(f"it is not above dlq_longest_pause, which is {longest:g}")
        return value
