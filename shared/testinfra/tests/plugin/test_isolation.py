"""Tests are kept apart: schemas, databases, transactions, Redis databases. These run in the stand they test."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pytest
import redis as redis_py
import redis.asyncio as redis_asyncio

from testinfra.endpoints import Postgres, Redis
from testinfra.stand import Stand


class Pets:
    """Migrations of one table."""

    def digest(self) -> str:
        return "pets-1"

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("CREATE TABLE pets (name text PRIMARY KEY, v vector(2))")


@pytest.fixture(scope="session")
def postgres_migrations() -> Pets:
    return Pets()


def add_pet(dsn: str, name: str = "rex") -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO pets VALUES (%s, '[1,2]')", [name])
        return connection.execute("SELECT name FROM pets").fetchall()


@pytest.mark.parametrize("round_", range(8))
def test_every_test_has_a_fresh_migrated_schema(postgres_schema: Postgres, round_: int) -> None:
    """The same row fits eight times, for each finds the table empty."""
    assert add_pet(postgres_schema.dsn) == [("rex",)]


@pytest.mark.parametrize("round_", range(4))
def test_every_test_has_a_fresh_migrated_database(postgres_database: Postgres, round_: int) -> None:
    """Cloned from a template; the table is in public."""
    assert add_pet(postgres_database.dsn) == [("rex",)]
    assert postgres_database.schema == ""


def test_a_schema_is_named_after_project_time_and_worker(postgres_schema: Postgres, testinfra_stand: Stand) -> None:
    """So one look at the server says whose it is."""
    assert postgres_schema.schema.startswith("testinfra_stand_test_")
    assert f"_{testinfra_stand.worker}_" in postgres_schema.schema


def test_the_search_path_is_the_schema_and_public(postgres_schema: Postgres) -> None:
    """Extensions live in public."""
    with psycopg.connect(postgres_schema.dsn) as connection:
        row = connection.execute("SELECT current_schemas(false), '[1,2]'::vector <-> '[1,2]'").fetchone()
    assert row == ([postgres_schema.schema, "public"], 0.0)


def test_async_clients_take_the_same_dsn(postgres_schema: Postgres) -> None:
    """The async side of psycopg and asyncpg alike."""

    async def ask() -> tuple[Any, Any]:
        async with await psycopg.AsyncConnection.connect(postgres_schema.dsn) as connection:
            first = await (await connection.execute("SELECT count(*) FROM pets")).fetchone()
        other = await asyncpg.connect(postgres_schema.dsn)
        second = await other.fetchval("SELECT count(*) FROM pets")
        await other.close()
        return first, second

    assert asyncio.run(ask()) == ((0,), 0)


def test_a_tests_login_is_no_superuser_and_owns_its_schema(postgres_schema: Postgres) -> None:
    """As it will be in production; DDL and dropping its own things work."""
    with psycopg.connect(postgres_schema.dsn, autocommit=True) as connection:
        assert connection.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() == (False,)
        connection.execute("ALTER TABLE pets ADD COLUMN age int; DROP TABLE pets")


def test_a_test_that_takes_more_connections_than_its_share_is_told_so(postgres_schema: Postgres) -> None:
    """The server names the login; the budget is on the endpoint."""
    assert 0 < postgres_schema.connection_budget <= 480
    held: list[psycopg.Connection[Any]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match=f'too many connections for role "{postgres_schema.user}"'):
            held.extend(psycopg.connect(postgres_schema.dsn) for _ in range(postgres_schema.connection_budget + 1))
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("round_", range(3))
@pytest.mark.postgres(isolation="rollback")
def test_rollback_undoes_all_that_its_connection_did(postgres_connection: psycopg.Connection[Any], round_: int) -> None:
    """The same row fits three times; DDL is undone as well."""
    postgres_connection.execute("INSERT INTO pets VALUES ('rex', null); CREATE TABLE extra ()")
    assert postgres_connection.execute("SELECT count(*) FROM pets").fetchone() == (1,)


@pytest.mark.postgres(isolation="rollback")
def test_rollback_refuses_what_it_could_not_undo(
    postgres_isolated: Postgres, postgres_connection: psycopg.Connection[Any]
) -> None:
    """A commit, and a write by another connection."""
    with pytest.raises(psycopg.ProgrammingError, match="commit"):
        postgres_connection.commit()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        add_pet(postgres_isolated.dsn)


@pytest.mark.postgres(isolation="database")
def test_the_marker_chooses_the_mode(postgres_isolated: Postgres, postgres_connection: psycopg.Connection[Any]) -> None:
    """A database of one's own here."""
    row = postgres_connection.execute("SELECT current_database()").fetchone()
    assert row == (postgres_isolated.database,)
    assert postgres_isolated.database != "postgres"


def test_a_half_made_template_is_made_anew(testinfra_stand: Stand) -> None:
    """Only a sealed one is cloned: sealing is the last step of making it."""

    class Cats(Pets):
        def digest(self) -> str:
            return testinfra_stand.names("half").owner

    isolation = testinfra_stand.isolation("half", Cats())
    unsealed = isolation._template_name()
    with psycopg.connect(testinfra_stand.postgres().dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{unsealed}"')
    taken = isolation.take("database")
    assert add_pet(taken.dsn) == [("rex",)]
    isolation.give_back("database", taken)


@pytest.mark.parametrize("round_", range(8))
def test_every_test_has_an_empty_redis_database(redis_db: Redis, round_: int) -> None:
    """Of its own, and never database 0."""
    with redis_py.Redis.from_url(redis_db.url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")
    assert redis_db.database != 0
    assert redis_db.key_prefix == ""


def test_two_tests_at_once_have_two_redis_databases(redis_db: Redis, testinfra_stand: Stand) -> None:
    """However they are spread over processes."""
    databases = testinfra_stand.redis_databases("testinfra-stand")
    other = databases.take()
    assert other.database != redis_db.database
    databases.give_back(other)


def test_the_async_redis_client_takes_the_same_url(redis_db: Redis) -> None:
    """One URL for both sides."""

    async def ask() -> bool:
        client = redis_asyncio.Redis.from_url(redis_db.url)
        answer = await client.ping()
        await client.aclose()
        return bool(answer)

    assert asyncio.run(ask())
