"""The dead letter queue: writes that Postgres could not take, kept in Redis until it can.

Rule 1: one stream a kind, `audit:dlq:<type>`, behind the settings' key prefix. What could not be replayed at all is in
        `audit:dead-letter:<type>`, with the reason, and stays there until a person removes it.
Rule 2: no accepted record is trimmed. A stream that is full refuses the next record, which its client is told; length
        and append are one script, so the limit holds for all replicas together.
Rule 3: queueing has a deadline of its own, as the one for Postgres is over by then. An append whose answer is lost may
        be done twice: replaying is harmless (see `kinds`), losing is not.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Literal

import structlog
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from datastorage.errors import QueueError

_APPEND = """
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[1]) then return {'', length} end
return {redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2)), length + 1}
"""


class Queued(BaseModel):
    """The answer to a write that is kept in the queue: it will be written when Postgres takes it."""

    status: Literal["queued"] = "queued"
    id: str = Field(description="The entry in the queue; the log of the service names it")
    type: str = Field(description="The queue, as in the metric `datastorage_dlq_depth`", examples=["remediations"])
    ids: list[str] = Field(description="The ids by which the record, or each of the batch, is found once it is stored")


def queue_key(prefix: str, type_: str) -> str:
    """Return the stream that records of this type wait in."""
    return f"{prefix}audit:dlq:{type_}"


def dead_letter_key(prefix: str, type_: str) -> str:
    """Return the stream that records of this type end in when they cannot be written."""
    return f"{prefix}audit:dead-letter:{type_}"


class DeadLetterQueue:
    """The end of the queue at which records are put in."""

    def __init__(self, redis: Redis, *, key_prefix: str, timeout: float, max_length: int) -> None:
        """Append through `redis`; `timeout` in seconds for one append, `max_length` in entries for one type."""
        self._append = redis.register_script(_APPEND)
        self._key_prefix = key_prefix
        self._timeout = timeout
        self._max_length = max_length

    async def append(self, type_: str, record: bytes, *, why: str) -> tuple[str, int]:
        """Keep the record; return its entry's id and how many are in the queue now. Raise QueueError where it is not.

        `why` says what Postgres did, for whoever looks at the entry.
        """
        entry: dict[str, str | bytes] = {
            "record": record,
            "why": why,
            "queued_at": datetime.now(UTC).isoformat(),
            "request_id": str(structlog.contextvars.get_contextvars().get("request_id", "")),
        }
        pairs = [part for pair in entry.items() for part in pair]
        try:
            async with asyncio.timeout(self._timeout):
                found, length = await self._append(
                    keys=[queue_key(self._key_prefix, type_)], args=[self._max_length, *pairs]
                )
        except TimeoutError as exc:
            raise QueueError(f"Redis took longer than {self._timeout:g} s to queue it", reason="deadline") from exc
        except (RedisError, OSError) as exc:
            raise QueueError(f"Redis did not queue it: {exc}", reason="unavailable") from exc
        if not found:
            raise QueueError(f"the queue is full, {length} of at most {self._max_length} wait", reason="full")
        return found.decode(), length
