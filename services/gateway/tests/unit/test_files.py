"""The files beside the code say what the code does: alert rules, dashboard, examples, definition."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import alerts, direct_routes, events, resources
from gateway.alerts import AlertWebhook
from gateway.events import KubernetesEvent

SERVICE = Path(__file__).parents[2]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _yaml(name: str) -> list[Any]:
    return list(yaml.safe_load_all((SERVICE / name).read_text(encoding="utf-8")))


def _rules() -> dict[str, Any]:
    (document,) = _yaml("alerts/gateway.yaml")
    return {rule["alert"]: rule for rule in document["groups"][0]["rules"] if "alert" in rule}


@pytest.mark.parametrize(
    ("name", "threshold", "severity"),
    [
        ("GatewaySlow", "> 0.1", "warning"),
        ("GatewayVerySlow", "> 0.2", "critical"),
        ("GatewayCreationFailures", "> 0.01", "warning"),
        ("GatewayManyCreationFailures", "> 0.05", "critical"),
        ("GatewayNearCapacity", "> 800", "warning"),
        ("GatewayAtCapacity", "> 1000", "critical"),
    ],
)
def test_the_rules_have_the_thresholds(name: str, threshold: str, severity: str) -> None:
    """p95 100 and 200 ms, failures 1 and 5 %, throughput 800 and 1000."""
    rule = _rules()[name]
    assert rule["expr"].endswith(threshold)
    assert rule["labels"]["severity"] == severity


def test_the_rules_ask_for_what_is_recorded() -> None:
    """Every recorded series that a rule reads is one that the file records."""
    (document,) = _yaml("alerts/gateway.yaml")
    rules = document["groups"][0]["rules"]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    read = {name for rule in rules for name in re.findall(r"gateway:[a-z_:0-9]+", rule["expr"])}
    assert read <= recorded


def test_the_dashboard_is_one() -> None:
    """JSON, with panels that do not overlap and ask something each."""
    board = json.loads((SERVICE / "dashboards/gateway.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places)) >= 8
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_the_example_of_alertmanager_is_taken() -> None:
    """And is about the pod that it names."""
    body = (SERVICE / "examples/alertmanager-webhook.json").read_bytes()
    webhook = direct_routes.read(AlertWebhook, body)
    assert isinstance(webhook, AlertWebhook)
    signal = alerts.read(webhook.alerts[0], 0, NOW, lambda: json.loads(body))
    assert (signal.target.kind, signal.namespace, signal.severity) == ("Pod", "payments", "warning")


def test_the_example_of_an_event_is_taken() -> None:
    """And is critical."""
    body = (SERVICE / "examples/kubernetes-event.json").read_bytes()
    event = direct_routes.read(KubernetesEvent, body)
    assert isinstance(event, KubernetesEvent)
    assert events.read(event, NOW, lambda: json.loads(body)).severity == "critical"


def test_the_example_of_rights_has_no_more_than_is_used() -> None:
    """No verb beyond those that the gateway's own requests are."""
    roles = {
        each["metadata"]["name"]: each["rules"] for each in _yaml("examples/rbac.yaml") if each["kind"] == "ClusterRole"
    }
    given = {(resource, verb) for rule in roles["gateway"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert given == {
        ("remediationrequests", "get"),
        ("remediationrequests", "list"),
        ("remediationrequests", "watch"),
        ("remediationrequests", "create"),
        ("remediationrequests/status", "patch"),
        ("tokenreviews", "create"),
        ("subjectaccessreviews", "create"),
    }


def test_the_definition_knows_the_terminal_phases() -> None:
    """Code and definition name the same phases."""
    (definition,) = _yaml("crds/remediationrequests.yaml")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert len(schema["status"]["properties"]["overallPhase"]["enum"]) == 11
    assert set(schema["status"]["properties"]["overallPhase"]["enum"]) > resources.TERMINAL
    assert definition["metadata"]["name"] == f"{resources.PLURAL}.{resources.GROUP}"
