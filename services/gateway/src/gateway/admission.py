"""How much is taken on: so many at work, so many waiting, and all others are turned away at once.

Rule 1: what was let in keeps its latency, whatever the rest of the world sends.
Rule 2: it stands before everything that costs time, and after the request id and the metrics, so that who is turned
        away is told, counted and logged like anybody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.live import Live
from gateway.metrics import GatewayMetrics
from servicekit import ProblemError
from servicekit.problems import problem_response

PATH = "/api/v1/signals/"
_RETRY_AFTER = "1"


class Admission:
    """Counts who is in, and who is at work; the limits are read from the settings each time."""

    def __init__(self, live: Live, metrics: GatewayMetrics) -> None:
        """Let nobody in yet."""
        self._live = live
        self._metrics = metrics
        self._inside = 0
        self._working = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Admission: {self._inside} inside, {self._working} at work, {len(self._queue)} waiting>"

    def enter(self) -> bool:
        """Let one in; False where it is full."""
        settings = self._live.settings
        if self._inside >= settings.max_in_flight + settings.max_waiting:
            return False
        self._inside += 1
        self._metrics.in_flight.set(self._inside)
        return True

    def leave(self) -> None:
        """Let one out."""
        self._inside -= 1
        self._metrics.in_flight.set(self._inside)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Be at work; waits, first come first served, while as many are as may be."""
        if self._working >= self._live.settings.max_in_flight or self._queue:
            await self._turn()
        else:
            self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._next()

    async def _turn(self) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was our turn already
                self._working -= 1
                self._next()
            raise

    def _next(self) -> None:
        while self._queue and self._working < self._live.settings.max_in_flight:
            first = self._queue.popleft()
            if not first.done():
                self._working += 1
                first.set_result(None)


class TurnAway:
    """ASGI middleware: answers 503 to signals that there is no room for."""

    def __init__(self, app: ASGIApp, *, admission: Admission, metrics: GatewayMetrics) -> None:
        """Wrap `app`."""
        self.app = app
        self._admission = admission
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        if not self._admission.enter():
            self._metrics.rejected.labels("full").inc()
            full = ProblemError(
                503,
                detail="as many signals are being handled, and wait, as may be",
                kind="too-busy",
                headers={"Retry-After": _RETRY_AFTER},
            )
            await problem_response(scope, full)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self._admission.leave()
