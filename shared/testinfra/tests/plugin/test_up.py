"""`testinfra up`, `status`, `env`, `down`: the same servers, kept warm between runs."""

from __future__ import annotations

import re
import shlex

import psycopg
import redis

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.servers.ready import wait_until


def exported(text: str) -> dict[str, str]:
    """The variables that the shell lines set."""
    lines = [shlex.split(line)[1].partition("=") for line in text.splitlines()]
    return {name: value for name, _, value in lines}


def test_servers_are_started_shown_handed_out_and_ended(sandbox: Sandbox) -> None:
    """Up, status, env, down; psql's variables and URLs work."""
    assert "ends after 240 minutes without use" in sandbox.testinfra("up").stdout
    shown = sandbox.testinfra("status").stdout
    assert re.search(r"postgres-\w+ .* 18\.\d+ .* 127\.0\.0\.1:\d+", shown)
    assert re.search(r"redis-\w+ ", shown)
    variables = exported(sandbox.testinfra("env").stdout)
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with psycopg.connect(
        host=variables["PGHOST"], port=variables["PGPORT"], user=variables["PGUSER"], password=variables["PGPASSWORD"],
        dbname=variables["PGDATABASE"],
    ) as connection:  # fmt: skip
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with redis.Redis.from_url(variables["REDIS_URL"]) as client:
        assert client.ping()
    assert sandbox.testinfra("down").stdout.count("ended ") == 2


def test_a_run_uses_the_warm_servers_and_leaves_them_clean(sandbox: Sandbox, sample: str) -> None:
    """No server of its own; no schema and no login of it stays."""
    sandbox.testinfra("up")
    before = {process.pid for process in sandbox.processes() if "keeper" in " ".join(process.cmdline())}
    sandbox.write(
        test_sample=sample,
        test_who="""
        def test_who(testinfra_stand, postgres, redis):
            assert [lease.warm for lease in testinfra_stand.leases.values()] == [True, True]
        """,
    )
    done = sandbox.pytest("-n", "2")
    assert (done.code, done.count("tests")) == (0, 13), done.output
    assert {process.pid for process in sandbox.processes() if "keeper" in " ".join(process.cmdline())} == before
    variables = exported(sandbox.testinfra("env").stdout)
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sample%'"
        query += " UNION SELECT rolname FROM pg_roles WHERE rolname LIKE 'sample%'"
        assert connection.execute(query).fetchall() == []
    sandbox.testinfra("down")


def test_a_failed_test_keeps_its_schema_in_a_warm_server(sandbox: Sandbox) -> None:
    """The DSN of its report still works after the run, and the row that it wrote is there."""
    sandbox.testinfra("up", "--postgres=embedded")
    sandbox.write(
        test_bad="""
        import psycopg
        def test_bad(postgres_schema):
            with psycopg.connect(postgres_schema.dsn) as connection:
                connection.execute("CREATE TABLE evidence AS SELECT 42 AS answer")
            assert False
        def test_good(postgres_schema): pass
        """
    )
    done = sandbox.pytest()
    found = re.search(r"dsn: (\S+)", done.output)
    assert found, done.output
    with psycopg.connect(found[1]) as connection:
        assert connection.execute("SELECT answer FROM evidence").fetchone() == (42,)
    sandbox.testinfra("down")


def test_up_twice_keeps_the_servers_that_run(sandbox: Sandbox) -> None:
    """The same address both times; a fixed port is kept."""
    first = sandbox.testinfra("up", "--redis=embedded").stdout
    second = sandbox.testinfra("up", "--redis=embedded").stdout
    assert first.split(",")[0] == second.split(",")[0]
    assert len(sandbox.processes()) == 2
    sandbox.testinfra("down")


def test_a_warm_server_ends_after_its_idle_time(sandbox: Sandbox) -> None:
    """Of itself, without `down`."""
    assert sandbox.testinfra("up", "--redis=embedded", "--idle-minutes=0.01").returncode == 0
    wait_until(sandbox.is_empty, what="it ended of itself", timeout=10)


def test_without_warm_servers_every_command_says_so(sandbox: Sandbox) -> None:
    """And what to type; `env` fails, for a script would go on without its variables."""
    assert "testinfra up starts them" in sandbox.testinfra("status").stdout
    assert sandbox.testinfra("down").returncode == 0
    missing = sandbox.testinfra("env")
    assert missing.returncode == 1
    assert "what to type: testinfra up" in missing.stderr
    assert missing.stdout == ""


def test_a_server_that_cannot_start_fails_the_command_with_the_reason(sandbox: Sandbox) -> None:
    """No traceback; the next `up` tries again."""
    failed = sandbox.testinfra("up", "--postgres=embedded", "--postgres-bindir=/no/such")
    assert failed.returncode == 1
    assert "- /no/such/postgres" in failed.stderr
    assert "Traceback" not in failed.stderr
