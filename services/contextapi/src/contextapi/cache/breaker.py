"""A circuit breaker: who failed again and again is not asked for a while, and then by one only.

Rule 1: closed until so many failures in a row; open for so many seconds; then half-open: one probe goes through, whose
        outcome closes it or opens it again, and everybody else is refused meanwhile.
Rule 2: a probe that ends without a verdict (its client left, or it failed for a reason that says nothing about the
        server) gives the turn to the next.
Rule 3: the outcome of a call that began before the breaker last opened or probed counts no more: fifty calls
        that hung on a server which has healed since do not open it again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import TypeVar

import structlog

ResultT = TypeVar("ResultT")
_log = structlog.get_logger(__name__)


class State(IntEnum):
    """As the metric `breaker_state` shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class OpenError(Exception):
    """The call was not made, because the breaker is open."""


class Breaker:
    """Guards the calls to one server; not for several threads."""

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        open_seconds: float,
        counted: tuple[type[Exception], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open after `failures` in a row, for `open_seconds`; `counted` are the exceptions that are failures."""
        self._name = name
        self._failures = failures
        self._open_seconds = open_seconds
        self._counted = counted
        self._clock = clock
        self._in_a_row = 0
        self._open_until: float | None = None
        self._probing = False
        self._round = 0

    def __repr__(self) -> str:
        """Show the state."""
        return f"<Breaker of {self._name}: {self.state.name}, {self._in_a_row} failures in a row>"

    @property
    def state(self) -> State:
        """The state now."""
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._open_until else State.HALF_OPEN

    @property
    def healthy(self) -> bool:
        """Whether the last call that counted succeeded, or none was made yet."""
        return self._in_a_row == 0

    @property
    def refuses(self) -> bool:
        """Whether a call made now would raise OpenError."""
        state = self.state
        return state is State.OPEN or (state is State.HALF_OPEN and self._probing)

    async def call(self, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Return what `work` returns, or raise what it raises; raise OpenError without calling it where not closed."""
        begun_in = self._enter()
        try:
            result = await work()
        except self._counted:
            self._failed(begun_in)
            raise
        except BaseException:
            if begun_in == self._round:
                self._probing = False
            raise
        self._succeeded(begun_in)
        return result

    def _enter(self) -> int:
        if self.refuses:
            raise OpenError(f"{self._name} failed {self._in_a_row} times in a row, and is not asked for a moment")
        if self._open_until is not None:
            self._probing = True
            self._round += 1
        return self._round

    def _failed(self, begun_in: int) -> None:
        if begun_in != self._round:
            return
        self._in_a_row += 1
        if self._in_a_row >= self._failures:
            was_closed = self._open_until is None
            self._open_until = self._clock() + self._open_seconds
            self._probing = False
            self._round += 1
            if was_closed:
                _log.warning("a server is not asked for a while", server=self._name, failures=self._in_a_row)

    def _succeeded(self, begun_in: int) -> None:
        if begun_in != self._round:
            return
        was_open = self._open_until is not None
        self._in_a_row = 0
        self._open_until = None
        self._probing = False
        if was_open:
            _log.info("a server is asked again", server=self._name)
