"""Every kind of record is queued and replayed, and a replay of one that is stored changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
import redis as redis_py
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Redis

NOTIFICATION = {
    "remediation_id": "request-1",
    "notification_id": "notification-1",
    "recipient": "on-call@example.org",
    "channel": "email",
    "message_summary": "restarted",
    "status": "sent",
    "sent_at": "2026-11-20T10:00:00Z",
}
EVENT = {
    "event_type": "gateway.signal.received",
    "event_category": "gateway",
    "event_action": "received",
    "event_outcome": "success",
    "event_timestamp": "2026-11-20T10:00:00Z",
    "correlation_id": "correlation-1",
    "actor_type": "service",
    "actor_id": "gateway-1",
    "resource_type": "Signal",
    "resource_id": "0f3a9c",
    "event_data": {"ratio": 1e23},
}
TRACE = {
    "action_id": "action-1",
    "correlation_id": "correlation-1",
    "action_timestamp": "2026-11-20T10:00:00Z",
    "namespace": "payments",
    "cluster_name": "eu-1",
    "environment": "production",
    "signal_name": "PodCrashLooping",
    "signal_severity": "critical",
    "signal_fingerprint": "0f3a9c",
    "action_type": "restart_pod",
    "execution_status": "completed",
    "model_confidence": 0.9,
    "labels": {"many": 10**30},
}


@pytest.mark.parametrize(
    ("type_", "path", "body", "table", "rows"),
    [
        ("notifications", "audit/notifications", NOTIFICATION, "notification_audit", 1),
        ("events", "audit/events", EVENT, "audit_events", 1),
        ("event_batches", "audit/events/batch", [EVENT, EVENT, EVENT], "audit_events", 3),
        ("traces", "action-traces", TRACE, "resource_action_traces", 1),
    ],
)
def test_a_queued_record_of_every_kind_is_stored_once(
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
    no_postgres: SecretStr,
    redis_client: redis_py.Redis,
    redis_db: Redis,
    db: psycopg.Connection[Any],
    eventually: Callable[..., None],
    type_: str,
    path: str,
    body: Any,
    table: str,
    rows: int,
) -> None:
    """It is 202 with its ids while Postgres is away; then it is replayed, and a second time changes nothing."""
    queue, dead = f"{redis_db.key_prefix}audit:dlq:{type_}", f"{redis_db.key_prefix}audit:dead-letter:{type_}"
    away = serve(postgres_dsn=no_postgres, postgres_timeout=0.2)
    answer = connect(away).post(f"/api/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (202, type_)
    assert len(set(answer.json()["ids"])) == rows
    away.stop()
    entries: Any = redis_client.xrange(queue)
    client = connect(serve())

    def replayed() -> float:
        lines = client.get("/metrics").text.splitlines()
        mine = [line for line in lines if line.startswith("datastorage_dlq_replays_total") and f'"{type_}"' in line]
        return sum(float(line.split()[1]) for line in mine)

    for times in (1, 2):
        eventually(f"it is replayed {times} times", lambda wanted=times: replayed() == wanted)
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,)
        eventually("the queue is empty", lambda: redis_client.xlen(queue) == 0)
        if times == 1:
            redis_client.xadd(queue, entries[0][1])
    assert redis_client.xlen(dead) == 0
