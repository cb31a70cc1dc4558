"""The code and the schema as applied agree, and a test would know if they did not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import JsonValue

from contextapi.models import Incident, Phase
from servicekit.testing import Served

Connection = psycopg.Connection[Any]
TYPES: dict[str, Any] = {
    "bigint": int,
    "character varying": str,
    "text": str,
    "jsonb": dict[str, JsonValue],
    "timestamp with time zone": datetime,
}
ALL_OF_THEM = frozenset(Incident.model_fields)
READS: dict[str, frozenset[str]] = {
    "incidents": ALL_OF_THEM,
    "incidents?namespace=x": ALL_OF_THEM,
    "incidents/1": ALL_OF_THEM,
    "incidents/search": ALL_OF_THEM | {"embedding"},
    "aggregations/success-rate?workflow_id=x": frozenset({"name", "phase"}),
    "aggregations/namespaces": frozenset({"namespace", "phase"}),
    "aggregations/severity": frozenset({"severity", "namespace"}),
    "aggregations/trend": frozenset({"start_time", "phase"}),
    "aggregations/top-failing-actions": frozenset({"start_time", "phase", "action_type"}),
    "aggregations/actions": frozenset({"phase", "action_type"}),
    "aggregations/namespace-health?namespace=x": frozenset({"namespace", "phase", "severity", "duration"}),
}
"""Every call with the columns that its SQL needs."""


def columns(db: Connection) -> dict[str, tuple[str, bool]]:
    """Return the table's columns with type and whether they may be NULL, as the migrations left them."""
    rows = db.execute(
        "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = 'remediation_audit'"
    )
    return {name: (type_, nullable) for name, type_, nullable in rows}


def ask(client: httpx.Client, call: str) -> int:
    if call == "incidents/search":
        return client.post(f"/api/v1/{call}", json={"embedding": [1.0] * 384, "threshold": 0}).status_code
    return client.get(f"/api/v1/{call}").status_code


@pytest.mark.parametrize("name", Incident.model_fields)
def test_a_field_is_a_column_of_its_type(db: Connection, name: str) -> None:
    """And may be null where the column may."""
    type_, nullable = columns(db)[name]
    right = Phase if name == "phase" else TYPES[type_]
    assert Incident.model_fields[name].annotation == (right | None if nullable else right)


def test_the_phases_are_those_of_the_table(db: Connection, add: Callable[..., int]) -> None:
    """Each is taken by its constraint, which names no other."""
    for phase in get_args(Phase):
        add(phase=phase)
    row = db.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'remediation_audit_phase_check'"
        " AND connamespace = current_schema()::regnamespace"
    ).fetchone()
    assert row is not None
    assert row[0].count("::character varying") == len(get_args(Phase))


def test_every_call_that_reads_the_store_is_checked(client: httpx.Client) -> None:
    """A route that is added, and not to this file, fails here."""
    paths = {path.removeprefix("/api/v1/") for path in client.get("/openapi.json").json()["paths"] if "/v1/" in path}
    checked = {call.partition("?")[0].replace("incidents/1", "incidents/{id}") for call in READS}
    assert paths == checked | {"context/query"}


def test_a_column_that_is_renamed_fails_every_call_that_reads_it_and_no_other(
    db: Connection,
    add: Callable[..., int],
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
) -> None:
    """Each column of the table in turn, in a copy of the schema: what the SQL needs is what is written above."""
    client = connect(serve(cache_ttl=1e-9, embedder="none", log_level="error"))
    assert add(embedding=[1.0] * 384) == 1
    assert {call: ask(client, call) for call in READS} == dict.fromkeys(READS, 200)
    for name in columns(db):
        change = SQL("ALTER TABLE remediation_audit RENAME COLUMN {} TO {}")
        db.execute(change.format(Identifier(name), Identifier(f"{name}_2")))
        failed = {call for call in READS if ask(client, call) == 500}
        db.execute(change.format(Identifier(f"{name}_2"), Identifier(name)))
        assert failed == {call for call, needed in READS.items() if name in needed}, name
    assert {call: ask(client, call) for call in READS} == dict.fromkeys(READS, 200)
