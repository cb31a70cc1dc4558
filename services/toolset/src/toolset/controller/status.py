"""The status of a ToolsetConfig, as a merge patch.

Rule 1: an entry is that of a Service, sorted by namespace and name: of one that did not change only `lastChecked` does.
Rule 2: it is bounded, whatever there is in the cluster: so many entries, so many errors, so many characters of a
        message. The counts are of all.
Rule 3: what a failed discovery does not know stays as it was; only the phase and the errors are new.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from toolset.controller.resources import Config
from toolset.tools import Found, Health, Json, Tool

MOST_SERVICES = 1000
MOST_ERRORS = 10
_ENDPOINT, _MESSAGE, _ERROR = 500, 200, 500
"""Characters: with all at their longest it is 1 MB, and etcd takes 1.5 MB."""
_CONDITIONS = {True: "Ready", False: "NotReady", None: "Unknown"}


def running() -> Json:
    """Return what is said when the first discovery of a generation begins."""
    return {"phase": "Running"}


def completed(config: Config, found: Found, now: datetime) -> Json:
    """Return what is said of a discovery whose outcome is published."""
    states = [health.healthy for health in found.health.values()]
    return {
        "phase": "Completed",
        "observedGeneration": config.generation,
        "lastDiscoveryTime": _time(now),
        "nextDiscoveryTime": _time(now + timedelta(seconds=config.interval)),
        "discoveryCount": config.status.get("discoveryCount", 0) + 1,
        "servicesDiscovered": len(found.tools),
        "servicesHealthy": states.count(True),
        "servicesUnhealthy": states.count(False),
        "errors": _errors(found.errors),
        "discoveredServices": [_entry(tool, found.health[tool.key]) for tool in found.tools[:MOST_SERVICES]],
    }


def failed(config: Config, why: str) -> Json:
    """Return what is said of a discovery that failed."""
    return {"phase": "Failed", "observedGeneration": config.generation, "errors": _errors([why])}


def changes(config: Config, patch: Json) -> bool:
    """Tell whether the status as it was read would change."""
    return any(config.status.get(name) != value for name, value in patch.items())


def _entry(tool: Tool, health: Health) -> Json:
    entry: Json = {
        "name": tool.name,
        "namespace": tool.namespace,
        "type": tool.type,
        "endpoint": tool.endpoint[:_ENDPOINT],
        "lastChecked": _time(health.checked_at),
        "condition": _CONDITIONS[health.healthy],
        "reason": health.reason,
        "message": health.message[:_MESSAGE],
    }
    if health.healthy is not None:
        entry["healthy"] = health.healthy
    if not tool.enabled:
        entry["message"] = "the Service opts out by its annotation: not checked, not published"
    return entry


def _errors(said: Iterable[str]) -> list[str]:
    return [each[:_ERROR] for each in said][:MOST_ERRORS]


def _time(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")
