"""Alerts of Prometheus, as Alertmanager's webhook sends them (its documentation: "webhook_config", version 4).

Rule 1: an alert is about the resource that its first label of pod, deployment, statefulset, daemonset, node and service
        names; without any of them about `Unknown/unknown`. An empty label is none, as in Prometheus.
Rule 2: its namespace is the label `namespace`, else `exported_namespace`, else `default`.
Rule 3: one alert that cannot be taken does not keep the others from being taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gateway.signals import NotTakenError, Severity, Signal, Target
from gateway.times import Time

MAX_NAME = 253
_TARGETS = {
    "pod": "Pod",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "node": "Node",
    "service": "Service",
}
_SEVERITIES: dict[str, Severity] = {"critical": "critical", "warning": "warning", "info": "info"}
_LABELS_SCHEMA: dict[str, Any] = {
    "required": ["alertname"],
    "properties": {"alertname": {"type": "string", "minLength": 1, "maxLength": MAX_NAME}},
}

_EXAMPLE: dict[str, Any] = {
    "version": "4",
    "status": "firing",
    "receiver": "gateway",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "KubePodCrashLooping", "namespace": "payments", "pod": "payment-api-0"},
            "annotations": {"summary": "Pod is crash looping."},
            "startsAt": "2026-11-21T10:00:12.337Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
    ],
}


class _Lenient(BaseModel):
    """What others define: fields that are not known here are kept for the original payload, and otherwise ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)


class Alert(_Lenient):
    """One alert of a webhook."""

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[str, str], Field(json_schema_extra=_LABELS_SCHEMA)]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: Time
    ends_at: Time | None = None
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = Field(default="", description="Alertmanager's own; ours is made of the resource")


class AlertWebhook(_Lenient):
    """What Alertmanager posts: the alerts of one group."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    version: Literal["4"] = "4"
    group_key: str = ""
    truncated_alerts: int = 0
    status: Literal["firing", "resolved"] = "firing"
    receiver: str = ""
    group_labels: dict[str, str] = Field(default_factory=dict)
    common_labels: dict[str, str] = Field(default_factory=dict)
    common_annotations: dict[str, str] = Field(default_factory=dict)
    external_url: str = Field(default="", alias="externalURL")
    alerts: list[Alert] = Field(min_length=1)


def read(alert: Alert, index: int, received: datetime, sent: Any) -> Signal:
    """Return the signal of `alert`; `sent` gives the parsed body that it stood in, at `index`.

    Raises NotTakenError for an alert without a name.
    """
    labels = alert.labels
    name = labels.get("alertname", "")
    if not name or len(name) > MAX_NAME:
        said = f"it has {len(name)} characters, and {MAX_NAME} is the limit" if name else "it is missing or empty"
        raise NotTakenError(f"alert {index} has no usable name", {f"alerts.{index}.labels.alertname": said})
    firing = alert.status == "firing"
    return Signal(
        name=name,
        namespace=labels.get("namespace") or labels.get("exported_namespace") or "default",
        target=_target(labels),
        severity=_SEVERITIES.get(labels.get("severity", ""), "warning"),
        type="prometheus-alert",
        source="alertmanager",
        firing=firing,
        since=alert.starts_at if firing or alert.ends_at is None else alert.ends_at,
        received=received,
        labels=labels,
        annotations=alert.annotations,
        payload=lambda: sent()["alerts"][index],
    )


def _target(labels: Mapping[str, str]) -> Target:
    for label, kind in _TARGETS.items():
        if name := labels.get(label):
            return Target(kind=kind, name=name)
    return Target(kind="Unknown", name="unknown")
