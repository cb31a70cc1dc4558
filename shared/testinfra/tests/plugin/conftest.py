"""What several of the plugin's tests use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from testinfra import specs
from testinfra.endpoints import Postgres, Redis
from testinfra.stand import Stand

SAMPLE = """
import psycopg, pytest, redis

@pytest.mark.parametrize("number", range(12))
def test_work(postgres_schema, redis_db, number):
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("CREATE TABLE t (n int, v vector(3))")
        connection.execute("INSERT INTO t VALUES (%s)", [number])
        assert connection.execute("SELECT n FROM t").fetchall() == [(number,)]
    with redis.Redis.from_url(redis_db.url) as client:
        client.set(redis_db.key_prefix + "n", number)
        assert len(client.keys(redis_db.key_prefix + "*")) == 1
"""
"""A suite of twelve tests, each in a schema and a Redis of its own."""


@pytest.fixture
def sample() -> str:
    """The suite above."""
    return SAMPLE


@pytest.fixture
def lone_postgres(testinfra_stand: Stand) -> Iterator[Postgres]:
    """A Postgres that no other test sees, as its administrator: stands for somebody's external server."""
    spec = specs.postgres(testinfra_stand.options, exclusive=testinfra_stand.names("lone").next())
    yield Postgres(**testinfra_stand.lease(spec).endpoint)
    testinfra_stand.leases.pop(spec.key).release()


@pytest.fixture
def lone_redis(testinfra_stand: Stand) -> Iterator[Redis]:
    """A Redis that no other test sees: stands for somebody's external server."""
    options = dataclasses.replace(testinfra_stand.options, redis_databases=16)
    spec = specs.redis(options, exclusive=testinfra_stand.names("lone").next())
    yield Redis(**testinfra_stand.lease(spec).endpoint)
    testinfra_stand.leases.pop(spec.key).release()
