"""Every call of these tables while Postgres refuses connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from servicekit.testing import Served

Record = Callable[..., dict[str, Any]]
Connect = Callable[[Served], httpx.Client]
V1 = "/api/v1"
READS = (
    *("audit/notifications", "audit/events", "incidents", "incidents/1", "success-rate/incident-type?incident_type=x"),
    *("success-rate/playbook?playbook_id=x", "success-rate/multi-dimensional?action_type=x", "aggregate/trend"),
    *("aggregate/by-namespace", "aggregate/by-severity"),
)


@pytest.fixture
def alone(serve: Callable[..., Served], no_postgres: SecretStr) -> Served:
    """Give a service without Postgres."""
    return serve(postgres_dsn=no_postgres, postgres_timeout=0.2)


def test_reads_are_told_to_come_again(alone: Served, connect: Connect) -> None:
    """Each is 503 with Retry-After."""
    client = connect(alone)
    for path in READS:
        answer = client.get(f"{V1}/{path}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), path
        assert answer.json()["type"] == "urn:problem-type:postgres-unavailable"


def test_writes_are_queued_and_written_by_a_service_that_has_postgres(
    alone: Served,
    serve: Callable[..., Served],
    connect: Connect,
    notification: Record,
    event: Record,
    trace: Record,
    eventually: Callable[..., None],
) -> None:
    """Each is 202 with the ids it will be found by; another service claims them and stores them all, once."""
    queueing = connect(alone)
    sent = {
        "audit/notifications": notification(),
        "audit/events": event(),
        "audit/events/batch": [event(), event()],
        "action-traces": trace(),
    }
    ids = {}
    for path, record in sent.items():
        answer = queueing.post(f"{V1}/{path}", json=record)
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "queued"
        ids[path] = answer.json()["ids"]

    alone.stop()
    client = connect(serve(dlq_claim_after=0.1, dlq_poll=0.05))

    def stored(path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = client.get(f"{V1}/{path}").json()["data"]
        return rows

    eventually(
        "all are stored", lambda: len(stored("audit/events")) == 3 and len(stored("incidents")) == 1, deadline=20
    )
    eventually("the notification is stored", lambda: len(stored("audit/notifications")) == 1, deadline=20)
    events = {each["event_id"] for each in stored("audit/events")}
    assert events == {*ids["audit/events"], *ids["audit/events/batch"]}
    (incident,) = stored("incidents")
    assert (incident["action_id"], incident["embedded"]) == (ids["action-traces"][0], True)
    assert [each["notification_id"] for each in stored("audit/notifications")] == ids["audit/notifications"]
