"""Starting, being ready and answering while Postgres or Redis is away, and without anything in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from contextapi import ContextapiSettings, create_app
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Postgres, Redis
from testinfra.faults.outage import Outage

Connection = psycopg.Connection[Any]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
PATH = "/api/v1/incidents"
READS = (
    *(
        "incidents",
        "context/query",
        "incidents/1",
        "aggregations/success-rate?workflow_id=x",
        "aggregations/namespaces",
    ),
    *("aggregations/severity", "aggregations/trend", "aggregations/top-failing-actions", "aggregations/actions"),
    "aggregations/namespace-health?namespace=x",
)


def told_to_come_again(answer: httpx.Response) -> bool:
    kind = answer.json().get("type", "")
    return (answer.status_code, answer.headers.get("Retry-After")) == (503, "1") and "postgres-" in kind


def test_a_service_with_all_it_needs_is_ready(client: httpx.Client) -> None:
    """Both dependencies are named and fine."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    states = {name: state["status"] for name, state in answer.json()["dependencies"].items()}
    assert states == {"postgres": "ok", "redis": "ok"}
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


@pytest.mark.parametrize("path", READS)
def test_without_postgres_a_read_is_503_with_retry_after(
    serve: Serve, connect: Connect, no_postgres: SecretStr, path: str
) -> None:
    """Never an empty 200: each call says to come again, also when it is not even tried any more."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2, breaker_failures=1))
    for _ in range(3):
        answer = client.get(f"/api/v1/{path}")
        assert told_to_come_again(answer), answer.text


def test_without_postgres_a_search_is_503_with_retry_after(
    serve: Serve, connect: Connect, no_postgres: SecretStr
) -> None:
    """By text and by vector."""
    client = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2))
    for body in ({"query": "x"}, {"embedding": [1.0] * 384}):
        assert told_to_come_again(client.post(f"{PATH}/search", json=body))


def test_a_wrong_request_is_told_so_without_postgres_too(
    serve: Serve, connect: Connect, no_postgres: SecretStr
) -> None:
    """400 needs no database."""
    client = connect(serve(postgres_dsn=no_postgres))
    assert client.get(PATH, params={"limit": 0}).status_code == 400


def test_a_query_that_takes_too_long_is_503(
    serve: Serve, connect: Connect, blocker: Connection, waiting: Callable[[], list[str]]
) -> None:
    """At the deadline the query is ended on the server too; when it can be answered, it is."""
    client = connect(serve(postgres_timeout=0.3))
    blocker.execute("LOCK TABLE remediation_audit IN ACCESS EXCLUSIVE MODE")
    answer = client.get(PATH)
    assert told_to_come_again(answer)
    assert answer.json()["type"] == "urn:problem-type:postgres-deadline"
    assert waiting() == []
    blocker.rollback()
    assert client.get(PATH).status_code == 200


def test_without_redis_the_service_is_ready_and_answers(
    serve: Serve, connect: Connect, closed_port: int, add: Callable[..., int]
) -> None:
    """/readyz names it as failing and stays 200."""
    client = connect(serve(redis_url=SecretStr(f"redis://127.0.0.1:{closed_port}/0")))
    number = add()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["dependencies"]["redis"]["status"] == "failing"
    assert client.get(f"{PATH}/{number}").status_code == 200


def test_a_schema_without_the_tables_is_not_ready(client: httpx.Client, db: Connection) -> None:
    """A database that nobody migrated is told, with what to type."""
    db.execute("DROP TABLE remediation_audit")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "python -m dbschema" in answer.json()["detail"]


def test_a_role_that_may_not_read_is_not_ready(client: httpx.Client, db: Connection, reader: Postgres) -> None:
    """Somebody forgot to grant it: told with its name, before a client finds out."""
    assert client.get("/readyz").status_code == 200
    role = dict(reader.settings)["role"]
    db.execute(SQL("REVOKE SELECT ON remediation_audit FROM {}").format(Identifier(role)))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert f"the role {role} may not read" in answer.json()["detail"]
    assert f"SELECT grant_reader('{role}')" in answer.json()["detail"]


def test_a_schema_without_the_tables_is_an_error_and_nothing_else(client: httpx.Client, db: Connection) -> None:
    """A 500 without a word of SQL: it is no outage, and no empty list."""
    db.execute("DROP TABLE remediation_audit")
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "remediation_audit" not in answer.text


def test_a_busy_pool_is_no_reason_to_be_not_ready(
    serve: Serve,
    connect: Connect,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
) -> None:
    """When the only connection is busy, readiness is asked over one of its own, and the read goes on."""
    client = connect(serve(pool_max=1))
    blocker.execute("LOCK TABLE remediation_audit IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, PATH)
        eventually("the SELECT waits", lambda: len(waiting()) == 1)
        assert client.get("/readyz").status_code == 200
        blocker.rollback()
        assert answer.result(20).status_code == 200


@pytest.fixture
def alone(exclusive_postgres: Postgres, settings: ContextapiSettings) -> Iterator[Served]:
    """Give a service on a Postgres that only this test has, with one connection and no cache in Redis."""
    own = settings.model_copy(update={"postgres_dsn": SecretStr(exclusive_postgres.dsn), "postgres_timeout": 1.0})
    with serve_in_thread(create_app(own)) as served:
        yield served


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_an_outage_is_told_and_is_over_when_it_is_over(
    alone: Served,
    connect: Connect,
    postgres_outage: Outage,
    eventually: Callable[..., None],
    redis_db: Redis,
    how: str,
) -> None:
    """At the same address: 503 in it, and the right answer within two seconds after it, without a restart."""
    client = connect(alone)
    assert client.get(PATH).status_code == 200
    with postgres_outage(how):
        for offset in range(3):
            assert told_to_come_again(client.get(PATH, params={"offset": offset + 1}))
        assert client.get("/readyz").status_code == 503
    eventually("answered", lambda: client.get(PATH, params={"offset": 9}).status_code == 200, deadline=2)
    eventually("ready", lambda: client.get("/readyz").status_code == 200)


def test_a_password_is_in_no_repr(settings: ContextapiSettings, reader: Postgres) -> None:
    """Nor is the other secret."""
    assert reader.password
    assert reader.password not in f"{settings!r} {replace(reader)!r}"
