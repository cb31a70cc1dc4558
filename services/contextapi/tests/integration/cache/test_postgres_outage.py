"""Postgres goes away: what was answered before is answered again and marked, the rest is 503; healed, all is right."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from servicekit.testing import Served, sample
from testinfra.endpoints import Postgres
from testinfra.faults.outage import Outage

KNOWN, UNKNOWN = "/api/v1/incidents?namespace=payments", "/api/v1/incidents?namespace=other"
GIVEN_UP = 10.0
"""Seconds; 2 are promised, and how many it took is printed: on a busy machine Postgres itself needs longer."""
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Eventually = Callable[..., None]


def breaker(client: httpx.Client) -> float:
    """Return the breaker's state: 0 closed, 1 half-open, 2 open."""
    return sample(client.get("/metrics").text, "context_api_breaker_state")


def is_right_soon(client: httpx.Client, path: str, total: int) -> None:
    """Fail unless the answer is the right one, not marked, within the seconds that healing may take."""
    healed = time.monotonic()
    while True:
        answer = client.get(path)
        body = answer.json()
        if (answer.status_code, body.get("total"), body.get("stale")) == (200, total, None):
            break
        assert time.monotonic() < healed + GIVEN_UP, answer.text
    print(f"\nright {time.monotonic() - healed:.2f} s after Postgres was back")  # noqa: T201 - the measurement


@pytest.mark.parametrize("redis", ["redis", "no redis"])
@pytest.mark.parametrize("how", ["kill", "stop", "pause"])
def test_old_answers_are_given_and_marked_the_rest_is_503_and_healed_all_is_right(
    lone_reader: SecretStr,
    store: Callable[..., None],
    postgres_outage: Outage,
    serve: Serve,
    connect: Connect,
    closed_port: int,
    how: str,
    redis: str,
) -> None:
    """With copies that have outlived their time; what was stored since is in the answers within two seconds."""
    nowhere = {"redis_url": SecretStr(f"redis://127.0.0.1:{closed_port}/0")}
    served = serve(
        postgres_dsn=lone_reader, cache_ttl=0.001, postgres_timeout=1.0, **(nowhere if redis == "no redis" else {})
    )
    client = connect(served)
    store()
    before = client.get(KNOWN).raise_for_status()
    with postgres_outage(how):
        for _ in range(10):
            answer = client.get(KNOWN)
            assert answer.status_code == 200
            assert answer.json() == {"stale": True, **before.json()}
            assert int(answer.headers["Age"]) >= 0
            refused = client.get(UNKNOWN)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.headers["Content-Type"] == "application/problem+json"
        assert breaker(client) > 0
        assert client.get("/readyz").status_code == 503
    is_right_soon(client, UNKNOWN, 0)
    store()
    is_right_soon(client, KNOWN, 2)
    assert breaker(client) == 0


def test_fresh_copies_are_marked_while_postgres_is_known_to_be_away(
    lone_reader: SecretStr,
    store: Callable[..., None],
    postgres_outage: Outage,
    serve: Serve,
    connect: Connect,
    eventually: Eventually,
) -> None:
    """Nobody's query has failed: the service notices by itself, and notices the end of it, too."""
    client = connect(serve(postgres_dsn=lone_reader, postgres_timeout=1.0))
    store()
    before = client.get(KNOWN).raise_for_status().json()
    with postgres_outage("kill"):
        eventually("it is marked", lambda: client.get(KNOWN).json() == {"stale": True, **before}, deadline=10)
        eventually("the breaker is open", lambda: breaker(client) > 0, deadline=20)
    eventually("the breaker is closed, without a query", lambda: breaker(client) == 0, deadline=GIVEN_UP)
    assert client.get(KNOWN).json() == before


def test_a_copy_that_is_too_old_is_no_answer(
    lone_reader: SecretStr,
    store: Callable[..., None],
    postgres_outage: Outage,
    serve: Serve,
    connect: Connect,
    eventually: Eventually,
) -> None:
    """After its time to be stale it is 503, as if there were none."""
    client = connect(serve(postgres_dsn=lone_reader, cache_ttl=0.001, cache_keep=1.0, postgres_timeout=1.0))
    store()
    client.get(KNOWN).raise_for_status()
    with postgres_outage("kill"):
        eventually("it is 503", lambda: client.get(KNOWN).status_code == 503, deadline=10)


def test_an_open_breaker_answers_at_once(
    lone_reader: SecretStr, postgres_outage: Outage, serve: Serve, connect: Connect
) -> None:
    """A server that hangs makes nobody wait for its deadline any more, once the breaker knows."""
    timeout = 2.0
    served = serve(postgres_dsn=lone_reader, postgres_timeout=timeout, breaker_failures=1, breaker_open_seconds=60.0)
    client = connect(served)
    with postgres_outage("pause"):
        assert client.get(UNKNOWN).status_code == 503
        began = time.monotonic()
        for _ in range(10):
            answer = client.get(UNKNOWN)
            assert answer.status_code == 503
            assert "Postgres failed" in answer.json()["detail"]
        assert time.monotonic() - began < timeout
        assert breaker(client) == 2


def test_an_error_that_is_no_outage_is_never_answered_with_an_old_copy(
    exclusive_postgres: Postgres, lone_reader: SecretStr, store: Callable[..., None], serve: Serve, connect: Connect
) -> None:
    """The table has lost a column: that is a 500 and not an answer of yesterday's; put right, it answers."""
    client = connect(serve(postgres_dsn=lone_reader, cache_ttl=0.001))
    store()
    before = client.get(KNOWN).raise_for_status().json()
    with psycopg.connect(exclusive_postgres.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE remediation_audit RENAME COLUMN phase TO stage")
        answer = client.get(KNOWN)
        assert answer.status_code == 500
        assert "stage" not in json.dumps(answer.json())
        connection.execute("ALTER TABLE remediation_audit RENAME COLUMN stage TO phase")
    assert client.get(KNOWN).json() == before
