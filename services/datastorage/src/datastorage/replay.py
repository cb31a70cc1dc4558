"""The worker that writes what is queued: one task a type, oldest first, for as long as the service runs.

Rule 1: a record is removed from the queue after its commit. Whatever ends the worker before - the service stops, is
        killed, loses Redis - leaves it pending, to be claimed; it may then be written already, which is found out.
Rule 2: only what is the record's own fault counts as one of its tries. Refused by Postgres is its own fault. Not taken
        by Postgres is, where Postgres then answers to another record of the type, the witness, and again does not take
        this one; where it does not answer, or there is no other, that is an outage: nothing counts, everything waits,
        with growing pauses. So an outage of any length buries nothing, and a record that always runs into the deadline
        is buried without holding up others. The price: where an outage ends during its try, a witness comes before one
        that is older. (So do new entries before those that have yet to be claimed from a dead process.)
Rule 3: a record that failed is set aside for a growing while, and the others go on. After its last try it is buried:
        moved to the dead letters, with the reason.
Rule 4: nothing ends the worker but the service's end. What it does not understand is logged, and tried again later.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import psycopg
import structlog
from redis.backoff import EqualJitterBackoff
from redis.exceptions import RedisError

from datastorage.errors import RepeatedError
from datastorage.kinds import Kind
from datastorage.metrics import StoreMetrics, Write
from datastorage.queue_consumer import Entry, QueueConsumer
from servicekit.errors import UnavailableError

_BATCH = 16
_SET_ASIDE = 100  # so many at most: with more of them something is wrong with all, and no new ones are taken
_DOUBLED_OFTEN = 32  # from here on the longest pause is reached, and powers of two only get too large for a float
_STATEMENT_IS_WRONG = "42"  # the class of SQLSTATE: a table, a column or a right is missing, for every record
_log = structlog.get_logger(__name__)

Failure = tuple[Literal["own", "postgres"], str]
"""Whose fault, and what happened."""


class Replay:
    """Writes the queued records of one kind."""

    def __init__(
        self,
        kind: Kind[Any, Any],
        consumer: QueueConsumer,
        metrics: StoreMetrics,
        *,
        tries: int,
        poll: float,
        longest_pause: float,
    ) -> None:
        """Look every `poll` seconds; after a failure pause so long, then twice that, up to `longest_pause` seconds."""
        self._kind = kind
        self._consumer = consumer
        self._metrics = metrics
        self._tries = tries
        self._poll = poll
        self._backoff = EqualJitterBackoff(cap=longest_pause, base=poll)
        self._outage = 0  # rounds in a row in which Postgres took nothing, or Redis was away
        self._due: dict[bytes, float] = {}  # when those that were set aside are tried again
        self._log = _log.bind(type=kind.name)

    async def run(self) -> None:
        """Replay until cancelled."""
        while True:
            try:
                pause = await self.round()
            except (RedisError, OSError, TimeoutError) as exc:
                self._metrics.dlq_depth.labels(self._kind.name).set(float("nan"))
                pause = self._pause(f"Redis: {exc}")
            except Exception:  # noqa: BLE001 - Rule 4
                self._log.exception("unexpected error in the worker of the queue")
                pause = self._pause("an unexpected error")
            await asyncio.sleep(pause)

    async def round(self) -> float:
        """Write what is queued, up to a batch; return the seconds until the next look."""
        depth = await self._consumer.depth()
        self._metrics.dlq_depth.labels(self._kind.name).set(depth)
        if not depth:
            self._due.clear()
            self._outage = 0
            return self._poll
        await self._consumer.claim(_BATCH)
        free = max(0, min(_BATCH, _SET_ASIDE - len(self._due)))
        in_hand = await self._consumer.take(free, but=len(self._due))
        self._due = {entry.id: self._due[entry.id] for entry in in_hand if entry.id in self._due}
        now = time.monotonic()
        entries = [entry for entry in in_hand if self._due.get(entry.id, now) <= now]
        done: list[Entry] = []
        outage = await self._replay(entries, done)
        if done:
            await self._consumer.done(*done)
        self._metrics.dlq_depth.labels(self._kind.name).set(await self._consumer.depth())
        if outage:
            return self._pause(outage)
        if self._outage:
            self._log.info("records of the queue are written again")
        self._outage = 0
        return 0 if entries else self._poll

    async def _replay(self, waiting: list[Entry], done: list[Entry]) -> str:
        """Write the entries and note in `done` what is stored; return what happened where Postgres took none."""
        while waiting:
            entry = waiting.pop(0)
            failure = await self._write(entry)
            if failure and failure[0] == "postgres":
                if not waiting:
                    return failure[1]
                # The witness is another one each time, as it may have the same fault.
                witness = waiting.pop(self._outage % len(waiting))
                testimony = await self._write(witness)
                if testimony and testimony[0] == "postgres":
                    return testimony[1]
                await self._finish(witness, testimony, done)
                failure = await self._write(entry)  # the outage may have ended between the two
            await self._finish(entry, failure, done)
        return ""

    async def _write(self, entry: Entry) -> Failure | None:
        """Write one record, or find it written; return the failure where neither is."""
        write = Write()
        try:
            record = self._kind.load(entry.record)
            try:
                await self._kind.insert(record, write)
                outcome = "written"
            except RepeatedError as exc:
                if not await self._kind.is_stored(record):
                    return "own", f"{exc}, with another content"
                outcome = "found"
        except UnavailableError as exc:
            return "postgres", str(exc)
        except Exception as exc:  # noqa: BLE001 - whatever comes of a record is told with it
            sqlstate = exc.sqlstate if isinstance(exc, psycopg.Error) else None
            for_all = (sqlstate or "").startswith(_STATEMENT_IS_WRONG)
            return "postgres" if for_all else "own", f"{type(exc).__name__}: {exc}"
        if outcome == "written":
            self._metrics.dual_write(write)
        self._metrics.dlq_replays.labels(self._kind.name, outcome).inc()
        self._log.info("a queued record is stored", entry=entry.id.decode(), found=outcome == "found")
        return None

    async def _finish(self, entry: Entry, failure: Failure | None, done: list[Entry]) -> None:
        """Note an entry that is stored; set one aside that failed, or bury it after its last try."""
        if failure is None:
            done.append(entry)
            self._due.pop(entry.id, None)
            return
        tries = await self._consumer.failed(entry)
        told = {"entry": entry.id.decode(), "request_id": entry.request_id, "tries": tries, "reason": failure[1]}
        if tries < self._tries:
            self._due[entry.id] = time.monotonic() + self._seconds(tries)
            self._log.warning("a queued record failed, and is tried again", **told)
            return
        await self._consumer.bury(entry, reason=failure[1], tries=tries)
        self._due.pop(entry.id, None)
        self._metrics.dlq_replays.labels(self._kind.name, "dead").inc()
        self._log.error("a queued record is dead", **told)

    def _pause(self, why: str) -> float:
        if not self._outage:
            self._log.warning("the queue waits", why=why)
        self._outage += 1
        return self._seconds(self._outage)

    def _seconds(self, failures: int) -> float:
        return self._backoff.compute(min(failures, _DOUBLED_OFTEN))
