"""Outages: the fault happens, shows, and heals at the same address with the data kept; and it is proved each time."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import redis as redis_py

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Postgres, Redis
from testinfra.errors import Misconfigured, NotReady
from testinfra.faults.outage import Outage, answers
from testinfra.servers.ready import wait_until
from testinfra.stand import Stand

HOWS = ["kill", "stop", "pause"]


def connect(endpoint: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(endpoint.dsn, autocommit=True, connect_timeout=2)


@pytest.mark.parametrize("how", HOWS)
def test_postgres_is_away_and_comes_back_with_what_was_committed(
    exclusive_postgres: Postgres, postgres_outage: Outage, how: str
) -> None:
    """Three times in a row, at the same address."""
    with connect(exclusive_postgres) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    for number in range(3):
        with connect(exclusive_postgres) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
        with postgres_outage(how):
            assert not answers(exclusive_postgres)
            with pytest.raises(psycopg.OperationalError):
                connect(exclusive_postgres)
    with connect(exclusive_postgres) as connection:
        assert connection.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(0,), (1,), (2,)]


@pytest.mark.parametrize("how", HOWS)
def test_redis_is_away_and_comes_back_with_what_it_answered(
    exclusive_redis: Redis, redis_outage: Outage, how: str
) -> None:
    """Three times in a row, at the same address."""
    with redis_py.Redis.from_url(exclusive_redis.url, socket_timeout=0.3) as client:
        for number in range(3):
            client.rpush("kept", number)
            with redis_outage(how):
                assert not answers(exclusive_redis)
                with pytest.raises((redis_py.ConnectionError, redis_py.TimeoutError)):
                    redis_py.Redis.from_url(exclusive_redis.url, socket_timeout=0.3, retry=None).ping()
        assert client.lrange("kept", 0, -1) == [b"0", b"1", b"2"]


def test_an_open_connection_breaks_with_a_kill_and_outlives_a_pause(
    exclusive_postgres: Postgres, postgres_outage: Outage
) -> None:
    """As on a machine that crashes, or hangs for a moment."""
    connection = connect(exclusive_postgres)
    with postgres_outage("pause"):
        pass
    assert connection.execute("SELECT 1").fetchone() == (1,)
    with postgres_outage("kill"), pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_a_block_that_raises_heals_the_server_too(exclusive_redis: Redis, redis_outage: Outage) -> None:
    """The next test step finds it running."""
    with pytest.raises(ZeroDivisionError), redis_outage("stop"):
        raise ZeroDivisionError
    assert answers(exclusive_redis)
    assert redis_outage.lasting == ""


def test_a_fault_that_is_none_is_refused(exclusive_redis: Redis, redis_outage: Outage) -> None:
    """With the list of those that are; and so is a second fault on top of one."""
    with pytest.raises(Misconfigured, match="there is no fault 'melt'"):
        redis_outage.begin("melt")
    with redis_outage("stop"), pytest.raises(NotReady, match="did not answer even before"):
        redis_outage.begin("kill")


def test_a_fault_that_does_not_show_fails_the_test(exclusive_redis: Redis, testinfra_stand: Stand) -> None:
    """Breaking one server while looking at another's address is a fault that did not happen."""
    held, other = testinfra_stand.lone_redis()
    looks_elsewhere = Outage(held, exclusive_redis)
    with pytest.raises(NotReady, match="the fault 'stop' shows"):
        looks_elsewhere.begin("stop")
    assert not answers(other)
    looks_elsewhere.end()
    testinfra_stand.release(held)


def test_a_server_that_was_killed_leaves_no_shared_memory(testinfra_stand: Stand) -> None:
    """A postmaster that ends in order removes its System V segment; the stand does it for one that could not."""
    held, endpoint = testinfra_stand.lone_postgres()
    data = Path(endpoint.socket_directory).parent / "data"
    segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    assert segment in segments()
    Outage(held, endpoint).begin("kill")
    assert segment in segments()
    testinfra_stand.release(held)
    wait_until(lambda: segment not in segments(), what="the segment is gone", timeout=5)


def segments() -> set[str]:
    """The ids of all System V shared memory segments of this machine."""
    lines = Path("/proc/sysvipc/shm").read_text(encoding="utf-8").splitlines()[1:]
    return {line.split()[1] for line in lines}


def test_nobody_else_notices(redis: Redis, postgres: Postgres, redis_outage: Outage, postgres_outage: Outage) -> None:
    """The shared servers answer while the exclusive ones are away."""
    with redis_outage(), postgres_outage():
        assert answers(redis)
        assert answers(postgres)


BREAKS_AND_IS_KILLED = """
import os, signal
def test_it(exclusive_postgres, postgres_outage):
    postgres_outage.begin("{how}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", HOWS)
def test_a_run_that_is_killed_in_the_middle_of_an_outage_leaves_nothing(sandbox: Sandbox, how: str) -> None:
    """Not even paused processes, which hear no gentle signal."""
    sandbox.write(test_it=BREAKS_AND_IS_KILLED.format(how=how))
    assert sandbox.pytest().code == -9
