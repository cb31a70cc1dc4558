"""The tier that all processes share: Redis, which may be slow, full, wrong or away without anybody noticing.

Rule 1: nothing here raises. A lookup that fails, or takes longer than its time, has found nothing; a write that fails
        is gone. Each way has a breaker of its own, so that a Redis which is only full is still read.
Rule 2: no client pays for finding out whether a Redis that was away is back: a background task asks it, at most once a
        second, and lookups begin again when it has answered within the time of one. (Connecting takes several round
        trips, so this is also how a Redis far away is reached at all.)
Rule 3: lookups that come while another is on its way go together in the next MGET: fifty clients are a few round trips.
Rule 4: writes are done in the background, one after the other; where too many wait, further ones are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Literal, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from contextapi.cache.breaker import Breaker, OpenError, State
from contextapi.cache.entries import Entry, unpacked
from contextapi.cache.metrics import CacheMetrics

ResultT = TypeVar("ResultT")
_FAILURES = 3
_AGAIN_AFTER = 1.0
_LOOKUPS_AT_ONCE = 50
_WRITES_WAITING = 100
_LONG = 10  # what nobody waits for may take that many times as long as a lookup
_log = structlog.get_logger(__name__)


class RedisTier:
    """Entries in one Redis, for one event loop; it connects when it is first asked."""

    def __init__(self, url: str, *, timeout: float, metrics: CacheMetrics) -> None:
        """Take `timeout` in seconds for one lookup."""
        self._timeout = timeout
        self._long = timeout * _LONG
        self._redis = Redis.from_url(
            url, socket_timeout=self._long, socket_connect_timeout=self._long, retry=Retry(NoBackoff(), 0)
        )
        self._metrics = metrics
        # That the server refuses something says of lookups that it is there, and of writes that it takes none.
        self._reading = Breaker(
            "Redis (lookups)", failures=_FAILURES, open_seconds=_AGAIN_AFTER, counted=(_AbsentError,)
        )
        self._writing = Breaker(
            "Redis (writes)", failures=_FAILURES, open_seconds=_AGAIN_AFTER, counted=(_AbsentError, _RefusedError)
        )
        self._asked: dict[str, asyncio.Future[bytes | None]] = {}
        self._to_write: dict[str, tuple[Entry, float]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._prober: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        """Show how it is; the URL has a password."""
        return f"<RedisTier, {self._reading!r}, {self._writing!r}>"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Write what waits, then close the connections, when the context is left."""
        try:
            yield
        finally:
            tasks = [task for task in (self._reader, self._writer, self._prober) if task]
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=self._long)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            with contextlib.suppress(Exception):  # it is over, however it answers the farewell
                async with asyncio.timeout(self._long):
                    await self._redis.aclose()

    async def ping(self) -> None:
        """Return where Redis answers; raise what redis-py raises where not."""
        await self._redis.ping()

    async def get(self, key: str) -> Entry | None:
        """Return what is kept under `key`; None where there is nothing, or it is broken, or Redis does not answer."""
        if self._reading.state is not State.CLOSED:
            if not self._reading.refuses and (self._prober is None or self._prober.done()):
                self._prober = asyncio.create_task(self._probe())
            return None
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(2 * self._timeout):  # for the lookup that is on its way, and for this one
                stored = await asyncio.shield(asked)
        except TimeoutError:
            return None
        return None if stored is None else unpacked(key, stored)

    def put(self, key: str, entry: Entry, *, seconds: float) -> None:
        """Have `entry` written soon, to be kept for `seconds`."""
        if self._writing.refuses or (len(self._to_write) >= _WRITES_WAITING and key not in self._to_write):
            return
        self._to_write[key] = (entry, seconds)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _read(self) -> None:
        try:
            while self._asked:
                keys = list(islice(self._asked, _LOOKUPS_AT_ONCE))
                waiting = [self._asked.pop(key) for key in keys]
                found: list[bytes | None] | None = None
                try:
                    found = await self._called("get", self._reading, partial(self._mget, keys), has=self._timeout)
                finally:
                    for number, future in enumerate(waiting):
                        future.set_result(found[number] if found else None)
        finally:  # where this task is cancelled, nobody waits for ever
            for future in self._asked.values():
                future.set_result(None)
            self._asked.clear()

    async def _mget(self, keys: list[str]) -> list[bytes | None]:
        found = [stored if isinstance(stored, bytes) else None for stored in await self._redis.mget(keys)]
        if len(found) != len(keys):  # it speaks no Redis, or this connection is a reply behind
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            raise ValueError(f"{len(found)} values for {len(keys)} keys")
        return found

    async def _write(self) -> None:
        while self._to_write:
            key, (entry, seconds) = next(iter(self._to_write.items()))
            del self._to_write[key]
            await self._called("set", self._writing, partial(self._set, key, entry, seconds), has=self._long)

    async def _set(self, key: str, entry: Entry, seconds: float) -> None:
        await self._redis.set(key, entry.packed(key), px=max(1, round(seconds * 1000)))

    async def _probe(self) -> None:
        await self._called("probe", self._reading, self._answer_in_time, has=self._long)

    async def _answer_in_time(self) -> None:
        await self._redis.ping()  # connects, where it is not
        async with asyncio.timeout(self._timeout):
            await self._redis.ping()

    async def _called(
        self,
        operation: Literal["get", "set", "probe"],
        breaker: Breaker,
        call: Callable[[], Awaitable[ResultT]],
        *,
        has: float,
    ) -> ResultT | None:
        """Return what `call` brings within `has` seconds; None where it does not."""
        try:
            return await breaker.call(partial(_translated, call, has))
        except OpenError:
            return None
        except (_AbsentError, _RefusedError) as exc:
            self._metrics.redis_failures.labels(operation).inc()
            _log.warning("the cache in Redis failed", operation=operation, error=str(exc))
            return None


class _AbsentError(Exception):
    """Redis did not answer, or not in time, or not in its protocol."""


class _RefusedError(Exception):
    """Redis answered that it does not do this."""


async def _translated(call: Callable[[], Awaitable[ResultT]], has: float) -> ResultT:
    try:
        async with asyncio.timeout(has):
            return await call()
    except ResponseError as exc:
        raise _RefusedError(str(exc)) from exc
    except TimeoutError as exc:
        raise _AbsentError("no answer in time") from exc
    except Exception as exc:  # whatever a broken server makes the client raise: no request fails of it
        raise _AbsentError(str(exc) or type(exc).__name__) from exc
