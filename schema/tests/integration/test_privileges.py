"""What the application's role may do (read and append), what a reader's, and that nobody changes an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from dbschema import Migrations
from testinfra.endpoints import Postgres

Connection = psycopg.Connection[Any]
EVENT = (
    "INSERT INTO audit_events (event_id, event_type, event_category, event_action, event_outcome, event_timestamp,"
    " correlation_id, actor_type, actor_id, resource_type, resource_id)"
    " VALUES (gen_random_uuid(), 't', 'gateway', 'a', 'success', now(), 'c', 't', 'i', 't', 'i')"
)
NOTIFICATION = (
    "INSERT INTO notification_audit (remediation_id, notification_id, recipient, channel, message_summary, status,"
    " sent_at) VALUES ('r', 'n', 'r', 'email', 'm', 'sent', now())"
)
TABLES = ("remediation_audit", "notification_audit", "resource_action_traces", "audit_events")


@pytest.fixture(autouse=True)
def _migrated(connection: Connection) -> None:
    Migrations().apply(connection)


@contextmanager
def _granted(by: str, postgres_schema: Postgres, connection: Connection) -> Iterator[Connection]:
    """Give a connection that acts as a role which was told by this function, and has nothing else."""
    name = f"{postgres_schema.schema}_{by}"
    role = Identifier(name)
    connection.execute(SQL("CREATE ROLE {0} NOLOGIN; GRANT {0} TO CURRENT_USER WITH SET TRUE").format(role))
    try:
        connection.execute(SQL("SELECT {}(%s)").format(Identifier(by)), [name])
        with psycopg.connect(postgres_schema.dsn, autocommit=True) as own:
            own.execute(SQL("SET ROLE {}").format(role))
            yield own
    finally:
        grantee = SQL("GRANT {0} TO CURRENT_USER WITH INHERIT TRUE; DROP OWNED BY {0}; DROP ROLE {0}").format(role)
        connection.execute(grantee)


@pytest.fixture
def application(postgres_schema: Postgres, connection: Connection) -> Iterator[Connection]:
    """Give a connection of the application's role."""
    with _granted("grant_application", postgres_schema, connection) as own:
        yield own


@pytest.fixture
def reader(postgres_schema: Postgres, connection: Connection) -> Iterator[Connection]:
    """Give a connection of a reader's role."""
    with _granted("grant_reader", postgres_schema, connection) as own:
        yield own


def test_the_application_reads_and_appends(application: Connection) -> None:
    """It writes rows, ids from the sequences included, and reads every table."""
    application.execute(EVENT)
    application.execute(NOTIFICATION)
    counts = [application.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES]
    assert counts == [(0,), (1,), (0,), (1,)]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET namespace = 'x'", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"]
)
def test_the_application_changes_nothing(application: Connection, table: str, statement: str) -> None:
    """No privilege but SELECT and INSERT."""
    column = "recipient" if table == "notification_audit" else "namespace"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be owner"):
        application.execute(statement.format(table).replace("namespace", column))


@pytest.mark.parametrize(
    "statement", [EVENT, NOTIFICATION, "UPDATE audit_events SET severity = 'low'", "CREATE TABLE o ()"]
)
def test_a_reader_reads_every_table_and_writes_none(reader: Connection, statement: str) -> None:
    """No privilege but SELECT."""
    assert [reader.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES] == [(0,)] * 4
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        reader.execute(statement)


def test_the_application_makes_partitions_and_no_other_tables(application: Connection) -> None:
    """`ensure_partitions` works with its owner's rights; a table of its own the role cannot make."""
    assert application.execute("SELECT ensure_partitions(0, '2030-05-10T00:00:00Z')").fetchone() == (2,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("CREATE TABLE own (x int)")


def test_a_search_path_of_the_callers_changes_nothing(application: Connection) -> None:
    """The function that runs with its owner's rights looks only where it was made."""
    application.execute("CREATE TEMPORARY TABLE audit_events (event_timestamp timestamptz)")
    assert application.execute("SELECT ensure_partitions(0, '2030-05-10T00:00:00Z')").fetchone() == (2,)


def test_another_role_may_not_make_partitions(postgres_schema: Postgres, connection: Connection) -> None:
    """Without `grant_application` even the call is refused."""
    row = connection.execute(
        "SELECT has_function_privilege('pg_monitor', 'ensure_partitions(integer, timestamptz)', 'EXECUTE')"
    ).fetchone()
    assert row == (False,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET severity = 'low'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
    ],
)
def test_not_even_the_owner_changes_an_event(connection: Connection, statement: str) -> None:
    """A trigger refuses it, on the table as on its partitions."""
    connection.execute(EVENT)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(statement)
    row = connection.execute("SELECT tableoid::regclass::text FROM audit_events").fetchone()
    assert row is not None
    if not statement.startswith("TRUNCATE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement.replace("audit_events", row[0]))


def test_an_old_month_goes_with_its_partition(connection: Connection) -> None:
    """The owner ends a month by dropping its partition, which is no change of an event."""
    connection.execute("SELECT ensure_partitions(0, '2020-05-10T00:00:00Z')")
    connection.execute(EVENT.replace("now()", "'2020-05-10'"))
    connection.execute("DROP TABLE audit_events_2020_05")
    assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)
