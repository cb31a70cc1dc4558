"""One discovery: the Services of all namespaces or of some, which of them are tools, and how those are.

Rule 1: one list request for all namespaces, or one for each that is named, at the same time; nothing is asked of the
        API server for a single Service.
Rule 2: a list that fails fails the discovery: half of the tools would be published as all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.clock import Clock, SystemClock
from toolset.detectors import ALL, TypeRules, detect
from toolset.health import HealthChecks, not_checked
from toolset.metrics import ToolsetMetrics
from toolset.tools import Found, Health, Json, Key, Tool

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to look at: `namespaces` () for all; `timeout` is the seconds of one health check, None for the usual."""

    namespaces: tuple[str, ...] = ()
    rules: Mapping[str, TypeRules] = field(default_factory=lambda: ALL)
    check_health: bool = True
    timeout: float | None = None


class Discovery:
    """Finds tools in one cluster."""

    def __init__(
        self, cluster: Cluster, checks: HealthChecks, metrics: ToolsetMetrics, clock: Clock | None = None
    ) -> None:
        """List with `cluster`, ask with `checks`, which has to be entered."""
        self._cluster = cluster
        self._checks = checks
        self._metrics = metrics
        self._clock = clock or SystemClock()

    async def run(self, scope: Scope) -> Found:
        """Return what is there now; raise ClusterError where a list fails."""
        with self._metrics.seconds.time():
            try:
                services = await self._services(scope.namespaces)
            except ClusterError:
                self._metrics.errors.labels("kubernetes").inc()
                raise
            errors: list[str] = []
            tools = self._tools(services, scope.rules, errors)
            health = await self._health(tools, scope)
            return Found(tools=tools, health=health, errors=tuple(errors))

    async def _services(self, namespaces: tuple[str, ...]) -> list[Json]:
        if not namespaces:
            return await self._list("/api/v1/services")
        try:
            async with asyncio.TaskGroup() as group:
                lists = [
                    group.create_task(self._list(f"/api/v1/namespaces/{name}/services"))
                    for name in dict.fromkeys(namespaces)
                ]
        except* ClusterError as failed:
            raise failed.exceptions[0] from None
        return [service for each in lists for service in each.result()]

    async def _list(self, path: str) -> list[Json]:
        items: list[Json] = (await self._cluster.get(path))["items"]
        return items

    def _tools(self, services: list[Json], rules: Mapping[str, TypeRules], errors: list[str]) -> tuple[Tool, ...]:
        found: dict[Key, Tool] = {}
        for service in services:

            def failed(type_: str, exc: Exception, meta: Json = service["metadata"]) -> None:
                self._metrics.errors.labels(type_).inc()
                _log.warning("detector failed", type=type_, namespace=meta["namespace"], service=meta["name"], exc=exc)
                errors.append(f"Service {meta['namespace']}/{meta['name']}, as {type_}: {exc}")

            if tool := detect(service, rules, failed):
                found[tool.key] = tool
        return tuple(found[key] for key in sorted(found))

    async def _health(self, tools: tuple[Tool, ...], scope: Scope) -> dict[Key, Health]:
        asked = [tool for tool in tools if tool.enabled] if scope.check_health else []
        health = {tool.key: not_checked(self._clock) for tool in tools}
        health |= await self._checks.check(asked, timeout=scope.timeout)
        for tool in asked:
            if not (state := health[tool.key]).healthy:
                self._metrics.health_failures.labels(tool.type, state.reason).inc()
        return health
