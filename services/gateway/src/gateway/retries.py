"""Another attempt, where it may help: three in all, 100 ms, then twice that, at most 5 s, with a tenth of jitter.

Rule 1: what is repeated is said in `servicekit.cluster_errors`; here is only when.
Rule 2: a server's Retry-After is obeyed: no attempt before it. One that is longer than the longest pause ends the
        attempts at once, and the sender is told to come back then.
Rule 3: every failed attempt is a log line, and every repetition and every giving up is counted.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from gateway.live import Live
from gateway.metrics import GatewayMetrics
from servicekit.cluster_errors import ClusterError

ResultT = TypeVar("ResultT")
_JITTER = 0.1
_log = structlog.get_logger(__name__)


class Retries:
    """Repeats what failed, as the settings say."""

    def __init__(self, live: Live, metrics: GatewayMetrics) -> None:
        """Take the settings as they are at each call."""
        self._live = live
        self._metrics = metrics

    async def __call__(self, operation: str, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Return what `attempt` returns in the end; raise the last ClusterError. `operation` is for the log."""
        attempts = self._live.settings.retry_attempts
        tries = AsyncRetrying(
            retry=retry_if_exception(self._may_help),
            stop=stop_after_attempt(attempts),
            wait=lambda state: self.pause(state.attempt_number, _failure(state)),
            before_sleep=lambda state: self._repeated(operation, state),
            reraise=True,
        )
        try:
            result: ResultT = await tries(attempt)
        except ClusterError as exc:
            if exc.repeated:
                self._metrics.retry_exhausted.labels(exc.reason, exc.code).inc()
                tried = tries.statistics.get("attempt_number", attempts)
                _log.warning("gave up", operation=operation, attempts=tried, reason=exc.reason, code=exc.code)
            raise
        return result

    def pause(self, failed: int, failure: ClusterError | None) -> float:
        """Return the seconds before the next attempt when `failed` have failed, the last with `failure`."""
        settings = self._live.settings
        backoff = min(settings.retry_max, settings.retry_initial * 2.0 ** (failed - 1))
        backoff *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        return max(backoff, (failure.retry_after if failure else None) or 0.0)

    def _may_help(self, exc: BaseException) -> bool:
        if not isinstance(exc, ClusterError) or not exc.repeated:
            return False
        return exc.retry_after is None or exc.retry_after <= self._live.settings.retry_max

    def _repeated(self, operation: str, state: RetryCallState) -> None:
        failure = _failure(state)
        assert failure is not None
        self._metrics.retry_attempts.labels(failure.reason, failure.code).inc()
        _log.warning(
            "attempt failed",
            operation=operation,
            attempt=state.attempt_number,
            reason=failure.reason,
            code=failure.code,
            next_in_s=round(state.upcoming_sleep, 3),
        )


def _failure(state: RetryCallState) -> ClusterError | None:
    exc = state.outcome.exception() if state.outcome else None
    return exc if isinstance(exc, ClusterError) else None
