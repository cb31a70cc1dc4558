"""Fifty clients, and a Redis that breaks under them: no request fails, none is wrong, none waits long.

Every answer is compared with the right one. An answer is kept for a short time, so that there are hits and misses all
the time, and Redis is asked for each. That nobody waits long is counted: a lookup that fails is one that somebody
waited for. After three there is a second without any but those that were on their way, of each client one. How long
95 % took, and requests that need nothing at the same time, is printed with -s, and in the report: it is the machine's
as well.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis as redis_py

from servicekit.testing import sample
from services.contextapi.tests.integration.cache.load import CLIENTS, LIVE, Load, Reply, p95
from services.contextapi.tests.integration.cache.relay import Relay
from testinfra.endpoints import Redis
from testinfra.faults.outage import Outage
from testinfra.serving import Service

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates takes longer than a request
MANY = 400
IN_A_ROW = 3
"""Failed lookups after which Redis is not asked for a second."""
SHORT = {"cache_ttl": 5, "cache_memory_first": 0}
Process = Callable[..., Service]
Eventually = Callable[..., None]


class Judge:
    """Compares answers with the right ones, and notes their times beside those of requests that need nothing."""

    def __init__(self, truth: dict[str, bytes], record: Callable[[str, object], None]) -> None:
        self._truth = truth
        self._record = record

    def right(self, what: str, replies: Sequence[Reply]) -> list[Reply]:
        """Fail where one is not the right answer; return the answers."""
        answers = [reply for reply in replies if reply.path != LIVE]
        wrong = [reply for reply in answers if (reply.status, reply.body) != (200, self._truth[reply.path])]
        assert not wrong, f"{what}: {len(wrong)} of {len(answers)} wrong, the first: {wrong[0]}"
        return answers

    def timed(self, what: str, replies: Sequence[Reply]) -> None:
        """Fail where one is not the right answer; note how long they took."""
        answers = self.right(what, replies)
        self.note(f"p95 in ms, {what}, {len(answers)} answers", p95(answers))
        self.note(f"p95 in ms, {what}, {LIVE}", p95([reply for reply in replies if reply.path == LIVE]))

    def note(self, what: str, found: float) -> None:
        """Put what was measured into the report."""
        self._record(what, round(found, 1))
        print(f"\n{what}: {found:.1f}")  # noqa: T201 - the measurement


@pytest.fixture
def judge(truth: dict[str, bytes], record_property: Callable[[str, object], None]) -> Judge:
    """Give a judge of answers to this test's questions."""
    return Judge(truth, record_property)


def metric(service: Service, name: str, **labels: str) -> float:
    """Read one sample of the cache's metrics."""
    return sample(httpx.get(f"{service.url}/metrics", timeout=10, verify=NO_TLS).text, f"context_api_{name}", **labels)


def redis_hits(service: Service) -> float:
    """Return how many answers came from Redis so far."""
    return metric(service, "cache_hits_total", tier="redis")


def failures(service: Service, *operations: str) -> float:
    """Return how many calls to Redis failed so far."""
    return sum(metric(service, "redis_failures_total", operation=each) for each in operations)


@contextmanager
def shown(service: Service) -> Iterator[None]:
    """Fail where the fault in this block was never met, or where more lookups failed than a client may wait for."""
    before, lookups, begun = failures(service, "get", "set", "probe"), failures(service, "get"), time.monotonic()
    yield
    assert failures(service, "get", "set", "probe") > before
    assert failures(service, "get") - lookups <= CLIENTS + IN_A_ROW * (1 + time.monotonic() - begun)


def warm(load: Load, service: Service, eventually: Eventually) -> None:
    """Have connections made, and answers kept in Redis."""
    load.more(200)
    eventually("answers come from Redis", lambda: redis_hits(service) > 0)


def comes_back(service: Service, load: Load, judge: Judge, eventually: Eventually) -> None:
    """Wait until answers come from Redis again, and note how long that took."""
    before, begun = redis_hits(service), time.monotonic()
    eventually("Redis is used again", lambda: redis_hits(service) > before)
    judge.note("seconds until Redis is used again", time.monotonic() - begun)
    judge.right("back again", load.more(MANY))


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_redis_breaks_and_comes_back(
    process: Process,
    exclusive_redis: Redis,
    redis_outage: Outage,
    questions: list[str],
    judge: Judge,
    eventually: Eventually,
    how: str,
) -> None:
    """Killed or stopped (SIGSTOP): the answers go on; back at its address it is used again within seconds."""
    service = process(redis_url=exclusive_redis.url, **SHORT)
    with Load(service.host, service.port, questions) as load:
        warm(load, service, eventually)
        judge.timed("no fault", load.more(MANY))
        with redis_outage(how), shown(service):
            judge.timed(how, load.more(MANY))
            assert httpx.get(f"{service.url}/readyz", timeout=10, verify=NO_TLS).status_code == 200
        comes_back(service, load, judge, eventually)


def test_redis_becomes_slow_and_quick_again(
    process: Process,
    exclusive_redis: Redis,
    relay: Relay,
    questions: list[str],
    judge: Judge,
    eventually: Eventually,
) -> None:
    """100 ms late with every answer it counts as none; when it is quick again it is used again."""
    service = process(redis_url=replace(exclusive_redis, port=relay.port).url, **SHORT)
    with Load(service.host, service.port, questions) as load:
        warm(load, service, eventually)
        judge.timed("no fault", load.more(MANY))
        relay.delay = 0.1
        with shown(service):
            judge.timed("slow", load.more(MANY))
        relay.delay = 0.0
        comes_back(service, load, judge, eventually)


def test_redis_cuts_connections_and_answers_nonsense(
    process: Process,
    exclusive_redis: Redis,
    relay: Relay,
    questions: list[str],
    judge: Judge,
    eventually: Eventually,
) -> None:
    """Neither a reset connection nor words that are not its protocol, nor the answer to another question, show."""
    service = process(redis_url=replace(exclusive_redis, port=relay.port).url, **SHORT)
    with Load(service.host, service.port, questions) as load:
        warm(load, service, eventually)
        for _ in range(5):
            relay.cut()
            judge.timed("connections cut", load.more(MANY // 4))
        for nonsense in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-1\r\n", b"*1\r\n$5\r\nhello\r\n", b"\xff" * 100):
            relay.says = nonsense
            with shown(service):
                judge.timed("nonsense", load.more(MANY))
        relay.says = b""
        relay.cut()
        comes_back(service, load, judge, eventually)


def test_redis_becomes_full(
    process: Process,
    exclusive_redis: Redis,
    questions: list[str],
    judge: Judge,
    eventually: Eventually,
) -> None:
    """At maxmemory it refuses every write, and nobody notices; with room again it is written to again."""
    service = process(redis_url=exclusive_redis.url, **SHORT)
    with redis_py.Redis.from_url(exclusive_redis.url) as server, Load(service.host, service.port, questions) as load:
        warm(load, service, eventually)
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        with pytest.raises(redis_py.ResponseError, match="maxmemory"):
            server.set("anything", "more")
        with shown(service):
            judge.timed("full", load.more(MANY))
        server.flushall()
        server.config_set("maxmemory", "0")
        eventually("entries are written again", lambda: _keys(server) > 0, deadline=5.0)
        comes_back(service, load, judge, eventually)


def _keys(server: redis_py.Redis) -> int:
    found: Any = server.dbsize()
    return int(found)


def test_redis_was_never_there(process: Process, closed_port: int, questions: list[str], judge: Judge) -> None:
    """Nothing listens at its address, from the start: the service starts, is ready, and answers from its memory."""
    service = process(redis_url=f"redis://127.0.0.1:{closed_port}/0")
    with Load(service.host, service.port, questions) as load:
        load.more(200)
        judge.timed("never there", load.more(MANY))
    assert metric(service, "cache_hits_total", tier="memory") > MANY / 4
    assert redis_hits(service) == 0
