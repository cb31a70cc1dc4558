"""The monthly partitions are made ahead of need, as long as the service runs.

Rule 1: the month after this one is always there. It is looked after at the start and every day, which leaves a month
        for what fails to succeed; a failure is tried again soon, and logged.
Rule 2: nothing waits for it: a row of a month without a partition lands in the default one, and is moved later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import structlog

from servicekit.database import Connection, Database
from servicekit.errors import UnavailableError

_MONTHS_AHEAD = 1
_DAY = 86_400.0
_RETRY = 60.0
_log = structlog.get_logger(__name__)


class PartitionKeeper:
    """Keeps the partitions of one database ahead of the calendar."""

    def __init__(self, database: Database, *, every: float = _DAY, retry: float = _RETRY) -> None:
        """Look every `every` seconds, and `retry` seconds after a failure."""
        self._database = database
        self._every = every
        self._retry = retry

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the partitions in the background, inside the context."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            pause = self._every if await self._ensured() else self._retry
            await asyncio.sleep(pause)

    async def _ensured(self) -> bool:
        try:
            made = await self._database.run(_ensure)
        except (UnavailableError, psycopg.Error) as exc:
            _log.warning("the monthly partitions cannot be looked after", error=str(exc), again_in_s=self._retry)
            return False
        if made:
            _log.info("monthly partitions made", count=made)
        return True


async def _ensure(connection: Connection) -> int:
    row = await (await connection.execute("SELECT ensure_partitions(%s)", [_MONTHS_AHEAD])).fetchone()
    assert row is not None
    return int(row[0])
