"""Tests are kept apart: a schema, a database or a transaction each."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from shared.testinfra.tests.contract.postgres.conftest import Pets
from testinfra.endpoints import Postgres
from testinfra.servers.ready import wait_until
from testinfra.stand import Stand

SERVICE = "testinfra-stand"


def add_pet(dsn: str, name: str = "rex") -> list[tuple[Any, ...]]:
    """Add one, and give all."""
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO pets VALUES (%s, '[1,2]')", [name])
        return connection.execute("SELECT name FROM pets").fetchall()


def count(postgres: Postgres, table: str, column: str, name: str) -> int:
    """How many of that name the server has."""
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("round_", range(6))
def test_every_test_has_a_fresh_migrated_schema(postgres_schema: Postgres, round_: int) -> None:
    """The same row fits six times, for each finds the table empty."""
    assert add_pet(postgres_schema.dsn) == [("rex",)]


@pytest.mark.parametrize("round_", range(4))
def test_every_test_has_a_fresh_migrated_database(postgres_database: Postgres, round_: int) -> None:
    """Cloned from a template; the table is in public."""
    assert add_pet(postgres_database.dsn) == [("rex",)]
    assert postgres_database.schema == ""


def test_sequences_start_anew(postgres_schema: Postgres, postgres_database: Postgres) -> None:
    """In a schema as in a database."""
    for endpoint in (postgres_schema, postgres_database):
        with psycopg.connect(endpoint.dsn) as connection:
            assert connection.execute("SELECT nextval('numbers')").fetchone() == (1,)


def test_a_database_has_the_extensions(postgres_database: Postgres) -> None:
    """Those that were asked for."""
    assert count(postgres_database, "pg_extension", "extname", "vector") == 1


def test_two_at_once_do_not_see_each_other(testinfra_stand: Stand) -> None:
    """Schemas of one process, in two tests that overlap."""
    isolation = testinfra_stand.isolation(SERVICE, Pets())
    first, second = isolation.take("schema"), isolation.take("schema")
    assert first.schema != second.schema
    assert add_pet(first.dsn) == add_pet(second.dsn) == [("rex",)]
    isolation.give_back("schema", first)
    isolation.give_back("schema", second)


def test_a_schema_and_a_database_of_one_test_are_two_places(
    postgres_schema: Postgres, postgres_database: Postgres
) -> None:
    """Each with the migrations."""
    assert postgres_schema.database != postgres_database.database
    assert add_pet(postgres_schema.dsn) == add_pet(postgres_database.dsn) == [("rex",)]


def test_a_database_that_is_given_back_is_dropped(testinfra_stand: Stand, postgres: Postgres) -> None:
    """Although the test has left a connection open."""
    isolation = testinfra_stand.isolation(SERVICE, Pets())
    taken = isolation.take("database")
    forgotten = psycopg.connect(taken.dsn)
    isolation.give_back("database", taken)
    wait_until(
        lambda: count(postgres, "pg_database", "datname", taken.database) == 0,
        what=f"{taken.database} is dropped",
        timeout=20,
    )
    forgotten.close()


def test_the_schemas_of_a_process_are_dropped_when_it_leaves(testinfra_stand: Stand, postgres: Postgres) -> None:
    """On a server that outlives it; on the run's own they go with the server."""
    stand = Stand(testinfra_stand.options, scope=testinfra_stand.scope, worker="gw99")
    isolation = stand.isolation("leaver", Pets())
    taken = isolation.take("schema")
    add_pet(taken.dsn)
    assert count(postgres, "pg_namespace", "nspname", taken.schema) == 1
    isolation.give_back("schema", taken)
    stand.close()
    left = count(postgres, "pg_namespace", "nspname", taken.schema)
    assert left == (0 if postgres.backend == "external" else 1)


def test_what_a_failed_test_left_is_kept_for_a_look(testinfra_stand: Stand, postgres: Postgres) -> None:
    """With all that is in it, where the server outlives the run."""
    isolation = testinfra_stand.isolation(SERVICE, Pets())
    taken = isolation.take("schema")
    add_pet(taken.dsn)
    isolation.give_back("schema", taken, keep=True)
    with psycopg.connect(taken.dsn, autocommit=True) as connection:
        assert connection.execute("SELECT name FROM pets").fetchall() == [("rex",)]
        if postgres.backend == "external":
            said = connection.execute("SELECT obj_description(%s::regnamespace)", [taken.schema]).fetchone()
            assert said is not None
            assert str(said[0]).startswith("testinfra:kept:")
            connection.execute(f"DROP SCHEMA {taken.schema} CASCADE")


@pytest.mark.parametrize("round_", range(3))
@pytest.mark.postgres(isolation="rollback")
def test_rollback_undoes_all_that_its_connection_did(postgres_connection: psycopg.Connection[Any], round_: int) -> None:
    """The same row fits three times; DDL is undone as well."""
    postgres_connection.execute("INSERT INTO pets VALUES ('rex', null); CREATE TABLE extra ()")
    assert postgres_connection.execute("SELECT count(*) FROM pets").fetchone() == (1,)


@pytest.mark.postgres(isolation="rollback")
def test_rollback_refuses_a_commit(postgres_connection: psycopg.Connection[Any]) -> None:
    """It could not be undone."""
    with pytest.raises(psycopg.ProgrammingError, match="commit"):
        postgres_connection.commit()


@pytest.mark.postgres(isolation="rollback")
def test_rollback_lets_nobody_else_write(
    postgres_isolated: Postgres, postgres_connection: psycopg.Connection[Any]
) -> None:
    """Other connections read, and see nothing of what is going to be undone."""
    postgres_connection.execute("INSERT INTO pets VALUES ('rex', null)")
    with psycopg.connect(postgres_isolated.dsn) as other:
        assert other.execute("SELECT count(*) FROM pets").fetchone() == (0,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        add_pet(postgres_isolated.dsn)


@pytest.mark.postgres(isolation="rollback")
def test_a_refused_statement_does_not_end_a_rollback_test(postgres_connection: psycopg.Connection[Any]) -> None:
    """A transaction inside of it is undone to its own beginning."""
    postgres_connection.execute("INSERT INTO pets VALUES ('rex', null)")
    with pytest.raises(psycopg.errors.UniqueViolation), postgres_connection.transaction():
        postgres_connection.execute("INSERT INTO pets VALUES ('rex', null)")
    assert postgres_connection.execute("SELECT name FROM pets").fetchall() == [("rex",)]


@pytest.mark.postgres(isolation="database")
def test_the_marker_chooses_a_database(postgres_isolated: Postgres, postgres: Postgres) -> None:
    """Of the test's own."""
    assert postgres_isolated.schema == ""
    assert postgres_isolated.database != postgres.database


def test_without_a_marker_it_is_a_schema(
    postgres_isolated: Postgres, postgres_connection: psycopg.Connection[Any]
) -> None:
    """The default; the connection is in the same one."""
    assert postgres_connection.execute("SELECT current_schema()").fetchone() == (postgres_isolated.schema,)


def test_a_half_made_template_is_made_anew(testinfra_stand: Stand, postgres: Postgres) -> None:
    """Only a sealed one is cloned: sealing is the last step of making it."""

    class Cats(Pets):
        def digest(self) -> str:
            return testinfra_stand.names("half").owner

    isolation = testinfra_stand.isolation("half", Cats())
    unsealed = isolation._template_name()
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{unsealed}"')
    taken = isolation.take("database")
    assert add_pet(taken.dsn) == [("rex",)]
    isolation.give_back("database", taken)


def test_other_migrations_are_another_template(testinfra_stand: Stand) -> None:
    """By their digest."""

    class Empty(Pets):
        def digest(self) -> str:
            return "none"

        def apply(self, connection: psycopg.Connection[Any]) -> None:
            """Make nothing."""

    isolation = testinfra_stand.isolation(SERVICE, Empty())
    taken = isolation.take("database")
    with pytest.raises(psycopg.errors.UndefinedTable):
        add_pet(taken.dsn)
    isolation.give_back("database", taken)
