"""`kill -9` at random moments, 50 times: nothing runs 5 s later, and nothing is left after the next start.

What a run leaves in a server that outlives it (schemas, logins) is gone after the next run there.
"""

from __future__ import annotations

import contextlib
import random
import subprocess

import psutil
import psycopg
import pytest

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Postgres
from testinfra.errors import NotReady
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.ready import wait_until
from testinfra.servers.share import lease

BUSY = """
import psycopg, pytest

@pytest.mark.parametrize("number", range(150))
def test_work(postgres_schema, redis_db, number):
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM generate_series(1, 3000) n")
        connection.execute("SELECT pg_sleep(0.02)")
"""
OURS = """
SELECT nspname FROM pg_namespace WHERE nspname ~ '_test_[0-9]{8}_[0-9]{6}_'
UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '_test_[0-9]{8}_[0-9]{6}_'
UNION ALL SELECT datname FROM pg_database WHERE datname ~ '_test_[0-9]{8}_[0-9]{6}_'
"""


TIMES = {"pytest": 12, "worker": 8, "keeper": 8, "all": 14}  # and 8 on a server that outlives the run: 50


def at_a_random_moment(sandbox: Sandbox, run: subprocess.Popen[str], seed: int) -> None:
    """Odd seeds: within 1.2 s of the run's launch. Even ones: within 1.2 s of the first server's start."""
    if seed % 2 == 0:
        wait_until(lambda: sandbox.processes() or run.poll() is not None, what="a server starts", timeout=20)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(random.Random(seed).uniform(0.0, 1.2))  # noqa: S311 - a moment, no secret


def victims(sandbox: Sandbox, run: subprocess.Popen[str], who: str) -> list[psutil.Process]:
    """The processes to kill: the run itself, its workers, the keepers, or all of them at once."""
    keepers = [each for each in sandbox.processes() if "testinfra.servers.keeper" in each.info["cmdline"]]
    try:
        process = psutil.Process(run.pid)
        workers = process.children()
    except psutil.NoSuchProcess:
        return keepers if who in ("keeper", "all") else []
    return {"pytest": [process], "worker": workers, "keeper": keepers, "all": [process, *workers, *keepers]}[who]


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def runs(process: psutil.Process) -> bool:
    """Whether it still does anything; a zombie only waits for init to take note."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family(sandbox: Sandbox, run: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process of the run: itself, its workers, keepers and servers."""
    try:
        process = psutil.Process(run.pid)
        return [process, *process.children(recursive=True), *sandbox.processes()]
    except psutil.NoSuchProcess:
        return sandbox.processes()


@pytest.mark.parametrize(
    ("who", "seed"),
    [(who, seed) for who, times in TIMES.items() for seed in range(times)],
)
def test_nothing_is_left_of_a_run_whose_part_was_killed(
    sandbox: Sandbox, who: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """No process 5 s after the run's end; after the next start no directory and no socket."""
    sandbox.write(test_busy=BUSY)
    with sandbox.start("-n", "2", "--maxfail=1", "--max-worker-restart=0") as run:
        at_a_random_moment(sandbox, run, seed)
        known = family(sandbox, run)
        killed = victims(sandbox, run, who)
        kill(killed)
        run.communicate(timeout=30)
    request.node.user_properties.append(("killed", len(killed)))
    try:
        wait_until(
            lambda: not sandbox.processes() and not any(runs(each) for each in known),
            what="every process of the killed run has ended",
            timeout=5,
        )
    except NotReady as exc:
        left = {*sandbox.processes(), *filter(runs, known)}
        pytest.fail(f"{exc}: {[(each.pid, each.status(), each.create_time(), each.cmdline()) for each in left]}")
    next_start = lease(Spec(kind="redis", backend="embedded"), root=sandbox.state, scope="next", terms=Terms(linger=0))
    strange = [path for path in sandbox.leftovers() if "/next" not in path]
    next_start.release()
    assert strange == []


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_left_in_a_server_that_outlives_a_killed_run(
    sandbox: Sandbox, lone_postgres: Postgres, seed: int
) -> None:
    """After the next run there, no schema, database or login of the killed one."""
    sandbox.write(test_busy=BUSY.replace(", redis_db", ""))
    sandbox.environment["TESTINFRA_POSTGRES_DSN"] = lone_postgres.dsn
    with sandbox.start("-n", "2") as run:
        at_a_random_moment(sandbox, run, seed)
        kill(victims(sandbox, run, "pytest"))
        run.communicate(timeout=30)
    sandbox.write(test_busy="def test_next(postgres_schema): pass")
    done = sandbox.pytest()
    assert done.code == 0, done.output
    with psycopg.connect(lone_postgres.dsn) as connection:
        assert connection.execute(OURS).fetchall() == []
