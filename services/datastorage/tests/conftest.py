"""A real datastorage per test: its own schema, its own Redis database, its own port.

Everything a test needs beyond libraries comes from here as a fixture. Nothing sleeps for a fixed time: `eventually`
waits for a fact, and fails with what was waited for.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from datastorage import DatastorageSettings, create_app
from dbschema import Migrations
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Postgres, Redis

_POOL_MAX = 5
_PATH = "/api/v1/audit/remediations"


@pytest.fixture(scope="session")
def postgres_migrations() -> Migrations:
    """Have the stand migrate every schema it hands out."""
    return Migrations()


@pytest.fixture
def settings(postgres_schema: Postgres, redis_db: Redis) -> DatastorageSettings:
    """Give settings on this test's own schema and Redis database, with a small pool and no grace period."""
    return DatastorageSettings(
        postgres_dsn=SecretStr(postgres_schema.dsn),
        redis_url=SecretStr(redis_db.url),
        redis_key_prefix=redis_db.key_prefix,
        redis_timeout=2.0,
        pool_min=1,
        pool_max=_POOL_MAX,
        shutdown_grace=0,
    )


@pytest.fixture
def serve(settings: DatastorageSettings) -> Iterator[Callable[..., Served]]:
    """Give a function that serves datastorage with these settings changed, until the test ends."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Served:
            return stack.enter_context(serve_in_thread(create_app(settings.model_copy(update=changes))))

        yield start


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running datastorage."""
    return serve()


@pytest.fixture
def no_postgres(postgres_schema: Postgres, closed_port: int) -> SecretStr:
    """Give a DSN whose server refuses connections."""
    return SecretStr(replace(postgres_schema, port=closed_port).dsn)


@pytest.fixture
def at_commit(db: psycopg.Connection[Any]) -> Callable[[str], None]:
    """Give a function that has every transaction with a new row do this PL/pgSQL when it commits."""

    def install(does: str) -> None:
        db.execute(
            f"CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} RETURN NULL; END $$"
        )
        for table in ("remediation_audit", "audit_events"):
            db.execute(
                f"CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
            )

    return install


@pytest.fixture
def commits_wait(at_commit: Callable[[str], None], blocker: psycopg.Connection[Any]) -> None:
    """Have every commit of a new remediation or event wait until `blocker.rollback()`."""
    at_commit("PERFORM pg_advisory_xact_lock(hashtextextended(TG_TABLE_SCHEMA, 0));")
    blocker.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))")


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Give a function that makes a valid remediation, numbered, with fields changed or (None is kept) added."""
    made = 0

    def make(**changes: Any) -> dict[str, Any]:
        nonlocal made
        made += 1
        return {
            "name": "restart-payment-api",
            "namespace": "payments",
            "phase": "completed",
            "action_type": "restart_pod",
            "status": "success",
            "start_time": "2026-11-21T10:00:00Z",
            "end_time": "2026-11-21T10:00:30Z",
            "duration": 30_000,
            "remediation_request_id": f"request-{made}",
            "signal_fingerprint": "0f3a9c",
            "severity": "high",
            "environment": "production",
            "cluster_name": "eu-1",
            "target_resource": "deployment/payment-api",
            **changes,
        }

    return make


@pytest.fixture
def add(client: httpx.Client, record: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Give a function that stores a remediation through the service and returns the answer's body."""

    def post(**changes: Any) -> dict[str, Any]:
        answer = client.post(_PATH, json=record(**changes))
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return post


@pytest.fixture
def count(db: psycopg.Connection[Any]) -> Callable[[], int]:
    """Give a function that counts the rows that are really in the table."""

    def rows() -> int:
        row = db.execute("SELECT count(*) FROM remediation_audit").fetchone()
        assert row is not None
        return int(row[0])

    return rows


@pytest.fixture
def begin(service: Served) -> Iterator[Callable[[str, Any], socket.socket]]:
    """Give a function that sends a whole POST and does not read the answer; closing the socket is hanging up."""
    with ExitStack() as stack:

        def send(path: str, content: Any) -> socket.socket:
            body = json.dumps(content).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            own = stack.enter_context(socket.create_connection((service.host, service.port), timeout=20))
            own.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            return own

        yield send


@pytest.fixture
def begin_post(
    begin: Callable[[str, Any], socket.socket], record: Callable[..., dict[str, Any]]
) -> Callable[..., socket.socket]:
    """Give the same for a remediation, with fields changed."""
    return lambda **changes: begin(_PATH, record(**changes))
