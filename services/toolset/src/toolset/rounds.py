"""Discovery, then publication, again and again: at once, on the interval, and whenever somebody asks.

Rule 1: one round is under way at a time. Who asks meanwhile gets the next one, which begins after their question, and
        all who ask until then get the same.
Rule 2: what was found last is kept in memory; a round that fails leaves it as it is.
Rule 3: after a failure the pauses are 1, 2, 4 seconds and so on, the interval at most; nothing ends the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from servicekit.cluster_errors import ClusterError
from toolset.clock import Clock
from toolset.configmaps import Published
from toolset.metrics import ToolsetMetrics
from toolset.tools import Found

_FIRST_PAUSE = 1.0
_log = structlog.get_logger(__name__)

Discover = Callable[[], Awaitable[Found]]
Publish = Callable[[Found], Awaitable[Published]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found, and when the discovery had ended (UTC)."""

    found: Found
    at: datetime


class Rounds:
    """Does rounds, and keeps what the last one found in `latest` (None before the first)."""

    def __init__(
        self, discover: Discover, publish: Publish, metrics: ToolsetMetrics, clock: Clock, *, interval: float
    ) -> None:
        """Do nothing yet; `interval` is the seconds between rounds."""
        self.latest: Snapshot | None = None
        self._discover = discover
        self._publish = publish
        self._metrics = metrics
        self._clock = clock
        self._interval = interval
        self._under_way: asyncio.Task[tuple[Snapshot, Published]] | None = None
        self._next: asyncio.Task[tuple[Snapshot, Published]] | None = None

    def ask(self) -> asyncio.Task[tuple[Snapshot, Published]]:
        """Return the round that begins next, at once where none is under way; await it behind a shield.

        It raises ClusterError where it fails.
        """
        if self._next is not None:
            return self._next
        if self._under_way is not None and not self._under_way.done():
            self._next = asyncio.create_task(self._after(self._under_way))
            return self._next
        self._under_way = asyncio.create_task(self._round())
        return self._under_way

    async def _after(self, earlier: asyncio.Task[tuple[Snapshot, Published]]) -> tuple[Snapshot, Published]:
        await asyncio.wait({earlier})
        self._under_way, self._next = self._next, None
        return await self._round()

    async def _round(self) -> tuple[Snapshot, Published]:
        try:
            found = await self._discover()
            snapshot = self.latest = Snapshot(found, self._clock.now())
            self._metrics.show(found.tools)
            return snapshot, await self._publish(found)
        except ClusterError as exc:
            _log.warning("round failed", reason=exc.reason, code=exc.code, detail=str(exc))
            raise
        except Exception:
            _log.exception("round failed")
            raise

    @asynccontextmanager
    async def running(self, *, finish_within: float) -> AsyncIterator[None]:
        """Do rounds while the context lasts; at its end, those that were asked for have `finish_within` seconds."""
        loop = asyncio.create_task(self._loop())
        try:
            yield
        finally:
            loop.cancel()
            rounds = {task for task in (self._under_way, self._next) if task is not None}
            if rounds:
                await asyncio.wait(rounds, timeout=finish_within)
            for task in rounds:
                task.cancel()
            await asyncio.gather(loop, *rounds, return_exceptions=True)

    async def _loop(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            asked = self.ask()
            await asyncio.wait({asked})
            failed = asked.cancelled() or asked.exception() is not None
            await self._clock.sleep(min(pause, self._interval) if failed else self._interval)
            pause = 2 * pause if failed else _FIRST_PAUSE
