"""What the tests of several services need: clients, waits, a look into Postgres, and vectors to search.

A service's own conftest.py has the service: its `settings`, `serve` and `service`. Nothing sleeps for a fixed time:
`eventually` waits for a fact, and fails with what was waited for.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from testinfra.endpoints import Postgres
from testinfra.servers.ready import wait_until

if TYPE_CHECKING:  # imported by the fixtures that need them: a service may have no Postgres, xdist's first process none
    import ssl

    import httpx
    import psycopg

    from servicekit.testing import Served

_VECTORS = 300


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Take hypothesis' plugin out of a run that passed: in order to say nothing, it would import all of hypothesis."""
    config, name = session.config, "hypothesispytest"
    unused = "hypothesis" not in sys.modules and not config.getoption("--hypothesis-show-statistics", default=False)
    if unused and exitstatus == pytest.ExitCode.OK and config.pluginmanager.has_plugin(name):
        config.pluginmanager.unregister(name=name)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port that refuses connections: it is bound, so nobody else gets it, and does not listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def no_tls() -> ssl.SSLContext:
    """Give the `verify` of clients that do plain HTTP: to load the system's certificates takes longer than a test."""
    import ssl  # noqa: PLC0415 - see above

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def connect(no_tls: ssl.SSLContext) -> Iterator[Callable[..., httpx.Client]]:
    """Give a function that makes a client of a service; each client has connections of its own."""
    import httpx  # noqa: PLC0415 - see above

    with ExitStack() as stack:

        def make(served: Served, **options: Any) -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=served.url, verify=no_tls, timeout=60, **options))

        yield make


@pytest.fixture
def client(service: Served, connect: Callable[..., httpx.Client]) -> httpx.Client:
    """Give a client of `service`."""
    return connect(service)


@pytest.fixture
def metric(client: httpx.Client) -> Callable[..., float]:
    """Give a function that reads one sample of the service's metrics; 0 where it was never touched."""
    from servicekit.testing import sample  # noqa: PLC0415 - see above

    return lambda name, **labels: sample(client.get("/metrics").text, name, **labels)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Give a function that waits until a condition holds, and fails with its name when the deadline passes."""

    def wait(what: str, holds: Callable[[], bool], *, deadline: float = 30.0) -> None:
        wait_until(holds, what=what, timeout=deadline)

    return wait


@pytest.fixture
def db(postgres_schema: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Give an autocommit connection of this test's schema's owner, for a look behind the service."""
    import psycopg  # noqa: PLC0415 - see above

    with psycopg.connect(postgres_schema.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def blocker(postgres_schema: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection whose transaction holds locks until `rollback()`, so that the service has to wait."""
    import psycopg  # noqa: PLC0415 - see above

    with psycopg.connect(postgres_schema.dsn) as connection:
        yield connection


@pytest.fixture
def waiting(db: psycopg.Connection[Any], postgres_schema: Postgres) -> Callable[[], list[str]]:
    """Give a function that lists the statements of this test that now wait for a lock on the server."""

    def statements() -> list[str]:
        rows = db.execute(
            "SELECT query FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
            " AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
            [postgres_schema.application_name],
        ).fetchall()
        return [row[0] for row in rows]

    return statements


@pytest.fixture
def vectors(db: psycopg.Connection[Any]) -> dict[int, tuple[str, list[float]]]:
    """Fill the table with random vectors, one in thirty of the namespace `rare`; give {id: (namespace, vector)}."""
    chance = random.Random(384)  # noqa: S311 - the same numbers in every run, and nothing secret
    made = {}
    with (
        db.cursor() as cursor,
        cursor.copy(
            "COPY remediation_audit (id, name, namespace, phase, action_type, status, start_time,"
            " remediation_request_id, signal_fingerprint, severity, environment, cluster_name,"
            " target_resource, embedding) FROM STDIN"
        ) as copy,
    ):
        for number in range(1, _VECTORS + 1):
            namespace = "rare" if number % 30 == 0 else "common"
            vector = [chance.gauss(0, 1) for _ in range(384)]
            made[number] = (namespace, vector)
            text = ("n", namespace, "completed", "a", "s", "2026-11-21", str(number), "f", "s", "e", "c", "t")
            copy.write_row((number, *text, str(vector)))
    db.execute("ANALYZE remediation_audit")
    return made
