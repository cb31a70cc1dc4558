"""A clock that a test moves."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that stands still until `advance`; safe between threads."""

    def __init__(self) -> None:
        """Begin at a fixed time."""
        self._now = datetime(2026, 11, 21, 10, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when `advance` has moved the clock by as much."""
        loop = asyncio.get_running_loop()
        with self._lock:
            sleeper = (self._now + timedelta(seconds=seconds), loop, loop.create_future())
            self._sleepers.append(sleeper)
        try:
            await sleeper[2]
        finally:
            with self._lock:
                self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Move on, and wake who slept until now."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            for until, loop, future in self._sleepers:
                if until <= self._now:
                    loop.call_soon_threadsafe(_wake, future)

    @property
    def sleeping(self) -> list[float]:
        """The seconds that each sleeper has still to sleep."""
        with self._lock:
            return sorted(
                (until - self._now).total_seconds() for until, _, future in self._sleepers if not future.done()
            )


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
