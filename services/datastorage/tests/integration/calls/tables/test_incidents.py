"""Traces of actions: written, refused, read as incidents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

WRITE, READ = "/api/v1/action-traces", "/api/v1/incidents"
Record = Callable[..., dict[str, Any]]
Post = Callable[[str, Any], Any]
Connection = psycopg.Connection[Any]
REQUIRED = {
    *("action_id", "correlation_id", "action_timestamp", "namespace", "cluster_name", "environment"),
    *("signal_name", "signal_severity", "signal_fingerprint", "action_type", "execution_status"),
}


def test_a_trace_is_stored_and_read_back(client: httpx.Client, trace: Record) -> None:
    """The answer is the full record and where it is; by id and in the list it is the same."""
    sent = trace()
    answer = client.post(WRITE, json=sent)
    stored = answer.json()
    assert answer.status_code == 201, answer.text
    assert {name: stored[name] for name in sent} == sent
    assert stored.keys() - sent.keys() == {"id", "embedded"}
    assert client.get(answer.headers["Location"]).json() == stored
    assert client.get(READ).json() == {"data": [stored], "pagination": {"limit": 100, "offset": 0, "total": 1}}


def test_what_may_be_unknown_may_be_left_out(post: Post, trace: Record) -> None:
    """The required fields alone make a trace; no AI took part in it, and it has a vector of its text."""
    stored = post(WRITE, {name: value for name, value in trace().items() if name in REQUIRED})
    assert (stored["ai_selected"], stored["ai_chained"], stored["ai_manual_escalation"]) == (False, False, False)
    assert (stored["labels"], stored["embedded"]) == ({}, True)
    assert {name for name, value in stored.items() if value is None} == {
        *("execution_error", "incident_type", "playbook_id", "playbook_version", "model_confidence")
    }


@pytest.mark.parametrize(
    ("given", "embedded"), [({}, True), ({"embedding": [1.0] * 384}, True), ({"embedding": None}, False)]
)
def test_row_and_vector_are_written_together(
    post: Post, trace: Record, db: Connection, given: dict[str, Any], embedded: bool
) -> None:
    """Left out, the vector is made; given, it is stored; null, there is none."""
    assert post(WRITE, trace(**given))["embedded"] is embedded
    assert db.execute("SELECT embedding IS NOT NULL FROM resource_action_traces").fetchall() == [(embedded,)]


def test_a_repeated_trace_is_refused(client: httpx.Client, post: Post, trace: Record, db: Connection) -> None:
    """409 names the action; at another time the action is another step, and is stored."""
    post(WRITE, trace(action_id="twice"))
    answer = client.post(WRITE, json=trace(action_id="twice"))
    assert answer.status_code == 409
    assert (answer.json()["field"], answer.json()["value"]) == ("action_id", "twice")
    post(WRITE, trace(action_id="twice", action_timestamp="2026-11-20T10:05:00Z"))
    assert db.execute("SELECT count(*) FROM resource_action_traces").fetchone() == (2,)


def test_missing_fields_are_all_told(client: httpx.Client) -> None:
    """An empty trace gives 400 with every required field at once."""
    answer = client.post(WRITE, json={})
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == REQUIRED


def test_wrong_fields_are_all_told(client: httpx.Client, trace: Record, db: Connection) -> None:
    """Lengths, enumerations, flags, fractions, labels, vectors and typos are told at once, and nothing is stored."""
    wrong: dict[str, Any] = {
        "action_id": "x" * 65,
        "namespace": "x" * 254,
        "signal_name": "x" * 201,
        "action_type": "x" * 51,
        "playbook_id": "x" * 65,
        "execution_status": "done",
        "action_timestamp": 1_700_000_000,
        "ai_selected": "yes",
        "model_confidence": 1.001,
        "labels": ["no object"],
        "embedding": [0.1, 0.2, 0.3],
        "playbok": "typo",
    }
    answer = client.post(WRITE, json=trace(**wrong))
    assert answer.status_code == 400
    errors = answer.json()["field_errors"]
    assert set(errors) == set(wrong)
    assert errors["embedding"] == "expected 384 dimensions, got 3"
    assert db.execute("SELECT count(*) FROM resource_action_traces").fetchone() == (0,)


def test_a_version_needs_its_playbook(client: httpx.Client, trace: Record) -> None:
    """A version of no playbook is told as such."""
    answer = client.post(WRITE, json=trace(playbook_id=None))
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["playbook_version"]


def test_a_confidence_is_kept_to_three_decimals(client: httpx.Client, post: Post, trace: Record) -> None:
    """What is answered is what is stored."""
    stored = post(WRITE, trace(model_confidence=0.66666))
    assert stored["model_confidence"] == 0.667
    assert client.get(f"{READ}/{stored['id']}").json() == stored


def test_markup_goes_and_text_stays(post: Post, trace: Record) -> None:
    """Scripts are taken out of texts and labels, SQL is data."""
    stored = post(WRITE, trace(execution_error="<script>x</script>DROP failed", labels={"a": "<b>1</b>"}))
    assert (stored["execution_error"], stored["labels"]) == ("DROP failed", {"a": "1"})


@pytest.mark.parametrize("moment", ["1066-10-14T09:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_trace_of_any_year_is_stored(client: httpx.Client, trace: Record, db: Connection, moment: str) -> None:
    """A time without a partition of its own lands in the default one and is read like any other."""
    answer = client.post(WRITE, json=trace(action_timestamp=moment))
    assert client.get(answer.headers["Location"]).json()["action_timestamp"] == moment
    assert db.execute("SELECT count(*) FROM resource_action_traces_default").fetchone() == (1,)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("namespace", "namespace"),
        ("signal_name", "signal_name"),
        ("severity", "signal_severity"),
        ("cluster", "cluster_name"),
        ("environment", "environment"),
        ("action_type", "action_type"),
    ],
)
def test_each_filter_finds_what_matches_and_no_more(
    client: httpx.Client, post: Post, trace: Record, name: str, column: str
) -> None:
    """A filter gives the one incident that matches, and the total counts only it."""
    post(WRITE, trace())
    hit = post(WRITE, trace(**{column: "wanted"}))
    answer = client.get(READ, params={name: "wanted"}).json()
    assert (answer["data"], answer["pagination"]["total"]) == ([hit], 1)


def test_the_list_is_newest_first_across_months(client: httpx.Client, post: Post, trace: Record) -> None:
    """Incidents of different partitions come in one order, and pages do not overlap; the span has its bounds."""
    months = ["2026-11-02T00:00:00Z", "2025-01-01T00:00:00Z", "2026-12-01T00:00:00Z"]
    for month in months:
        post(WRITE, trace(action_timestamp=month))
    pages = [client.get(READ, params={"limit": 1, "offset": offset}).json()["data"] for offset in range(3)]
    assert [each["action_timestamp"] for page in pages for each in page] == sorted(months, reverse=True)
    span = {"since": "2025-01-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    assert client.get(READ, params=span).json()["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"limit": "1001", "offset": "-1"}, "limit offset"),
        ({"since": "2026-11-21T10:00:00Z", "until": "2026-11-21T10:00:00Z"}, "until"),
        ({"signal_severity": "high"}, "signal_severity"),
        ({"namespace": "x" * 254}, "namespace"),
    ],
)
def test_a_wrong_filter_is_told(client: httpx.Client, asked: dict[str, str], wrong: str) -> None:
    """Every wrong parameter is named."""
    answer = client.get(READ, params=asked)
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong.split())


@pytest.mark.parametrize(("number", "status"), [("1", 404), (2**53 - 1, 404), ("0", 400), ("x", 400), (2**53, 400)])
def test_an_id_that_is_not_there_or_is_none(client: httpx.Client, number: object, status: int) -> None:
    """An id that no incident has is 404, what cannot be an id is 400."""
    assert client.get(f"{READ}/{number}").status_code == status


def test_writes_and_reads_are_counted(
    client: httpx.Client, post: Post, trace: Record, metric: Callable[..., float]
) -> None:
    """Row and vector count as a dual write; each read counts under its own name."""
    stored = post(WRITE, trace(action_id="one"))
    client.post(WRITE, json=trace(action_id="one"))
    client.get(READ)
    client.get(f"{READ}/{stored['id']}")
    table = "resource_action_traces"
    assert metric("datastorage_write_total", table=table, status="success") == 1
    assert metric("datastorage_write_total", table=table, status="conflict") == 1
    assert metric("datastorage_dualwrite_success_total") == 1
    assert metric("datastorage_dualwrite_failure_total", reason="conflict") == 1
    assert metric("datastorage_query_duration_seconds_count", operation="list_incidents") == 1
    assert metric("datastorage_query_duration_seconds_count", operation="get_incident") == 1
