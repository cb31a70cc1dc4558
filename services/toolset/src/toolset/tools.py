"""What is found: tools, how they are, and both together as the outcome of one discovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Type = Literal["prometheus", "grafana", "jaeger", "elasticsearch", "custom"]
TYPES: tuple[str, ...] = get_args(Type)
"""The types of tools, in the order in which their detectors are asked."""
Json = dict[str, Any]
Key = tuple[str, str]
Reason = Literal["HealthCheckPassed", "HealthCheckFailed", "EndpointUnreachable", "NotChecked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One Service that is a tool.

    `endpoint` is a base URL, `health_path` begins with a slash; `enabled` is False where the Service opts out.
    """

    name: str
    namespace: str
    type: str
    endpoint: str
    description: str
    metadata: Mapping[str, str]
    health_path: str
    enabled: bool = True

    @property
    def key(self) -> Key:
        """What tells it from all others: (namespace, name)."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a tool was when it was asked; `healthy` is None where it was not."""

    healthy: bool | None
    reason: Reason
    message: str
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The outcome of one discovery: `tools` by (namespace, name), the health of each, and a sentence per error."""

    tools: tuple[Tool, ...]
    health: Mapping[Key, Health]
    errors: tuple[str, ...] = ()

    def published(self) -> tuple[Tool, ...]:
        """Return the tools that others are told of: enabled, and healthy or not checked."""
        return tuple(tool for tool in self.tools if tool.enabled and self.health[tool.key].healthy is not False)
