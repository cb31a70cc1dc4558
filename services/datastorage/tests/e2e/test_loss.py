"""Nothing that was accepted is lost, and nothing is written twice, while everything dies in turn and together.

Two thousand writes of three kinds, fifty at a time, go to the service as a real process. Meanwhile Postgres, Redis and
the service are killed (SIGKILL) and started again. Faults begin and end by the number of answers, not by the clock, so
that each of them meets writes whatever the machine's speed.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
import redis as redis_py

from testinfra.endpoints import Postgres, Redis
from testinfra.faults.outage import Outage
from testinfra.serving import Service

WRITES = 2_000
CLIENTS = 50
DROPPED = 0
"""In place of a status: the connection ended without an answer."""
TABLES = {
    "remediations": ("remediation_audit", "remediation_request_id"),
    "notifications": ("notification_audit", "notification_id"),
    "events": ("audit_events", "event_id"),
}


@dataclass
class Progress:
    """What was answered so far, for the thread that breaks things."""

    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    """(kind, id) -> status, or DROPPED."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, key: tuple[str, str], status: int) -> None:
        with self._changed:
            self.answers[key] = status
            self._changed.notify_all()

    def wait_for(self, number: int) -> None:
        """Wait until so many have an answer."""
        with self._changed:
            reached = self._changed.wait_for(lambda: len(self.answers) >= number, timeout=120)
        assert reached, f"{len(self.answers)} answers after 120 s, {number} were waited for"


def bodies(record: Callable[..., dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, id and body of every write."""
    for number in range(WRITES):
        kind = list(TABLES)[number % 3]
        if kind == "remediations":
            name, body = f"loss-{number}", record(remediation_request_id=f"loss-{number}")
        elif kind == "notifications":
            name, body = f"loss-{number}", notification(f"loss-{number}")
        else:
            name = str(uuid.uuid4())
            body = event(name)
        yield kind, name, body


def notification(name: str) -> dict[str, Any]:
    return {
        "remediation_id": "r-1", "notification_id": name, "recipient": "ops@example.com", "channel": "email",
        "message_summary": "restarted", "status": "sent", "sent_at": "2026-11-21T10:00:00Z",
    }  # fmt: skip


def event(name: str) -> dict[str, Any]:
    return {
        "event_id": name, "event_type": "gateway.signal.received", "event_category": "gateway",
        "event_action": "received", "event_outcome": "success", "event_timestamp": "2026-11-21T10:00:00Z",
        "correlation_id": "c-1", "actor_type": "service", "actor_id": "gateway", "resource_type": "Pod",
        "resource_id": "payments/api", "event_data": {"n": 1},
    }  # fmt: skip


async def write_all(url: str, writes: list[tuple[str, str, dict[str, Any]]], progress: Progress) -> None:
    """Send every write once, CLIENTS at a time."""
    waiting = iter(writes)
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:

        async def work() -> None:
            for kind, name, body in waiting:
                try:
                    answer = await client.post(f"/api/v1/audit/{kind}", json=body)
                    progress.note((kind, name), answer.status_code)
                except httpx.TransportError:
                    progress.note((kind, name), DROPPED)

        await asyncio.gather(*(work() for _ in range(CLIENTS)))


def break_everything(progress: Progress, service: Service, postgres: Outage, cache: Outage) -> None:
    """Each alone, Postgres with the service, Postgres with Redis, and all three at once."""
    progress.wait_for(150)
    with postgres("kill"):
        progress.wait_for(350)
    progress.wait_for(500)
    with cache("kill"):
        progress.wait_for(650)
    progress.wait_for(800)
    service.kill()
    service.start()
    progress.wait_for(1_000)
    with postgres("kill"):
        progress.wait_for(1_100)  # the queue fills, and the service dies with entries in hand
        service.kill()
        service.start(wait=False)
        progress.wait_for(1_200)
    progress.wait_for(1_350)
    with postgres("kill"), cache("kill"):
        progress.wait_for(1_450)
    progress.wait_for(1_600)
    with postgres("kill"), cache("kill"):
        service.kill()
    service.start()


@pytest.fixture
def service(start_service: Callable[..., Service], exclusive_postgres: Postgres, exclusive_redis: Redis) -> Service:
    """The service as a process, on servers that only this test has."""
    environment = {
        "DATASTORAGE_POSTGRES_DSN": exclusive_postgres.dsn,
        "DATASTORAGE_REDIS_URL": exclusive_redis.url,
        "DATASTORAGE_POSTGRES_TIMEOUT": "3",
        "DATASTORAGE_DLQ_POLL": "0.1",
        "DATASTORAGE_DLQ_LONGEST_PAUSE": "0.5",
        "DATASTORAGE_DLQ_CLAIM_AFTER": "1",
        "DATASTORAGE_SHUTDOWN_GRACE": "0",
    }
    return start_service("datastorage", environment, socket_variable="DATASTORAGE_SOCKET_FD")


def test_no_accepted_write_is_lost_or_doubled_whatever_dies(
    service: Service,
    exclusive_postgres: Postgres,
    exclusive_redis: Redis,
    postgres_outage: Outage,
    redis_outage: Outage,
    record: Callable[..., dict[str, Any]],
    eventually: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    """Of 2,000 writes every 201 and 202 is in its table exactly once; every other was a 503 or a dropped connection."""
    progress = Progress()
    broken: list[BaseException] = []

    def break_and_note() -> None:
        try:
            break_everything(progress, service, postgres_outage, redis_outage)
        except BaseException as exc:  # noqa: BLE001 - raised in the test's own thread below
            broken.append(exc)

    breaker = threading.Thread(target=break_and_note)
    breaker.start()
    asyncio.run(write_all(service.url, list(bodies(record)), progress))
    breaker.join()
    assert not broken, broken
    with redis_py.Redis.from_url(exclusive_redis.url) as cache:
        eventually(
            "the queue is empty",
            lambda: not any(cache.xlen(f"audit:dlq:{kind}") for kind in TABLES),
            deadline=60,
        )
        assert [cache.xlen(f"audit:dead-letter:{kind}") for kind in TABLES] == [0, 0, 0]
    statuses = Counter(progress.answers.values())
    for status, number in statuses.items():
        request.node.user_properties.append((f"answered {status}", number))
    assert sum(statuses.values()) == WRITES
    assert set(statuses) == {201, 202, 503, DROPPED}, statuses  # each of them: so every fault met writes
    stored = stored_ids(exclusive_postgres)
    for kind in TABLES:
        accepted = {name for (of, name), status in progress.answers.items() if of == kind and status in (201, 202)}
        assert accepted - set(stored[kind]) == set(), f"lost of {kind}"
        assert [name for name, times in stored[kind].items() if times != 1] == [], f"doubled of {kind}"


def stored_ids(postgres: Postgres) -> dict[str, Counter[str]]:
    """Kind -> how often each id is in its table."""
    with psycopg.connect(postgres.dsn) as connection:
        return {
            kind: Counter(str(row[0]) for row in connection.execute(f"SELECT {column} FROM {table}"))
            for kind, (table, column) in TABLES.items()
        }
