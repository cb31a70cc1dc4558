"""One load for all who want the same at the same time.

Rule 1: the load runs in a task of its own that belongs to all who wait for it. Whoever came first may leave: the others
        get the result all the same. When the last one leaves, the load is cancelled.
Rule 2: what the load raises, all of them get.
Rule 3: nothing is kept: when the load has ended, the next who comes loads again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

ResultT = TypeVar("ResultT")


@dataclass(eq=False)
class _Flight(Generic[ResultT]):
    task: asyncio.Task[ResultT]
    waiting: int = 0


class SingleFlight(Generic[ResultT]):
    """The loads of one event loop that are under way, by key."""

    def __init__(self, on_shared: Callable[[], None]) -> None:
        """Call `on_shared` for each who finds a load under way."""
        self._on_shared = on_shared
        self._flights: dict[str, _Flight[ResultT]] = {}
        self._ending: set[asyncio.Task[ResultT]] = set()

    async def run(self, key: str, load: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Return what `load` returns, or what the load of this key that is under way returns.

        Up to its first `await` nothing else runs: who has just looked for a kept answer does not miss one.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(load()))
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        else:
            self._on_shared()
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)
                self._abandon(flight.task)

    def _land(self, key: str, flight: _Flight[ResultT]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _abandon(self, task: asyncio.Task[ResultT]) -> None:
        self._ending.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._ended)
        task.cancel()

    def _ended(self, task: asyncio.Task[ResultT]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # seen here, as nobody waits for it any more
