"""Monthly partitions: made ahead of need and relative to the clock, and no row without a place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import psycopg
import pytest

from dbschema import Migrations
from testinfra.endpoints import Postgres

Connection = psycopg.Connection[Any]
TABLES = ("audit_events", "resource_action_traces")
EVENT = (
    "INSERT INTO audit_events (event_id, event_type, event_category, event_action, event_outcome, event_timestamp,"
    " correlation_id, actor_type, actor_id, resource_type, resource_id)"
    " VALUES (gen_random_uuid(), 't', 'gateway', 'a', 'success', %s, 'c', 't', 'i', 't', 'i')"
)
TRACE = (
    "INSERT INTO resource_action_traces (action_id, correlation_id, action_timestamp, namespace, cluster_name,"
    " environment, signal_name, signal_severity, signal_fingerprint, action_type, execution_status)"
    " VALUES (gen_random_uuid(), 'c', %s, 'n', 'c', 'e', 's', 's', 'f', 'a', 'pending')"
)
INSERTS = dict(zip(TABLES, (EVENT, TRACE), strict=True))


@pytest.fixture(autouse=True)
def _migrated(connection: Connection) -> None:
    Migrations().apply(connection)


@pytest.fixture
def partitions(connection: Connection) -> Callable[[str], dict[str, int]]:
    """Give a function that lists a table's partitions without its prefix, and how many rows each has."""

    def found(table: str) -> dict[str, int]:
        names = connection.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = %s::regclass",
            [table],
        ).fetchall()
        counts = {}
        for (name,) in sorted(names):
            row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert row is not None
            counts[name.removeprefix(f"{table}_")] = int(row[0])
        return counts

    return found


def _ensure(connection: Connection, months_ahead: int, moment: str) -> int:
    row = connection.execute("SELECT ensure_partitions(%s, %s)", [months_ahead, moment]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("table", TABLES)
def test_a_fresh_schema_has_this_month_the_next_and_the_rest(
    connection: Connection, partitions: Callable[[str], dict[str, int]], table: str
) -> None:
    """The months are those of the server's clock in UTC."""
    row = connection.execute(
        "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'),"
        " to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM')"
    ).fetchone()
    assert row is not None
    assert list(partitions(table)) == [*row, "default"]


@pytest.mark.parametrize("table", TABLES)
def test_partitions_are_made_ahead_over_the_end_of_a_year(
    connection: Connection, partitions: Callable[[str], dict[str, int]], table: str
) -> None:
    """From the last moment of November, three months ahead; asked again, there is nothing to do."""
    before = set(partitions(table))
    _ensure(connection, 3, "2030-11-30T23:59:59.999999Z")
    assert set(partitions(table)) - before == {"2030_11", "2030_12", "2031_01", "2031_02"}
    assert _ensure(connection, 3, "2030-11-30T23:59:59.999999Z") == 0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize("table", TABLES)
def test_a_month_begins_at_midnight_in_utc(
    connection: Connection, partitions: Callable[[str], dict[str, int]], table: str, zone: str
) -> None:
    """The first and the last microsecond are in, the ones before and after are not, whatever the session's zone."""
    connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
    _ensure(connection, 0, "2030-02-15T00:00:00Z")
    inside = ("2030-02-01T00:00:00Z", "2030-02-28T23:59:59.999999Z")
    for moment in (*inside, "2030-01-31T23:59:59.999999Z", "2030-03-01T00:00:00Z"):
        connection.execute(INSERTS[table], [moment])
    assert (partitions(table)["2030_02"], partitions(table)["default"]) == (2, 2)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1999-12-31T00:00:00Z", "9999-12-31T00:00:00Z"])
@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_any_time_has_a_place(
    connection: Connection, partitions: Callable[[str], dict[str, int]], table: str, moment: str
) -> None:
    """Far in the past or the future is the default partition."""
    connection.execute(INSERTS[table], [moment])
    assert partitions(table)["default"] == 1


@pytest.mark.parametrize("table", TABLES)
def test_rows_move_into_their_month_when_it_is_made(
    connection: Connection, partitions: Callable[[str], dict[str, int]], table: str
) -> None:
    """The calendar rolled while nobody made partitions: no row is lost, none stays behind, and the rest stays."""
    for moment in ("2030-05-01T00:00:00Z", "2030-05-31T23:59:59Z", "2030-06-02T00:00:00Z", "2040-01-01T00:00:00Z"):
        connection.execute(INSERTS[table], [moment])
    key = {"audit_events": "event_id", "resource_action_traces": "id, action_id"}[table]
    before = connection.execute(f"SELECT {key} FROM {table} ORDER BY 1").fetchall()
    _ensure(connection, 1, "2030-05-10T00:00:00Z")
    found = partitions(table)
    assert (found["2030_05"], found["2030_06"], found["default"]) == (2, 1, 1)
    assert connection.execute(f"SELECT {key} FROM {table} ORDER BY 1").fetchall() == before


def test_events_that_moved_are_append_only_too(connection: Connection) -> None:
    """A partition that took rows over refuses changes like any other, and so does the default one still."""
    for moment in ("2030-05-01T00:00:00Z", "2040-01-01T00:00:00Z"):
        connection.execute(EVENT, [moment])
    _ensure(connection, 0, "2030-05-10T00:00:00Z")
    for table in ("audit_events", "audit_events_2030_05", "audit_events_default"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
def test_a_partition_that_took_rows_over_has_every_index(connection: Connection, table: str) -> None:
    """It is attached with as many indexes as one that was made empty."""
    connection.execute(INSERTS[table], ["2030-05-01T00:00:00Z"])
    _ensure(connection, 1, "2030-05-10T00:00:00Z")
    counts = connection.execute(
        "SELECT tablename, count(*) FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY(%s)"
        " GROUP BY 1",
        [[f"{table}_2030_05", f"{table}_2030_06"]],
    ).fetchall()
    assert len(counts) == 2
    assert len({count for _, count in counts}) == 1


def test_rows_are_written_while_partitions_are_made(postgres_schema: Postgres, connection: Connection) -> None:
    """Two that make partitions and two that write and read, at once: nobody fails, and every row is there once."""
    done = threading.Event()

    def write() -> int:
        written = 0
        with psycopg.connect(postgres_schema.dsn, autocommit=True) as own:
            while not done.is_set() or written < 20:
                own.execute(EVENT, [f"20{31 + written % 4}-01-15T00:00:00Z"])
                own.execute("SELECT count(*) FROM audit_events")
                written += 1
        return written

    def make() -> None:
        with psycopg.connect(postgres_schema.dsn, autocommit=True) as own:
            for year in range(2031, 2035):
                _ensure(own, 2, f"{year}-01-15T00:00:00Z")

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        makers = [pool.submit(make) for _ in range(2)]
        wait(makers, timeout=60)
        done.set()
        for maker in makers:
            maker.result()
        written = sum(writer.result(60) for writer in writers)
    assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (written,)
    assert connection.execute("SELECT count(*) FROM audit_events_default").fetchone() == (0,)


def test_a_long_query_delays_partitions_and_not_everybody(postgres_schema: Postgres, connection: Connection) -> None:
    """Behind a transaction that has read the table it gives up after its own lock timeout, for another day."""
    with psycopg.connect(postgres_schema.dsn) as reader:
        reader.execute("SELECT count(*) FROM audit_events")
        connection.execute("ALTER FUNCTION ensure_partitions SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            _ensure(connection, 0, "2030-05-10T00:00:00Z")
    assert _ensure(connection, 0, "2030-05-10T00:00:00Z") == 2
