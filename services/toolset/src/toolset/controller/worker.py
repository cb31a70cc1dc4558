"""What looks after one ToolsetConfig: when it is reconciled, and how soon again.

Rule 1: it is due when it was woken, and when its interval is over. What wakes it during a reconcile makes another one:
        nothing that happened after a list began is taken for seen.
Rule 2: being woken by Services waits for `debounce` seconds, so that a burst makes one reconcile.
Rule 3: a reconcile that fails is repeated after a pause that doubles, up to `LONGEST_PAUSE` seconds.
Rule 4: nothing happens while this replica does not lead; where it ceases to, a reconcile under way is broken off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from toolset.clock import Clock
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.reconciler import ReconcileError, Reconciler
from toolset.controller.resources import Config
from toolset.controller.waiting import either
from toolset.detectors import detect
from toolset.tools import Found, Json

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0
_log = structlog.get_logger(__name__)


class Worker:
    """One ToolsetConfig's own task; `config` is the newest that is known of it, `found` what was found last."""

    def __init__(
        self,
        config: Config,
        reconciler: Reconciler,
        metrics: ControllerMetrics,
        clock: Clock,
        room: asyncio.Semaphore,
        *,
        debounce: float,
        on_found: Callable[[Worker], None],
    ) -> None:
        """Look after `config`; `room` bounds the reconciles at one time.

        `on_found` is called when `found` is new, and when the ToolsetConfig turned out to be `gone`.
        """
        self.config = config
        self.found: Found | None = None
        self.gone = False
        self._reconciler = reconciler
        self._metrics = metrics
        self._clock = clock
        self._room = room
        self._debounce = debounce
        self._on_found = on_found
        self._due = asyncio.Event()
        self._hurry = asyncio.Event()
        self._pause = FIRST_PAUSE
        self._task: asyncio.Task[None] | None = None

    def lead(self, leading: bool) -> None:  # noqa: FBT001 - the fact itself
        """Begin to reconcile, at once, or end."""
        if leading and self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"toolsetconfig {'/'.join(self.config.key)}")
        elif not leading and self._task is not None:
            self._task.cancel()
            self._task = None

    async def stop(self) -> None:
        """End; return when nothing is under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def wake(self) -> None:
        """Reconcile now."""
        self._hurry.set()
        self._due.set()

    def take(self, config: Config) -> None:
        """Take what a watch says of the object; only another generation is news, not a status."""
        news = (config.uid, config.generation) != (self.config.uid, self.config.generation)
        self.config = config
        if news:
            self.wake()

    def service_changed(self, service: Json) -> None:
        """Reconcile soon, where this Service is a tool, or was one."""
        meta = service["metadata"]
        if not self.config.looks_at(meta["namespace"]):
            return
        key = meta["namespace"], meta["name"]
        known = self.found is None or key in self.found.health
        if known or detect(service, self.config.rules) is not None:
            self._due.set()

    async def _run(self) -> None:
        while True:
            self._due.clear()
            self._hurry.clear()
            wait = await self._reconcile()
            if wait is None:
                return
            await self._until_due(wait)

    async def _reconcile(self) -> float | None:
        """Return the seconds until the next, None where there is none."""
        try:
            async with self._room:
                outcome = await self._reconciler.run(self.config.key)
        except ReconcileError as exc:
            again, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
            self._metrics.reconciles.labels("failed").inc()
            _log.warning(
                "reconcile failed",
                namespace=self.config.key[0],
                config=self.config.key[1],
                phase=exc.phase,
                reason=exc.error.reason,
                error=str(exc.error),
                again_in_s=again,
            )
            return again
        except Exception:  # noqa: BLE001 - a mistake of ours must not end this one's work for good
            _log.exception("reconcile broke", namespace=self.config.key[0], config=self.config.key[1])
            self._metrics.reconciles.labels("broke").inc()
            return LONGEST_PAUSE
        self._pause = FIRST_PAUSE
        if outcome is None:
            self.gone = True
            self._on_found(self)
            return None
        if outcome.found is not None:
            self.found = outcome.found
            self._on_found(self)
        return outcome.config.interval

    async def _until_due(self, wait: float) -> None:
        await either(self._due, self._clock.sleep(wait))
        if self._due.is_set() and not self._hurry.is_set():
            await either(self._hurry, self._clock.sleep(self._debounce))
