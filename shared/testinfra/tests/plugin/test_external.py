"""Somebody's servers: used, never stopped, rid of everything of ours, and told when they lack something."""

from __future__ import annotations

import psycopg
import pytest
import redis as redis_py

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Postgres, Redis
from testinfra.errors import NotAvailable
from testinfra.names import Names
from testinfra.redis.databases import LogicalDatabases, PrefixedLogins
from testinfra.stand import Stand


@pytest.fixture
def on_external(sandbox: Sandbox, lone_postgres: Postgres, lone_redis: Redis) -> Sandbox:
    """A sandbox whose runs use two servers that are not theirs."""
    sandbox.environment["TESTINFRA_POSTGRES_DSN"] = lone_postgres.dsn
    sandbox.environment["TESTINFRA_REDIS_URL"] = lone_redis.url
    return sandbox


def test_a_run_on_external_servers_passes_and_leaves_nothing(
    on_external: Sandbox, lone_postgres: Postgres, lone_redis: Redis, sample: str
) -> None:
    """No schema, no login, no key; both servers still answer."""
    on_external.write(test_sample=sample)
    done = on_external.pytest("-n", "3")
    assert (done.code, done.count("tests")) == (0, 12), done.output
    assert "postgres: external" in done.output
    with psycopg.connect(lone_postgres.dsn) as connection:
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sample%'").fetchall()
    assert left == []
    with redis_py.Redis.from_url(lone_redis.url) as client:
        assert client.keys("*") == []
        assert client.acl_users() == ["default"]


def test_databases_and_rollback_work_on_an_external_server_too(on_external: Sandbox) -> None:
    """The test cannot tell, except by speed."""
    on_external.write(
        test_modes="""
        import psycopg, pytest
        def test_database(postgres_database):
            with psycopg.connect(postgres_database.dsn) as connection:
                connection.execute("CREATE TABLE t (v vector(3))")
        @pytest.mark.postgres(isolation="rollback")
        def test_rollback(postgres_connection):
            postgres_connection.execute("CREATE TABLE t (v vector(3))")
        """
    )
    done = on_external.pytest()
    assert (done.code, done.count("tests")) == (0, 2), done.output


def test_a_failure_report_on_an_external_server_shows_no_password(
    on_external: Sandbox, lone_postgres: Postgres
) -> None:
    """It is somebody's; and its log is not ours to read."""
    on_external.write(test_bad="def test_bad(postgres_schema, redis_db): assert False")
    output = on_external.pytest().output
    assert "log: an external server's log is not ours to read" in output
    assert lone_postgres.password not in output.replace(f"password='{lone_postgres.password}'", "")


def test_a_user_who_may_not_create_schemas_is_told_the_grant(on_external: Sandbox, lone_postgres: Postgres) -> None:
    """Before any test has run."""
    with psycopg.connect(lone_postgres.dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    on_external.environment["TESTINFRA_POSTGRES_DSN"] = (
        f"postgresql://guest:guest@{lone_postgres.host}:{lone_postgres.port}/postgres"
    )
    on_external.write(test_one="def test_one(postgres_schema): pass")
    done = on_external.pytest()
    assert 'GRANT CREATE ON DATABASE "postgres" TO "guest";' in done.output


def test_a_redis_login_without_acl_rights_is_told_what_it_needs(on_external: Sandbox, lone_redis: Redis) -> None:
    """Isolation there takes the right to make logins."""
    with redis_py.Redis.from_url(lone_redis.url) as client:
        client.acl_setuser("guest", enabled=True, passwords=["+guest"], keys=["*"], categories=["+@all", "-@admin"])
    on_external.environment["TESTINFRA_REDIS_URL"] = f"redis://guest:guest@{lone_redis.host}:{lone_redis.port}/0"
    on_external.write(test_one="def test_one(redis_db): pass")
    done = on_external.pytest()
    assert "does not let us make logins" in done.output
    assert "+acl +client" in done.output


def test_a_prefixed_login_can_touch_nothing_else(lone_redis: Redis) -> None:
    """Not another's keys, and not the whole database."""
    logins = PrefixedLogins(lone_redis, Names(service="svc"))
    mine, other = logins.take(), logins.take()
    with redis_py.Redis.from_url(mine.url) as client:
        client.set(f"{mine.key_prefix}k", 1)
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.get(f"{other.key_prefix}k")
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.flushall()
    logins.give_back(mine)
    logins.give_back(other)
    logins.close()


def test_logins_of_a_dead_process_are_swept_with_their_keys(lone_redis: Redis) -> None:
    """The owner's connection is gone, so is the owner; a living owner's stay."""
    dead, living = PrefixedLogins(lone_redis, Names(service="dead")), PrefixedLogins(lone_redis, Names(service="live"))
    left, kept = dead.take(), living.take()
    with redis_py.Redis.from_url(left.url) as client:
        client.set(f"{left.key_prefix}k", 1)
    dead.close()
    assert PrefixedLogins(lone_redis, Names(service="next")).swept == [left.username]
    with redis_py.Redis.from_url(lone_redis.url, decode_responses=True) as client:
        assert client.keys("*") == []
        assert client.acl_users() == ["default", kept.username]


def test_more_tests_at_once_than_databases_is_told_with_the_option(testinfra_stand: Stand, lone_redis: Redis) -> None:
    """Databases 1 to 15 of 16 can be taken."""
    held = next(each for each in testinfra_stand.leases.values() if each.endpoint.get("port") == lone_redis.port)
    databases = LogicalDatabases(lone_redis, held.place.directory, 16)
    taken = [databases.take() for _ in range(15)]
    assert len({each.database for each in taken}) == 15
    with pytest.raises(NotAvailable, match="all 15 logical databases") as caught:
        databases.take()
    assert "--redis-databases=64" in str(caught.value)
    for each in taken:
        databases.give_back(each)
    databases.close()
