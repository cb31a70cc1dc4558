"""How a RemediationRequest is written and what of one is remembered."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import resources
from gateway.signals import Signal, Target

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def _signal(**changes: Any) -> Signal:
    own: dict[str, Any] = {
        "name": "A",
        "namespace": "shop",
        "target": Target(kind="Pod", name="p"),
        "severity": "warning",
        "type": "prometheus-alert",
        "source": "alertmanager",
        "firing": True,
        "since": NOW,
        "received": NOW,
        "labels": {},
        "annotations": {},
        "payload": lambda: {"a": 1},
    }
    return Signal(**{**own, **changes})


def _object(**status: Any) -> dict[str, Any]:
    made = resources.new(_signal(), "shop", 1, "me.1")
    made["metadata"] |= {"resourceVersion": "7", "creationTimestamp": "2026-11-21T12:00:00Z"}
    return {**made, "status": {"overallPhase": "Pending", "deduplication": {"occurrenceCount": 1}, **status}}


def test_the_name_is_of_fingerprint_and_generation() -> None:
    """Twenty-four digits of the one, and the other."""
    assert resources.name_of("0123456789abcdef" * 4, 3) == "rr-0123456789abcdef01234567-3"


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(1, 10**17))
def test_the_generation_can_be_read_from_the_name(fingerprint: str, generation: int) -> None:
    """And the name is one that Kubernetes takes."""
    name = resources.name_of(fingerprint, generation)
    assert resources.generation_of(name) == generation
    assert len(name) <= 63


@pytest.mark.parametrize(
    "name", ["by-hand", "rr-1", "rr-0123456789abcdef01234567-0", "rr-0123456789abcdef01234567-01", ""]
)
def test_other_names_say_no_generation(name: str) -> None:
    """It is 0."""
    assert resources.generation_of(name) == 0


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "/apis/kubernaut.ai/v1alpha1/remediationrequests"),
        (("shop",), "/apis/kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests"),
        (("shop", "x"), "/apis/kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests/x"),
        (("shop", "x", "status"), "/apis/kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests/x/status"),
    ],
)
def test_paths(arguments: tuple[str, ...], path: str) -> None:
    """Of the collections, an object and its status."""
    assert resources.path(*arguments) == path


def test_in_its_own_namespace_there_is_no_origin() -> None:
    """The label is for what had to go elsewhere."""
    assert resources.ORIGIN not in resources.new(_signal(), "shop", 1, "me.1")["metadata"]["labels"]


def test_elsewhere_the_origin_is_a_label() -> None:
    """With the namespace it belongs to."""
    assert resources.new(_signal(), "fallback", 1, "me.1")["metadata"]["labels"][resources.ORIGIN] == "shop"


@given(st.text())
def test_any_origin_becomes_a_label_that_is_taken(namespace: str) -> None:
    """By the rule of Kubernetes for the values of labels."""
    labels = resources.new(_signal(namespace=namespace), "fallback!", 1, "me.1")["metadata"]["labels"]
    assert all(LABEL.fullmatch(value) and len(value) <= 63 for value in labels.values())


def test_long_values_are_cut() -> None:
    """Labels to 63, annotations to 256 KiB, the target to what the schema takes."""
    signal = _signal(
        labels={"a": "x" * 64},
        annotations={"b": "y" * 300_000},
        target=Target(kind="k" * 100, name="n" * 300),
        source="s" * 100,
    )
    spec = resources.new(signal, "shop", 1, "me.1")["spec"]
    assert len(spec["signalLabels"]["a"]) == 63
    assert len(spec["signalAnnotations"]["b"]) == 262_144
    assert (len(spec["targetResource"]["kind"]), len(spec["targetResource"]["name"])) == (63, 253)
    assert len(spec["signalSource"]) == 63


def test_the_payload_is_text() -> None:
    """JSON, without spaces."""
    assert json.loads(resources.new(_signal(), "shop", 1, "me.1")["spec"]["originalPayload"]) == {"a": 1}


@pytest.mark.parametrize("phase", ["Pending", "Processing", "Analyzing", "AwaitingApproval", "Executing", "Blocked"])
def test_ongoing_phases_are_active(phase: str) -> None:
    """So is one that nobody knows."""
    assert resources.read(_object(overallPhase=phase)).active
    assert resources.read(_object(overallPhase="Invented")).active


@pytest.mark.parametrize("phase", ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"])
def test_terminal_phases_are_not(phase: str) -> None:
    """All five."""
    assert not resources.read(_object(overallPhase=phase)).active


def test_a_resource_without_a_status_is_new() -> None:
    """Active, seen once, when it was received."""
    made = _object()
    del made["status"]
    entry = resources.read(made)
    assert (entry.active, entry.count, entry.first_seen) == (True, 1, "2026-11-21T12:00:00.000000Z")


@pytest.mark.parametrize(("status", "resolved"), [("True", True), ("False", False), ("Unknown", False)])
def test_whether_it_is_resolved(status: str, resolved: bool) -> None:
    """By its condition."""
    assert resources.read(_object(conditions=[{"type": "Resolved", "status": status}])).resolved is resolved


def test_who_created_it() -> None:
    """As it was told; nothing where nobody said."""
    made = _object()
    assert resources.created_by(made) == "me.1"
    del made["metadata"]["annotations"]
    assert resources.created_by(made) == ""
