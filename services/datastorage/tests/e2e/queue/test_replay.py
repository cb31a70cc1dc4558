"""The worker: what was queued comes into the table once, in its order, with the vector that it was to have."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
import redis as redis_py
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Postgres, Redis
from testinfra.faults.outage import Outage

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Metric = Callable[..., float]
Ids = Callable[[], list[str]]
Eventually = Callable[..., None]
Connection = psycopg.Connection[Any]


def test_what_was_queued_is_written_oldest_first(
    serve: Serve, connect: Connect, record: Record, ids: Ids, streams: Any, eventually: Eventually
) -> None:
    """Forty records are in the table in the order in which they were queued, and nothing is left of the queue."""
    sent = [f"queued-{number}" for number in range(40)]
    for name in sent:
        streams.put(json.dumps(record(remediation_request_id=name)).encode())
    client = connect(serve())
    eventually("all are stored", lambda: ids() == sent, deadline=20)
    eventually("the queue is empty", lambda: streams.waiting() == [])
    assert (streams.in_hand(), streams.dead_letters()) == ({}, [])
    told = ('datastorage_dlq_depth{type="remediations"} 0.0', 'outcome="written",type="remediations"} 40.0')
    eventually("the metrics say so", lambda: all(each in client.get("/metrics").text for each in told))


def test_a_replayed_record_is_the_one_that_was_sent(
    client: httpx.Client, locked: Callable[[], None], record: Record, ids: Ids, eventually: Eventually
) -> None:
    """Every field, and the vector: made of the text, given, or none, as it was asked for."""
    given = [0.0] * 383 + [1.0]
    sent = [
        record(error_message="pool exhausted", metadata={"tries": 2, "ratio": 0.5}),
        record(embedding=given, end_time=None),
        record(embedding=None, duration=None),
    ]
    for each in sent:
        assert client.post(PATH, json=each).status_code == 202
    locked()
    eventually("all are stored", lambda: len(ids()) == 3)
    stored = client.get(PATH).json()["data"]
    stored.sort(key=lambda each: [one["remediation_request_id"] for one in sent].index(each["remediation_request_id"]))
    assert [each["embedded"] for each in stored] == [True, True, False]
    for one, other in zip(sent, stored, strict=True):
        assert {name: other[name] for name in one if name != "embedding"} == {
            name: value for name, value in one.items() if name != "embedding"
        }
    alike = client.post(f"{PATH}/search", json={"embedding": given, "limit": 1}).json()["data"]
    assert (alike[0]["remediation_request_id"], alike[0]["similarity"]) == (sent[1]["remediation_request_id"], 1)


@pytest.mark.usefixtures("commits_wait")
def test_a_write_whose_connection_breaks_at_its_commit_is_stored_once(
    serve: Serve,
    connect: Connect,
    record: Record,
    db: Connection,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Eventually,
    ids: Ids,
    streams: Any,
    postgres_schema: Postgres,
) -> None:
    """The backend is ended while it commits: the outcome is unknown, the record is queued, and comes in once."""
    client = connect(serve())
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, PATH, json=record(remediation_request_id="mine"))
        eventually("the commit waits", lambda: len(waiting()) == 1)
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND application_name = %s",
            [postgres_schema.application_name],
        )
        assert answer.result(20).status_code == 202
    blocker.rollback()
    eventually("it is stored", lambda: ids() == ["mine"])
    eventually("the queue is empty", lambda: streams.waiting() == [])


def test_a_record_that_is_stored_already_is_found_and_not_written_again(
    client: httpx.Client,
    record: Record,
    locked: Callable[[], None],
    serve: Serve,
    connect: Connect,
    streams: Any,
    eventually: Eventually,
    ids: Ids,
    metric: Metric,
) -> None:
    """A client that sends the same record again, queued twice or stored meanwhile, has it once."""
    sent = record(remediation_request_id="twice", metadata={"ratio": 1e23, "many": 10**30})
    assert [client.post(PATH, json=sent).status_code for _ in range(3)] == [202] * 3
    locked()
    eventually("the queue is empty", lambda: streams.waiting() == [])
    assert (ids(), streams.dead_letters()) == (["twice"], [])
    assert metric("datastorage_dlq_replays_total", type="remediations", outcome="found") == 2
    assert connect(serve()).post(PATH, json=sent).status_code == 409


def test_two_records_of_one_id_end_as_a_row_and_a_dead_letter(
    client: httpx.Client,
    record: Record,
    locked: Callable[[], None],
    streams: Any,
    eventually: Eventually,
    db: Connection,
) -> None:
    """A queued record reserves nothing: the first to be written stays, the other is kept with the reason."""
    for severity in ("high", "low"):
        sent = record(remediation_request_id="mine", severity=severity)
        assert client.post(PATH, json=sent).status_code == 202
    locked()
    eventually("one is dead", lambda: len(streams.dead_letters()) == 1)
    stored = db.execute("SELECT severity FROM remediation_audit").fetchall()
    dead = streams.dead_letters()[0]
    assert sorted([*stored, (json.loads(dead[b"record"])["severity"],)]) == [("high",), ("low",)]
    assert dead[b"reason"] == b"remediation_request_id 'mine' is stored already, with another content"
    assert streams.waiting() == []


def test_after_postgres_was_killed_everything_accepted_is_there(
    exclusive_postgres: Postgres,
    postgres_outage: Outage,
    serve: Serve,
    connect: Connect,
    record: Record,
    streams: Any,
    eventually: Eventually,
) -> None:
    """Writes before, during and after an outage of the server: each is in the table once."""
    served = serve(postgres_dsn=SecretStr(exclusive_postgres.dsn), postgres_timeout=2.0)
    client = connect(served)
    answers = [client.post(PATH, json=record()) for _ in range(3)]
    with postgres_outage("kill"):
        answers += [client.post(PATH, json=record()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3 + [202] * 3
    eventually("the queue is empty", lambda: streams.waiting() == [], deadline=20)
    answers.append(client.post(PATH, json=record()))
    assert answers[-1].status_code == 201
    with psycopg.connect(exclusive_postgres.dsn) as db:
        rows = db.execute("SELECT remediation_request_id FROM remediation_audit ORDER BY id").fetchall()
    accepted = [answer.json().get("ids", [answer.json().get("remediation_request_id")])[0] for answer in answers]
    assert sorted(row[0] for row in rows) == sorted(accepted)


def test_after_redis_was_killed_the_queue_goes_on(
    exclusive_redis: Redis,
    redis_outage: Outage,
    locked: Callable[[], None],
    serve: Serve,
    connect: Connect,
    record: Record,
    ids: Ids,
    eventually: Eventually,
) -> None:
    """A record that Redis took survives its death, and the worker finds both again; meanwhile it is 503."""
    client = connect(serve(redis_url=SecretStr(exclusive_redis.url), postgres_timeout=0.3, dlq_timeout=0.5))

    def depth() -> str:
        lines = client.get("/metrics").text.splitlines()
        return next(line.split()[1] for line in lines if line.startswith('datastorage_dlq_depth{type="remediations"'))

    assert client.post(PATH, json=record(remediation_request_id="before")).status_code == 202
    with redis_outage("kill"):
        assert client.post(PATH, json=record(remediation_request_id="during")).status_code == 503
        eventually("the depth is unknown", lambda: depth() == "NaN")
    assert client.post(PATH, json=record(remediation_request_id="after")).status_code == 202
    locked()
    eventually("both are stored", lambda: sorted(ids()) == ["after", "before"])
    eventually("the depth is known", lambda: depth() == "0.0")


def test_a_login_with_few_rights_is_enough(
    exclusive_redis: Redis,
    locked: Callable[[], None],
    serve: Serve,
    connect: Connect,
    record: Record,
    ids: Ids,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the README says that the service needs of Redis is all that it uses, from the cache to the dead letters."""
    rights = ["-@all", "+@stream", "+@hash", "+@scripting", "+get", "+set", "+ping", "+config|get"]
    with redis_py.Redis.from_url(exclusive_redis.url) as admin:
        admin.acl_setuser("service", enabled=True, nopass=True, keys=["*"], commands=rights[1:], categories=rights[:1])
        url = f"redis://service:x@{exclusive_redis.host}:{exclusive_redis.port}/0"
        client = connect(serve(redis_url=SecretStr(url), postgres_timeout=0.3))
        for severity in ("high", "low"):
            sent = record(remediation_request_id="mine", severity=severity)
            assert client.post(PATH, json=sent).status_code == 202
        locked()
        eventually("one is stored", lambda: ids() == ["mine"])
        eventually("one is dead", lambda: admin.xlen("audit:dead-letter:remediations") == 1)
    assert not [text for text in caplog.messages if "permission" in text.lower() or "unknown whether" in text]
