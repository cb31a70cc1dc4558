"""Time as something that is given, so that a test need not wait for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that time."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after that time."""
        await asyncio.sleep(seconds)
