"""Repetitions of problems: counted at once, gathered for a moment, and written exactly once.

Rule 1: a write replaces the count that it was made from, by resourceVersion; where another replica was faster, the
        count is made anew from what that one wrote.
Rule 2: a write carries its process and its number. One whose answer was lost is looked for by these, so that it is
        neither lost nor counted twice.
Rule 3: of one resource one write is on its way at a time; what cannot be written now stays, and is tried again.
Rule 4: at shutdown all is written, as far as `flush_timeout` allows; what is not is told with its number.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog

from gateway import resources, times
from gateway.index import Index
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.resources import Entry, Key
from gateway.retries import Retries
from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError

WRITERS = 8
"""Processes whose last write a resource remembers."""
_AT_ONCE = 4
_AGAIN_AFTER = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What happened to one resource since it was last written."""

    due: float
    """When it is to be written, on the monotonic clock."""
    number: int
    """The number of its write."""
    count: int = 0
    last: datetime | None = None
    resolved: bool | None = None
    """Whether the problem ended (True) or began anew (False); None where neither."""


class Tallies:
    """All tallies of one process."""

    def __init__(
        self, cluster: Cluster, index: Index, retries: Retries, live: Live, metrics: GatewayMetrics, *, replica: str
    ) -> None:
        """Write as `replica`, a name that no other process has."""
        self._cluster = cluster
        self._index = index
        self._retries = retries
        self._live = live
        self._metrics = metrics
        self._replica = replica
        self._numbers = itertools.count(1)
        self._gathering: dict[Key, Tally] = {}
        self._writing: dict[Key, Tally] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._flushing = False

    def __repr__(self) -> str:
        return f"<Tallies of {self._replica}: {len(self._gathering)} gathering, {len(self._writing)} being written>"

    def repeated(self, entry: Entry, at: datetime) -> int:
        """Count a repetition of `entry`'s problem; return how often the problem was seen, as far as is known here."""
        tally = self._tally(entry.key)
        tally.count += 1
        tally.last = at
        if entry.resolved or tally.resolved:
            tally.resolved = False
        writing = self._writing.get(entry.key)
        return entry.count + tally.count + (writing.count if writing else 0)

    def ended(self, entry: Entry, at: datetime) -> None:
        """Note that `entry`'s problem is over."""
        tally = self._tally(entry.key)
        tally.resolved = True
        tally.last = tally.last or at

    @property
    def pending(self) -> int:
        """Repetitions that are not yet written."""
        return sum(tally.count for each in (self._gathering, self._writing) for tally in each.values())

    def _tally(self, key: Key) -> Tally:
        tally = self._gathering.get(key)
        if tally is None:
            due = time.monotonic() + self._live.settings.flush_interval
            tally = self._gathering[key] = Tally(due=due, number=next(self._numbers))
            self._wake.set()
        return tally

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        try:
            while True:
                self._wake.clear()
                pause = self._begin_due()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def flush(self) -> int:
        """Write everything, within `flush_timeout` seconds; return the number of repetitions that were not written.

        `run` has to be running.
        """
        self._flushing = True
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._live.settings.flush_timeout):
                while self._gathering or self._writing:
                    await asyncio.wait([*self._tasks], timeout=0.05) if self._tasks else await asyncio.sleep(0.01)
        return self.pending

    def _begin_due(self) -> float | None:
        """Begin the writes that are due; return the seconds until the next is, None where something wakes us."""
        now = time.monotonic()
        for key, tally in list(itertools.islice(self._gathering.items(), _AT_ONCE * 4)):
            if len(self._tasks) >= _AT_ONCE:
                return None
            if tally.due > now and not self._flushing:
                return tally.due - now
            if key in self._writing:
                continue
            self._writing[key] = self._gathering.pop(key)
            task = asyncio.create_task(self._written(key, tally))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        self._metrics.tallies.set(len(self._gathering) + len(self._writing))
        return 0.05 if self._gathering else None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _written(self, key: Key, tally: Tally) -> None:
        """Write `tally`, however long it takes."""
        while True:
            try:
                result = await self._write(key, tally)
            except ClusterError as exc:
                self._metrics.tally_writes.labels("failed").inc()
                _log.warning("count not written yet", resource=key, count=tally.count, reason=exc.reason, code=exc.code)
                await asyncio.sleep(_AGAIN_AFTER)
            else:
                self._metrics.tally_writes.labels(result).inc()
                del self._writing[key]
                return

    async def _write(self, key: Key, tally: Tally) -> str:
        """Write `tally` once; return how it ended."""
        path = resources.path(*key)
        known = self._index.get(key)
        conditions: list[dict[str, Any]] | None = None
        while True:
            try:
                if known is None or tally.resolved is not None:
                    found = await self._retries("read before count", partial(self._cluster.get, path))
                    known = resources.read(found)
                    conditions = (found.get("status") or {}).get("conditions") or []
                if known.writers.get(self._replica) == tally.number:
                    return "found"
                body = self._body(known, tally, conditions)
                written = await self._retries("count", partial(self._cluster.patch, f"{path}/status", body))
            except ClusterError as exc:
                if exc.status == HTTPStatus.NOT_FOUND:
                    return "deleted"
                if exc.refused_for_good:
                    _log.error("count refused", resource=key, count=tally.count, detail=str(exc))
                    return "refused"
                if exc.status != HTTPStatus.CONFLICT:
                    raise
                known = None
            else:
                self._index.put(resources.read(written))
                return "written"

    def _body(self, known: Entry, tally: Tally, conditions: list[dict[str, Any]] | None) -> dict[str, Any]:
        seen: dict[str, Any] = {
            "occurrenceCount": known.count + tally.count,
            "firstSeenAt": known.first_seen,
            "writers": self._writers(known, tally.number),
        }
        if tally.count and tally.last is not None:
            seen["lastSeenAt"] = max(times.write(tally.last), known.last_seen)
        status: dict[str, Any] = {"deduplication": seen}
        if tally.resolved is not None and conditions is not None:
            status["conditions"] = _with_resolved(conditions, over=tally.resolved, at=tally.last or times.now())
        return {"metadata": {"resourceVersion": str(known.version)}, "status": status}

    def _writers(self, known: Entry, number: int) -> dict[str, int | None]:
        """Return the map's change: our number, and nothing for the oldest of too many."""
        others = [name for name in known.writers if name != self._replica]
        surplus = len(others) - (WRITERS - 1)
        return {**dict.fromkeys(sorted(others)[: max(0, surplus)]), self._replica: number}


def _with_resolved(conditions: list[dict[str, Any]], *, over: bool, at: datetime) -> list[dict[str, Any]]:
    """Return the conditions with ours changed; its transition time stays where its status does."""
    state = "True" if over else "False"
    own = {
        "type": resources.RESOLVED,
        "status": state,
        "reason": "SignalResolved" if over else "SignalFiring",
        "message": "the sender says that it is over" if over else "the signal fires again",
        "lastTransitionTime": times.write(at),
    }
    before = next((each for each in conditions if each.get("type") == resources.RESOLVED), None)
    if before is not None and before.get("status") == state:
        return conditions
    return [*(each for each in conditions if each.get("type") != resources.RESOLVED), own]
