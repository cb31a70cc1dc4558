"""It is a real Postgres: what services lean on works the same on every backend."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from testinfra.endpoints import Postgres


def test_two_transactions_that_exclude_each_other_are_told_so(postgres_schema: Postgres) -> None:
    """Serializable: the second to commit is refused and may try again."""
    with psycopg.connect(postgres_schema.dsn) as one, psycopg.connect(postgres_schema.dsn) as two:
        for connection in (one, two):
            connection.isolation_level = IsolationLevel.SERIALIZABLE
            connection.execute("SELECT count(*) FROM pets")
        one.execute("INSERT INTO pets VALUES ('one', null)")
        two.execute("INSERT INTO pets VALUES ('two', null)")
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            two.commit()


def test_a_row_that_is_locked_is_waited_for_or_skipped(postgres_schema: Postgres) -> None:
    """`SKIP LOCKED` is how queues are made; `NOWAIT` is told at once."""
    with psycopg.connect(postgres_schema.dsn) as one, psycopg.connect(postgres_schema.dsn) as two:
        one.execute("INSERT INTO pets VALUES ('a', null), ('b', null)")
        one.commit()
        one.execute("SELECT * FROM pets WHERE name = 'a' FOR UPDATE")
        assert two.execute("SELECT name FROM pets FOR UPDATE SKIP LOCKED").fetchall() == [("b",)]
        with pytest.raises(psycopg.errors.LockNotAvailable):
            two.execute("SELECT name FROM pets FOR UPDATE NOWAIT")


def test_a_deadlock_is_found(postgres_schema: Postgres) -> None:
    """One of the two is ended by the server."""
    with psycopg.connect(postgres_schema.dsn) as one, psycopg.connect(postgres_schema.dsn) as two:
        one.execute("INSERT INTO pets VALUES ('a', null), ('b', null)")
        one.commit()
        one.execute("SELECT * FROM pets WHERE name = 'a' FOR UPDATE")
        two.execute("SELECT * FROM pets WHERE name = 'b' FOR UPDATE")
        failed: list[Exception] = []

        def cross(connection: psycopg.Connection[Any], name: str) -> None:
            try:
                connection.execute("SELECT * FROM pets WHERE name = %s FOR UPDATE", [name])
                connection.commit()
            except psycopg.errors.DeadlockDetected as exc:
                connection.rollback()
                failed.append(exc)

        threads = [threading.Thread(target=cross, args=pair) for pair in ((one, "b"), (two, "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(failed) == 1


def test_what_is_notified_is_heard(postgres_schema: Postgres) -> None:
    """By a connection that listens."""
    with (
        psycopg.connect(postgres_schema.dsn, autocommit=True) as hearing,
        psycopg.connect(postgres_schema.dsn, autocommit=True) as telling,
    ):
        channel = postgres_schema.schema
        hearing.execute(f"LISTEN {channel}")
        telling.execute(f"NOTIFY {channel}, 'hello'")
        (heard,) = hearing.notifies(timeout=20, stop_after=1)
    assert heard.payload == "hello"


def test_an_advisory_lock_ends_with_its_connection(postgres_schema: Postgres) -> None:
    """Also when nobody unlocks it."""
    key = abs(hash(postgres_schema.schema)) % 2**31
    query = f"SELECT pg_try_advisory_lock({key})"
    with psycopg.connect(postgres_schema.dsn, autocommit=True) as two:
        with psycopg.connect(postgres_schema.dsn, autocommit=True) as one:
            assert one.execute(query).fetchone() == (True,)
            assert two.execute(query).fetchone() == (False,)
        two.execute(f"SET lock_timeout = '20s'; SELECT pg_advisory_lock({key})")


def test_vectors_are_ordered_by_distance(postgres_schema: Postgres) -> None:
    """With an index of theirs."""
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("INSERT INTO pets VALUES ('far', '[9,9]'), ('near', '[1,1]')")
        connection.execute("CREATE INDEX ON pets USING hnsw (v vector_l2_ops)")
        found = connection.execute("SELECT name FROM pets ORDER BY v <-> '[0,0]'").fetchall()
    assert found == [("near",), ("far",)]


def test_much_is_copied_in_at_once(postgres_schema: Postgres) -> None:
    """The COPY protocol."""
    with psycopg.connect(postgres_schema.dsn) as connection:
        with connection.cursor() as cursor, cursor.copy("COPY pets (name) FROM STDIN") as copy:
            for number in range(5000):
                copy.write_row([f"pet{number}"])
        assert connection.execute("SELECT count(*) FROM pets").fetchone() == (5000,)


def test_a_statement_that_takes_too_long_is_ended(postgres_schema: Postgres) -> None:
    """By the server, where the client asked for it."""
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("SET statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")


def test_json_arrays_and_upserts_work(postgres_schema: Postgres) -> None:
    """The rest that services use every day."""
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("CREATE TABLE documents (id int PRIMARY KEY, body jsonb, tags text[])")
        statement = (
            "INSERT INTO documents VALUES (1, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET body = documents.body || excluded.body RETURNING body ->> 'b'"
        )
        assert connection.execute(statement, ['{"a": 1}', ["x"]]).fetchone() == (None,)
        assert connection.execute(statement, ['{"b": 2}', ["x"]]).fetchone() == ("2",)
        row = connection.execute("SELECT body, tags FROM documents WHERE tags @> '{x}'").fetchone()
    assert row == ({"a": 1, "b": 2}, ["x"])
