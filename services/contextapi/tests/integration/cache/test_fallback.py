"""What the cache does with one question at a time: which tier answers, what is kept, and what is taken for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis as redis_py
from pydantic import SecretStr

from servicekit.testing import Served, sample
from services.contextapi.tests.integration.cache.relay import Relay
from testinfra.endpoints import Redis
from testinfra.faults.outage import Outage

PATH = "/api/v1/incidents?namespace=payments"
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Eventually = Callable[..., None]
Add = Callable[..., int]


def hits(client: httpx.Client, tier: str) -> float:
    """Return how many answers this service took from the tier."""
    return sample(client.get("/metrics").text, "context_api_cache_hits_total", tier=tier)


def total(client: httpx.Client, path: str = PATH) -> int:
    """Ask, and return how many incidents the answer says there are."""
    return int(client.get(path).raise_for_status().json()["total"])


def kept(redis_client: redis_py.Redis) -> list[bytes]:
    """Return the keys of all answers in this test's Redis."""
    found: Any = redis_client.keys("*contextapi:*")
    return list(found)


@pytest.fixture
def no_redis(closed_port: int) -> SecretStr:
    """Give the URL of a Redis that refuses connections."""
    return SecretStr(f"redis://127.0.0.1:{closed_port}/0")


def test_an_answer_is_given_again_from_redis(client: httpx.Client, add: Add, eventually: Eventually) -> None:
    """Within its time it is the same, with its age; what was stored since is not in it."""
    add()
    assert total(client) == 1
    add()
    eventually("a hit in Redis", lambda: total(client) == 1 and hits(client, "redis") > 0)
    answer = client.get(PATH)
    assert 0 <= int(answer.headers["Age"]) < 60
    assert "stale" not in answer.json()


def test_two_services_share_what_redis_keeps(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis, eventually: Eventually
) -> None:
    """What one has read, the other answers without a query of its own."""
    one, two = connect(serve()), connect(serve())
    add()
    assert total(one) == 1
    eventually("it is in Redis", lambda: len(kept(redis_client)) == 1)
    add()
    assert total(two) == 1
    assert hits(two, "redis") == 1
    assert sample(two.get("/metrics").text, "context_api_cache_misses_total") == 0


def test_without_redis_the_memory_answers(serve: Serve, connect: Connect, add: Add, no_redis: SecretStr) -> None:
    """From the start on; the service is ready, and says which dependency fails."""
    client = connect(serve(redis_url=no_redis))
    add()
    assert total(client) == 1
    add()
    assert total(client) == 1
    assert (hits(client, "memory"), hits(client, "redis")) == (1, 0)
    ready = client.get("/readyz")
    assert ready.status_code == 200
    redis = ready.json()["dependencies"]["redis"]
    assert (redis["status"], redis["required"]) == ("failing", False)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_redis_goes_and_comes_back_empty_handed_or_not(
    serve: Serve,
    connect: Connect,
    add: Add,
    exclusive_redis: Redis,
    redis_outage: Outage,
    eventually: Eventually,
    how: str,
) -> None:
    """What Redis had answered, the memory answers; back and emptied, Redis is given it again and used."""
    client = connect(serve(redis_url=SecretStr(exclusive_redis.url), redis_timeout=0.1))
    add()
    eventually("a hit in Redis", lambda: total(client) == 1 and hits(client, "redis") > 0)
    add()
    with redis_outage(how):
        before = hits(client, "memory")
        assert total(client) == 1
        assert hits(client, "memory") == before + 1
        assert client.get("/readyz").json()["dependencies"]["redis"]["status"] == "failing"
    with redis_py.Redis.from_url(exclusive_redis.url) as server:
        server.flushall()
    before = hits(client, "redis")
    eventually("Redis answers again", lambda: total(client) == 1 and hits(client, "redis") > before)
    assert client.get("/readyz").json()["dependencies"]["redis"]["status"] == "ok"


@pytest.mark.parametrize(
    "garbage",
    [b"", b"garbage", b"\x00" * 200, b'{"incidents":[],"total":0,"limit":10,"offset":0}'],
    ids=["nothing", "a word", "zeros", "an answer without its seal"],
)
def test_a_corrupt_entry_is_a_miss(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis, eventually: Eventually, garbage: bytes
) -> None:
    """A service that has it from nowhere else asks Postgres, and puts a good one in its place."""
    add()
    first, second = connect(serve()), connect(serve())
    assert total(first) == 1
    eventually("it is in Redis", lambda: len(kept(redis_client)) == 1)
    (key,) = kept(redis_client)
    redis_client.set(key, garbage)
    add()
    assert total(second) == 2
    eventually("it is replaced", lambda: redis_client.get(key) != garbage)
    third = connect(serve())
    assert total(third) == 2
    assert hits(third, "redis") == 1


def test_an_entry_cut_short_or_of_another_question_is_a_miss(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis, eventually: Eventually
) -> None:
    """Half a value, or the whole one under another key, answers nobody."""
    add(namespace="payments")
    add(namespace="other")
    add(namespace="other")
    other = "/api/v1/incidents?namespace=other"
    writer = connect(serve())
    assert total(writer) == 1
    eventually("one is in Redis", lambda: len(kept(redis_client)) == 1)
    (payments,) = kept(redis_client)
    assert total(writer, other) == 2
    eventually("both are in Redis", lambda: len(kept(redis_client)) == 2)
    (elsewhere,) = set(kept(redis_client)) - {payments}
    stored: Any = redis_client.get(payments)
    redis_client.set(elsewhere, stored)
    redis_client.set(payments, stored[:-1])
    reader = connect(serve())
    assert (total(reader), total(reader, other)) == (1, 2)
    assert hits(reader, "redis") == 0


def test_a_value_of_another_type_is_a_miss(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis, eventually: Eventually
) -> None:
    """A list under the key answers nobody, and no request fails of it."""
    add()
    writer = connect(serve())
    assert total(writer) == 1
    eventually("it is in Redis", lambda: len(kept(redis_client)) == 1)
    (key,) = kept(redis_client)
    redis_client.delete(key)
    redis_client.rpush(key, "a", "b")
    assert total(connect(serve())) == 1


def test_what_is_over_the_limit_is_not_kept(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis
) -> None:
    """Neither tier has it: each request reads Postgres, and what was stored since is in it."""
    client = connect(serve(cache_value_limit=500))
    add()
    assert total(client) == 1
    add()
    assert total(client) == 2
    assert kept(redis_client) == []
    assert hits(client, "memory") == 0


def test_an_empty_result_is_kept_too(client: httpx.Client, add: Add, eventually: Eventually) -> None:
    """Nothing found is an answer as any other, for as long as any other."""
    assert total(client) == 0
    add()
    eventually("a hit in Redis", lambda: total(client) == 0 and hits(client, "redis") > 0)


def test_an_incident_that_is_not_there_is_not_kept(client: httpx.Client, add: Add) -> None:
    """A 404 is no answer to give again: the next who asks finds what has been stored meanwhile."""
    first = add()
    assert client.get(f"/api/v1/incidents/{first + 1}").status_code == 404
    assert add() == first + 1
    assert client.get(f"/api/v1/incidents/{first + 1}").status_code == 200


def test_memory_keeps_so_many_and_no_more(serve: Serve, connect: Connect, add: Add, no_redis: SecretStr) -> None:
    """The entry goes whose last use is the oldest."""
    client = connect(serve(redis_url=no_redis, cache_entries=2))
    for namespace in ("a", "b", "c"):
        assert total(client, f"/api/v1/incidents?namespace={namespace}") == 0
        add(namespace=namespace)
    assert [total(client, f"/api/v1/incidents?namespace={name}") for name in ("c", "b", "a")] == [0, 0, 1]


def test_entries_leave_redis_when_they_could_not_answer_any_more(
    serve: Serve, connect: Connect, add: Add, redis_client: redis_py.Redis, eventually: Eventually
) -> None:
    """Its TTL there is the time that it is fresh and the time that it may be stale."""
    client = connect(serve(cache_ttl=100, cache_keep=1000))
    add()
    assert total(client) == 1
    eventually("it is in Redis", lambda: len(kept(redis_client)) == 1)
    left: Any = redis_client.ttl(kept(redis_client)[0])
    assert 1000 < left <= 1100


def test_services_on_other_data_have_other_keys(
    serve: Serve,
    connect: Connect,
    add: Add,
    no_postgres: SecretStr,
    redis_client: redis_py.Redis,
    eventually: Eventually,
) -> None:
    """One Redis, the same question, another server: it does not answer for it, be that one away."""
    add()
    assert total(connect(serve())) == 1
    eventually("it is in Redis", lambda: len(kept(redis_client)) == 1)
    elsewhere = connect(serve(postgres_dsn=no_postgres, postgres_timeout=0.2))
    assert elsewhere.get(PATH).status_code == 503


def test_the_body_of_a_hit_is_the_body_of_the_miss(client: httpx.Client, add: Add, eventually: Eventually) -> None:
    """Byte for byte, text of all kinds included."""
    add(
        name='Zürich 日本 \U0001f600 "quoted" \\ \u2028',
        metadata={"a": [1, None, 1.5, "ü"]},
    )
    first = client.get(PATH).content
    assert json.loads(first)["incidents"][0]["name"].startswith("Zürich")
    eventually("a hit in Redis", lambda: client.get(PATH).content == first and hits(client, "redis") > 0)


@pytest.mark.parametrize("at_once", [1, 10])
def test_a_reply_of_the_wrong_length_holds_nobody(
    serve: Serve, connect: Connect, exclusive_redis: Redis, relay: Relay, eventually: Eventually, at_once: int
) -> None:
    """A server that says one value, whatever it is asked: all who wait are answered, and it is used when well."""
    url = SecretStr(replace(exclusive_redis, port=relay.port).url)
    client = connect(serve(redis_url=url, redis_timeout=1.0, cache_memory_first=0))
    eventually("a hit in Redis", lambda: total(client) == 0 and hits(client, "redis") > 0)
    relay.says = b"*1\r\n$5\r\nhello\r\n"
    with ThreadPoolExecutor(at_once) as pool:
        for turn in range(5):
            paths = [f"/api/v1/incidents?namespace=n-{turn}-{number}" for number in range(at_once)]
            assert list(pool.map(lambda path: total(client, path), paths)) == [0] * at_once
    relay.says = b""
    relay.cut()
    before = hits(client, "redis")
    eventually("Redis is used again", lambda: total(client) == 0 and hits(client, "redis") > before)
