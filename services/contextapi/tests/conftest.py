"""A real contextapi per test: its own schema, its own role that only reads, its own Redis database, its own port.

Everything a test needs beyond libraries comes from here as a fixture. Nothing sleeps for a fixed time: `eventually`
waits for a fact, and fails with what was waited for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import hypothesis
import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from contextapi import ContextapiSettings, create_app
from dbschema import Migrations
from servicekit.embedding import checked, literal
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Postgres, Redis

hypothesis.settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of it
hypothesis.settings.load_profile("any machine")

_POOL_MAX = 5
Connection = psycopg.Connection[Any]
Json = dict[str, Any]


@pytest.fixture(scope="session")
def postgres_migrations() -> Migrations:
    """Have the stand migrate every schema it hands out, from the files that datastorage's are made from."""
    return Migrations()


@pytest.fixture
def reader(db: Connection, postgres_schema: Postgres) -> Iterator[Postgres]:
    """Give this test's schema to a role that `grant_reader` was called for, and that has nothing else."""
    name = f"{postgres_schema.schema}_reader"
    role = Identifier(name)
    db.execute(SQL("CREATE ROLE {0} NOLOGIN; GRANT {0} TO CURRENT_USER WITH SET TRUE").format(role))
    try:
        db.execute("SELECT grant_reader(%s)", [name])
        yield replace(postgres_schema, settings=(*postgres_schema.settings, ("role", name)))
    finally:
        db.execute(SQL("GRANT {0} TO CURRENT_USER WITH INHERIT TRUE; DROP OWNED BY {0}; DROP ROLE {0}").format(role))


@pytest.fixture
def settings(reader: Postgres, redis_db: Redis) -> ContextapiSettings:
    """Give settings on this test's own schema and Redis database, with a small pool and no grace period."""
    return ContextapiSettings(
        postgres_dsn=SecretStr(reader.dsn),
        redis_url=SecretStr(redis_db.url),
        redis_key_prefix=redis_db.key_prefix,
        redis_timeout=2.0,
        pool_min=1,
        pool_max=_POOL_MAX,
        shutdown_grace=0,
    )


@pytest.fixture
def serve(settings: ContextapiSettings) -> Iterator[Callable[..., Served]]:
    """Give a function that serves contextapi with these settings changed, until the test ends."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Served:
            return stack.enter_context(serve_in_thread(create_app(settings.model_copy(update=changes))))

        yield start


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running contextapi."""
    return serve()


@pytest.fixture
def no_postgres(reader: Postgres, closed_port: int) -> SecretStr:
    """Give a DSN whose server refuses connections."""
    return SecretStr(replace(reader, port=closed_port).dsn)


@pytest.fixture
def uncached(serve: Callable[..., Served], connect: Callable[[Served], httpx.Client]) -> httpx.Client:
    """Give a client of a service that reads Postgres for every answer."""
    return connect(serve(cache_ttl=1e-9))


@pytest.fixture
def row() -> Callable[..., Json]:
    """Give a function that makes an incident as a row of its table, numbered, with columns changed."""
    made = 0

    def make(**changes: Any) -> Json:
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
            "severity": "critical",
            "environment": "production",
            "cluster_name": "eu-1",
            "target_resource": "deployment/payment-api",
            "error_message": None,
            "metadata": {},
            "embedding": None,
            **changes,
        }

    return make


@pytest.fixture
def add(db: Connection, row: Callable[..., Json]) -> Callable[..., int]:
    """Give a function that stores an incident, as datastorage would, and returns its id."""

    def insert(**changes: Any) -> int:
        return insert_rows(db, [row(**changes)])[0]

    return insert


def insert_rows(connection: Connection, rows: list[Json]) -> list[int]:
    """Store these rows, which have the same columns, and return their ids."""
    if not rows:
        return []
    names = list(rows[0])
    statement = SQL("INSERT INTO remediation_audit ({}) VALUES ({}) RETURNING id").format(
        SQL(", ").join(map(Identifier, names)), SQL(", ").join(map(Placeholder, names))
    )
    ids = []
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(statement, list(map(_parameters, rows)), returning=True)
        for result in cursor.results():
            found = result.fetchone()
            assert found is not None
            ids.append(int(found[0]))
    return ids


def _parameters(row: Json) -> Json:
    vector = row.get("embedding")
    embedding = {} if vector is None else {"embedding": literal(checked(vector))}
    return {**row, **embedding, "metadata": Jsonb(row["metadata"])}


@pytest.fixture
def begin(service: Served) -> Iterator[Callable[[str], socket.socket]]:
    """Give a function that sends a whole GET and does not read the answer; closing the socket is hanging up."""
    with ExitStack() as stack:

        def send(path: str) -> socket.socket:
            own = stack.enter_context(socket.create_connection((service.host, service.port), timeout=20))
            own.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            return own

        yield send
