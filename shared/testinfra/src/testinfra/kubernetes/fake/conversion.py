"""Resources that are shown in two shapes: events, which two groups show, and autoscalers, in two versions.

Rule 1: every other resource has one shape in all its versions (a CRD's conversion strategy is None).
Rule 2: what one shape has no field for is lost on the way through it.
"""

from __future__ import annotations

from typing import Any

from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.store import Object, Resource

_EVENTS: Resource = ("", "events")
_OTHER_EVENTS: Resource = ("events.k8s.io", "events")
# The fields of events.k8s.io/v1 and their names in v1 (k8s.io/kubernetes/pkg/apis/events/v1/conversion.go).
_EVENT_FIELDS = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_CORE_FIELDS = {core: other for other, core in _EVENT_FIELDS.items()}
_AUTOSCALERS: Resource = ("autoscaling", "horizontalpodautoscalers")


def stored_as(kind: Kind) -> Resource:
    """Give the resource that a kind's objects are stored under."""
    return _EVENTS if kind.key == _OTHER_EVENTS else kind.key


def differs(kind: Kind) -> bool:
    """Tell whether the kind shows its objects in another shape than they are stored in."""
    return kind.key == _OTHER_EVENTS or (kind.key == _AUTOSCALERS and kind.version == "v1")


def from_stored(kind: Kind, content: Object) -> Object:
    """Give what is stored in the shape of `kind`."""
    if kind.key == _OTHER_EVENTS:
        return {_CORE_FIELDS.get(key, key): value for key, value in content.items()}
    if differs(kind):
        return {**content, "spec": _autoscaler_v1(content.get("spec", {}))}
    return content


def to_stored(kind: Kind, content: Object) -> Object:
    """Give an object in the shape of `kind` as it is stored."""
    if kind.key == _OTHER_EVENTS:
        return {_EVENT_FIELDS.get(key, key): value for key, value in content.items()}
    if differs(kind):
        return {**content, "spec": _autoscaler_v2(content.get("spec", {}))}
    return content


def _autoscaler_v1(spec: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in spec.items() if key not in ("metrics", "behavior")}
    for metric in spec.get("metrics", ()):
        resource = metric.get("resource", {})
        if resource.get("name") == "cpu" and "averageUtilization" in resource.get("target", {}):
            shown["targetCPUUtilizationPercentage"] = resource["target"]["averageUtilization"]
    return shown


def _autoscaler_v2(spec: dict[str, Any]) -> dict[str, Any]:
    stored = {key: value for key, value in spec.items() if key != "targetCPUUtilizationPercentage"}
    if "targetCPUUtilizationPercentage" in spec:
        target = {"type": "Utilization", "averageUtilization": spec["targetCPUUtilizationPercentage"]}
        stored["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return stored
