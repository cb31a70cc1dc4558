"""That contextapi cannot write is a fact of the database, twice: its role may not, and its sessions do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from contextapi import ContextapiSettings
from servicekit.database import conninfo
from testinfra.endpoints import Postgres

Connection = psycopg.Connection[Any]
TABLES = ("remediation_audit", "notification_audit", "resource_action_traces", "audit_events")
CHANGES = (
    "INSERT INTO {} SELECT * FROM {}",
    "UPDATE {} SET {column} = {column}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} ADD COLUMN own int",
    "ALTER TABLE {} RENAME TO other",
    "CREATE INDEX ON {} ({column})",
    "CREATE TRIGGER own BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION set_updated_at()",
    "LOCK TABLE {} IN EXCLUSIVE MODE",
    "SELECT FROM {} FOR UPDATE",
)
ELSEWHERE = (
    "CREATE TABLE own (x int)",
    "CREATE VIEW own AS SELECT 1",
    "CREATE SEQUENCE own",
    "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA own",
    "SELECT nextval('remediation_audit_id_seq')",
    "SELECT ensure_partitions(12)",
)


@pytest.fixture
def as_reader(reader: Postgres) -> Iterator[Connection]:
    """Give a connection of the role that the service has, in a session that is not read-only."""
    with psycopg.connect(reader.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def as_service(settings: ContextapiSettings, postgres_schema: Postgres) -> Iterator[Connection]:
    """Give a connection such as the service makes, of a role that may do everything."""
    dsn = conninfo(postgres_schema.dsn, name="contextapi", timeout=settings.postgres_timeout, read_only=True)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def filled(change: str, table: str) -> SQL:
    column = "recipient" if table == "notification_audit" else "namespace"
    return SQL(change.replace("{column}", column).replace("{}", table))


@pytest.mark.parametrize("table", TABLES)
def test_its_role_reads_every_table(as_reader: Connection, table: str) -> None:
    """SELECT is what it has."""
    assert as_reader.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone() == (0,)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_its_role_changes_nothing(as_reader: Connection, table: str, change: str) -> None:
    """INSERT, UPDATE, DELETE, DDL and the locks of writers are refused by the server, whatever the session says."""
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be owner")
    with refused, as_reader.transaction():  # outside of which LOCK is refused to everybody
        as_reader.execute(filled(change, table))


@pytest.mark.parametrize("statement", ELSEWHERE)
def test_its_role_makes_nothing(as_reader: Connection, statement: str) -> None:
    """No table, no function, no number from a sequence, no partition."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_reader.execute(SQL(statement))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES[:6])
def test_its_sessions_change_nothing_whatever_their_role(as_service: Connection, table: str, change: str) -> None:
    """Even as the owner of the tables, as every transaction is read-only."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        as_service.execute(filled(change, table))


def test_a_query_has_five_seconds(as_service: Connection) -> None:
    """The server itself ends what takes longer."""
    assert as_service.execute("SHOW statement_timeout").fetchone() == ("5s",)
