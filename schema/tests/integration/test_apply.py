"""Applying to a real server: exactly these objects, once, whole or not at all, also by two at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbschema import ChangedMigrationError, Migrations, VectorMissingError
from testinfra.endpoints import Postgres

Connection = psycopg.Connection[Any]

COLUMNS = """\
id bigint not null
name character varying(255) not null
namespace character varying(255) not null
phase character varying(50) not null
action_type character varying(100) not null
status character varying(50) not null
start_time timestamp with time zone not null
end_time timestamp with time zone
duration bigint
remediation_request_id character varying(255) not null
signal_fingerprint character varying(255) not null
severity character varying(50) not null
environment character varying(50) not null
cluster_name character varying(255) not null
target_resource character varying(512) not null
error_message text
metadata jsonb not null
embedding vector(384)
created_at timestamp with time zone not null
updated_at timestamp with time zone not null
""".splitlines()

INDEXES = {
    "remediation_audit_pkey": "UNIQUE btree (id)",
    "remediation_audit_remediation_request_id_key": "UNIQUE btree (remediation_request_id)",
    "remediation_audit_namespace_idx": "btree (namespace)",
    "remediation_audit_status_idx": "btree (status)",
    "remediation_audit_phase_idx": "btree (phase)",
    "remediation_audit_start_time_idx": "btree (start_time DESC)",
    "remediation_audit_signal_fingerprint_idx": "btree (signal_fingerprint)",
    "remediation_audit_embedding_idx": ("hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')"),
}

CONSTRAINTS = {
    "remediation_audit_pkey": "PRIMARY KEY (id)",
    "remediation_audit_remediation_request_id_key": "UNIQUE (remediation_request_id)",
    "remediation_audit_phase_check": (
        "CHECK (((phase)::text = ANY ((ARRAY['pending'::character varying, 'processing'::character varying,"
        " 'completed'::character varying, 'failed'::character varying])::text[])))"
    ),
}

ROW = """
    INSERT INTO remediation_audit (name, namespace, phase, action_type, status, start_time, remediation_request_id,
        signal_fingerprint, severity, environment, cluster_name, target_resource)
    VALUES ('n', 'ns', %s, 'restart', 'ok', now(), 'r-1', 'f', 'high', 'prod', 'c', 't') RETURNING id
"""


def test_a_fresh_schema_has_exactly_the_columns(connection: Connection) -> None:
    """Names, types, lengths and NOT NULL of `remediation_audit` are those of the specification, in its order."""
    Migrations().apply(connection)
    rows = connection.execute(
        "SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END"
        " FROM pg_attribute WHERE attrelid = 'remediation_audit'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()
    assert [row[0] for row in rows] == COLUMNS


def test_a_fresh_schema_has_exactly_the_indexes(connection: Connection) -> None:
    """The indexes are there, the one on the vector is HNSW with cosine distance, m = 16, ef_construction = 64."""
    Migrations().apply(connection)
    rows = connection.execute(
        "SELECT indexname, CASE WHEN indexdef LIKE 'CREATE UNIQUE%' THEN 'UNIQUE ' ELSE '' END"
        " || split_part(indexdef, ' USING ', 2) FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename = 'remediation_audit'"
    ).fetchall()
    assert dict(rows) == INDEXES


def test_a_fresh_schema_has_exactly_the_constraints(connection: Connection) -> None:
    """Key, uniqueness of the request and the phases are enforced by the table itself."""
    Migrations().apply(connection)
    rows = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'remediation_audit'::regclass AND contype <> 'n'"
    ).fetchall()
    assert dict(rows) == CONSTRAINTS


def test_a_fresh_schema_has_nothing_else(connection: Connection) -> None:
    """Tables, sequences, functions and triggers: all of them are in the list, besides the partitions of months."""
    Migrations().apply(connection)
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        r" AND relkind IN ('r', 'p', 'S') AND relname !~ '_\d{4}_\d{2}$' UNION ALL"
        " SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace UNION ALL"
        " SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relnamespace = current_schema()::regnamespace AND tgparentid = 0"
    ).fetchall()
    assert sorted(row[0] for row in rows) == [
        "audit_events",
        "audit_events_default",
        "audit_events_refuse_change",
        "audit_events_refuse_truncate",
        "ensure_partitions",
        "grant_application",
        "grant_reader",
        "notification_audit",
        "notification_audit_id_seq",
        "notification_audit_set_updated_at",
        "refuse_change",
        "remediation_audit",
        "remediation_audit_id_seq",
        "remediation_audit_set_updated_at",
        "resource_action_traces",
        "resource_action_traces_default",
        "resource_action_traces_id_seq",
        "schema_migrations",
        "set_updated_at",
    ]


def test_an_unknown_phase_is_refused(connection: Connection) -> None:
    """The four phases pass, another does not."""
    Migrations().apply(connection)
    with pytest.raises(psycopg.errors.CheckViolation, match="remediation_audit_phase_check"):
        connection.execute(ROW, ["running"])


def test_updated_at_follows_an_update_and_created_at_does_not(connection: Connection) -> None:
    """The trigger sets `updated_at`, even where the statement gives another value."""
    Migrations().apply(connection)
    connection.execute(ROW, ["pending"])
    row = connection.execute(
        "UPDATE remediation_audit SET phase = 'completed', updated_at = '2000-01-01'"
        " RETURNING updated_at > created_at, updated_at = now()"
    ).fetchone()
    assert row == (True, True)


def test_applying_again_changes_nothing(connection: Connection) -> None:
    """A second and third time is a no-op: rows, objects and the record of what was applied stay as they are."""
    Migrations().apply(connection)
    connection.execute(ROW, ["pending"])
    state = (
        "SELECT (SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relnamespace = current_schema()::regnamespace)"
    )
    before = connection.execute(f"{state}, * FROM schema_migrations").fetchall()
    Migrations().apply(connection)
    Migrations().apply(connection)
    assert connection.execute(f"{state}, * FROM schema_migrations").fetchall() == before
    assert connection.execute("SELECT count(*) FROM remediation_audit").fetchone() == (1,)


def test_a_later_migration_is_added_to_what_is_there(connection: Connection, tmp_path: Path) -> None:
    """Only the files that a schema lacks are run, so old rows survive an ALTER."""
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int); INSERT INTO a VALUES (1);", encoding="utf-8")
    Migrations(tmp_path).apply(connection)
    (tmp_path / "0002_b.sql").write_text("ALTER TABLE a ADD COLUMN y int NOT NULL DEFAULT 7;", encoding="utf-8")
    Migrations(tmp_path).apply(connection)
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 7)]


def test_a_failing_migration_leaves_nothing(connection: Connection, tmp_path: Path) -> None:
    """When the second file fails, what the first one made is undone too."""
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int);", encoding="utf-8")
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (x int); SELECT 1 / 0;", encoding="utf-8")
    with pytest.raises(psycopg.errors.DivisionByZero):
        Migrations(tmp_path).apply(connection)
    found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").fetchone()
    assert found == (0,)


def test_an_edited_migration_is_refused(connection: Connection, tmp_path: Path) -> None:
    """A file that changed after it was applied is named, with what to do instead."""
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int);", encoding="utf-8")
    Migrations(tmp_path).apply(connection)
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x bigint);", encoding="utf-8")
    with pytest.raises(ChangedMigrationError, match=r"0001_a\.sql was applied .* append-only"):
        Migrations(tmp_path).apply(connection)


def test_two_connections_at_once_apply_it_once(postgres_schema: Postgres) -> None:
    """Two that start together both succeed, and each migration is recorded once."""
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def migrate() -> None:
        try:
            with psycopg.connect(postgres_schema.dsn, autocommit=True) as own:
                start.wait(timeout=10)
                Migrations().apply(own)
        except BaseException as exc:  # noqa: BLE001 - carried to the test's own thread and asserted there
            failures.append(exc)

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert failures == []
    with psycopg.connect(postgres_schema.dsn) as own:
        assert own.execute("SELECT count(*) FROM schema_migrations").fetchone() == (len(list(Migrations())),)


def test_the_second_waits_until_the_first_is_done(postgres_schema: Postgres, connection: Connection) -> None:
    """While one migrates the schema in an open transaction, another is blocked, and then finds nothing to do."""
    with psycopg.connect(postgres_schema.dsn) as first:
        Migrations().apply(first)
        connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            Migrations().apply(connection)
        first.commit()
    connection.execute("SET lock_timeout = 0")
    Migrations().apply(connection)
    assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone() == (len(list(Migrations())),)


def test_a_database_without_vector_is_told_what_to_type(connection: Connection) -> None:
    """Where the extension is out of reach, the message names the database and the command."""
    connection.execute("SELECT set_config('search_path', current_schema(), false)")
    with pytest.raises(VectorMissingError, match="CREATE EXTENSION vector"):
        Migrations().apply(connection)
