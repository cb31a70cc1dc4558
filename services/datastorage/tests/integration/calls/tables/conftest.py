"""Records of the tables beside `remediation_audit`: valid ones, numbered, with fields changed or added."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

Record = Callable[..., dict[str, Any]]


@pytest.fixture
def notification() -> Record:
    """Give a function that makes a valid notification."""
    numbers = count(1)

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "remediation_id": "request-1",
            "notification_id": f"notification-{next(numbers)}",
            "recipient": "on-call@example.org",
            "channel": "email",
            "message_summary": "payment-api was restarted",
            "status": "sent",
            "sent_at": "2026-11-20T10:00:00Z",
            "delivery_status": "250 accepted",
            "error_message": None,
            "escalation_level": 1,
            **changes,
        }

    return make


@pytest.fixture
def event() -> Record:
    """Give a function that makes a valid event, without an event_id."""
    numbers = count(1)

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "version": "1.1",
            "event_type": "gateway.signal.received",
            "event_category": "gateway",
            "event_action": "received",
            "event_outcome": "success",
            "event_timestamp": "2026-11-20T10:00:00Z",
            "correlation_id": f"correlation-{next(numbers)}",
            "actor_type": "service",
            "actor_id": "gateway-1",
            "resource_type": "Signal",
            "resource_id": "0f3a9c",
            "parent_event_id": None,
            "namespace": "payments",
            "cluster_name": "eu-1",
            "severity": "high",
            "duration_ms": 12,
            "event_data": {"source": "prometheus", "labels": {"pod": "payment-api-0"}},
            **changes,
        }

    return make


@pytest.fixture
def trace() -> Record:
    """Give a function that makes a valid trace."""
    numbers = count(1)

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "action_id": f"action-{next(numbers)}",
            "correlation_id": "correlation-1",
            "action_timestamp": "2026-11-20T10:00:00Z",
            "namespace": "payments",
            "cluster_name": "eu-1",
            "environment": "production",
            "signal_name": "PodCrashLooping",
            "signal_severity": "critical",
            "signal_fingerprint": "0f3a9c",
            "action_type": "restart_pod",
            "execution_status": "completed",
            "execution_error": None,
            "incident_type": "pod-oom",
            "playbook_id": "restart-on-oom",
            "playbook_version": "1.2.0",
            "ai_selected": True,
            "ai_chained": False,
            "ai_manual_escalation": False,
            "model_confidence": 0.875,
            "labels": {"team": "payments"},
            **changes,
        }

    return make


@pytest.fixture
def post(client: httpx.Client) -> Callable[[str, Any], Any]:
    """Give a function that posts a record and returns the answer's body, after checking that it was stored."""

    def store(path: str, record: Any) -> Any:
        answer = client.post(path, json=record)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return store
