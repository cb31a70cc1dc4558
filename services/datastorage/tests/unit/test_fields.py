"""The fields that all records are made of, where no service is needed to see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import TypeAdapter, ValidationError

from datastorage import fields
from datastorage.event_models import EventBatch, EventIn
from datastorage.kinds import dump_record
from datastorage.notification_models import NotificationIn
from datastorage.success_rate_models import IncidentTypeQuestion
from datastorage.trace_models import TraceIn

TIME = TypeAdapter[datetime](fields.Time)
EVENT: dict[str, Any] = {
    "event_type": "t",
    "event_category": "gateway",
    "event_action": "a",
    "event_outcome": "success",
    "event_timestamp": "2026-11-21T10:00:00.123456Z",
    "correlation_id": "c",
    "actor_type": "t",
    "actor_id": "i",
    "resource_type": "t",
    "resource_id": "i",
}
TRACE: dict[str, Any] = {
    "action_id": "a",
    "correlation_id": "c",
    "action_timestamp": "2026-11-21T11:00:00+01:00",
    "namespace": "n",
    "cluster_name": "c",
    "environment": "e",
    "signal_name": "s",
    "signal_severity": "s",
    "signal_fingerprint": "f",
    "action_type": "a",
    "execution_status": "completed",
}


@pytest.mark.parametrize("value", ["0", "1700000000", "0.5", "-1", "2026-11-21", "2026-11-21T10:00:00", "now", 7, None])
def test_what_is_no_written_moment_is_refused(value: object) -> None:
    """Seconds since 1970 are no time that a person can check, and a time without an offset is none at all."""
    with pytest.raises(ValidationError):
        TIME.validate_python(value)


@pytest.mark.parametrize("value", ["2026-11-21T10:00:00Z", "2026-11-21t12:00:00+02:00", "2026-11-21 10:00:00.000Z"])
def test_a_moment_is_kept_in_utc(value: str) -> None:
    """However it is written, it is one moment."""
    found = TIME.validate_python(value)
    assert (found, found.tzinfo) == (datetime(2026, 11, 21, 10, tzinfo=UTC), UTC)


@pytest.mark.parametrize(("given", "right"), [(17, True), (17.0, True), (17.5, False), ("17", False), (True, False)])
def test_a_whole_number_may_be_written_with_a_point(given: object, right: bool) -> None:
    """JSON has one kind of number: 17.0 is 17; text and truth are no numbers."""
    event = {**EVENT, "duration_ms": given}
    if right:
        assert EventIn.model_validate(event).duration_ms == 17
    else:
        with pytest.raises(ValidationError):
            EventIn.model_validate(event)


@pytest.mark.parametrize("given", [{}, {"event_id": str(uuid4())}])
def test_an_event_is_the_same_after_it_was_queued(given: dict[str, str]) -> None:
    """Its id, given or made, goes with it, so that it is stored under the id that its client was told."""
    event = EventIn.model_validate({**EVENT, **given, "event_data": {"n": 1.5, "a": [None, True]}})
    assert EventIn.model_validate_json(dump_record(event)) == event


@pytest.mark.parametrize("given", [{}, {"embedding": None}, {"embedding": [0.25] * 384}])
def test_a_trace_is_the_same_after_it_was_queued(given: dict[str, Any]) -> None:
    """Also whether it brings its vector, leaves it to the service, or wants none."""
    trace = TraceIn.model_validate({**TRACE, **given, "model_confidence": 0.6666})
    again = TraceIn.model_validate_json(dump_record(trace))
    assert again == trace
    assert again.wants_vector is trace.wants_vector


def test_a_notification_may_wait_in_the_queue() -> None:
    """What was taken as sent just now is taken again later."""
    sent_at = datetime.now(UTC) + timedelta(minutes=4)
    sent: dict[str, Any] = dict.fromkeys(("remediation_id", "notification_id", "recipient", "message_summary"), "x")
    record = NotificationIn.model_validate({**sent, "channel": "sms", "status": "sent", "sent_at": sent_at})
    assert NotificationIn.model_validate_json(dump_record(record)) == record


def test_a_batch_with_an_id_twice_is_told_with_both_indices() -> None:
    """Ids that are made are never the same."""
    own = {**EVENT, "event_id": str(uuid4())}
    batch = TypeAdapter[list[EventIn]](EventBatch)
    assert len(batch.validate_python([EVENT, own, EVENT])) == 3
    with pytest.raises(ValidationError, match="event at index 3: its event_id is that of index 1 too"):
        batch.validate_python([EVENT, own, EVENT, own])


@pytest.mark.parametrize(
    ("window", "span"), [("1h", timedelta(hours=1)), ("7d", timedelta(days=7)), ("99999d", timedelta(days=99_999))]
)
def test_a_window_is_hours_or_days(window: str, span: timedelta) -> None:
    """The number and its unit give the length of time."""
    assert IncidentTypeQuestion(incident_type="x", window=window).span == span
