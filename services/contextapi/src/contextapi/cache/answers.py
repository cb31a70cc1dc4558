"""How a question is answered: from a fresh copy, from Postgres, or in need from an old copy.

Rule 1: both tiers are asked, Redis first, and the newer copy counts, so that what one client saw of this process is not
        taken back. The tier that lacked it gets it. Only what this process got within the last second it does not ask
        Redis for again: what is asked all the time then costs no round trip.
Rule 2: a miss is one query for all who ask the same meanwhile. Between the look into this process's memory and the
        flight nothing else runs, so who comes just after a query has ended finds its answer.
Rule 3: Postgres away means the breaker refused or the load raised UnavailableError. Then a copy that has outlived its
        time answers, marked; where there is none, the error goes up. No other error is ever answered with a copy.
Rule 4: fresh copies are marked too while the last that is known of Postgres is a failure; it is asked once a second,
        so that this is known, and known to be over, without a client's query.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry
from pydantic import JsonValue
from pydantic_core import to_json

from contextapi.cache.breaker import Breaker, OpenError
from contextapi.cache.entries import Entry
from contextapi.cache.keys import Keys
from contextapi.cache.memory import MemoryTier
from contextapi.cache.metrics import CacheMetrics
from contextapi.cache.options import CacheOptions
from contextapi.cache.redis_tier import RedisTier
from contextapi.cache.single_flight import SingleFlight
from servicekit.errors import UnavailableError

Tier = Literal["redis", "memory", ""]
Loaded = Mapping[str, Any] | bytes
"""A JSON object: its members, or its text as it is to be sent."""
_ASKED_EVERY = 1.0
_PROBE_HAS = 2.0
_SKEW = 5.0  # seconds that the clocks of two processes may differ: an entry from further ahead would stay too long


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to send."""

    body: bytes
    """The JSON object; where it is stale, its first member is `"stale":true`."""
    age: float
    """Seconds since it was read from Postgres."""
    stale: bool
    """Whether Postgres is away, so that nobody knows if it is still true."""
    tier: Tier
    """Where the copy was; "" where it was read now."""


class Answers:
    """All kept answers of one service, for one event loop; connects to nothing before it is asked."""

    def __init__(
        self,
        options: CacheOptions,
        registry: CollectorRegistry,
        *,
        source: str,
        probe: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what names the data (no password), and what returns when Postgres answers and raises when not."""
        self._options = options
        self._probe = probe
        self._clock = clock
        self._breaker = Breaker(
            "Postgres",
            failures=options.breaker_failures,
            open_seconds=options.breaker_open_seconds,
            counted=(UnavailableError,),
        )
        self._metrics = CacheMetrics(registry, breaker_state=lambda: self._breaker.state)
        self._hits = {tier: self._metrics.hits.labels(tier) for tier in ("redis", "memory")}
        self._keys = Keys(prefix=options.redis_key_prefix, source=source)
        self._memory = MemoryTier(entries=options.entries)
        self._redis = RedisTier(options.redis_url, timeout=options.redis_timeout, metrics=self._metrics)
        self._flights: SingleFlight[Entry] = SingleFlight(self._metrics.shared.inc)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch Postgres inside the context; close the connections to Redis at its end."""
        async with self._redis.opened():
            watch = asyncio.create_task(self._watch())
            try:
                yield
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)

    async def redis_answers(self) -> None:
        """Return where Redis answers, and raise where not; for readiness."""
        await self._redis.ping()

    async def answer(
        self, kind: str, parameters: Mapping[str, JsonValue], load: Callable[[], Awaitable[Loaded]]
    ) -> Answer:
        """Answer the call `kind` for `parameters`, all of them; raise what `load` raises where no copy may answer."""
        return await self.answer_for(self.key(kind, parameters), load)

    def key(self, kind: str, parameters: Mapping[str, JsonValue]) -> str:
        """Return the key of this question, for who asks it again and again."""
        return self._keys.of(kind, parameters)

    async def answer_for(self, key: str, load: Callable[[], Awaitable[Loaded]]) -> Answer:
        """Answer the question of this key, as `answer` does."""
        answer = self.at_hand(key)
        if answer is not None:
            return answer
        copy, tier = await self._newest(key)
        if copy is not None and self._is_fresh(copy):
            return self._hit(copy, tier)
        self._metrics.misses.inc()
        try:
            loaded = await self._flights.run(key, lambda: self._load(key, load))
        except UnavailableError:
            if copy is None:
                raise
            return self._said(copy, tier, stale=True)
        return self._said(loaded, "", stale=False)

    def at_hand(self, key: str) -> Answer | None:
        """Answer the question of this key where no look into Redis is needed."""
        recent = self._memory.get(key, since=self._clock() - self._options.memory_first)
        return self._hit(recent, "memory") if recent is not None and self._is_fresh(recent) else None

    async def _newest(self, key: str) -> tuple[Entry | None, Tier]:
        """Return the newest copy that may still answer, and where it was; nothing is awaited after Redis."""
        shared = self._usable(await self._redis.get(key))
        own = self._usable(self._memory.get(key))
        if shared is not None and (own is None or own.read_at <= shared.read_at):
            self._memory.put(key, shared, at=self._clock())
            return shared, "redis"
        if own is not None:
            self._redis.put(key, own, seconds=self._left(own))
        return own, "memory"

    async def _load(self, key: str, load: Callable[[], Awaitable[Loaded]]) -> Entry:
        read_at = self._clock()
        try:
            loaded = await self._breaker.call(load)
        except OpenError as exc:
            raise UnavailableError(str(exc), reason="unavailable") from exc
        body = loaded if isinstance(loaded, bytes) else to_json(loaded, inf_nan_mode="null")
        entry = Entry(body, read_at)
        if len(body) <= self._options.value_limit:
            self._memory.put(key, entry, at=self._clock())
            self._redis.put(key, entry, seconds=self._left(entry))
        return entry

    def _hit(self, copy: Entry, tier: Tier) -> Answer:
        self._hits[tier].inc()
        return self._said(copy, tier, stale=not self._breaker.healthy)

    def _said(self, copy: Entry, tier: Tier, *, stale: bool) -> Answer:
        body = copy.body
        if stale:
            self._metrics.stale.inc()
            body = b'{"stale":true' + (b"}" if body == b"{}" else b"," + body[1:])
        return Answer(body=body, age=self._age(copy), stale=stale, tier=tier)

    def _is_fresh(self, copy: Entry) -> bool:
        return self._age(copy) < self._options.ttl

    def _age(self, copy: Entry) -> float:
        return max(0.0, self._clock() - copy.read_at)

    def _left(self, copy: Entry) -> float:
        """Return the seconds for which it may still answer, from now."""
        return copy.read_at + self._options.ttl + self._options.keep - self._clock()

    def _usable(self, copy: Entry | None) -> Entry | None:
        if copy is None or self._left(copy) <= 0 or copy.read_at > self._clock() + _SKEW:
            return None
        return copy

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_ASKED_EVERY)
            with contextlib.suppress(UnavailableError, OpenError):
                await self._breaker.call(self._probed)

    async def _probed(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_HAS):
                await self._probe()
        except UnavailableError:
            raise
        except Exception as exc:
            raise UnavailableError(f"Postgres failed: {exc}".strip(), reason="unavailable") from exc
