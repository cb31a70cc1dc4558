"""Who has an entry in hand: consumers that die, stop, compete, and a group that vanishes under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg

from datastorage import DatastorageSettings
from servicekit.testing import Served
from testinfra.serving import Service

PATH = "/api/v1/audit/remediations"
GROUP = "replay"
Record = Callable[..., dict[str, Any]]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Ids = Callable[[], list[str]]
Eventually = Callable[..., None]
Connection = psycopg.Connection[Any]


def test_what_a_killed_process_had_in_hand_is_claimed(
    settings: DatastorageSettings,
    start_service: Callable[..., Service],
    serve: Serve,
    record: Record,
    locked: Callable[[], None],
    streams: Any,
    ids: Ids,
    eventually: Eventually,
) -> None:
    """A service is ended with SIGKILL while two records are pending; another one stores them, once, and sweeps it."""
    service = start_service(
        "datastorage",
        {
            "DATASTORAGE_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "DATASTORAGE_REDIS_URL": settings.redis_url.get_secret_value(),
            "DATASTORAGE_REDIS_KEY_PREFIX": settings.redis_key_prefix,
            "DATASTORAGE_POSTGRES_TIMEOUT": "0.3",
            "DATASTORAGE_DLQ_POLL": "0.02",
            "DATASTORAGE_DLQ_LONGEST_PAUSE": "0.1",
            "DATASTORAGE_POOL_MAX": "2",
        },
        socket_variable="DATASTORAGE_SOCKET_FD",
    )
    with httpx.Client(base_url=service.url, timeout=20) as client:
        for name in ("one", "two"):
            assert client.post(PATH, json=record(remediation_request_id=name)).status_code == 202
    eventually("both are in its hand", lambda: len(streams.in_hand()) == 2)
    dead = streams.consumers()
    service.kill()
    serve()
    locked()
    eventually("both are stored", lambda: sorted(ids()) == ["one", "two"])
    eventually("the queue is empty", lambda: streams.waiting() == [])
    eventually("the dead consumer is forgotten", lambda: not dead & streams.consumers())
    assert streams.dead_letters() == []


def test_what_a_stopped_service_had_in_hand_is_claimed(
    serve: Serve,
    connect: Connect,
    record: Record,
    locked: Callable[[], None],
    streams: Any,
    ids: Ids,
    eventually: Eventually,
) -> None:
    """SIGTERM in the middle of a try loses nothing: the entry stays pending and the next service takes it over."""
    first = serve(postgres_timeout=0.3)
    assert connect(first).post(PATH, json=record(remediation_request_id="mine")).status_code == 202
    eventually("it is in hand", lambda: len(streams.in_hand()) == 1)
    first.stop()
    assert (len(streams.waiting()), len(streams.in_hand())) == (1, 1)
    locked()
    serve()
    eventually("it is stored", lambda: ids() == ["mine"])
    eventually("the queue is empty", lambda: streams.waiting() == [])


def test_two_services_store_everything_once(
    serve: Serve, connect: Connect, record: Record, streams: Any, ids: Ids, eventually: Eventually
) -> None:
    """Fifty records and two workers that even claim from each other: fifty rows and no dead letter."""
    clients = [connect(serve(dlq_claim_after=0.001)) for _ in range(2)]
    sent = [f"queued-{number}" for number in range(50)]
    for name in sent:
        streams.put(clients[0].build_request("POST", PATH, json=record(remediation_request_id=name)).content)
    eventually("all are stored", lambda: sorted(ids()) == sorted(sent))
    eventually("the queue is empty", lambda: streams.waiting() == [])
    assert streams.dead_letters() == []


def test_a_group_that_vanishes_is_made_anew(
    client: httpx.Client, record: Record, streams: Any, ids: Ids, eventually: Eventually, locked: Callable[[], None]
) -> None:
    """Without its group, with an entry in hand, the worker begins at the stream's beginning and loses nothing."""
    for name in ("one", "two"):
        assert client.post(PATH, json=record(remediation_request_id=name)).status_code == 202
    eventually("both are in hand", lambda: len(streams.in_hand()) == 2)
    streams.client.xgroup_destroy(streams.queue, GROUP)
    locked()
    eventually("both are stored", lambda: sorted(ids()) == ["one", "two"])
    eventually("the queue is empty", lambda: streams.waiting() == [])


def test_an_entry_that_somebody_deletes_is_forgotten(
    client: httpx.Client, record: Record, streams: Any, ids: Ids, eventually: Eventually, locked: Callable[[], None]
) -> None:
    """A person removes one of two entries that are in hand: the other is stored, and nothing stays pending.

    The one that is removed may be stored as well, where the worker has read it before.
    """
    entries = [client.post(PATH, json=record(remediation_request_id=name)).json()["id"] for name in ("one", "two")]
    eventually("both are in hand", lambda: len(streams.in_hand()) == 2)
    streams.client.xdel(streams.queue, entries[0])
    locked()
    eventually("the other is stored", lambda: "two" in ids())
    eventually("nothing is pending", lambda: streams.in_hand() == {})


def test_a_stream_that_vanishes_is_begun_anew(
    client: httpx.Client, record: Record, streams: Any, ids: Ids, eventually: Eventually, locked: Callable[[], None]
) -> None:
    """What somebody deletes is gone, and what is queued after it is stored."""
    assert client.post(PATH, json=record(remediation_request_id="lost")).status_code == 202
    eventually("it is in hand", lambda: len(streams.in_hand()) == 1)
    streams.client.delete(streams.queue)
    assert client.post(PATH, json=record(remediation_request_id="kept")).status_code == 202
    locked()
    eventually("it is stored", lambda: ids() == ["kept"])


def test_connections_that_redis_closes_are_made_anew(
    client: httpx.Client, record: Record, streams: Any, ids: Ids, eventually: Eventually, locked: Callable[[], None]
) -> None:
    """After CLIENT KILL of everybody else's connections a write is queued at once, and stored."""
    assert client.post(PATH, json=record(remediation_request_id="one")).status_code == 202
    own = streams.client.client_info()
    for each in streams.client.client_list():
        if each["db"] == str(own["db"]) and each["id"] != str(own["id"]):
            streams.client.client_kill_filter(_id=each["id"])
    assert client.post(PATH, json=record(remediation_request_id="two")).status_code == 202
    locked()
    eventually("both are stored", lambda: sorted(ids()) == ["one", "two"])
