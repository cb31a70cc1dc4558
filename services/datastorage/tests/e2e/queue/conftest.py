"""What tests of the dead letter queue stand on: a service that is quick to try again, and a look into its streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis as redis_py

from servicekit.testing import Served
from testinfra.endpoints import Redis

GROUP = "replay"


class Streams:
    """The two streams of one type, seen from outside of the service."""

    def __init__(self, client: redis_py.Redis, prefix: str, type_: str) -> None:
        self.client = client
        self.queue = f"{prefix}audit:dlq:{type_}"
        self.dead = f"{prefix}audit:dead-letter:{type_}"

    def waiting(self) -> list[dict[bytes, bytes]]:
        """Return the queued entries, oldest first."""
        found: Any = self.client.xrange(self.queue)
        return [fields for _, fields in found]

    def dead_letters(self) -> list[dict[bytes, bytes]]:
        """Return the dead letters, oldest first."""
        found: Any = self.client.xrange(self.dead)
        return [fields for _, fields in found]

    def put(self, record: bytes) -> str:
        """Queue a record as the service would, and return the entry's id."""
        number: Any = self.client.xadd(self.queue, {"record": record, "why": "a test", "request_id": "a-test"})
        return str(number.decode())

    def in_hand(self) -> dict[bytes, int]:
        """Return how often each entry that some consumer has in hand was delivered to it."""
        try:
            pending: Any = self.client.xpending_range(self.queue, GROUP, "-", "+", 1000)
        except redis_py.ResponseError:  # no worker has made the group yet
            return {}
        return {each["message_id"]: each["times_delivered"] for each in pending}

    def consumers(self) -> set[bytes]:
        """Return the names of the group's consumers."""
        found: Any = self.client.xinfo_consumers(self.queue, GROUP)
        return {each["name"] for each in found}


@pytest.fixture
def redis_client(redis_db: Redis) -> Iterator[redis_py.Redis]:
    """Give a client of this test's Redis database."""
    with redis_py.Redis.from_url(redis_db.url) as client:
        yield client


@pytest.fixture
def streams(redis_client: redis_py.Redis, redis_db: Redis) -> Streams:
    """Give the streams of remediations."""
    return Streams(redis_client, redis_db.key_prefix, "remediations")


@pytest.fixture
def serve(serve: Callable[..., Served]) -> Callable[..., Served]:
    """Give the function that serves datastorage, with a worker that looks and tries again at once."""
    quick = {"dlq_poll": 0.02, "dlq_longest_pause": 0.1, "dlq_claim_after": 0.4}
    return lambda **changes: serve(**{**quick, **changes})


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running datastorage whose deadline is short."""
    return serve(postgres_timeout=0.3)


@pytest.fixture
def locked(blocker: psycopg.Connection[Any]) -> Iterator[Callable[[], None]]:
    """Have every write run into its deadline, until the function that is given is called."""
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    yield blocker.rollback
    blocker.rollback()


@pytest.fixture
def ids(db: psycopg.Connection[Any]) -> Callable[[], list[str]]:
    """Give a function that lists the request ids in the table, in the order in which they were written."""

    def read() -> list[str]:
        rows = db.execute("SELECT remediation_request_id FROM remediation_audit ORDER BY id").fetchall()
        return [row[0] for row in rows]

    return read
