"""Audit events reach a real datastorage, and never slow or lose a signal when it is away."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

import datastorage
from dbschema import Migrations
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Postgres, Redis

PROMETHEUS = "/api/v1/signals/prometheus"
EVENTS = "/api/v1/audit/events"
Json = dict[str, Any]
Make = Callable[..., Json]
Serve = Callable[..., Served]
Connect = Callable[..., httpx.Client]
Eventually = Callable[..., None]


@pytest.fixture(scope="session")
def postgres_migrations() -> Migrations:
    """Have the stand migrate every schema it hands out."""
    return Migrations()


@pytest.fixture
def store(postgres_schema: Postgres, redis_db: Redis) -> Iterator[Served]:
    """Give a running datastorage."""
    settings = datastorage.DatastorageSettings(
        postgres_dsn=SecretStr(postgres_schema.dsn),
        redis_url=SecretStr(redis_db.url),
        redis_key_prefix=redis_db.key_prefix,
        pool_min=1,
        pool_max=5,
        shutdown_grace=0,
    )
    with serve_in_thread(datastorage.create_app(settings)) as served:
        yield served


@pytest.fixture
def stored(store: Served, connect: Connect) -> Callable[[], list[Json]]:
    """Give a function that reads the stored events of the gateway, oldest first."""
    client = connect(store)

    def read() -> list[Json]:
        found: list[Json] = client.get(EVENTS, params={"event_category": "gateway", "limit": 1000}).json()["data"]
        return found[::-1]

    return read


def test_a_new_and_a_known_problem_are_told(
    store: Served,
    serve: Serve,
    connect: Connect,
    alert: Make,
    stored: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """Received and created, received and deduplicated: four events, with the fingerprint they belong to."""
    client = connect(serve(audit_url=store.url, audit_interval=0.05))
    body = client.post(PROMETHEUS, json=alert()).json()
    client.post(PROMETHEUS, json=alert())
    eventually("four events are stored", lambda: len(stored()) == 4)
    assert sorted(each["event_type"] for each in stored()) == [
        "gateway.crd.created",
        "gateway.signal.deduplicated",
        "gateway.signal.received",
        "gateway.signal.received",
    ]
    assert {each["correlation_id"] for each in stored()} == {body["fingerprint"]}
    made = next(each for each in stored() if each["event_type"] == "gateway.crd.created")
    assert (made["resource_id"], made["event_outcome"]) == (body["remediationRequestName"], "success")


def test_a_failure_is_told(
    intercept: Any,
    namespace: Any,
    store: Served,
    serve: Serve,
    connect: Connect,
    alert: Make,
    stored: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """What could not be made is an event with its reason."""
    between = intercept(namespace)
    served = serve(audit_url=store.url, audit_interval=0.05, kubeconfig=between.endpoint.kubeconfig)
    with between.answer(403, verb="create", resource="remediationrequests"):
        assert connect(served).post(PROMETHEUS, json=alert()).status_code == 503
    eventually("both events are stored", lambda: len(stored()) == 2)
    failed = next(each for each in stored() if each["event_type"] == "gateway.crd.creation_failed")
    assert (failed["event_outcome"], failed["event_data"]["reason"]) == ("failure", "forbidden")


def test_what_waits_is_sent_at_shutdown(
    store: Served, serve: Serve, connect: Connect, alert: Make, stored: Callable[[], list[Json]]
) -> None:
    """Events that wait for the next batch are sent before the process ends."""
    served = serve(audit_url=store.url, audit_interval=3600.0)
    client = connect(served)
    for number in range(20):
        client.post(PROMETHEUS, json=alert(f"p-{number}"))
    served.stop()
    assert len(stored()) == 40


def test_any_text_of_a_signal_can_be_told(
    store: Served,
    serve: Serve,
    connect: Connect,
    alert: Make,
    stored: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """A strange namespace or name does not have the batch refused that it is in."""
    client = connect(serve(audit_url=store.url, audit_interval=0.05))
    client.post(PROMETHEUS, json=alert(labels={"alertname": "a\u0000b<script>", "namespace": " \n"}))
    client.post(PROMETHEUS, json=alert())
    eventually("four events are stored", lambda: len(stored()) == 4)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give a port where connections are taken and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def test_without_datastorage_signals_go_on(
    serve: Serve, connect: Connect, alert: Make, closed_port: int, occurrences: Callable[[], int]
) -> None:
    """Refused connections: every signal is taken, what does not fit the buffer is dropped and counted."""
    url = f"http://127.0.0.1:{closed_port}"
    served = serve(audit_url=url, audit_interval=0.05, audit_buffer=10, audit_timeout=0.5)
    client = connect(served)
    assert [client.post(PROMETHEUS, json=alert()).status_code for _ in range(20)] == [201] + [202] * 19
    text = client.get("/metrics").text
    assert 'gateway_audit_events_dropped_total{reason="full"} 30.0' in text
    served.stop()
    assert occurrences() == 20


def test_a_datastorage_that_hangs_slows_nobody(serve: Serve, connect: Connect, alert: Make, silent_port: int) -> None:
    """With one that never answers, twenty signals take far less than its deadline."""
    url = f"http://127.0.0.1:{silent_port}"
    client = connect(serve(audit_url=url, audit_interval=0.01, audit_timeout=20.0))
    client.post(PROMETHEUS, json=alert())
    began = time.monotonic()
    assert all(client.post(PROMETHEUS, json=alert()).status_code == 202 for _ in range(20))
    assert time.monotonic() - began < 10
    client.close()


def test_by_default_no_event_is_made(client: httpx.Client, alert: Make) -> None:
    """Without the setting nothing is gathered."""
    client.post(PROMETHEUS, json=alert())
    text = client.get("/metrics").text
    assert "gateway_audit_events_waiting 0.0" in text
    assert "gateway_audit_events_dropped_total{" not in text
