"""It is a real Redis: what services lean on works the same on every backend, below the prefix."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import redis as redis_py

from testinfra.endpoints import Redis
from testinfra.servers.ready import wait_until


def test_a_key_ends_when_its_time_has_come(client: Any, key: str) -> None:
    """Caches rest on it."""
    client.set(key, "v", px=50)
    assert 0 < client.pttl(key) <= 50
    wait_until(lambda: client.get(key) is None, what="the key has ended", timeout=20)


def test_only_one_of_many_sets_what_is_not_there(redis_db: Redis, client: Any, key: str) -> None:
    """`SET NX`: how locks are made."""
    won: list[bool] = []

    def attempt() -> None:
        with redis_py.Redis.from_url(redis_db.url) as mine:
            won.append(bool(mine.set(key, 1, nx=True, ex=60)))

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(won) == [False] * 9 + [True]


def test_counters_lose_nothing(redis_db: Redis, client: Any, key: str) -> None:
    """Ten threads of fifty steps."""

    def count() -> None:
        with redis_py.Redis.from_url(redis_db.url) as mine:
            for _ in range(50):
                mine.incr(key)

    threads = [threading.Thread(target=count) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert client.get(key) == "500"


def test_a_watched_key_that_changed_undoes_the_transaction(redis_db: Redis, client: Any, key: str) -> None:
    """`WATCH`, `MULTI`, `EXEC`."""
    client.set(key, 1)
    with client.pipeline() as pipeline:
        pipeline.watch(key)
        with redis_py.Redis.from_url(redis_db.url) as other:
            other.set(key, 2)
        pipeline.multi()
        pipeline.set(key, 3)
        with pytest.raises(redis_py.exceptions.WatchError):
            pipeline.execute()
    assert client.get(key) == "2"


def test_scripts_run_on_the_server(client: Any, key: str) -> None:
    """By text, and by their digest."""
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert [script(keys=[key], args=[2]), script(keys=[key], args=[3])] == [2, 5]


def test_what_is_published_is_heard(redis_db: Redis, client: Any) -> None:
    """On a channel below the prefix."""
    channel = f"{redis_db.key_prefix}channel"
    with client.pubsub(ignore_subscribe_messages=True) as hearing:
        hearing.subscribe(channel)
        wait_until(lambda: client.publish(channel, "hello") == 1, what="somebody listens", timeout=20)
        heard = wait_until(lambda: hearing.get_message(timeout=1), what="it is heard", timeout=20)
    assert heard is not None
    assert (heard["channel"], heard["data"]) == (channel, "hello")


def test_a_stream_is_shared_by_a_group(client: Any, key: str) -> None:
    """Each entry goes to one of its members, and waits until that one says it is done."""
    client.xgroup_create(key, "group", id="0", mkstream=True)
    for number in range(3):
        client.xadd(key, {"n": str(number)})
    first = client.xreadgroup("group", "one", {key: ">"}, count=2)[0][1]
    second = client.xreadgroup("group", "two", {key: ">"}, count=2)[0][1]
    assert [entry[1]["n"] for entry in [*first, *second]] == ["0", "1", "2"]
    assert client.xack(key, "group", first[0][0]) == 1
    assert client.xpending(key, "group")["pending"] == 2


def test_a_queue_is_waited_for(redis_db: Redis, client: Any, key: str) -> None:
    """`BLPOP` of one connection wakes with the push of another."""
    found: list[object] = []

    def wait() -> None:
        with redis_py.Redis.from_url(redis_db.url, decode_responses=True) as mine:
            found.append(mine.blpop([key], timeout=20))

    waiting = threading.Thread(target=wait)
    waiting.start()
    client.rpush(key, "work")
    waiting.join(30)
    assert [list(each) for each in found if isinstance(each, (list, tuple))] == [[key, "work"]]


def test_sorted_sets_give_ranges(client: Any, key: str) -> None:
    """By score: how things are scheduled."""
    client.zadd(key, {"later": 20, "now": 10})
    assert client.zrangebyscore(key, 0, 15) == ["now"]
    assert client.zpopmin(key) == [("now", 10.0)]


def test_bytes_come_back_as_they_went(redis_db: Redis, key: str) -> None:
    """All 256 of them."""
    with redis_py.Redis.from_url(redis_db.url) as raw:
        raw.set(key, bytes(range(256)))
        assert raw.get(key) == bytes(range(256))


def test_a_pipeline_is_one_round_trip_and_keeps_the_order(client: Any, key: str) -> None:
    """Answers come in the order of the questions, a refusal among them."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set(key, "text").incr(key).get(key)
        answers = pipeline.execute(raise_on_error=False)
    assert answers[0] is True
    assert isinstance(answers[1], redis_py.exceptions.ResponseError)
    assert answers[2] == "text"
