"""The settings of the gateway; servicekit's `Settings` says where they come from and adds what all services have.

Rule: what is in `RELOADABLE` takes effect on SIGHUP; all else needs a new process, and a reload says so.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from servicekit.cluster_settings import ClusterSettings, Names, Namespace, Namespaces
from servicekit.settings import RedisUrl

MAX_BACKOFF = 30.0

RELOADABLE = frozenset(
    {
        "fallback_namespace",
        "flush_interval",
        "kubernetes_timeout",
        "log_level",
        "max_in_flight",
        "max_waiting",
        "rate_limit",
        "rate_window",
        "require_timestamp",
        "retry_attempts",
        "retry_initial",
        "retry_max",
    }
)
"""Settings that SIGHUP reads again."""


class GatewaySettings(ClusterSettings):
    """What can be told to the gateway, each as a variable `GATEWAY_<NAME>`; times in seconds."""

    prefix: ClassVar[str] = "GATEWAY_"

    max_body_bytes: int = Field(default=102_400, description="the largest request body in bytes, 1 or more", ge=1)

    namespaces: Namespaces = Field(
        default=(),
        description="the namespaces to make resources in, as 'payments,shop', or nothing for all; what belongs"
        " elsewhere goes to fallback_namespace",
    )
    fallback_namespace: Namespace = Field(
        default="kubernaut-system",
        description="the namespace for resources whose own does not exist: letters, digits and hyphens, 63 at most",
    )
    watch_timeout: int = Field(
        default=30,
        description="seconds after which a watch is opened anew, 1 to 300; an index that heard nothing for two of them"
        " is not relied on",
        ge=1,
        le=300,
    )
    flush_interval: float = Field(
        default=1.0,
        description="seconds that repetitions of one problem are gathered before they are written, 0 to 60",
        ge=0,
        le=60,
        allow_inf_nan=False,
    )
    flush_timeout: float = Field(
        default=10.0,
        description="seconds at shutdown to write what was gathered, more than 0",
        gt=0,
        allow_inf_nan=False,
    )

    retry_attempts: int = Field(default=3, description="attempts of one request in all, 1 to 10", ge=1, le=10)
    retry_initial: float = Field(
        default=0.1,
        description="seconds before the second attempt, more than 0 and at most 5; they double each time",
        gt=0,
        le=5,
        allow_inf_nan=False,
    )
    retry_max: float = Field(
        default=5.0,
        description=f"seconds between attempts at most, from retry_initial to {MAX_BACKOFF:g}",
        gt=0,
        le=MAX_BACKOFF,
        allow_inf_nan=False,
    )

    max_in_flight: int = Field(
        default=100, description="signals at most for which Kubernetes is asked at one time, 1 or more", ge=1
    )
    max_waiting: int = Field(
        default=400, description="requests at most that wait beyond those, 0 or more; then it is 503", ge=0
    )

    auth: Literal["token", "off"] = Field(
        default="token",
        description="token: a bearer token that Kubernetes reviews; off: none is asked for, as behind a proxy of one's"
        " own that does",
    )
    require_timestamp: bool = Field(default=False, description="whether the header X-Timestamp has to be given")
    cors_origins: Names = Field(
        default=(), description="origins that browsers may call from, as 'https://console.example.org', or nothing"
    )

    rate_limit: int = Field(
        default=0, description="requests of one source in each rate_window, 0 for no limit", ge=0, le=10**9
    )
    rate_window: int = Field(default=60, description="seconds that rate_limit counts, 1 to 3600", ge=1, le=3600)
    redis_url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="where sources are counted, as redis://:password@host:6379/0 (secret)",
    )
    redis_key_prefix: str = Field(default="", description="put before every key, where the Redis is shared")
    redis_timeout: float = Field(
        default=0.05, description="seconds for one call to Redis, more than 0", gt=0, allow_inf_nan=False
    )

    audit_url: str = Field(
        default="",
        description="the base URL of datastorage, as http://datastorage:8080, or nothing for no audit events",
    )
    audit_buffer: int = Field(
        default=20_000, description="audit events that wait for datastorage at most, 1 or more", ge=1
    )
    audit_interval: float = Field(
        default=1.0, description="seconds between batches of audit events, more than 0", gt=0, allow_inf_nan=False
    )
    audit_timeout: float = Field(
        default=5.0, description="seconds for one batch of audit events, more than 0", gt=0, allow_inf_nan=False
    )

    @field_validator("retry_max")
    @classmethod
    def _not_below_the_first(cls, value: float, info: ValidationInfo) -> float:
        first = info.data.get("retry_initial", 0)
        if value < first:
            raise ValueError(f"it is below retry_initial, which is {first:g}")
        return value

    @field_validator("audit_url")
    @classmethod
    def _is_an_url(cls, value: str) -> str:
        if value and not re.match(r"https?://[^/]", value):
            raise ValueError("it does not begin with http:// or https:// and a host")
        return value.rstrip("/")
