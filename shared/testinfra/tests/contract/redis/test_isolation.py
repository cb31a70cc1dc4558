"""Tests are kept apart: nobody sees another's keys, and nothing stays."""

from __future__ import annotations

import dataclasses

import pytest
import redis as redis_py

from testinfra.endpoints import Redis
from testinfra.stand import Stand

SERVICE = "testinfra-stand"


@pytest.mark.parametrize("round_", range(8))
def test_every_test_begins_with_nothing(redis_db: Redis, client: redis_py.Redis, key: str, round_: int) -> None:
    """Each of these leaves something behind."""
    assert client.keys(f"{redis_db.key_prefix}*") == []
    client.set(key, "behind")


def test_two_tests_at_once_do_not_see_each_other(
    redis_db: Redis, client: redis_py.Redis, testinfra_stand: Stand
) -> None:
    """However they are spread over processes."""
    databases = testinfra_stand.redis_databases(SERVICE)
    other = databases.take()
    with redis_py.Redis.from_url(other.url) as theirs:
        theirs.set(f"{other.key_prefix}key", "theirs")
        assert client.exists(f"{redis_db.key_prefix}key") == 0
    assert (other.database, other.key_prefix) != (redis_db.database, redis_db.key_prefix)
    databases.give_back(other)


def test_what_is_given_back_is_gone(testinfra_stand: Stand, redis: Redis) -> None:
    """All its keys, of every type."""
    databases = testinfra_stand.redis_databases(SERVICE)
    taken = databases.take()
    with redis_py.Redis.from_url(taken.url) as client:
        client.set(f"{taken.key_prefix}a", 1)
        client.rpush(f"{taken.key_prefix}b", 1, 2)
        client.hset(f"{taken.key_prefix}c", "k", "v")
    databases.give_back(taken)
    with redis_py.Redis.from_url(dataclasses.replace(redis, database=taken.database).url) as admin:
        assert list(admin.scan_iter(f"{taken.key_prefix}*" if taken.key_prefix else "*")) == []


def test_more_keys_than_a_scan_gives_at_once_are_gone_too(testinfra_stand: Stand, redis: Redis) -> None:
    """Three thousand of them."""
    databases = testinfra_stand.redis_databases(SERVICE)
    taken = databases.take()
    with redis_py.Redis.from_url(taken.url) as client:
        client.mset({f"{taken.key_prefix}{number}": number for number in range(3000)})
    databases.give_back(taken)
    with redis_py.Redis.from_url(dataclasses.replace(redis, database=taken.database).url) as admin:
        assert list(admin.scan_iter(f"{taken.key_prefix}*" if taken.key_prefix else "*", count=1000)) == []


def test_the_shared_server_is_not_in_anybodys_room(
    redis: Redis, redis_db: Redis, client: redis_py.Redis, key: str
) -> None:
    """What a test writes is not seen where `redis` looks, but below its prefix."""
    client.set(key, 1)
    with redis_py.Redis.from_url(redis.url, decode_responses=True) as admin:
        found = list(admin.scan_iter(f"*{redis_db.username}*key" if redis_db.key_prefix else "*key", count=1000))
    assert found == ([key] if redis_db.key_prefix else [])


def test_a_prefixed_login_is_kept_out_of_the_rest(redis_db: Redis, client: redis_py.Redis) -> None:
    """Where there is a prefix, the server refuses other keys; where there is a database, there are no others."""
    if redis_db.key_prefix:
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.set("elsewhere", 1)
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.flushall()
    else:
        client.set("elsewhere", 1)
        client.flushdb()
        assert client.dbsize() == 0


def test_many_connections_of_one_test_see_the_same(redis_db: Redis, client: redis_py.Redis, key: str) -> None:
    """Twenty."""
    client.set(key, "seen")
    others = [redis_py.Redis.from_url(redis_db.url, decode_responses=True) for _ in range(20)]
    assert {other.get(key) for other in others} == {"seen"}
    for other in others:
        other.close()
