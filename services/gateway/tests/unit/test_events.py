"""What an event of Kubernetes says."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from gateway import events
from gateway.events import KubernetesEvent
from gateway.signals import NotTakenError, Signal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POD = {"kind": "Pod", "namespace": "shop", "name": "api-1"}


def _event(**fields: Any) -> KubernetesEvent:
    return KubernetesEvent.model_validate({"type": "Warning", "reason": "BackOff", "involvedObject": POD, **fields})


def _read(**fields: Any) -> Signal:
    return events.read(_event(**fields), NOW, lambda: {"sent": True})


@pytest.mark.parametrize("reason", sorted(events.CRITICAL))
def test_these_reasons_are_critical(reason: str) -> None:
    """Six of them, whatever the type."""
    assert _read(reason=reason).severity == "critical"


def test_there_are_six_of_them() -> None:
    """The documented ones."""
    assert len(events.CRITICAL) == 6


def test_the_type_error_is_critical() -> None:
    """Whatever the reason."""
    assert _read(type="Error").severity == "critical"


@pytest.mark.parametrize("reason", ["BackOff", "Unhealthy", "oomkilled", "OOMKilled2"])
def test_other_reasons_are_warnings(reason: str) -> None:
    """By the whole word, in its own case."""
    assert _read(reason=reason).severity == "warning"


def test_a_normal_event_is_not_taken() -> None:
    """In these words."""
    with pytest.raises(NotTakenError, match=r"^normal events are not processed$"):
        _read(type="Normal")


def test_its_name_is_its_reason() -> None:
    """And its target the object."""
    found = _read()
    assert (found.name, found.target.kind, found.target.name, found.namespace) == ("BackOff", "Pod", "api-1", "shop")


def test_the_fingerprint() -> None:
    """Made of the reason, as an alert's of its name."""
    assert _read().fingerprint == hashlib.sha256(b"BackOff:shop:Pod:api-1").hexdigest()


def test_an_object_without_a_namespace_is_filed_under_default() -> None:
    """A node has none."""
    assert _read(involvedObject={"kind": "Node", "name": "node-1"}).namespace == "default"


def test_it_began_at_its_first_time() -> None:
    """firstTimestamp, else lastTimestamp, else now: newer events have neither."""
    assert _read(firstTimestamp="2026-11-21T09:00:00Z", lastTimestamp="2026-11-21T10:00:00Z").since.hour == 9
    assert _read(lastTimestamp="2026-11-21T10:00:00Z").since.hour == 10
    assert _read(firstTimestamp=None, lastTimestamp=None).since == NOW


def test_who_reported_it_is_its_source() -> None:
    """The component, else `kubernetes`."""
    assert _read(source={"component": "kubelet"}).source == "kubelet"
    assert _read().source == "kubernetes"


def test_its_message_is_an_annotation() -> None:
    """Where there is one."""
    assert _read(message="why").annotations == {"message": "why"}
    assert _read().annotations == {}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Odd"},
        {"type": None},
        {"reason": ""},
        {"reason": "x" * 254},
        {"involvedObject": {"kind": "Pod"}},
        {"involvedObject": {"kind": "", "name": "x"}},
        {"count": -1},
        {"count": "1"},
        {"firstTimestamp": "x"},
        {"message": 7},
    ],
    ids=str,
)
def test_what_is_no_event(change: dict[str, Any]) -> None:
    """Each is refused by the model."""
    with pytest.raises(ValidationError):
        _event(**change)
