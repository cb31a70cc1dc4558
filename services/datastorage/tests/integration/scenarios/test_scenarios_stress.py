"""Scenarios 24 to 29: many at once, clients that hang up, and deadlines; the database is the witness."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Postgres

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]
Connect = Callable[[Served], httpx.Client]
Waiting = Callable[[], list[str]]


def test_scenario_24_three_clients_at_once_are_all_counted(
    service: Served, connect: Connect, record: Record, count: Callable[[], int]
) -> None:
    """Three clients with connections of their own write ten records each, and all thirty are counted."""
    with ThreadPoolExecutor(3) as pool:
        per_client = list(pool.map(_writes_ten, [connect(service) for _ in range(3)], [record] * 3, "abc"))
    assert per_client == [[201] * 10] * 3
    assert count() == 30
    page = connect(service).get(PATH, params={"limit": 5}).json()
    assert (len(page["data"]), page["pagination"]["total"]) == (5, 30)


def test_scenario_25_each_client_sees_its_own(service: Served, connect: Connect, record: Record) -> None:
    """Each of three clients, writing at once, lists in its namespace exactly what it wrote."""
    clients = [connect(service) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(_writes_ten, clients, [record] * 3, "abc"))
    for client, name in zip(clients, "abc", strict=True):
        page = client.get(PATH, params={"namespace": name}).json()
        assert page["pagination"]["total"] == 10
        assert {each["remediation_request_id"] for each in page["data"]} == {f"{name}-{n}" for n in range(10)}


def test_scenario_26_a_cancelled_write_stores_nothing(
    begin_post: Callable[..., socket.socket],
    blocker: Connection,
    waiting: Waiting,
    eventually: Callable[..., None],
    count: Callable[[], int],
    metric: Callable[..., float],
) -> None:
    """A client hangs up while its INSERT waits for a lock: the statement ends on the server, and no row comes."""
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    with closing(begin_post()):
        eventually("the INSERT waits", lambda: [query[:11] for query in waiting()] == ["INSERT INTO"])
    eventually("the INSERT is gone, though its lock is still held", lambda: waiting() == [])
    blocker.rollback()
    eventually(
        "it is counted", lambda: metric("datastorage_write_total", table="remediation_audit", status="cancelled") == 1
    )
    assert count() == 0


@pytest.mark.usefixtures("commits_wait")
def test_scenario_27_a_write_cancelled_inside_its_transaction_stores_nothing(
    begin_post: Callable[..., socket.socket],
    blocker: Connection,
    waiting: Waiting,
    eventually: Callable[..., None],
    count: Callable[[], int],
    add: Record,
) -> None:
    """A client hangs up when its row is inserted and the commit is under way: all of it is rolled back."""
    with closing(begin_post(remediation_request_id="same")):
        eventually("the commit waits", lambda: len(waiting()) == 1)
    eventually("the commit is gone, though its lock is still held", lambda: waiting() == [])
    blocker.rollback()
    assert count() == 0
    add(remediation_request_id="same")
    assert count() == 1


def test_scenario_28_the_deadline_passes(
    serve: Callable[..., Served],
    connect: Connect,
    record: Record,
    closed_port: int,
    blocker: Connection,
    waiting: Waiting,
    eventually: Callable[..., None],
    count: Callable[[], int],
) -> None:
    """A write that waits longer than its deadline, and cannot be queued, is answered 503 and is not stored later."""
    no_redis = SecretStr(f"redis://127.0.0.1:{closed_port}/0")
    client = connect(serve(postgres_timeout=0.2, redis_url=no_redis, dlq_timeout=0.2))
    eventually("it has a connection", lambda: client.get(PATH).status_code == 200)
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    answer = client.post(PATH, json=record())
    assert answer.status_code == 503
    assert (answer.headers["Retry-After"], answer.json()["type"]) == ("1", "urn:problem-type:postgres-deadline")
    eventually("the INSERT is gone, though its lock is still held", lambda: waiting() == [])
    blocker.rollback()
    assert count() == 0


@pytest.mark.parametrize("size", [5, 25])
def test_scenario_29_fifty_concurrent_writes_give_fifty_rows(
    serve: Callable[..., Served],
    connect: Connect,
    record: Record,
    db: Connection,
    postgres_schema: Postgres,
    eventually: Callable[..., None],
    size: int,
) -> None:
    """Fifty writes at once, on fifty connections to the service and 5 or 25 to Postgres, are fifty whole rows."""
    client = connect(serve(pool_min=size, pool_max=size))
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"
    name = postgres_schema.application_name
    eventually("the pool is full", lambda: db.execute(open_, [name]).fetchone() == (size,))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda sent: client.post(PATH, json=sent), [record() for _ in range(50)]))
    assert [answer.status_code for answer in answers] == [201] * 50
    numbers = "SELECT count(*), count(embedding), count(DISTINCT remediation_request_id) FROM remediation_audit"
    assert db.execute(numbers).fetchone() == (50, 50, 50)


def _writes_ten(client: httpx.Client, record: Record, name: str) -> list[int]:
    sent = [record(namespace=name, remediation_request_id=f"{name}-{number}") for number in range(10)]
    return [client.post(PATH, json=each).status_code for each in sent]
