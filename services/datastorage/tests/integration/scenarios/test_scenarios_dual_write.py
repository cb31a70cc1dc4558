"""Scenarios 5 to 9: the row and its vector are written together, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from servicekit.testing import Served

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]


@pytest.mark.usefixtures("commits_wait")
def test_scenario_05_row_and_vector_are_written_atomically(
    client: httpx.Client,
    record: Record,
    db: Connection,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
) -> None:
    """Until the commit nobody sees the row; from then on it has its vector, and was never touched in between."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, PATH, json=record())
        eventually("the service waits at its commit", lambda: len(waiting()) == 1)
        assert db.execute("SELECT id FROM remediation_audit").fetchall() == []
        blocker.rollback()
        assert answer.result(20).json()["embedded"] is True
    rows = db.execute("SELECT vector_dims(embedding), xmax::text FROM remediation_audit").fetchall()
    assert rows == [(384, "0")]


def test_scenario_06_an_error_rolls_both_back(
    client: httpx.Client,
    record: Record,
    db: Connection,
    at_commit: Callable[[str], None],
    count: Callable[[], int],
    metric: Callable[..., float],
) -> None:
    """When the transaction fails at its very end, neither row nor vector is there, and the failure is counted."""
    at_commit("RAISE EXCEPTION 'no';")
    answer = client.post(PATH, json=record())
    assert answer.status_code == 500
    assert count() == 0
    assert metric("datastorage_dualwrite_failure_total", reason="error") == 1
    db.execute("DROP TRIGGER at_commit ON remediation_audit")
    assert client.post(PATH, json=record()).status_code == 201
    assert count() == 1


def test_scenario_07_a_wrong_phase_is_refused(
    client: httpx.Client, record: Record, db: Connection, add: Record, count: Callable[[], int]
) -> None:
    """The service refuses it by name, and the table would refuse it too, so no other writer can bring one in."""
    answer = client.post(PATH, json=record(phase="running"))
    assert answer.status_code == 400
    assert "pending" in answer.json()["field_errors"]["phase"]
    assert count() == 0
    add()
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute("UPDATE remediation_audit SET phase = 'running'")


def test_scenario_08_five_concurrent_writes_give_five_rows(
    client: httpx.Client, record: Record, db: Connection, metric: Callable[..., float]
) -> None:
    """Five writes at once are five rows with five vectors."""
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda sent: client.post(PATH, json=sent), [record() for _ in range(5)]))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert db.execute("SELECT count(*), count(embedding) FROM remediation_audit").fetchone() == (5, 5)
    assert metric("datastorage_dualwrite_success_total") == 5


def test_scenario_09_without_vectors_the_row_alone_is_written(
    serve: Callable[..., Served], connect: Callable[[Served], httpx.Client], record: Record, db: Connection
) -> None:
    """A service that makes no vectors stores the record all the same."""
    client = connect(serve(embedder="none"))
    answer = client.post(PATH, json=record())
    assert answer.status_code == 201
    assert answer.json()["embedded"] is False
    assert db.execute("SELECT count(*), count(embedding) FROM remediation_audit").fetchone() == (1, 0)
