"""What `fresh_schema` and `fresh_database` measure: tests that each get a migrated space of their own and use it.

Not collected by a plain `pytest`, for its name is no test file's: the benchmark names it, and one test in it by `-k`.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from benchmarks.tables import migrations
from dbschema import Migrations
from testinfra.endpoints import Postgres

_INSERT = """
INSERT INTO remediation_audit (name, namespace, phase, action_type, status, start_time, remediation_request_id,
                               signal_fingerprint, severity, environment, cluster_name, target_resource)
VALUES ('restart-payment-api', 'payments', 'completed', 'restart_pod', 'success', now(), 'request-1',
        '0f3a9c', 'high', 'production', 'eu-1', 'deployment/payment-api')
"""


@pytest.fixture(scope="session")
def postgres_migrations() -> Migrations:
    """Have the stand apply the real migrations."""
    return migrations()


def _use(connection: psycopg.Connection[Any]) -> None:
    connection.execute(_INSERT)
    connection.commit()
    assert connection.execute("SELECT id, namespace FROM remediation_audit").fetchall() == [(1, "payments")]


def test_schema(number: int, postgres_schema: Postgres) -> None:
    """Ours, a schema each."""
    del number
    with closing(psycopg.connect(postgres_schema.dsn)) as connection:
        _use(connection)


def test_database(number: int, postgres_database: Postgres) -> None:
    """Ours, a database each."""
    del number
    with closing(psycopg.connect(postgres_database.dsn)) as connection:
        _use(connection)


def test_peer(number: int, postgresql: psycopg.Connection[Any]) -> None:
    """The peer's, a database each; its fixture hands out a connection."""
    del number
    _use(postgresql)
