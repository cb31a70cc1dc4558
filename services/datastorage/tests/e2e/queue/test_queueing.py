"""A write that Postgres does not take: queued and answered 202, or neither."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest
import redis as redis_py
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Redis

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Metric = Callable[..., float]


@pytest.fixture
def service(serve: Serve) -> Served:
    """Give a service whose deadline does not pass while a test waits."""
    return serve()


def test_a_write_is_queued_while_postgres_is_away(
    serve: Serve, connect: Connect, no_postgres: SecretStr, record: Record, streams: Any
) -> None:
    """202 says so and names the entry, which holds the whole record; depth and outcome are counted."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2))
    sent = record(remediation_request_id="mine")
    answer = client.post(PATH, json=sent, headers={"X-Request-ID": "the-request"})
    assert answer.status_code == 202
    entry = streams.client.xrange(streams.queue)[0]
    expected = {"status": "queued", "id": entry[0].decode(), "type": "remediations", "ids": ["mine"]}
    assert answer.json() == expected
    kept = json.loads(entry[1][b"record"])
    assert {name: kept[name] for name in sent} == sent
    assert entry[1][b"request_id"] == b"the-request"
    metrics = client.get("/metrics").text.splitlines()
    assert 'datastorage_dlq_depth{type="remediations"} 1.0' in metrics
    assert 'datastorage_write_total{status="queued",table="remediation_audit"} 1.0' in metrics
    assert 'datastorage_dualwrite_failure_total{reason="unavailable"} 1.0' in metrics


def test_a_wrong_record_is_not_queued(
    serve: Serve, connect: Connect, no_postgres: SecretStr, record: Record, streams: Any
) -> None:
    """It is 400 whether Postgres is there or not."""
    client = connect(serve(postgres_dsn=no_postgres))
    assert client.post(PATH, json=record(phase="running")).status_code == 400
    assert streams.waiting() == []


def test_a_repeated_record_is_not_queued(
    client: httpx.Client, record: Record, streams: Any, count: Callable[[], int]
) -> None:
    """409 is an answer, and not a failure that another try could heal."""
    assert client.post(PATH, json=record(remediation_request_id="same")).status_code == 201
    assert client.post(PATH, json=record(remediation_request_id="same")).status_code == 409
    assert (streams.waiting(), count()) == ([], 1)


def test_with_both_down_it_is_503(
    serve: Serve, connect: Connect, no_postgres: SecretStr, closed_port: int, record: Record
) -> None:
    """Nothing was kept, so nothing is promised: come again, says Retry-After, and the detail names both."""
    no_redis = SecretStr(f"redis://127.0.0.1:{closed_port}/0")
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2, redis_url=no_redis))
    answer = client.post(PATH, json=record())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["type"] == "urn:problem-type:postgres-unavailable"
    assert "Postgres" in answer.json()["detail"]
    assert "Redis did not queue it" in answer.json()["detail"]


def test_a_redis_that_never_answers_costs_the_deadline_of_the_queue(
    serve: Serve, connect: Connect, no_postgres: SecretStr, record: Record
) -> None:
    """Queueing has `dlq_timeout` in all, however often the client of Redis would try again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        client = connect(
            serve(postgres_dsn=no_postgres, postgres_timeout=0.2, redis_url=url, redis_timeout=0.1, dlq_timeout=0.3)
        )
        answer = client.post(PATH, json=record(embedding=None))
    assert answer.status_code == 503
    assert "longer than 0.3 s" in answer.json()["detail"]
    assert answer.elapsed.total_seconds() < 2


def test_a_full_queue_refuses_and_trims_nothing(
    serve: Serve, connect: Connect, no_postgres: SecretStr, record: Record, streams: Any
) -> None:
    """Of ten writes at once exactly as many are accepted as there is room for, and all of those are kept."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2, dlq_max_length=3))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda sent: client.post(PATH, json=sent), [record() for _ in range(10)]))
    accepted = {answer.json()["ids"][0] for answer in answers if answer.status_code == 202}
    assert len(accepted) == 3
    assert {json.loads(entry[b"record"])["remediation_request_id"] for entry in streams.waiting()} == accepted
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 7
    assert all("the queue is full, 3 of at most 3 wait" in answer.json()["detail"] for answer in refused)


def test_a_redis_without_memory_is_503(
    serve: Serve, connect: Connect, no_postgres: SecretStr, exclusive_redis: Redis, record: Record
) -> None:
    """A Redis at its limit, which evicts nothing, refuses the record, and its client is told."""
    with redis_py.Redis.from_url(exclusive_redis.url) as admin:
        admin.config_set("maxmemory", 1)
        client = connect(
            serve(postgres_dsn=no_postgres, postgres_timeout=0.2, redis_url=SecretStr(exclusive_redis.url))
        )
        answer = client.post(PATH, json=record())
    assert answer.status_code == 503
    assert "maxmemory" in answer.json()["detail"]


def test_a_client_that_hangs_up_queues_nothing(
    begin_post: Callable[..., socket.socket],
    streams: Any,
    record: Record,
    client: httpx.Client,
    locked: Callable[[], None],
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
    metric: Metric,
    count: Callable[[], int],
) -> None:
    """A cancelled write is neither in the table nor in the queue: nobody was promised anything."""
    with closing(begin_post()):
        eventually("the INSERT waits", lambda: len(waiting()) == 1)
    counted = {"table": "remediation_audit", "status": "cancelled"}
    eventually("it is cancelled", lambda: metric("datastorage_write_total", **counted) == 1)
    locked()
    assert client.post(PATH, json=record()).status_code == 201
    assert (streams.waiting(), count()) == ([], 1)


def test_a_server_that_is_away_is_not_waited_for_again(
    serve: Serve, connect: Connect, no_postgres: SecretStr, record: Record
) -> None:
    """The first write waits half of the deadline for a connection; the next ones are queued before clients give up."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=4.0))
    first, second = (client.post(PATH, json=record()) for _ in range(2))
    assert [first.status_code, second.status_code] == [202, 202]
    assert first.elapsed.total_seconds() >= 2
    assert second.elapsed.total_seconds() < 1.5
