"""Many who ask the same at once: Postgres hears of it once, whoever leaves and whatever goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from servicekit.testing import Served, sample
from testinfra.endpoints import Postgres
from testinfra.stand import Stand

PATH = "/api/v1/incidents?namespace=payments"
CLIENTS = 100
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Eventually = Callable[..., None]
Gather = Callable[[Served, int], "Crowd"]


class Crowd:
    """Raw connections that have all sent the same question and have not read the answer."""

    def __init__(self, served: Served, size: int) -> None:
        self._open = ExitStack()
        self._sockets = [
            self._open.enter_context(socket.create_connection((served.host, served.port), timeout=30))
            for _ in range(size)
        ]
        for each in self._sockets:
            each.sendall(f"GET {PATH} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())

    def leave(self, count: int) -> None:
        """Have the first `count` hang up."""
        for each in self._sockets[:count]:
            each.close()
        del self._sockets[:count]

    def answers(self) -> list[tuple[int, bytes]]:
        """Read what each is answered: status and body."""
        found = []
        for each in self._sockets:
            said = b""
            while part := each.recv(65536):
                said += part
            head, _, body = said.partition(b"\r\n\r\n")
            found.append((int(head.split(b" ", 2)[1]), body))
        return found

    def close(self) -> None:
        """Have all hang up."""
        self._open.close()


@pytest.fixture
def crowd() -> Iterator[Callable[[Served, int], Crowd]]:
    """Give a function that has so many ask a service at once."""
    with ExitStack() as stack:

        def gather(served: Served, size: int) -> Crowd:
            made = Crowd(served, size)
            stack.callback(made.close)
            return made

        yield gather


@pytest.fixture
def locked(blocker: psycopg.Connection[Any]) -> Iterator[Callable[[], None]]:
    """Have every query wait, until the function that is given is called."""
    blocker.execute("LOCK TABLE remediation_audit IN ACCESS EXCLUSIVE MODE")
    yield blocker.rollback
    blocker.rollback()


def shared(client: httpx.Client) -> float:
    """Return how many misses waited for another's query so far."""
    return sample(client.get("/metrics").text, "context_api_singleflight_shared_total")


def test_a_hundred_identical_misses_make_one_query(
    service: Served,
    client: httpx.Client,
    locked: Callable[[], None],
    crowd: Gather,
    add: Callable[..., int],
    waiting: Callable[[], list[str]],
    metric: Callable[..., float],
    eventually: Eventually,
) -> None:
    """The server has one statement of theirs, all get its answer, and no other was made."""
    clients = crowd(service, CLIENTS)
    eventually("99 share a query", lambda: shared(client) == CLIENTS - 1, deadline=30)
    eventually("the one query waits", lambda: bool(waiting()))
    assert len(waiting()) == 1
    locked()
    answers = clients.answers()
    assert len(answers) == CLIENTS
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    assert metric("context_api_database_queries_total", type="incidents") == 1
    assert metric("context_api_cache_misses_total") == CLIENTS


def test_the_servers_log_has_one_statement_for_a_hundred_clients(
    exclusive_postgres: Postgres,
    lone_reader: SecretStr,
    store: Callable[..., None],
    testinfra_stand: Stand,
    serve: Serve,
    crowd: Gather,
) -> None:
    """Nothing holds the query up: whoever comes after it has ended finds its answer kept."""
    lease = next(
        held for held in testinfra_stand.leases.values() if held.endpoint.get("port") == exclusive_postgres.port
    )
    with psycopg.connect(exclusive_postgres.dsn, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET log_statement = 'all'")
        admin.execute("SELECT pg_reload_conf()")
    store()
    served = serve(postgres_dsn=lone_reader)
    answers = crowd(served, CLIENTS).answers()
    assert len(answers) == CLIENTS
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    log = lease.place.log.read_text(errors="replace")
    statements = [line for line in log.splitlines() if "SELECT matching.total" in line]
    assert len(statements) == 1, statements
    assert 'FROM "remediation_audit"' in statements[0]


def test_those_who_leave_do_not_fail_those_who_stay(
    service: Served, client: httpx.Client, locked: Callable[[], None], crowd: Gather, eventually: Eventually
) -> None:
    """Nor the one whose question began the query: half of them go, it among them, and the others are answered."""
    first = crowd(service, 1)
    eventually("the query is begun", lambda: misses(client) == 1)
    others = crowd(service, 9)
    eventually("the others share it", lambda: shared(client) == 9)
    first.leave(1)
    others.leave(4)
    eventually("they are gone", lambda: gone(client) == 5)
    locked()
    assert [status for status, _ in others.answers()] == [200] * 5
    assert sample(client.get("/metrics").text, "context_api_database_queries_total", type="incidents") == 1


def test_when_all_leave_the_query_is_cancelled_and_the_next_makes_its_own(
    service: Served,
    client: httpx.Client,
    locked: Callable[[], None],
    crowd: Gather,
    waiting: Callable[[], list[str]],
    eventually: Eventually,
) -> None:
    """The server has nothing to do for an answer that nobody wants."""
    clients = crowd(service, 5)
    eventually("one query waits for all", lambda: shared(client) == 4 and len(waiting()) == 1)
    clients.leave(5)
    eventually("it is cancelled on the server", lambda: waiting() == [])
    again = crowd(service, 1)
    eventually("a query of its own waits", lambda: len(waiting()) == 1)
    locked()
    assert [status for status, _ in again.answers()] == [200]


def test_a_failure_reaches_all_who_wait_for_it(
    serve: Serve, connect: Connect, locked: Callable[[], None], crowd: Gather, eventually: Eventually
) -> None:
    """The query runs into its deadline: each is told 503, not one waits for a deadline after that; then it works."""
    served = serve(postgres_timeout=1.0)
    client = connect(served)
    answers = crowd(served, 20).answers()
    assert [status for status, _ in answers] == [503] * 20
    assert sample(client.get("/metrics").text, "context_api_database_queries_total", type="incidents") == 1
    locked()
    eventually("it works", lambda: client.get(PATH).status_code == 200)


def misses(client: httpx.Client) -> float:
    """Return how many questions no fresh copy answered so far."""
    return sample(client.get("/metrics").text, "context_api_cache_misses_total")


def gone(client: httpx.Client) -> float:
    """Return how many clients left before their answer."""
    text = client.get("/metrics").text
    return sample(text, "context_api_queries_total", type="incidents", status="cancelled")
