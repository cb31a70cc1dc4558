"""Records that cannot be replayed: set aside, tried again, buried with the reason, and never in the others' way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis as AsyncRedis

from datastorage.metrics import StoreMetrics
from datastorage.queue_consumer import QueueConsumer
from datastorage.remediations import Remediations
from datastorage.replay import Replay
from datastorage.store import Store
from servicekit.database import Database
from servicekit.testing import Served
from testinfra.endpoints import Redis

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Ids = Callable[[], list[str]]
Eventually = Callable[..., None]
Connection = psycopg.Connection[Any]


def test_a_record_that_is_refused_is_buried_after_six_tries(
    client: httpx.Client,
    locked: Callable[[], None],
    record: Record,
    at_commit: Callable[[str], None],
    db: Connection,
    ids: Ids,
    streams: Any,
    eventually: Eventually,
    metric: Callable[..., float],
) -> None:
    """The others are stored meanwhile; the dead letter has the record, the reason, the tries and the request's id."""
    for name in ("before", "poison", "after"):
        sent = record(remediation_request_id=name, name=name)
        assert client.post(PATH, json=sent, headers={"X-Request-ID": f"brought-{name}"}).status_code == 202
    locked()
    eventually("the others are stored", lambda: set(ids()) >= {"before", "after"})
    eventually("the queue is empty", lambda: streams.waiting() == [])
    assert streams.dead_letters() == []
    db.execute("DELETE FROM remediation_audit")
    at_commit("IF NEW.name = 'poison' THEN RAISE EXCEPTION 'never this one'; END IF;")
    for name in ("before", "poison", "after"):
        streams.put(client.build_request("POST", PATH, json=record(remediation_request_id=name, name=name)).content)
    eventually("it is buried", lambda: len(streams.dead_letters()) == 1)
    assert sorted(ids()) == ["after", "before"]
    dead = streams.dead_letters()[0]
    assert b'"poison"' in dead[b"record"]
    assert b"RaiseException: never this one" in dead[b"reason"]
    assert (dead[b"tries"], dead[b"request_id"]) == (b"6", b"a-test")
    assert metric("datastorage_dlq_replays_total", type="remediations", outcome="dead") == 1
    assert streams.client.exists(streams.queue + ":tries") == 0
    assert (streams.waiting(), streams.in_hand()) == ([], {})


@pytest.mark.parametrize("entry", [b"", b"{", b"{}", b"\xff"], ids=["empty", "broken", "no fields", "no UTF-8"])
def test_an_entry_that_is_no_record_is_buried(serve: Serve, streams: Any, eventually: Eventually, entry: bytes) -> None:
    """What this version cannot read is no reason to stop, and is not thrown away."""
    serve()
    streams.put(entry)
    eventually("it is buried", lambda: [each[b"record"] for each in streams.dead_letters()] == [entry])
    assert streams.waiting() == []


def test_a_record_that_always_runs_into_the_deadline_is_buried_and_blocks_nobody(
    client: httpx.Client,
    record: Record,
    at_commit: Callable[[str], None],
    ids: Ids,
    streams: Any,
    eventually: Eventually,
) -> None:
    """Postgres took others meanwhile, so it is the record's fault and not an outage."""
    at_commit("IF NEW.name = 'slow' THEN PERFORM pg_sleep(10); END IF;")
    streams.put(client.build_request("POST", PATH, json=record(name="slow")).content)

    def buried() -> bool:
        if len(streams.waiting()) == 1:  # it is alone: give it a witness
            streams.put(client.build_request("POST", PATH, json=record()).content)
        return len(streams.dead_letters()) == 1

    eventually("it is buried", buried, deadline=20)
    assert streams.dead_letters()[0][b"reason"] == b"Postgres took longer than 0.3 s"
    assert len(ids()) >= 6


def test_an_outage_of_any_length_buries_nothing(
    serve: Serve,
    connect: Connect,
    locked: Callable[[], None],
    record: Record,
    ids: Ids,
    streams: Any,
    eventually: Eventually,
) -> None:
    """While Postgres takes nothing, no try counts: a service that has one try gives none of three records up."""
    client = connect(serve(postgres_timeout=0.1, dlq_tries=1))
    for number in range(3):
        assert client.post(PATH, json=record(remediation_request_id=str(number))).status_code == 202
    eventually("the worker came back to them ten times", lambda: min(streams.in_hand().values(), default=0) >= 10)
    assert (ids(), streams.dead_letters()) == ([], [])
    assert streams.client.exists(streams.queue + ":tries") == 0
    locked()
    eventually("all are stored", lambda: sorted(ids()) == ["0", "1", "2"])


def test_a_missing_table_is_an_outage(
    client: httpx.Client, record: Record, db: Connection, ids: Ids, streams: Any, eventually: Eventually
) -> None:
    """A schema that is not migrated refuses every record alike, so none is to blame."""
    db.execute("ALTER TABLE remediation_audit RENAME TO elsewhere")
    streams.put(client.build_request("POST", PATH, json=record(remediation_request_id="mine")).content)
    eventually("the worker came back ten times", lambda: min(streams.in_hand().values(), default=0) >= 10)
    assert streams.dead_letters() == []
    db.execute("ALTER TABLE elsewhere RENAME TO remediation_audit")
    eventually("it is stored", lambda: ids() == ["mine"])


def test_the_pauses_of_an_outage_grow_up_to_the_longest(
    redis_db: Redis, no_postgres: SecretStr, record: Record, streams: Any
) -> None:
    """A round that finds Postgres away is followed by a pause: twice the last one, up to the cap, half of it jitter."""
    streams.put(json.dumps(record()).encode())

    async def pauses() -> list[float]:
        metrics = StoreMetrics(CollectorRegistry())
        database = Database(no_postgres.get_secret_value(), name="datastorage", pool_min=0, pool_max=1, timeout=0.1)
        async with AsyncRedis.from_url(redis_db.url) as redis, database.opened():
            store = Store(Remediations(database), None, metrics)
            consumer = QueueConsumer(
                redis, key_prefix=redis_db.key_prefix, type_="remediations", name="me", claim_after=60
            )
            replay = Replay(store.kind, consumer, metrics, tries=6, poll=1.0, longest_pause=10.0)
            first = [await replay.round() for _ in range(5)]
            replay._outage = 100_000  # after weeks
            return [*first, await replay.round()]

    for pause, longest in zip(asyncio.run(pauses()), (2, 4, 8, 10, 10, 10), strict=True):
        assert longest / 2 <= pause <= longest
