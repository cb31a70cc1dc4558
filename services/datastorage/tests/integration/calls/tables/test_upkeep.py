"""The service looks after the partitions, whether it owns the tables or is only allowed to use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from datastorage.partitions import PartitionKeeper
from servicekit.database import Database
from servicekit.logs import to_standard_logging
from servicekit.testing import Served
from testinfra.endpoints import Postgres

Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]
Eventually = Callable[..., None]
MONTHS = (
    "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('audit_events'::regclass, 'resource_action_traces'::regclass)"
)


@pytest.fixture
def months(db: Connection) -> Callable[[], int]:
    """Give a function that counts the partitions of both tables, the default ones left out."""

    def count() -> int:
        row = db.execute(MONTHS).fetchone()
        assert row is not None
        return int(row[0]) - 2

    return count


@pytest.fixture
def no_months(db: Connection) -> None:
    """Drop every month's partition, as if the calendar had rolled over while nobody looked."""
    rows = db.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname !~ '_default$'"
    ).fetchall()
    for row in rows:
        db.execute(f"DROP TABLE {row[0]}")


@pytest.fixture
def application(postgres_schema: Postgres, db: Connection) -> Iterator[str]:
    """Give the name of a role that is no owner, and has what `grant_application` gives."""
    name = f"{postgres_schema.schema}_app"
    role = Identifier(name)
    db.execute(SQL("CREATE ROLE {0} NOLOGIN; GRANT {0} TO CURRENT_USER WITH SET TRUE").format(role))
    try:
        db.execute("SELECT grant_application(%s)", [name])
        yield name
    finally:
        db.execute(SQL("GRANT {0} TO CURRENT_USER WITH INHERIT TRUE; DROP OWNED BY {0}; DROP ROLE {0}").format(role))


@pytest.mark.usefixtures("no_months")
def test_partitions_are_made_when_the_service_starts(
    serve: Callable[..., Served], months: Callable[[], int], eventually: Eventually
) -> None:
    """This month and the next, for both tables."""
    assert months() == 0
    serve()
    eventually("the partitions are there", lambda: months() == 4)


def test_a_service_that_owns_nothing_does_all_its_work(
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
    postgres_schema: Postgres,
    application: str,
    record: Record,
    notification: Record,
    event: Record,
    trace: Record,
) -> None:
    """As a role with SELECT and INSERT alone, every record is written and read."""
    options = f"{conninfo_to_dict(postgres_schema.dsn)['options']} -crole={application}"
    client = connect(serve(postgres_dsn=SecretStr(make_conninfo(postgres_schema.dsn, options=options))))
    assert client.get("/readyz").status_code == 200
    for write, read, sent in (
        ("audit/remediations", "audit/remediations", record()),
        ("audit/notifications", "audit/notifications", notification()),
        ("audit/events", "audit/events", event()),
        ("audit/events/batch", "audit/events", [event(), event()]),
        ("action-traces", "incidents", trace()),
    ):
        answer = client.post(f"/api/v1/{write}", json=sent)
        assert answer.status_code == 201, answer.text
        assert client.get(f"/api/v1/{read}").json()["pagination"]["total"] > 0


@pytest.mark.usefixtures("no_months")
def test_a_service_that_owns_nothing_makes_partitions(
    serve: Callable[..., Served],
    postgres_schema: Postgres,
    application: str,
    months: Callable[[], int],
    eventually: Eventually,
) -> None:
    """The function runs with its owner's rights."""
    options = f"{conninfo_to_dict(postgres_schema.dsn)['options']} -crole={application}"
    serve(postgres_dsn=SecretStr(make_conninfo(postgres_schema.dsn, options=options)))
    eventually("the partitions are there", lambda: months() == 4)


@pytest.mark.usefixtures("no_months")
def test_a_failure_is_logged_and_tried_again(
    postgres_schema: Postgres, db: Connection, months: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    """A function that is not there yet is called again until it is."""
    to_standard_logging()
    db.execute("ALTER FUNCTION ensure_partitions(integer, timestamptz) RENAME TO hidden")

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - neither a log nor a table has an event
                await asyncio.sleep(0.01)

    async def look_after() -> None:
        database = Database(postgres_schema.dsn, name="datastorage", pool_min=1, pool_max=1, timeout=10)
        async with database.opened(), PartitionKeeper(database, retry=0.01).running():
            await until(lambda: "cannot be looked after" in caplog.text)
            db.execute("ALTER FUNCTION hidden RENAME TO ensure_partitions")
            await until(lambda: months() == 4)

    asyncio.run(look_after())
