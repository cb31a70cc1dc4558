"""Starting, being ready and answering while Postgres or Redis is away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import psycopg
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Postgres

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]


@contextmanager
def _forwarding(listener: socket.socket, target: Postgres) -> Iterator[None]:
    """Join every connection to `listener` with one to the real server, until the context is left."""
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(does: Callable[..., None], *arguments: socket.socket) -> None:
        threads.append(threading.Thread(target=does, args=arguments))
        threads[-1].start()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):  # it is raised when the listener is shut down
            while True:
                near, far = listener.accept()[0], socket.create_connection((target.host, target.port))
                sockets.extend((near, far))
                start(pump, near, far)
                start(pump, far, near)

    start(accept)
    yield
    listener.shutdown(socket.SHUT_RDWR)
    threads[0].join()
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for each in sockets:
        each.close()


def test_a_service_with_all_it_needs_is_ready(client: httpx.Client) -> None:
    """Both dependencies are named and fine."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert {name: state["status"] for name, state in answer.json()["dependencies"].items()} == {
        "postgres": "ok",
        "redis": "ok",
    }
    assert client.get("/livez").status_code == 200


def test_without_postgres_the_service_lives_and_is_not_ready(
    serve: Serve, connect: Connect, no_postgres: SecretStr, closed_port: int
) -> None:
    """It starts all the same; /livez is 200, and /readyz 503 with the name and the cause, but no password."""
    client = connect(serve(postgres_dsn=no_postgres))
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    states = answer.json()["dependencies"]
    assert (states["postgres"]["status"], states["redis"]["status"]) == ("failing", "ok")
    assert str(closed_port) in states["postgres"]["detail"]
    assert str(psycopg.conninfo.conninfo_to_dict(no_postgres.get_secret_value())["password"]) not in answer.text


def test_without_postgres_a_read_is_503_with_retry_after(
    serve: Serve, connect: Connect, no_postgres: SecretStr
) -> None:
    """Reads are told to come again, as soon as half of the deadline has passed; writes are queued (test_queue.py)."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2))
    for answer in (client.get(PATH), client.get(f"{PATH}/1"), client.post(f"{PATH}/search", json={"query": "x"})):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["type"] == "urn:problem-type:postgres-unavailable"


def test_the_service_becomes_ready_when_postgres_comes(
    serve: Serve,
    connect: Connect,
    postgres_schema: Postgres,
    record: Record,
    eventually: Callable[..., None],
) -> None:
    """A server that begins to answer at the address makes the service ready, without a restart."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        client = connect(serve(postgres_dsn=SecretStr(replace(postgres_schema, port=port).dsn), postgres_timeout=5.0))
        assert client.get("/readyz").status_code == 503
        held.listen()
        with _forwarding(held, postgres_schema):
            eventually("ready", lambda: client.get("/readyz").status_code == 200, deadline=10)
            assert client.post(PATH, json=record()).status_code == 201


def test_connections_that_the_server_ended_cost_no_request(
    serve: Serve,
    connect: Connect,
    record: Record,
    db: psycopg.Connection[Any],
    postgres_schema: Postgres,
    eventually: Callable[..., None],
) -> None:
    """All ten of a pool are ended while they are idle, as by a restart; the next write is stored, and not queued."""
    client = connect(serve(pool_min=10, pool_max=10))
    own = "FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"

    def backends() -> set[Any]:
        return {*db.execute(f"SELECT pid {own} AND state = 'idle'", [postgres_schema.application_name]).fetchall()}

    eventually("the pool is full", lambda: len(backends()) == 10)
    before = backends()
    db.execute(f"SELECT pg_terminate_backend(pid) {own}", [postgres_schema.application_name])
    eventually("they are gone", lambda: not before & backends())
    assert client.post(PATH, json=record()).status_code == 201
    assert client.get(PATH).status_code == 200


def test_a_schema_without_the_tables_is_not_ready(client: httpx.Client, db: psycopg.Connection[Any]) -> None:
    """A database that nobody migrated is told, with what to type."""
    db.execute("DROP TABLE remediation_audit")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "python -m dbschema" in answer.json()["detail"]


def test_without_redis_the_service_is_ready_and_writes(
    serve: Serve, connect: Connect, closed_port: int, record: Record
) -> None:
    """The cache is optional: /readyz names it as failing and stays 200, and a record is stored with its vector."""
    client = connect(serve(redis_url=SecretStr(f"redis://127.0.0.1:{closed_port}/0")))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["dependencies"]["redis"]["status"] == "failing"
    stored = client.post(PATH, json=record())
    assert (stored.status_code, stored.json()["embedded"]) == (201, True)
    assert client.post(f"{PATH}/search", json={"query": "restart"}).status_code == 200


def test_a_redis_that_never_answers_costs_its_timeout_and_no_more(
    serve: Serve, connect: Connect, record: Record
) -> None:
    """A server that takes connections and is silent is given up after `redis_timeout`; the record is stored."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        client = connect(serve(redis_url=url, redis_timeout=0.1))
        stored = client.post(PATH, json=record())
    assert (stored.status_code, stored.json()["embedded"]) == (201, True)
    assert stored.elapsed.total_seconds() < 2


def test_a_busy_pool_is_no_reason_to_be_not_ready(
    serve: Serve,
    connect: Connect,
    record: Record,
    blocker: psycopg.Connection[Any],
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
) -> None:
    """When the only connection is busy, readiness is asked over one of its own, and the write goes on."""
    client = connect(serve(pool_max=1))
    blocker.execute("LOCK TABLE remediation_audit IN EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, PATH, json=record())
        eventually("the INSERT waits", lambda: len(waiting()) == 1)
        assert client.get("/readyz").status_code == 200
        blocker.rollback()
        assert answer.result(20).status_code == 201
