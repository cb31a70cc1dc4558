"""Whatever is sent: the models refuse it or it becomes a signal; nothing else comes out of it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from gateway import alerts, direct_routes, events, resources
from gateway.alerts import AlertWebhook
from gateway.events import KubernetesEvent
from gateway.signals import NotTakenError, Signal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.dictionaries(st.sampled_from(["alertname", "namespace", "pod", "node", "severity"]) | st.text(), st.text())
TIMES = st.datetimes().map(lambda time: time.isoformat() + "Z") | st.text()
ALERTS = st.fixed_dictionaries(
    {"status": st.sampled_from(["firing", "resolved"]), "labels": TEXTS, "startsAt": TIMES},
    optional={"annotations": TEXTS, "endsAt": TIMES, "generatorURL": st.text(), "more": JSON},
)
WEBHOOKS = st.fixed_dictionaries({"alerts": st.lists(ALERTS, max_size=4)}, optional={"receiver": st.text(), "x": JSON})
OBJECTS = st.fixed_dictionaries({"kind": st.text(), "name": st.text()}, optional={"namespace": st.text()})
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Normal", "Warning", "Error"]) | st.text(),
        "reason": st.text(),
        "involvedObject": OBJECTS,
    },
    optional={"message": st.text(), "firstTimestamp": TIMES | st.none(), "count": st.integers(), "source": JSON},
)


def _signals(model: type[BaseModel], body: bytes) -> list[Signal]:
    """Return the signals in `body`; what is refused is refused in the two ways that there are."""
    try:
        found = direct_routes.read(model, body)
    except RequestValidationError:
        return []
    sent = lambda: from_json(body)  # noqa: E731 - short
    with suppress(NotTakenError):
        if isinstance(found, AlertWebhook):
            return [alerts.read(each, index, NOW, sent) for index, each in enumerate(found.alerts)]
        assert isinstance(found, KubernetesEvent)
        return [events.read(found, NOW, sent)]
    return []


def _check(signals: list[Signal]) -> None:
    for signal in signals:
        made = resources.new(signal, "fallback", 1, "me.1")
        assert from_json(to_json(made)) == made
        assert len(made["spec"]["signalFingerprint"]) == 64
        assert 1 <= len(made["spec"]["signalName"]) <= 253
        assert made["spec"]["severity"] in {"critical", "warning", "info"}
        assert all(len(value) <= 63 for value in made["spec"]["signalLabels"].values())


@pytest.mark.parametrize("model", [AlertWebhook, KubernetesEvent])
@given(body=st.binary())
def test_any_bytes(model: type[BaseModel], body: bytes) -> None:
    """Refused, as a rule."""
    _check(_signals(model, body))


@pytest.mark.parametrize("model", [AlertWebhook, KubernetesEvent])
@given(value=JSON)
def test_any_json(model: type[BaseModel], value: Any) -> None:
    """Refused, as a rule; also NaN, which Python writes and JSON does not know."""
    _check(_signals(model, json.dumps(value).encode()))


@settings(max_examples=300)
@given(webhook=WEBHOOKS)
def test_anything_like_a_webhook(webhook: Any) -> None:
    """Taken or refused, and what is taken is an object that Kubernetes takes."""
    _check(_signals(AlertWebhook, json.dumps(webhook).encode()))


@settings(max_examples=300)
@given(event=EVENTS)
def test_anything_like_an_event(event: Any) -> None:
    """Taken or refused, and what is taken is an object that Kubernetes takes."""
    _check(_signals(KubernetesEvent, json.dumps(event).encode()))


@given(webhook=WEBHOOKS, cut=st.integers(0, 400))
def test_a_webhook_that_was_cut_off(webhook: Any, cut: int) -> None:
    """Half a body is refused or, where the half is whole, taken."""
    _check(_signals(AlertWebhook, json.dumps(webhook).encode()[:cut]))
