"""The tables beside `remediation_audit`: their columns, indexes and checks, and what they refuse."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dbschema import Migrations

Connection = psycopg.Connection[Any]

COLUMNS = {
    "notification_audit": """\
id bigint not null
remediation_id character varying(255) not null
notification_id character varying(255) not null
recipient character varying(255) not null
channel character varying(50) not null
message_summary text not null
status character varying(50) not null
sent_at timestamp with time zone not null
delivery_status character varying(255)
error_message text
escalation_level integer not null
created_at timestamp with time zone not null
updated_at timestamp with time zone not null
""",
    "resource_action_traces": """\
id bigint not null
action_id character varying(64) not null
correlation_id character varying(255) not null
action_timestamp timestamp with time zone not null
namespace character varying(253) not null
cluster_name character varying(255) not null
environment character varying(50) not null
signal_name character varying(200) not null
signal_severity character varying(50) not null
signal_fingerprint character varying(255) not null
action_type character varying(50) not null
execution_status character varying(50) not null
execution_error text
incident_type character varying(100)
playbook_id character varying(64)
playbook_version character varying(20)
ai_selected boolean not null
ai_chained boolean not null
ai_manual_escalation boolean not null
model_confidence numeric(4,3)
labels jsonb not null
embedding vector(384)
""",
    "audit_events": """\
event_id uuid not null
version character varying(20) not null
event_type character varying(100) not null
event_category character varying(50) not null
event_action character varying(50) not null
event_outcome character varying(20) not null
event_timestamp timestamp with time zone not null
correlation_id character varying(255) not null
actor_type character varying(50) not null
actor_id character varying(255) not null
resource_type character varying(100) not null
resource_id character varying(255) not null
parent_event_id uuid
namespace character varying(253)
cluster_name character varying(255)
severity character varying(50)
duration_ms bigint
event_data jsonb not null
""",
}

FINISHED = (
    "((execution_status)::text = ANY ((ARRAY['completed'::character varying, 'failed'::character varying])::text[]))"
)
INDEXES = {
    "notification_audit": {
        "UNIQUE btree (id)",
        "UNIQUE btree (notification_id)",
        "btree (remediation_id)",
        "btree (sent_at DESC)",
    },
    "resource_action_traces": {
        "UNIQUE btree (id, action_timestamp)",
        "UNIQUE btree (action_id, action_timestamp)",
        "btree (action_timestamp DESC)",
        "hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')",
        f"btree (incident_type, action_timestamp) WHERE ((incident_type IS NOT NULL) AND {FINISHED})",
        f"btree (playbook_id, playbook_version, action_timestamp) WHERE ((playbook_id IS NOT NULL) AND {FINISHED})",
    },
    "audit_events": {
        "UNIQUE btree (event_id, event_timestamp)",
        "btree (event_timestamp DESC)",
        "btree (correlation_id, event_timestamp DESC)",
        "gin (event_data)",
    },
}

ROWS: dict[str, dict[str, Any]] = {
    "notification_audit": {
        "remediation_id": "r",
        "notification_id": "n",
        "recipient": "r",
        "channel": "email",
        "message_summary": "m",
        "status": "sent",
        "sent_at": "2026-11-21T10:00:00Z",
    },
    "resource_action_traces": {
        "action_id": "a",
        "correlation_id": "c",
        "action_timestamp": "2026-11-21T10:00:00Z",
        "namespace": "n",
        "cluster_name": "c",
        "environment": "e",
        "signal_name": "s",
        "signal_severity": "s",
        "signal_fingerprint": "f",
        "action_type": "a",
        "execution_status": "pending",
    },
    "audit_events": {
        "event_id": "00000000-0000-0000-0000-000000000001",
        "event_type": "t",
        "event_category": "gateway",
        "event_action": "a",
        "event_outcome": "success",
        "event_timestamp": "2026-11-21T10:00:00Z",
        "correlation_id": "c",
        "actor_type": "t",
        "actor_id": "i",
        "resource_type": "t",
        "resource_id": "i",
    },
}


@pytest.fixture(autouse=True)
def _migrated(connection: Connection) -> None:
    Migrations().apply(connection)


def _insert(connection: Connection, table: str, **changes: Any) -> None:
    row = ROWS[table] | changes
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(row.values()))


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_exactly_these_columns(connection: Connection, table: str) -> None:
    """Names, types, lengths and NOT NULL are those of the specification, in its order."""
    rows = connection.execute(
        "SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END"
        " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [table],
    ).fetchall()
    assert [row[0] for row in rows] == COLUMNS[table].splitlines()


@pytest.mark.parametrize("table", INDEXES)
def test_a_table_has_exactly_these_indexes(connection: Connection, table: str) -> None:
    """Keys, what lists are ordered by, and what the success rates read."""
    rows = connection.execute(
        "SELECT CASE WHEN indexdef LIKE 'CREATE UNIQUE%%' THEN 'UNIQUE ' ELSE '' END"
        " || split_part(indexdef, ' USING ', 2) FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename = %s",
        [table],
    ).fetchall()
    assert {row[0] for row in rows} == INDEXES[table]


@pytest.mark.parametrize("table", ROWS)
def test_what_may_be_left_out_has_a_default(connection: Connection, table: str) -> None:
    """The columns that say what happened make a row; the rest is empty, false, 0 or null."""
    _insert(connection, table)
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


@pytest.mark.parametrize(
    ("table", "column", "value", "constraint"),
    [
        ("notification_audit", "channel", "pigeon", "channel_check"),
        ("notification_audit", "status", "queued", "status_check"),
        ("notification_audit", "escalation_level", 101, "escalation_level_check"),
        ("notification_audit", "escalation_level", -1, "escalation_level_check"),
        ("resource_action_traces", "execution_status", "done", "execution_status_check"),
        ("resource_action_traces", "model_confidence", 1.001, "model_confidence_check"),
        ("resource_action_traces", "playbook_version", "1.0", "playbook_version_check"),
        ("audit_events", "event_category", "weather", "event_category_check"),
        ("audit_events", "event_outcome", "maybe", "event_outcome_check"),
    ],
)
def test_what_is_no_value_is_refused(
    connection: Connection, table: str, column: str, value: object, constraint: str
) -> None:
    """The table itself holds its enumerations and bounds."""
    with pytest.raises(psycopg.errors.CheckViolation, match=f"{table}_{constraint}"):
        _insert(connection, table, **{column: value})


@pytest.mark.parametrize("table", ROWS)
def test_the_same_row_twice_is_refused(connection: Connection, table: str) -> None:
    """Each table has a unique id of the client's."""
    _insert(connection, table)
    with pytest.raises(psycopg.errors.UniqueViolation):
        _insert(connection, table)


def test_updated_at_of_a_notification_follows_an_update(connection: Connection) -> None:
    """The trigger sets `updated_at`, and `created_at` stays."""
    _insert(connection, "notification_audit")
    row = connection.execute(
        "UPDATE notification_audit SET status = 'acknowledged' RETURNING updated_at > created_at, updated_at = now()"
    ).fetchone()
    assert row == (True, True)
