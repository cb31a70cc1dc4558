"""What the service says at its start about a Redis that may lose what it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_py
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Redis

Serve = Callable[..., Served]
Eventually = Callable[..., None]


@pytest.fixture
def admin(exclusive_redis: Redis) -> Iterator[redis_py.Redis]:
    """Give an administrator's client of a Redis that this test may set as it likes."""
    with redis_py.Redis.from_url(exclusive_redis.url) as client:
        yield client


@pytest.mark.parametrize(
    ("settings_of_redis", "told"),
    [
        ({"appendonly": "yes", "appendfsync": "always"}, "queued records survive the death of Redis"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "'settings': ['appendfsync everysec']"),
        ({"appendonly": "no", "appendfsync": "always"}, "'settings': ['appendonly no']"),
        (
            {"appendonly": "yes", "appendfsync": "always", "maxmemory": "1gb", "maxmemory-policy": "allkeys-lru"},
            "'settings': ['maxmemory-policy allkeys-lru']",
        ),
    ],
    ids=["safe", "everysec", "no file", "evicting"],
)
def test_the_log_says_whether_a_queued_record_survives(
    admin: redis_py.Redis,
    exclusive_redis: Redis,
    serve: Serve,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    settings_of_redis: dict[str, str],
    told: str,
) -> None:
    """A setting with which it does not is named, and so is what is needed."""
    caplog.set_level("INFO")
    for name, value in settings_of_redis.items():
        admin.config_set(name, value)
    serve(redis_url=SecretStr(exclusive_redis.url))
    eventually("it is told", lambda: told in caplog.text)
    assert ("appendonly yes, appendfsync always" in caplog.text) == ("lost" in caplog.text)


def test_a_redis_that_tells_nothing_is_unknown(
    admin: redis_py.Redis,
    exclusive_redis: Redis,
    serve: Serve,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where CONFIG is forbidden, the log says that nothing is known, and what would be needed."""
    login: Any = {"enabled": True, "nopass": True, "keys": ["*"], "commands": ["+@all", "-config"]}
    admin.acl_setuser("guest", **login)
    serve(redis_url=SecretStr(f"redis://guest:x@{exclusive_redis.host}:{exclusive_redis.port}/0"))
    eventually("it is told", lambda: "it is unknown whether Redis keeps queued records" in caplog.text)


def test_it_is_told_as_soon_as_redis_is_there(
    exclusive_redis: Redis,
    redis_outage: Any,
    serve: Serve,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A Redis that is down when the service starts is asked when it comes."""
    caplog.set_level("INFO")
    with redis_outage("stop"):
        serve(redis_url=SecretStr(exclusive_redis.url))
        assert "queued records" not in caplog.text
    eventually("it is told", lambda: "queued records survive the death of Redis" in caplog.text)
