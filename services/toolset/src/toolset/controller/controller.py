"""The controller: one worker for each ToolsetConfig, fed by watches, and at work while this replica leads.

Rule 1: everything here happens in one event loop; what comes from other threads comes by `call_soon_threadsafe`.
Rule 2: of two ToolsetConfigs with one ConfigMap the older publishes. The other says so, and goes on when that is over.
Rule 3: when a watch had to begin anew, deletions may have been missed: every worker looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from toolset.clock import Clock
from toolset.controller import resources
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.reconciler import Reconciler
from toolset.controller.resources import Config
from toolset.controller.worker import Worker
from toolset.metrics import ToolsetMetrics
from toolset.tools import Json, Key, Tool

_AT_ONCE = 8
"""Reconciles at one time."""
_log = structlog.get_logger(__name__)


class Controller:
    """Knows all ToolsetConfigs; `make_reconciler` is given who has the older claim to a ConfigMap."""

    def __init__(
        self,
        make_reconciler: Callable[[Callable[[Config], Key | None]], Reconciler],
        metrics: ControllerMetrics,
        tools: ToolsetMetrics,
        clock: Clock,
        *,
        debounce: float,
    ) -> None:
        """Know none yet, and do not lead."""
        self.workers: dict[Key, Worker] = {}
        self._reconciler = make_reconciler(self.rival)
        self._metrics = metrics
        self._tools = tools
        self._clock = clock
        self._debounce = debounce
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._leading = False

    def lead(self, leading: bool) -> None:  # noqa: FBT001 - the fact itself
        """Take notice of who leads."""
        _log.info("leading" if leading else "not leading", configs=len(self.workers))
        self._leading = leading
        self._metrics.leader.set(leading)
        for worker in self.workers.values():
            worker.lead(leading)

    async def stop(self) -> None:
        """End all work; return when none is under way."""
        self._leading = False
        self._metrics.leader.set(0)
        await asyncio.gather(*(worker.stop() for worker in self.workers.values()))

    def config_changed(self, kind: str | None, obj: Json) -> None:
        """Take a watch event of a ToolsetConfig; `kind` is ADDED, MODIFIED or DELETED, None in a list."""
        config = resources.read(obj)
        worker = self.workers.get(config.key)
        if kind == "DELETED":
            if worker is not None and worker.config.uid == config.uid:
                self._remove(worker)
            return
        if worker is None:
            self._add(config)
            return
        before = worker.config
        worker.take(config)
        if before.config_map != config.config_map:
            self._wake_rivals(before)

    def service_changed(self, obj: Json) -> None:
        """Take a watch event of a Service, whatever happened to it."""
        for worker in self.workers.values():
            worker.service_changed(obj)

    def begun_anew(self) -> None:
        """Look at everything again: a watch has read all objects, and may have missed events before."""
        for worker in list(self.workers.values()):
            worker.wake()

    def rival(self, config: Config) -> Key | None:
        """Return who has an older claim to the ConfigMap of `config`, None where nobody has."""
        older = (
            worker.config
            for worker in self.workers.values()
            if worker.config.config_map == config.config_map and worker.config.age < config.age
        )
        return min((each.key for each in older), default=None)

    def _add(self, config: Config) -> None:
        worker = Worker(
            config,
            self._reconciler,
            self._metrics,
            self._clock,
            self._room,
            debounce=self._debounce,
            on_found=self._on_found,
        )
        self.workers[config.key] = worker
        self._metrics.workers.set(len(self.workers))
        if self._leading:
            worker.lead(True)

    def _remove(self, worker: Worker) -> None:
        key = worker.config.key
        if self.workers.get(key) is worker:
            del self.workers[key]
            worker.lead(False)
            self._metrics.workers.set(len(self.workers))
            self._metrics.forget(key)
            self._show_tools()
            self._wake_rivals(worker.config)
            _log.info("ToolsetConfig is gone", namespace=key[0], config=key[1])

    def _wake_rivals(self, config: Config) -> None:
        for worker in self.workers.values():
            if worker.config.config_map == config.config_map:
                worker.wake()

    def _on_found(self, worker: Worker) -> None:
        if worker.gone:
            self._remove(worker)
        elif worker.found is not None and self.workers.get(worker.config.key) is worker:
            self._metrics.show(worker.config.key, worker.found)
            self._show_tools()

    def _show_tools(self) -> None:
        tools: dict[Key, Tool] = {}
        for worker in self.workers.values():
            if worker.found is not None:
                tools |= {tool.key: tool for tool in worker.found.tools}
        self._tools.show(tools.values())
