"""What a test is given to log in with."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from urllib.parse import quote

import pytest
import redis as redis_py
import redis.asyncio as redis_asyncio

from testinfra.endpoints import Redis
from testinfra.stand import Stand


def test_the_endpoint_names_its_backend(redis_db: Redis, backend: str) -> None:
    """For reports; a test need not look at it."""
    assert redis_db.backend == backend


def test_the_version_is_the_servers(redis_db: Redis, client: redis_py.Redis) -> None:
    """As it says itself."""
    found = client.info("server")
    assert redis_db.version in {found.get("redis_version"), found.get("valkey_version")}


def test_the_url_is_taken_by_sync_and_async_clients(redis_db: Redis, client: redis_py.Redis) -> None:
    """One URL for both sides."""

    async def ask() -> bool:
        other = redis_asyncio.Redis.from_url(redis_db.url)
        answer = await other.ping()
        await other.aclose()
        return bool(answer)

    assert client.ping() is True
    assert asyncio.run(ask())


def test_the_parts_and_the_url_are_one_login(redis_db: Redis, client: redis_py.Redis) -> None:
    """For clients that take parts."""
    with redis_py.Redis(
        host=redis_db.host,
        port=redis_db.port,
        db=redis_db.database,
        username=redis_db.username or None,
        password=redis_db.password,
        decode_responses=True,
    ) as other:
        assert other.acl_whoami() == client.acl_whoami() == (redis_db.username or "default")


def test_the_environment_logs_a_process_in(redis_db: Redis) -> None:
    """By the one variable that services read."""
    code = "import os, redis; print(redis.Redis.from_url(os.environ['REDIS_URL']).ping())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=redis_db.env(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "True"
    assert redis_db.env()["REDISCLI_AUTH"] == redis_db.password


def test_no_password_is_shown(redis_db: Redis, redis: Redis) -> None:
    """Neither in `repr` nor in the URL for logs."""
    for endpoint in (redis_db, redis):
        assert endpoint.password
        assert endpoint.password not in repr(endpoint)
        assert quote(endpoint.password, safe="") not in endpoint.safe_url
        assert quote(endpoint.password, safe="") in endpoint.url


def test_a_wrong_password_is_refused(redis_db: Redis) -> None:
    """The server does check."""
    wrong = dataclasses.replace(redis_db, password="wrong")
    with redis_py.Redis.from_url(wrong.url) as client, pytest.raises(redis_py.exceptions.AuthenticationError):
        client.ping()


def test_nobody_comes_in_without_a_password(redis_db: Redis) -> None:
    """Not from this machine either."""
    with (
        redis_py.Redis(host=redis_db.host, port=redis_db.port) as client,
        pytest.raises(redis_py.exceptions.AuthenticationError),
    ):
        client.ping()


def test_a_test_has_a_database_or_a_prefix_of_its_own(redis_db: Redis) -> None:
    """One of the two says where it may write."""
    assert bool(redis_db.database) is not bool(redis_db.key_prefix)
    if redis_db.key_prefix:
        assert redis_db.key_prefix.startswith("testinfra_stand_test_")


def test_the_stand_says_what_it_stands_on(redis: Redis, testinfra_stand: Stand) -> None:
    """For the end of the report."""
    assert testinfra_stand.versions()["redis"].split()[1] == redis.version
