"""What tests of the cache stand on: rows, questions about them with their right answers, and a service as a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
import redis as redis_py
from pydantic import SecretStr

from contextapi import ContextapiSettings
from services.contextapi.tests.conftest import insert_rows
from services.contextapi.tests.integration.cache.relay import Relay
from testinfra.endpoints import Postgres, Redis
from testinfra.serving import Service

Row = Callable[..., dict[str, Any]]
NAMESPACES = 20
INCIDENTS = "/api/v1/incidents"


@pytest.fixture
def questions(db: psycopg.Connection[Any], row: Row) -> list[str]:
    """Store two hundred incidents, and give forty questions about them."""
    severities = ("critical", "warning", "info")
    insert_rows(
        db,
        [
            row(
                namespace=f"team-{number % NAMESPACES}",
                severity=severities[number % 3],
                start_time=f"2026-11-{day}T10:00Z",
            )
            for number in range(200)
            for day in [number % 20 + 1]
        ],
    )
    return [
        f"{INCIDENTS}?namespace=team-{number}{more}"
        for more in ("", "&severity=critical")
        for number in range(NAMESPACES)
    ]


@pytest.fixture
def truth(questions: list[str], uncached: httpx.Client) -> dict[str, bytes]:
    """Give the right answer to each question."""
    return {path: uncached.get(path).raise_for_status().content for path in questions}


@pytest.fixture
def redis_client(redis_db: Redis) -> Iterator[redis_py.Redis]:
    """Give a client of this test's Redis database."""
    with redis_py.Redis.from_url(redis_db.url) as client:
        yield client


@pytest.fixture
def relay(exclusive_redis: Redis) -> Iterator[Relay]:
    """Give a relay before a Redis that only this test has."""
    with Relay(exclusive_redis.host, exclusive_redis.port) as running:
        yield running


@pytest.fixture
def process(start_service: Callable[..., Service], settings: ContextapiSettings) -> Callable[..., Service]:
    """Give a function that starts contextapi as a process of its own, with settings changed."""

    def start(**changes: Any) -> Service:
        values = {
            "postgres_dsn": settings.postgres_dsn.get_secret_value(),
            "redis_url": settings.redis_url.get_secret_value(),
            "pool_min": settings.pool_min,
            "pool_max": settings.pool_max,
            "shutdown_grace": 0,
            **changes,
        }
        environment = {f"CONTEXTAPI_{name.upper()}": str(value) for name, value in values.items()}
        return start_service("contextapi", environment, socket_variable="CONTEXTAPI_SOCKET_FD")

    return start


@pytest.fixture
def lone_reader(exclusive_postgres: Postgres) -> SecretStr:
    """Give the DSN of a role that only reads, on a Postgres that only this test has."""
    with psycopg.connect(exclusive_postgres.dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader NOLOGIN")
        connection.execute("SELECT grant_reader('reader')")
    return SecretStr(replace(exclusive_postgres, settings=(*exclusive_postgres.settings, ("role", "reader"))).dsn)


@pytest.fixture
def store(exclusive_postgres: Postgres, row: Row) -> Callable[..., None]:
    """Give a function that stores an incident there."""

    def insert(**changes: Any) -> None:
        with psycopg.connect(exclusive_postgres.dsn, autocommit=True) as connection:
            insert_rows(connection, [row(**changes)])

    return insert
