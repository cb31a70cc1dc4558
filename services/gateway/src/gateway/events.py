"""Events of Kubernetes (core/v1 Event), as a watcher of them posts them.

Rule 1: a Normal event is no problem, and is refused.
Rule 2: an event is critical by its reason, or by being of type Error; any other is a warning.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.signals import NotTakenError, Signal, Target
from gateway.times import Time

CRITICAL = frozenset({"OOMKilled", "NodeNotReady", "FailedScheduling", "Evicted", "FailedMount", "NetworkNotReady"})
_STRICT = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)

_EXAMPLE: dict[str, Any] = {
    "type": "Warning",
    "reason": "OOMKilled",
    "message": "Container api was killed: out of memory",
    "involvedObject": {"kind": "Pod", "namespace": "payments", "name": "payment-api-0"},
    "firstTimestamp": "2026-11-21T10:00:00Z",
    "lastTimestamp": "2026-11-21T10:05:00Z",
    "count": 3,
    "source": {"component": "kubelet"},
}


class InvolvedObject(BaseModel):
    """What an event is about; an object without a namespace, as a node, is filed under `default`."""

    model_config = _STRICT

    kind: str = Field(min_length=1, max_length=63)
    name: str = Field(min_length=1, max_length=253)
    namespace: str = Field(default="", max_length=253)
    uid: str = ""
    api_version: str = ""


class EventSource(BaseModel):
    """Who reported it."""

    model_config = _STRICT

    component: str = ""
    host: str = ""


class KubernetesEvent(BaseModel):
    """An event as Kubernetes has it."""

    model_config = ConfigDict(**_STRICT, json_schema_extra={"examples": [_EXAMPLE]})

    type: Literal["Normal", "Warning", "Error"] = Field(json_schema_extra={"enum": ["Warning", "Error"]})  # Rule 1
    reason: str = Field(min_length=1, max_length=253)
    message: str = ""
    involved_object: InvolvedObject
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    count: int = Field(default=1, ge=0)
    source: EventSource = Field(default_factory=EventSource)


def read(event: KubernetesEvent, received: datetime, sent: Any) -> Signal:
    """Return the signal of `event`; `sent` gives the parsed body. Raises NotTakenError for a Normal event."""
    if event.type == "Normal":
        raise NotTakenError("normal events are not processed", {"type": "normal events are not processed"})
    about = event.involved_object
    labels = {"reason": event.reason, "type": event.type, "kind": about.kind, "name": about.name}
    if event.source.component:
        labels["component"] = event.source.component
    return Signal(
        name=event.reason,
        namespace=about.namespace or "default",
        target=Target(kind=about.kind, name=about.name),
        severity="critical" if event.type == "Error" or event.reason in CRITICAL else "warning",
        type="kubernetes-event",
        source=event.source.component or "kubernetes",
        firing=True,
        since=event.first_timestamp or event.last_timestamp or received,
        received=received,
        labels=labels,
        annotations={"message": event.message} if event.message else {},
        payload=sent,
    )
