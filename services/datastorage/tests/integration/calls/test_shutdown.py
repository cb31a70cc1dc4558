"""Shutdown while requests are in flight: nothing that was accepted is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg

from servicekit.testing import Served

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]
Connect = Callable[[Served], httpx.Client]


def test_a_request_in_flight_is_finished(
    service: Served,
    client: httpx.Client,
    record: Record,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
    count: Callable[[], int],
) -> None:
    """A write that waits when shutdown begins is stored and answered, while new connections are refused."""
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, PATH, json=record())
        eventually("the INSERT waits", lambda: len(waiting()) == 1)
        service.server.begin_shutdown()
        eventually("connections are refused", lambda: not service.takes_connections())
        blocker.rollback()
        assert answer.result(20).status_code == 201
    service.stop()
    assert count() == 1


def test_readiness_ends_before_connections_are_refused(
    serve: Callable[..., Served], connect: Connect, record: Record
) -> None:
    """In the grace period /readyz is 503 and work is still done; each answer asks to connect elsewhere next time."""
    served = serve(shutdown_grace=60)  # as long as the calls need on a busy machine; it is ended below
    client = connect(served)
    assert client.get("/readyz").status_code == 200
    served.server.begin_shutdown()
    served.server.begin_shutdown()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
    assert "shutting down" in answer.json()["detail"]
    assert client.post(PATH, json=record()).status_code == 201
    assert client.get("/livez").status_code == 200
    served.server._loop.call_soon_threadsafe(served.server._stop)
    served.stop()
    assert not served.takes_connections()


def test_a_request_that_takes_too_long_is_cut_off_and_undone(
    serve: Callable[..., Served],
    connect: Connect,
    record: Record,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
    count: Callable[[], int],
) -> None:
    """When the time for requests in flight is over, they are undone and told so, before the pool closes."""
    served = serve(shutdown_timeout=0.2)
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(connect(served).post, PATH, json=record())
        eventually("the INSERT waits", lambda: len(waiting()) == 1)
        served.stop()
        assert answer.result(20).status_code == 503
        assert answer.result().json()["type"] == "urn:problem-type:shutting-down"
    assert waiting() == []
    blocker.rollback()
    assert count() == 0


def test_connections_to_postgres_are_given_back(
    service: Served, client: httpx.Client, db: Connection, eventually: Callable[..., None]
) -> None:
    """After the end no connection of the service is open; the server needs a moment to notice."""
    others = "SELECT FROM pg_stat_activity WHERE application_name = current_setting('application_name')"
    assert client.get("/readyz").status_code == 200
    assert db.execute(f"{others} AND pid <> pg_backend_pid()").fetchall() != []
    service.stop()
    eventually("they are gone", lambda: db.execute(f"{others} AND pid <> pg_backend_pid()").fetchall() == [])
