"""What an alert of Prometheus says."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from gateway import alerts
from gateway.alerts import Alert, AlertWebhook
from gateway.signals import NotTakenError, Signal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _read(labels: dict[str, str] | None = None, **fields: Any) -> Signal:
    own = {"alertname": "HighMemory", **(labels or {})}
    found = Alert.model_validate({"status": "firing", "labels": own, "startsAt": "2026-11-21T10:00:00Z", **fields})
    return alerts.read(found, 0, NOW, lambda: {"alerts": [{"sent": True}]})


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("pod", "Pod"),
        ("deployment", "Deployment"),
        ("statefulset", "StatefulSet"),
        ("daemonset", "DaemonSet"),
        ("node", "Node"),
        ("service", "Service"),
    ],
)
def test_each_label_names_its_kind(label: str, kind: str) -> None:
    """The label's value is the target's name."""
    target = _read({label: "x-1"}).target
    assert (target.kind, target.name) == (kind, "x-1")


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (("service", "pod"), "Pod"),
        (("service", "node", "daemonset"), "DaemonSet"),
        (("daemonset", "statefulset"), "StatefulSet"),
        (("statefulset", "deployment"), "Deployment"),
        (("service", "node"), "Node"),
    ],
)
def test_the_first_label_of_the_order_wins(labels: tuple[str, ...], kind: str) -> None:
    """The order is pod, deployment, statefulset, daemonset, node, service; not the one they were sent in."""
    assert _read(dict.fromkeys(labels, "x")).target.kind == kind


def test_an_alert_about_nothing_known_is_about_unknown() -> None:
    """Kind Unknown, name unknown."""
    target = _read({"job": "x"}).target
    assert (target.kind, target.name) == ("Unknown", "unknown")


def test_an_empty_label_is_none() -> None:
    """As in Prometheus, where an empty label is a missing one."""
    found = _read({"pod": "", "deployment": "api", "namespace": "", "exported_namespace": "shop"})
    assert (found.target.kind, found.namespace) == ("Deployment", "shop")


@pytest.mark.parametrize(
    ("labels", "namespace"),
    [
        ({"namespace": "a", "exported_namespace": "b"}, "a"),
        ({"exported_namespace": "b"}, "b"),
        ({}, "default"),
    ],
    ids=["namespace", "exported", "neither"],
)
def test_where_its_namespace_comes_from(labels: dict[str, str], namespace: str) -> None:
    """`namespace`, then `exported_namespace`, then default."""
    assert _read(labels).namespace == namespace


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("critical", "critical"),
        ("warning", "warning"),
        ("info", "info"),
        ("page", "warning"),
        ("", "warning"),
        ("CRITICAL", "warning"),
        (None, "warning"),
    ],
)
def test_severities(text: str | None, severity: str) -> None:
    """The three that there are; all else is a warning."""
    assert _read({} if text is None else {"severity": text}).severity == severity


@pytest.mark.parametrize("name", ["", "x" * 254])
def test_a_name_has_1_to_253_characters(name: str) -> None:
    """Others are not taken, and the error names the member."""
    with pytest.raises(NotTakenError) as caught:
        _read({"alertname": name})
    assert set(caught.value.errors) == {"alerts.0.labels.alertname"}


def test_the_longest_name_is_taken() -> None:
    """253 characters."""
    assert len(_read({"alertname": "x" * 253}).name) == 253


def test_the_fingerprint() -> None:
    """SHA-256 of name, namespace, kind and target with colons between."""
    found = _read({"namespace": "shop", "pod": "api-1"})
    assert found.fingerprint == hashlib.sha256(b"HighMemory:shop:Pod:api-1").hexdigest()


def test_the_fingerprint_of_an_alert_about_nothing() -> None:
    """Built of the defaults."""
    assert _read().fingerprint == hashlib.sha256(b"HighMemory:default:Unknown:unknown").hexdigest()


@pytest.mark.parametrize("change", [{"namespace": "b"}, {"pod": "b"}, {"alertname": "b"}])
def test_what_makes_another_fingerprint(change: dict[str, str]) -> None:
    """Another namespace, target or name."""
    own = {"namespace": "a", "pod": "a", "alertname": "a"}
    assert _read({**own, **change}).fingerprint != _read(own).fingerprint


def test_what_does_not_change_the_fingerprint() -> None:
    """Other labels, annotations, times and the sender's own fingerprint."""
    plain = _read({"pod": "a"})
    other = _read({"pod": "a", "x": "y"}, annotations={"a": "b"}, fingerprint="77", startsAt="2020-01-01T00:00:00Z")
    assert other.fingerprint == plain.fingerprint


def test_a_firing_alert_began_at_its_start() -> None:
    """startsAt, in UTC."""
    found = _read(startsAt="2026-11-21T12:30:00+02:00")
    assert (found.firing, found.since) == (True, datetime(2026, 11, 21, 10, 30, tzinfo=UTC))


def test_a_resolved_alert_ended_at_its_end() -> None:
    """endsAt; without one, startsAt."""
    ended = _read(status="resolved", endsAt="2026-11-21T11:00:00Z")
    assert (ended.firing, ended.since.hour) == (False, 11)
    assert _read(status="resolved").since.hour == 10


def test_the_payload_is_what_was_sent() -> None:
    """The alert at its index, as JSON text."""
    assert _read().payload_text() == '{"sent":true}'


def test_members_that_nobody_knows_are_ignored() -> None:
    """Alertmanager may add some."""
    AlertWebhook.model_validate_json(
        '{"new": 1, "alerts": [{"status": "firing", "labels": {}, "startsAt": "2026-11-21T10:00:00Z", "new": [1]}]}'
    )


@pytest.mark.parametrize(
    "body", ["[]", "7", "null", '"x"', "{}", '{"alerts": []}', '{"alerts": [7]}', '{"alerts": null}']
)
def test_what_is_no_webhook(body: str) -> None:
    """Each is refused by the model."""
    with pytest.raises(ValidationError):
        AlertWebhook.model_validate_json(body)
