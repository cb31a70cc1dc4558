"""Batches of events: all or nothing, and what is wrong is told with its index."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

PATH = "/api/v1/audit/events/batch"
ONE = "/api/v1/audit/events"
Record = Callable[..., dict[str, Any]]
Post = Callable[[str, Any], Any]
Connection = psycopg.Connection[Any]


@pytest.fixture
def stored(db: Connection) -> Callable[[], list[str]]:
    """Give a function that reads the ids that are really in the table."""

    def ids() -> list[str]:
        return [str(row[0]) for row in db.execute("SELECT event_id FROM audit_events").fetchall()]

    return ids


def test_a_batch_is_stored_in_its_order(post: Post, event: Record, stored: Callable[[], list[str]]) -> None:
    """Ids are answered in the order of the events, given ones and made ones."""
    given = str(uuid4())
    ids = post(PATH, [event(), event(event_id=given), event(event_timestamp="2020-01-01T00:00:00Z")])["event_ids"]
    assert ids[1] == given
    assert sorted(stored()) == sorted(ids)


def test_one_wrong_event_stores_none(client: httpx.Client, event: Record, stored: Callable[[], list[str]]) -> None:
    """Every wrong field of every wrong event is told with the event's index, and nothing is stored."""
    batch = [event(), event(event_outcome="maybe", duration_ms="1"), event(), {}]
    answer = client.post(PATH, json=batch)
    assert answer.status_code == 400
    errors = answer.json()["field_errors"]
    assert {name for name in errors if name.startswith("1.")} == {"1.event_outcome", "1.duration_ms"}
    assert len([name for name in errors if name.startswith("3.")]) == 10
    assert len(errors) == 12
    for name, said in errors.items():
        assert said.startswith(f"event at index {name.partition('.')[0]}: ")
    assert stored() == []


def test_an_event_that_is_no_object_is_told_with_its_index(client: httpx.Client, event: Record) -> None:
    """A number among the events is named by where it stands."""
    answer = client.post(PATH, json=[event(), 7])
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["1"]
    assert answer.json()["field_errors"]["1"].startswith("event at index 1: ")


def test_a_taken_id_stores_none(
    client: httpx.Client, post: Post, event: Record, stored: Callable[[], list[str]]
) -> None:
    """Where one of the ids belongs to another event, 409 names it and the whole batch is undone."""
    taken = str(uuid4())
    post(ONE, event(event_id=taken))
    answer = client.post(PATH, json=[event(), event(event_id=taken, event_outcome="failure")])
    assert answer.status_code == 409
    assert (answer.json()["field"], answer.json()["value"]) == ("event_id", taken)
    assert stored() == [taken]


def test_a_failing_server_stores_none(
    client: httpx.Client, event: Record, db: Connection, stored: Callable[[], list[str]]
) -> None:
    """An error at the last row of the transaction undoes the rows before it."""
    db.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER fail BEFORE INSERT ON audit_events FOR EACH ROW WHEN (NEW.severity = 'last')"
        " EXECUTE FUNCTION fail()"
    )
    assert client.post(PATH, json=[event(), event(), event(severity="last")]).status_code == 500
    assert stored() == []


def test_a_repeated_batch_is_stored_once(post: Post, event: Record, stored: Callable[[], list[str]]) -> None:
    """The same batch again is answered as before; one that has a known event and a new one adds the new one."""
    batch = [event(event_id=str(uuid4())) for _ in range(3)]
    assert post(PATH, batch) == post(PATH, batch)
    new = event(event_id=str(uuid4()))
    post(PATH, [batch[0], new])
    assert sorted(stored()) == sorted(each["event_id"] for each in [*batch, new])


def test_batches_of_the_same_events_do_not_wait_for_each_other_in_a_circle(
    client: httpx.Client, event: Record, stored: Callable[[], list[str]]
) -> None:
    """Ten at once, half of them in the opposite order: no deadlock, each is answered 201, all is stored once."""
    batch = [event(event_id=str(uuid4())) for _ in range(100)]
    orders = [batch, batch[::-1]] * 5
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda sent: client.post(PATH, json=sent), orders))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert sorted(stored()) == sorted(each["event_id"] for each in batch)


def test_an_id_twice_in_a_batch_is_told(client: httpx.Client, event: Record, stored: Callable[[], list[str]]) -> None:
    """Both indices are in the message."""
    own = str(uuid4())
    answer = client.post(PATH, json=[event(event_id=own), event(), event(event_id=own.upper())])
    assert answer.status_code == 400
    assert answer.json()["field_errors"] == {"body": "event at index 2: its event_id is that of index 0 too"}
    assert stored() == []


def test_a_batch_has_one_to_a_thousand_events(
    client: httpx.Client, event: Record, stored: Callable[[], list[str]]
) -> None:
    """None and 1001 are refused, 1000 are stored."""
    batch = [event(event_data={}) for _ in range(1001)]
    assert client.post(PATH, json=[]).status_code == 400
    assert client.post(PATH, json=batch).status_code == 400
    assert stored() == []
    assert client.post(PATH, json=batch[:1000]).status_code == 201
    assert len(stored()) == 1000


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b'"text"'], ids=str)
def test_a_body_that_is_no_array_is_400(client: httpx.Client, body: bytes) -> None:
    """Empty, broken and other JSON is the client's error."""
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["body"]


def test_wrong_fields_are_counted_by_their_names(
    client: httpx.Client, event: Record, metric: Callable[..., float]
) -> None:
    """The index is no part of the label, so labels stay bounded."""
    client.post(PATH, json=[event(event_outcome="maybe"), event(event_outcome="perhaps")])
    assert metric("datastorage_validation_failures_total", field="event_outcome", reason="literal_error") == 2
