"""The one way in which a record is written: into Postgres, else into the queue, else not at all.

Rule 1: a client is told the truth: stored (201) after the commit, queued (202) after Redis has the record, else an
        error. Whether a write that failed is in the table after all (its connection broke at the COMMIT) is nothing
        that anybody can know; it is queued, and its replay finds it stored.
Rule 2: only what another try can heal is queued. A record that is refused (400, 409) is not, and neither is one whose
        client hung up: that cancels the write, and nobody was promised anything.
Rule 3: a unique id is judged when the record is written, not when it is queued: a queued record reserves nothing. Where
        two records of one id are accepted, the first to be written stays; the other is, if it is the same, done, and
        else a dead letter.
"""

from __future__ import annotations

import structlog

from datastorage.dead_letters import DeadLetterQueue, Queued
from datastorage.errors import QueueError
from datastorage.kinds import Kind, RecordT, StoredT
from datastorage.metrics import StoreMetrics
from servicekit.errors import UnavailableError

_log = structlog.get_logger(__name__)


class Writer:
    """Writes records of any kind."""

    def __init__(self, queue: DeadLetterQueue, metrics: StoreMetrics) -> None:
        """Put into `queue` what Postgres cannot take."""
        self._queue = queue
        self._metrics = metrics

    async def write(self, kind: Kind[RecordT, StoredT], record: RecordT) -> StoredT | Queued:
        """Store the record or queue it; raise UnavailableError where neither is possible, RepeatedError as `insert`."""
        with self._metrics.write(kind.table) as write:
            try:
                return await kind.insert(record, write)
            except UnavailableError as exc:
                queued = await self._queued(kind, record, exc)
                write.queued_because = exc.reason
                return queued

    async def _queued(self, kind: Kind[RecordT, StoredT], record: RecordT, error: UnavailableError) -> Queued:
        try:
            number, depth = await self._queue.append(kind.name, kind.dump(record), why=str(error))
        except QueueError as exc:
            _log.error("a record is neither stored nor queued", type=kind.name, postgres=str(error), queue=str(exc))
            raise UnavailableError(f"{error}; and {exc}", reason=error.reason) from exc
        self._metrics.dlq_depth.labels(kind.name).set(depth)
        _log.warning("a record is queued", type=kind.name, entry=number, why=str(error))
        return Queued(id=number, type=kind.name, ids=kind.ids(record))
