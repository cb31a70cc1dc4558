"""One reconcile of one ToolsetConfig: read it, find tools, publish them, say so.

Rule 1: the object is read anew each time: what a watch said may be old, and one that is gone is found out.
Rule 2: the status is written to the object that was read (its uid), never to one that was made in its place.
Rule 3: where a request fails, it is counted under what it was for, logged, and said in the status if that can be
        written; the caller repeats the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset import published
from toolset.clock import Clock
from toolset.configmaps import ConfigMaps
from toolset.controller import resources, status
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.resources import Config
from toolset.discovery import Discovery, Scope
from toolset.tools import Found, Json, Key

_log = structlog.get_logger(__name__)
Rival = Callable[[Config], Key | None]
"""Gives the ToolsetConfig that has an older claim to the same ConfigMap, None where there is none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reconcile ended: with the object as it was read, and with what was found or why it failed."""

    config: Config
    found: Found | None = None
    refused: str = ""
    """Why it cannot be done, and no repetition helps before something changes."""


class ReconcileError(Exception):
    """A request to Kubernetes failed, in the phase `phase`."""

    def __init__(self, phase: str, error: ClusterError) -> None:
        """Take what the request was for."""
        super().__init__(f"{phase}: {error}")
        self.phase = phase
        self.error = error


class Reconciler:
    """Does reconciles, any number at one time."""

    def __init__(
        self,
        cluster: Cluster,
        discovery: Discovery,
        config_maps: ConfigMaps,
        metrics: ControllerMetrics,
        clock: Clock,
        *,
        namespaces: tuple[str, ...],
        rival: Rival,
    ) -> None:
        """Work in `namespaces`, () for all."""
        self._cluster = cluster
        self._discovery = discovery
        self._config_maps = config_maps
        self._metrics = metrics
        self._clock = clock
        self._namespaces = namespaces
        self._rival = rival

    async def run(self, key: Key) -> Outcome | None:
        """Do one reconcile; None where the ToolsetConfig is gone. Raises ReconcileError."""
        config = await self._read(key)
        if config is None:
            return None
        if refused := self._refusal(config):
            await self._say(config, status.failed(config, refused))
            self._metrics.reconciles.labels("refused").inc()
            return Outcome(config, refused=refused)
        try:
            found = await self._find_and_publish(config)
        except ReconcileError as exc:
            await self._say_failed(config, exc)
            raise
        await self._say(config, status.completed(config, found, self._clock.now()))
        self._metrics.reconciles.labels("completed").inc()
        return Outcome(config, found)

    async def _read(self, key: Key) -> Config | None:
        try:
            return resources.read(await self._cluster.get(resources.path(*key)))
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return None
            raise self._failure("read", exc) from exc

    def _refusal(self, config: Config) -> str:
        if rival := self._rival(config):
            name = "/".join(config.config_map)
            return f"ToolsetConfig {rival[0]}/{rival[1]} publishes to the ConfigMap {name} already, and is older"
        return outside(config, self._namespaces)

    async def _find_and_publish(self, config: Config) -> Found:
        if config.status.get("observedGeneration") != config.generation:
            await self._say(config, status.running())
        scope = Scope(
            namespaces=config.namespaces or self._namespaces,
            rules=config.rules,
            check_health=config.check_health,
            timeout=config.timeout,
        )
        try:
            found = await self._discovery.run(scope)
        except ClusterError as exc:
            raise self._failure("discover", exc) from exc
        try:
            document = published.document(found)
            await self._config_maps.publish(*config.config_map, document, preserve=config.preserve)
        except ClusterError as exc:
            raise self._failure("publish", exc) from exc
        return found

    async def _say(self, config: Config, patch: Json) -> None:
        if not status.changes(config, patch):
            return
        body = {"metadata": {"uid": config.uid}, "status": patch}
        try:
            await self._cluster.patch(resources.path(*config.key, "status"), body)
        except ClusterError as exc:
            if exc.status != HTTPStatus.NOT_FOUND:  # it is gone; a conflict is another in its place, read anew then
                raise self._failure("status", exc) from exc

    async def _say_failed(self, config: Config, exc: ReconcileError) -> None:
        if exc.phase == "status":
            return
        try:
            await self._say(config, status.failed(config, f"{_WORDS[exc.phase]}: {exc.error}"))
        except ReconcileError:
            _log.debug("the failure could not be said in the status, and will be repeated")

    def _failure(self, phase: str, error: ClusterError) -> ReconcileError:
        self._metrics.failed(phase, error)
        return ReconcileError(phase, error)


_WORDS = {
    "discover": "Services could not be listed",
    "publish": "the ConfigMap could not be written",
}


def outside(config: Config, namespaces: tuple[str, ...]) -> str:
    """Return a sentence where a ToolsetConfig names namespaces that a controller for `namespaces` does not serve."""
    named = {*config.namespaces, config.config_map[0]}
    if not namespaces or named <= set(namespaces):
        return ""
    far = ", ".join(sorted(named - set(namespaces)))
    return f"this controller works in {', '.join(namespaces)}, and the ToolsetConfig names {far}"
