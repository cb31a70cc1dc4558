"""What is asked over HTTP and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from servicekit.fields import Strict
from toolset.published import FieldProblem
from toolset.tools import Found, Reason, Tool, Type


def _true_or_false(value: Any) -> Any:
    """Take what JSON writes, and not also `yes`, `on` and `1`."""
    if value not in {"true", "false"}:
        raise ValueError("it has to be true or false")
    return value == "true"


Flag = Annotated[bool, BeforeValidator(_true_or_false)]


class ToolsetFilter(Strict):
    """Which tools of the list."""

    enabled: Flag | None = Field(default=None, description="only those that do not opt out, or only those that do")
    healthy: Flag | None = Field(
        default=None, description="only those that are well, or only those that are not; never those not checked"
    )

    def takes(self, toolset: Toolset) -> bool:
        """Tell whether it is among them."""
        return self.enabled in {None, toolset.enabled} and self.healthy in {None, toolset.healthy}


class Place(Strict):
    """Where a tool is."""

    namespace: str | None = Field(default=None, description="needed where several namespaces have a tool of this name")


class ServiceFilter(Strict):
    """Which Services of the list."""

    type: Type | None = None


class Toolset(BaseModel):
    """One tool."""

    name: str
    namespace: str
    type: Type
    endpoint: str
    description: str
    metadata: dict[str, str]
    enabled: bool = Field(description="false where the Service opts out: it is listed and not published")
    healthy: bool | None = Field(description="null where it was not checked")


class Toolsets(BaseModel):
    """The tools that were found last."""

    toolsets: list[Toolset]
    discovered_at: datetime


class DiscoveredService(Toolset):
    """One Service that is a tool, with what its health check said."""

    health_path: str
    reason: Reason
    message: str
    last_checked: datetime


class DiscoveredServices(BaseModel):
    """The Services that were found last, and what went wrong with single ones."""

    services: list[DiscoveredService]
    errors: list[str]
    discovered_at: datetime


class Generated(BaseModel):
    """What stands in the ConfigMap now."""

    resource_version: str
    result: Literal["created", "updated", "unchanged"]
    tools: int = Field(ge=0, description="Tools in the document")


class Accepted(BaseModel):
    """A discovery begins, or will when the one under way has ended."""

    status: Literal["accepted"] = "accepted"


class Validity(BaseModel):
    """What is wrong with a document; at most a hundred things are told."""

    valid: bool
    errors: list[FieldProblem]


def toolset(tool: Tool, found: Found) -> Toolset:
    """Return a tool as it is answered."""
    return Toolset(**_common(tool, found))


def service(tool: Tool, found: Found) -> DiscoveredService:
    """Return a tool as it is answered, with what its health check said."""
    health = found.health[tool.key]
    return DiscoveredService(
        **_common(tool, found),
        health_path=tool.health_path,
        reason=health.reason,
        message=health.message,
        last_checked=health.checked_at,
    )


def _common(tool: Tool, found: Found) -> dict[str, Any]:
    return {
        "name": tool.name,
        "namespace": tool.namespace,
        "type": tool.type,
        "endpoint": tool.endpoint,
        "description": tool.description,
        "metadata": dict(tool.metadata),
        "enabled": tool.enabled,
        "healthy": found.health[tool.key].healthy,
    }
