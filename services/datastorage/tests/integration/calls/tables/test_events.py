"""Events: written once, refused, listed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

PATH = "/api/v1/audit/events"
Record = Callable[..., dict[str, Any]]
Post = Callable[[str, Any], Any]
Connection = psycopg.Connection[Any]
REQUIRED = {
    *("event_type", "event_category", "event_action", "event_outcome", "event_timestamp", "correlation_id"),
    *("actor_type", "actor_id", "resource_type", "resource_id"),
}


def _stored(db: Connection) -> int:
    row = db.execute("SELECT count(*) FROM audit_events").fetchone()
    assert row is not None
    return int(row[0])


def test_an_event_is_stored_and_listed(client: httpx.Client, post: Post, event: Record) -> None:
    """The answer is the id that was made, and the list has the event whole."""
    sent = event()
    answered = post(PATH, sent)
    assert answered.keys() == {"event_id"}
    assert client.get(PATH).json() == {
        "data": [{**sent, **answered}],
        "pagination": {"limit": 100, "offset": 0, "total": 1},
    }


def test_what_may_be_unknown_may_be_left_out(client: httpx.Client, post: Post, event: Record) -> None:
    """The required fields alone make an event; its version is 1.0, its data are empty."""
    post(PATH, {name: value for name, value in event().items() if name in REQUIRED})
    (stored,) = client.get(PATH).json()["data"]
    assert (stored["version"], stored["event_data"]) == ("1.0", {})
    assert {name for name, value in stored.items() if value is None} == {
        *("parent_event_id", "namespace", "cluster_name", "severity", "duration_ms")
    }


def test_the_same_event_is_stored_once(post: Post, event: Record, db: Connection) -> None:
    """A client that sends its event again, under its own id, is answered as before, and the table has one row."""
    sent = event(event_id=str(uuid4()))
    assert [post(PATH, sent) for _ in range(3)] == [{"event_id": sent["event_id"]}] * 3
    assert _stored(db) == 1


def test_the_same_event_from_many_at_once_is_stored_once(client: httpx.Client, event: Record, db: Connection) -> None:
    """Ten that send it at the same moment are all answered 201."""
    sent = event(event_id=str(uuid4()))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.post(PATH, json=sent), range(10)))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert _stored(db) == 1


@pytest.mark.usefixtures("commits_wait")
def test_two_events_of_one_id_at_the_same_moment_are_one_and_a_conflict(
    client: httpx.Client,
    event: Record,
    db: Connection,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
) -> None:
    """While the first is under way another one, whose time is another, waits; then it is refused with 409."""
    sent = event(event_id=str(uuid4()))
    other = {**sent, "event_timestamp": "2026-11-19T10:00:00Z"}
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, PATH, json=sent)
        eventually("the first is at its commit", lambda: len(waiting()) == 1)
        second = pool.submit(client.post, PATH, json=other)
        eventually("the second waits too", lambda: len(waiting()) == 2)
        blocker.rollback()
        assert [first.result(20).status_code, second.result(20).status_code] == [201, 409]
    assert _stored(db) == 1


@pytest.mark.parametrize("given", [False, True])
def test_a_client_that_hangs_up_stores_no_event(
    begin: Callable[[str, Any], socket.socket],
    event: Record,
    post: Post,
    db: Connection,
    blocker: Connection,
    waiting: Callable[[], list[str]],
    eventually: Callable[..., None],
    given: bool,
) -> None:
    """Its statement ends on the server while the lock is still held, and the connection is as good as new."""
    blocker.execute("LOCK TABLE audit_events IN EXCLUSIVE MODE")
    sent = event(event_id=str(uuid4())) if given else event()
    with closing(begin(PATH, sent)):
        eventually("the INSERT waits", lambda: len(waiting()) == 1)
    eventually("it is gone", lambda: waiting() == [])
    blocker.rollback()
    assert _stored(db) == 0
    post(PATH, sent)
    assert _stored(db) == 1


@pytest.mark.parametrize("changes", [{"event_outcome": "failure"}, {"event_timestamp": "2026-11-19T10:00:00Z"}])
def test_another_event_under_an_id_that_is_taken_is_refused(
    client: httpx.Client, post: Post, event: Record, db: Connection, changes: dict[str, str]
) -> None:
    """409 names the id; the first event stays alone, also where the other one's time is in another row's reach."""
    sent = event(event_id=str(uuid4()))
    post(PATH, sent)
    answer = client.post(PATH, json={**sent, **changes})
    assert answer.status_code == 409
    assert (answer.json()["field"], answer.json()["value"]) == ("event_id", sent["event_id"])
    assert _stored(db) == 1


def test_missing_fields_are_all_told(client: httpx.Client) -> None:
    """An empty event gives 400 with every required field at once."""
    answer = client.post(PATH, json={})
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == REQUIRED


def test_wrong_fields_are_all_told(client: httpx.Client, event: Record, db: Connection) -> None:
    """Lengths, enumerations, ids, numbers, data and a name that is no field are told at once, and nothing is stored."""
    wrong = {
        "event_id": "7",
        "event_type": "x" * 101,
        "event_category": "weather",
        "event_action": "<b></b>",
        "event_outcome": "maybe",
        "event_timestamp": "now",
        "parent_event_id": "none",
        "duration_ms": -1,
        "event_data": {"a": "nul \0"},
        "evnt": 1,
    }
    answer = client.post(PATH, json=event(**wrong))
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong)
    assert _stored(db) == 0


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "1066-10-14T09:00:00Z", "2999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
def test_an_event_of_any_year_is_stored(
    client: httpx.Client, post: Post, event: Record, db: Connection, moment: str
) -> None:
    """A time without a partition of its own, however far, lands in the default one and is listed like any other."""
    post(PATH, event(event_timestamp=moment))
    assert [each["event_timestamp"] for each in client.get(PATH).json()["data"]] == [moment]
    assert db.execute("SELECT count(*) FROM audit_events_default").fetchone() == (1,)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_has_not_is_told(client: httpx.Client, event: Record, moment: str) -> None:
    """The year 0 and the year 10000 cannot be read back, so they are not taken."""
    answer = client.post(PATH, json=event(event_timestamp=moment))
    assert answer.status_code == 400
    assert "year" in answer.json()["field_errors"]["event_timestamp"]


def test_markup_goes_and_text_stays(client: httpx.Client, post: Post, event: Record) -> None:
    """Scripts are taken out at every depth, SQL is data."""
    post(PATH, event(actor_id="<i>me</i>'; --", event_data={"a": [{"<b>k</b>": "<script>x</script>SELECT 1"}]}))
    (stored,) = client.get(PATH).json()["data"]
    assert (stored["actor_id"], stored["event_data"]) == ("me'; --", {"a": [{"k": "SELECT 1"}]})


WANTED = {
    "event_type": "wanted",
    "event_category": "workflow",
    "event_action": "wanted",
    "event_outcome": "pending",
    "correlation_id": "wanted",
    "actor_type": "wanted",
    "actor_id": "wanted",
    "resource_type": "wanted",
    "resource_id": "wanted",
    "parent_event_id": str(UUID(int=7)),
    "namespace": "wanted",
    "cluster_name": "wanted",
    "severity": "wanted",
    "event_id": str(UUID(int=8)),
}


@pytest.mark.parametrize("name", WANTED)
def test_each_filter_finds_what_matches_and_no_more(client: httpx.Client, post: Post, event: Record, name: str) -> None:
    """A filter on any column gives the one event that matches, and the total counts only it."""
    post(PATH, event())
    post(PATH, event(**WANTED))
    answer = client.get(PATH, params={name: WANTED[name]}).json()
    assert [each["event_id"] for each in answer["data"]] == [WANTED["event_id"]]
    assert answer["pagination"]["total"] == 1


def test_the_list_is_newest_first_across_months(client: httpx.Client, post: Post, event: Record) -> None:
    """Events of different partitions come in one order; `since` is inclusive, `until` is not."""
    months = ["2026-11-02T00:00:00Z", "2025-01-01T00:00:00Z", "2026-12-01T00:00:00Z"]
    for month in months:
        post(PATH, event(event_timestamp=month))
    pages = [client.get(PATH, params={"limit": 1, "offset": offset}).json()["data"] for offset in range(3)]
    assert [each["event_timestamp"] for page in pages for each in page] == sorted(months, reverse=True)
    span = {"since": "2025-01-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    assert [each["event_timestamp"][:4] for each in client.get(PATH, params=span).json()["data"]] == ["2026", "2025"]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"limit": "0", "offset": "-1"}, "limit offset"),
        ({"event_id": "7", "event_category": "weather", "event_outcome": "x"}, "event_id event_category event_outcome"),
        ({"since": "2026-11-21T10:00:00Z", "until": "2026-11-21T10:00:00Z"}, "until"),
        ({"event_data": "{}"}, "event_data"),
    ],
)
def test_a_wrong_filter_is_told(client: httpx.Client, asked: dict[str, str], wrong: str) -> None:
    """Every wrong parameter is named."""
    answer = client.get(PATH, params=asked)
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong.split())


UPSERT = (
    "INSERT INTO audit_events SELECT * FROM audit_events"
    " ON CONFLICT (event_id, event_timestamp) DO UPDATE SET severity = 'low'"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET severity = 'low'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events_default",
        "TRUNCATE audit_events",
        UPSERT,
    ],
)
def test_no_event_is_changed_or_deleted(post: Post, event: Record, db: Connection, statement: str) -> None:
    """The table refuses it, whoever asks, over the parent as over a partition."""
    post(PATH, event(event_timestamp="1999-01-01T00:00:00Z"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"audit_events\w* is append-only"):
        db.execute(statement)
    assert db.execute("SELECT severity FROM audit_events").fetchall() == [("high",)]


def test_writes_and_reads_are_counted(
    client: httpx.Client, post: Post, event: Record, metric: Callable[..., float]
) -> None:
    """A success, a conflict and a wrong field are counted under the table's and the field's name."""
    sent = event(event_id=str(uuid4()))
    post(PATH, sent)
    client.post(PATH, json={**sent, "severity": "other"})
    client.post(PATH, json=event(event_category="weather"))
    client.get(PATH)
    assert metric("datastorage_write_total", table="audit_events", status="success") == 1
    assert metric("datastorage_write_total", table="audit_events", status="conflict") == 1
    assert metric("datastorage_validation_failures_total", field="event_category", reason="literal_error") == 1
    assert metric("datastorage_query_duration_seconds_count", operation="list_events") == 1
