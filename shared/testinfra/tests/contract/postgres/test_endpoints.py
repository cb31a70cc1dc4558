"""What a test is given to log in with."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pytest

from testinfra.endpoints import Postgres
from testinfra.stand import Stand


def ask(dsn: str, query: str) -> tuple[Any, ...]:
    """The first row."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row


def test_the_endpoint_names_its_backend(postgres_schema: Postgres, backend: str) -> None:
    """For reports; a test need not look at it."""
    assert postgres_schema.backend == backend


def test_the_version_is_the_servers(postgres_schema: Postgres) -> None:
    """As it says itself."""
    assert ask(postgres_schema.dsn, "SHOW server_version") == (postgres_schema.version,)


def test_the_dsn_is_taken_by_sync_and_async_clients(postgres_schema: Postgres) -> None:
    """Both sides of psycopg, and asyncpg."""

    async def all_of_them() -> tuple[Any, Any]:
        async with await psycopg.AsyncConnection.connect(postgres_schema.dsn) as connection:
            first = await (await connection.execute("SELECT count(*) FROM pets")).fetchone()
        other = await asyncpg.connect(postgres_schema.dsn)
        second = await other.fetchval("SELECT count(*) FROM pets")
        await other.close()
        return first, second

    assert ask(postgres_schema.dsn, "SELECT count(*) FROM pets") == (0,)
    assert asyncio.run(all_of_them()) == ((0,), 0)


def test_the_environment_logs_a_process_in(postgres_schema: Postgres) -> None:
    """Every libpq program, with no argument at all."""
    code = "import psycopg; print(psycopg.connect('').execute('SELECT current_schema()').fetchone()[0])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=postgres_schema.env(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == postgres_schema.schema


def test_the_environment_has_the_dsn_too(postgres_schema: Postgres) -> None:
    """As twelve-factor services read it."""
    assert postgres_schema.env()["DATABASE_URL"] == postgres_schema.dsn


def test_the_parts_and_the_dsn_are_one_login(postgres_schema: Postgres) -> None:
    """For clients that take parts."""
    given = postgres_schema
    with psycopg.connect(
        host=given.host, port=given.port, user=given.user, password=given.password, dbname=given.database
    ) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
    assert row == ask(given.dsn, "SELECT current_user, current_database()") == (given.user, given.database)


def test_no_password_is_shown(postgres_schema: Postgres, postgres: Postgres) -> None:
    """Neither in `repr` nor in the DSN for logs."""
    for endpoint in (postgres_schema, postgres):
        assert endpoint.password
        assert endpoint.password not in repr(endpoint)
        assert quote(endpoint.password, safe="") not in endpoint.safe_dsn
        assert quote(endpoint.password, safe="") in endpoint.dsn


def test_the_server_tells_tests_apart(postgres_schema: Postgres) -> None:
    """By the application's name, which is the schema's."""
    query = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    assert ask(postgres_schema.dsn, query) == (postgres_schema.schema,)


def test_the_search_path_is_the_schema_and_public(postgres_schema: Postgres) -> None:
    """Extensions live in public."""
    row = ask(postgres_schema.dsn, "SELECT current_schemas(false), '[1,2]'::vector <-> '[1,2]'")
    assert row == ([postgres_schema.schema, "public"], 0.0)


def test_a_tests_login_is_no_superuser(postgres_schema: Postgres) -> None:
    """As it will be in production; DDL in its own schema works all the same."""
    assert ask(postgres_schema.dsn, "SELECT usesuper FROM pg_user WHERE usename = current_user") == (False,)
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("ALTER TABLE pets ADD COLUMN age int; CREATE INDEX ON pets (age); DROP TABLE pets")


def test_a_wrong_password_is_refused(postgres_schema: Postgres) -> None:
    """The server does check."""
    wrong = dataclasses.replace(postgres_schema, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(wrong.dsn, "SELECT 1")


def test_text_is_utf_8(postgres_schema: Postgres) -> None:
    """On both sides."""
    assert ask(postgres_schema.dsn, "SHOW server_encoding") == ("UTF8",)
    assert ask(postgres_schema.dsn, "SELECT 'äöü 中文 🌍', length('🌍')") == ("äöü 中文 🌍", 1)


def test_the_budget_is_what_the_server_allows(postgres_schema: Postgres) -> None:
    """Of our own server a share, which it enforces and names; 0 where it sets no limit for us."""
    allowed = ask(postgres_schema.dsn, "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")[0]
    if postgres_schema.connection_budget == 0:
        assert allowed == -1
        return
    assert allowed == postgres_schema.connection_budget
    held: list[psycopg.Connection[Any]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match=f'too many connections for role "{postgres_schema.user}"'):
            held.extend(psycopg.connect(postgres_schema.dsn) for _ in range(allowed + 1))
    finally:
        for connection in held:
            connection.close()


def test_a_schema_is_named_after_project_time_and_worker(postgres_schema: Postgres, testinfra_stand: Stand) -> None:
    """So one look at the server says whose it is."""
    assert postgres_schema.schema.startswith("testinfra_stand_test_")
    assert f"_{testinfra_stand.worker}_" in postgres_schema.schema


def test_the_stand_says_what_it_stands_on(postgres: Postgres, testinfra_stand: Stand, backend: str) -> None:
    """For the end of the report."""
    said = testinfra_stand.versions()["postgres"].split()
    assert said[1] == postgres.version
    assert said[0] in {backend, "embedded"}
