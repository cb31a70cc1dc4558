"""Scenarios 1 to 4: a remediation is written, read back, unique, and its table is indexed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]


def test_scenario_01_one_row_is_written(client: httpx.Client, record: Record, count: Callable[[], int]) -> None:
    """A POST answers 201 with the full record and where it is, and the table has one row."""
    sent = record()
    answer = client.post(PATH, json=sent)
    assert answer.status_code == 201
    stored = answer.json()
    assert {name: stored[name] for name in sent} == sent
    assert answer.headers["Location"] == f"{PATH}/{stored['id']}"
    assert count() == 1


def test_scenario_02_a_row_is_read_back(client: httpx.Client, add: Record) -> None:
    """What GET returns, by id and in the list, is what POST answered."""
    stored = add(error_message="took two tries", metadata={"tries": 2, "notes": ["first", None, True, 1.5]})
    assert client.get(f"{PATH}/{stored['id']}").json() == stored
    assert client.get(PATH).json() == {"data": [stored], "pagination": {"limit": 100, "offset": 0, "total": 1}}


def test_scenario_03_the_request_id_is_unique(client: httpx.Client, record: Record, count: Callable[[], int]) -> None:
    """A repeated remediation_request_id is refused with 409, which names the field and its value."""
    assert client.post(PATH, json=record(remediation_request_id="twice")).status_code == 201
    answer = client.post(PATH, json=record(remediation_request_id="twice", name="another"))
    assert answer.status_code == 409
    assert (answer.json()["field"], answer.json()["value"]) == ("remediation_request_id", "twice")
    assert count() == 1


def test_scenario_04_the_indexes_exist(db: psycopg.Connection[Any]) -> None:
    """Everything that the service filters, orders or searches by has an index."""
    rows = db.execute(
        "SELECT split_part(indexdef, ' USING ', 2) FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename = 'remediation_audit'"
    ).fetchall()
    assert {row[0] for row in rows} >= {
        "btree (id)",
        "btree (remediation_request_id)",
        "btree (namespace)",
        "btree (status)",
        "btree (phase)",
        "btree (start_time DESC)",
        "btree (signal_fingerprint)",
        "hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')",
    }
