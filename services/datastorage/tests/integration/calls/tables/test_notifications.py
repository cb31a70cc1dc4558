"""Notifications: written, refused, listed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

PATH = "/api/v1/audit/notifications"
Record = Callable[..., dict[str, Any]]
Post = Callable[[str, Any], Any]
Connection = psycopg.Connection[Any]


def test_a_notification_is_stored_and_listed(client: httpx.Client, post: Post, notification: Record) -> None:
    """The answer is the full record, and the list has it as it was answered."""
    sent = notification()
    stored = post(PATH, sent)
    assert {name: stored[name] for name in sent} == sent
    assert stored.keys() - sent.keys() == {"id", "created_at", "updated_at"}
    assert client.get(PATH).json() == {"data": [stored], "pagination": {"limit": 100, "offset": 0, "total": 1}}


def test_what_may_be_unknown_may_be_left_out(post: Post, notification: Record) -> None:
    """Without delivery, error and escalation they are null, null and 0."""
    sent = notification()
    for name in ("delivery_status", "error_message", "escalation_level"):
        del sent[name]
    stored = post(PATH, sent)
    assert (stored["delivery_status"], stored["error_message"], stored["escalation_level"]) == (None, None, 0)


def test_a_repeated_notification_is_refused(client: httpx.Client, post: Post, notification: Record) -> None:
    """409 names the field and the value, and the first one stays as it is."""
    post(PATH, notification(notification_id="twice"))
    answer = client.post(PATH, json=notification(notification_id="twice", status="failed"))
    assert answer.status_code == 409
    assert (answer.json()["field"], answer.json()["value"]) == ("notification_id", "twice")
    assert [each["status"] for each in client.get(PATH).json()["data"]] == ["sent"]


def test_missing_fields_are_all_told(client: httpx.Client) -> None:
    """An empty notification gives 400 with every required field at once."""
    answer = client.post(PATH, json={})
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == {
        *("remediation_id", "notification_id", "recipient", "channel", "message_summary", "status", "sent_at")
    }


def test_wrong_fields_are_all_told(client: httpx.Client, notification: Record, db: Connection) -> None:
    """Lengths, channel, status, level, time and a name that is no field: seven messages, and nothing is stored."""
    wrong = {
        "recipient": "x" * 256,
        "channel": "pigeon",
        "status": "queued",
        "escalation_level": 101,
        "message_summary": "<script>only()</script>",
        "sent_at": "2026-11-21",
        "chanel": "email",
    }
    answer = client.post(PATH, json=notification(**wrong))
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong)
    assert db.execute("SELECT count(*) FROM notification_audit").fetchone() == (0,)


@pytest.mark.parametrize(("ahead", "status"), [(timedelta(minutes=4), 201), (timedelta(minutes=6), 400)])
def test_a_time_of_sending_is_at_most_five_minutes_ahead(
    client: httpx.Client, notification: Record, ahead: timedelta, status: int
) -> None:
    """Clocks may differ by five minutes; more is no time at which something was sent."""
    answer = client.post(PATH, json=notification(sent_at=(datetime.now(UTC) + ahead).isoformat()))
    assert answer.status_code == status
    assert ("sent_at" in answer.json().get("field_errors", {})) == (status == 400)


def test_markup_goes_and_text_stays(post: Post, notification: Record) -> None:
    """A script is taken out of the summary, SQL stays what it is: text."""
    summary = "<script>alert(1)</script>'; DROP TABLE notification_audit; -- my-app-delete-jobs"
    stored = post(PATH, notification(message_summary=summary, recipient="<b>ops</b>"))
    assert stored["message_summary"] == "'; DROP TABLE notification_audit; -- my-app-delete-jobs"
    assert stored["recipient"] == "ops"


@pytest.mark.parametrize(
    "asked",
    [
        {"remediation_id": "wanted"},
        {"notification_id": "wanted"},
        {"recipient": "wanted"},
        {"channel": "sms"},
        {"status": "failed"},
        {"delivery_status": "wanted"},
        {"escalation_level": "7"},
        {"since": "2026-11-20T12:00:00Z", "until": "2026-11-20T12:00:01Z"},
    ],
    ids="+".join,
)
def test_each_filter_finds_what_matches_and_no_more(
    client: httpx.Client, post: Post, notification: Record, asked: dict[str, str]
) -> None:
    """A filter gives the one row that matches, and the total counts only it."""
    post(PATH, notification())
    names = ("remediation_id", "notification_id", "recipient", "delivery_status")
    wanted: dict[str, Any] = dict.fromkeys(names, "wanted")
    wanted |= {"channel": "sms", "status": "failed", "escalation_level": 7, "sent_at": "2026-11-20T12:00:00Z"}
    hit = post(PATH, notification(**wanted))
    answer = client.get(PATH, params=asked).json()
    assert (answer["data"], answer["pagination"]["total"]) == ([hit], 1)


def test_the_list_is_newest_first_and_pages_do_not_overlap(
    client: httpx.Client, post: Post, notification: Record
) -> None:
    """Rows come by sent_at, newest first; rows of one time by id."""
    for recipient, hour in (("old", 8), ("new", 10), ("middle", 9), ("new too", 10)):
        post(PATH, notification(recipient=recipient, sent_at=f"2026-11-20T{hour:02}:00:00Z"))
    pages = [client.get(PATH, params={"limit": 1, "offset": offset}).json() for offset in range(5)]
    assert [each["recipient"] for page in pages for each in page["data"]] == ["new too", "new", "middle", "old"]
    assert {page["pagination"]["total"] for page in pages} == {4}


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"limit": "1001", "offset": "-1"}, "limit offset"),
        ({"channel": "pigeon", "status": "x", "escalation_level": "101"}, "channel status escalation_level"),
        ({"since": "2026-11-21T10:00:00Z", "until": "2026-11-21T10:00:00Z"}, "until"),
        ({"recipent": "typo"}, "recipent"),
    ],
)
def test_a_wrong_filter_is_told(client: httpx.Client, asked: dict[str, str], wrong: str) -> None:
    """Every wrong parameter is named."""
    answer = client.get(PATH, params=asked)
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong.split())


def test_writes_and_reads_are_counted(
    client: httpx.Client, post: Post, notification: Record, metric: Callable[..., float]
) -> None:
    """A success, a conflict and a wrong field are counted under the table's and the field's name."""
    post(PATH, notification(notification_id="one"))
    client.post(PATH, json=notification(notification_id="one"))
    client.post(PATH, json=notification(channel="pigeon"))
    client.get(PATH)
    table = "notification_audit"
    assert metric("datastorage_write_total", table=table, status="success") == 1
    assert metric("datastorage_write_total", table=table, status="conflict") == 1
    assert metric("datastorage_write_duration_seconds_count", table=table) == 2
    assert metric("datastorage_validation_failures_total", field="channel", reason="literal_error") == 1
    assert metric("datastorage_query_duration_seconds_count", operation="list_notifications") == 1
