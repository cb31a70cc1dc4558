"""The end of one type's queue at which records are taken out: a consumer of the stream's group.

Rule 1: an entry that was taken is pending, under this consumer's name, until it is done or dead. The name is this
        process's own, so what a dead process had in hand is told apart, and claimed when it is idle for long enough.
Rule 2: group and stream may vanish at any time (a Redis that lost its data, a person who cleans up). The group is made
        anew when it is missed, from the stream's beginning: replaying a record again is harmless.
Rule 3: done entries are deleted, so the stream's length is the number of records that wait.
Rule 4: failures are counted beside the stream (`...:tries`), since the stream's own count is one of deliveries, and an
        outage has many of those.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from datastorage.dead_letters import dead_letter_key, queue_key

GROUP = "replay"
ResultT = TypeVar("ResultT")

_DONE = """
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('HDEL', KEYS[2], unpack(ARGV, 2))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
"""
_BURY = """
redis.call('XADD', KEYS[3], '*', unpack(ARGV, 3))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
"""
# The names of dead processes pile up. Any with nothing pending may go: where it lives, its next read makes it again.
_SWEEP = """
for _, found in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local consumer = {}
    for at = 1, #found, 2 do consumer[found[at]] = found[at + 1] end
    if consumer.pending == 0 then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    end
end
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A queued record, as its client sent it and as `DeadLetterQueue` wrote it down."""

    id: bytes
    fields: Mapping[bytes, bytes]

    @property
    def record(self) -> bytes:
        """The record, as its kind dumped it; empty where somebody else made the entry."""
        return self.fields.get(b"record", b"")

    @property
    def request_id(self) -> str:
        """The id of the request that brought it."""
        return self.fields.get(b"request_id", b"").decode(errors="replace")


def consumer_name() -> str:
    """Return a name that no other process has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class QueueConsumer:
    """One consumer of one type; every method raises RedisError where Redis does not do it."""

    def __init__(self, redis: Redis, *, key_prefix: str, type_: str, name: str, claim_after: float) -> None:
        """Consume as `name`; `claim_after`: seconds after which what another consumer has in hand is taken over."""
        self._redis = redis
        self._key = queue_key(key_prefix, type_)
        self._dead_key = dead_letter_key(key_prefix, type_)
        self._tries_key = f"{self._key}:tries"
        self._name = name
        self._idle_ms = round(claim_after * 1000)
        self._done, self._bury = redis.register_script(_DONE), redis.register_script(_BURY)
        self._sweep = redis.register_script(_SWEEP)
        self._swept = False
        self._cursor = b"0-0"

    async def depth(self) -> int:
        """Return how many records wait, those in hand included."""
        return int(await self._redis.xlen(self._key))

    async def claim(self, count: int) -> None:
        """Take over up to `count` entries that another consumer has had in hand for too long."""

        async def claim() -> Any:
            return await self._redis.xautoclaim(
                self._key, GROUP, self._name, self._idle_ms, start_id=self._cursor, count=count
            )

        self._cursor, claimed, *_ = await self._with_group(claim)
        if claimed or not self._swept:
            await self._sweep(keys=[self._key], args=[GROUP])
            self._swept = True

    async def take(self, count: int, *, but: int) -> list[Entry]:
        """Return what is in hand, oldest first, filled up with new entries; `count` and, on top, the `but` set aside.

        Reading what is in hand also tells the group that this consumer lives.
        """
        entries = await self._read("0", count + but)
        gone = [entry.id for entry in entries if not entry.fields]  # deleted by somebody else while it was in hand
        if gone:
            await self._redis.xack(self._key, GROUP, *gone)
        entries = [entry for entry in entries if entry.fields]
        if len(entries) < count + but:
            entries += await self._read(">", count + but - len(entries))
        return sorted(entries, key=lambda entry: tuple(map(int, entry.id.split(b"-"))))

    async def done(self, *entries: Entry) -> None:
        """Remove entries whose records are stored."""
        await self._done(keys=[self._key, self._tries_key], args=[GROUP, *(entry.id for entry in entries)])

    async def failed(self, entry: Entry) -> int:
        """Count one failure of this entry; return how many there are now."""
        return int(await self._redis.hincrby(self._tries_key, entry.id, 1))

    async def bury(self, entry: Entry, *, reason: str, tries: int) -> None:
        """Move an entry to the dead letters, in one step: it is never in both streams, and never in none."""
        fields = {**entry.fields, b"entry": entry.id, b"reason": reason.encode(), b"tries": b"%d" % tries}
        pairs = [part for pair in fields.items() for part in pair]
        await self._bury(keys=[self._key, self._tries_key, self._dead_key], args=[GROUP, entry.id, *pairs])

    async def _read(self, start: str, count: int) -> list[Entry]:
        async def read() -> Any:
            return await self._redis.xreadgroup(GROUP, self._name, {self._key: start}, count=count)

        found = await self._with_group(read)
        return [Entry(id=number, fields=fields or {}) for _, entries in found for number, fields in entries]

    async def _with_group(self, does: Callable[[], Awaitable[ResultT]]) -> ResultT:
        try:
            return await does()
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
        try:
            await self._redis.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except ResponseError as exc:
            if not str(exc).startswith("BUSYGROUP"):  # another process was faster
                raise
        return await does()
