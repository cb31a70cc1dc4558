"""The calls on remediations, row by row of the table in the README, with what each refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]


def _names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["data"]]


def test_a_running_remediation_needs_no_end(add: Record) -> None:
    """end_time, duration, error_message and metadata may be left out; the answer has them empty."""
    stored = add(phase="processing", end_time=None, duration=None)
    assert (stored["end_time"], stored["duration"], stored["error_message"], stored["metadata"]) == (
        None,
        None,
        None,
        {},
    )


def test_the_list_is_newest_first_and_stable(client: httpx.Client, add: Record) -> None:
    """Rows come by start_time, newest first, and rows of one time by id, so pages never overlap."""
    for name, hour in (("old", 8), ("new", 10), ("middle", 9), ("new too", 10)):
        add(name=name, start_time=f"2026-11-21T{hour:02}:00:00Z", end_time=None)
    assert _names(client.get(PATH)) == ["new too", "new", "middle", "old"]
    pages = [_names(client.get(PATH, params={"limit": 1, "offset": offset})) for offset in range(4)]
    assert pages == [["new too"], ["new"], ["middle"], ["old"]]


@pytest.mark.parametrize(
    "asked",
    [
        {"namespace": "wanted"},
        {"status": "wanted"},
        {"phase": "failed"},
        {"severity": "wanted"},
        {"since": "2026-11-21T12:00:00Z", "until": "2026-11-21T12:00:01Z"},
        {"namespace": "wanted", "status": "wanted", "phase": "failed", "severity": "wanted"},
    ],
    ids="+".join,
)
def test_each_filter_finds_what_matches_and_no_more(client: httpx.Client, add: Record, asked: dict[str, str]) -> None:
    """A filter, alone or with others, gives the one row that matches, and the total counts only it."""
    at = "2026-11-21T12:00:00Z"
    wanted = {"namespace": "wanted", "status": "wanted", "severity": "wanted", "phase": "failed", "start_time": at}
    add(name="other", end_time=None)
    add(name="hit", end_time=None, **wanted)
    answer = client.get(PATH, params=asked)
    assert _names(answer) == ["hit"]
    assert answer.json()["pagination"]["total"] == 1


def test_since_is_inclusive_and_until_is_not(client: httpx.Client, add: Record) -> None:
    """A row that starts at the moment is after `since` and not before `until`, whatever the offset is written as."""
    add(name="noon", start_time="2026-11-21T12:00:00Z", end_time=None)
    assert _names(client.get(PATH, params={"since": "2026-11-21T13:00:00+01:00"})) == ["noon"]
    assert _names(client.get(PATH, params={"until": "2026-11-21T13:00:00+01:00"})) == []


def test_a_page_past_the_end_is_empty_and_has_the_total(client: httpx.Client, add: Record) -> None:
    """The total comes from counting, not from the page."""
    add()
    answer = client.get(PATH, params={"offset": 50, "limit": 10}).json()
    assert answer == {"data": [], "pagination": {"limit": 10, "offset": 50, "total": 1}}


def test_an_empty_store_lists_nothing(client: httpx.Client) -> None:
    """No rows are an empty page with total 0, and an empty search."""
    assert client.get(PATH).json() == {"data": [], "pagination": {"limit": 100, "offset": 0, "total": 0}}
    assert client.post(f"{PATH}/search", json={"query": "anything"}).json() == {"data": []}


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001", "offset": "-1"}, "limit offset"),
        ({"offset": str(2**53)}, "offset"),
        ({"phase": "done"}, "phase"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-21T10:00:00"}, "since"),
        ({"since": "2026-11-21T10:00:00Z", "until": "2026-11-21T10:00:00Z"}, "until"),
        ({"namespace": "a\0b"}, "namespace"),
        ({"namespce": "typo"}, "namespce"),
    ],
)
def test_a_wrong_filter_is_told(client: httpx.Client, asked: dict[str, str], wrong: str) -> None:
    """Limits, times without an offset, empty spans and names that are no filter give 400 with the parameter."""
    answer = client.get(PATH, params=asked)
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong.split())


@pytest.mark.parametrize(("number", "status"), [("1", 404), (2**53 - 1, 404), ("0", 400), ("x", 400), (2**53, 400)])
def test_an_id_that_is_not_there_or_is_none(client: httpx.Client, number: object, status: int) -> None:
    """An id that no row has is 404; what cannot be an id is 400 and never reaches the database."""
    answer = client.get(f"{PATH}/{number}")
    assert answer.status_code == status
    assert ("field_errors" in answer.json()) == (status == 400)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        pytest.param({}, "body", id="neither"),
        pytest.param({"query": "x", "embedding": [1.0] * 384}, "body", id="both"),
        pytest.param({"query": ""}, "query", id="empty text"),
        pytest.param({"query": "x", "limit": 0}, "limit", id="no rows"),
        pytest.param({"query": "x", "limit": 101, "threshold": 1.5}, "limit threshold", id="too much"),
        pytest.param({"query": "x", "limit": "10"}, "limit", id="limit as text"),
        pytest.param({"embedding": [0.0] * 384}, "embedding", id="all zero"),
        pytest.param({"embedding": [1.0] * 383 + ["1"]}, "embedding", id="a number as text"),
        pytest.param({"embedding": [1e39] * 384}, "embedding", id="beyond single precision"),
        pytest.param({"embedding": "[1]"}, "embedding", id="no array"),
        pytest.param({"query": "x", "namspace": "typo"}, "namspace", id="typo"),
    ],
)
def test_a_wrong_search_is_told(client: httpx.Client, body: dict[str, Any], wrong: str) -> None:
    """A search needs one of text and vector, and its limits hold."""
    answer = client.post(f"{PATH}/search", json=body)
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == set(wrong.split())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start_time": "2026-11-21"}, "start_time"),
        ({"start_time": 1_700_000_000}, "start_time"),
        ({"end_time": "2026-11-21T09:59:59Z"}, "end_time"),
        ({"duration": -1}, "duration"),
        ({"duration": 2**53}, "duration"),
        ({"duration": "30"}, "duration"),
        ({"name": 7}, "name"),
        ({"name": " \t"}, "name"),
        ({"embedding": [1, 2]}, "embedding"),
        ({"naem": "typo"}, "naem"),
    ],
    ids=str,
)
def test_a_wrong_field_is_told(client: httpx.Client, record: Record, changes: dict[str, Any], said: str) -> None:
    """Times without an offset or as numbers, ends before starts, numbers as text, typos: each is 400."""
    answer = client.post(PATH, json=record(**changes))
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == [said]


@pytest.mark.parametrize("field", ["name", "metadata", "error_message"])
def test_half_a_character_is_told(client: httpx.Client, record: Record, field: str) -> None:
    """A lone surrogate, which JSON can spell and UTF-8 cannot, is the client's error."""
    value = {"a": "HALF"} if field == "metadata" else "HALF"
    body = client.build_request("POST", PATH, json=record(**{field: value})).content.replace(b"HALF", b"\\ud800")
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert {name.partition(".")[0] for name in answer.json()["field_errors"]} == {field}


def test_all_wrong_fields_are_told_at_once(client: httpx.Client, record: Record) -> None:
    """Five wrong fields are five messages in one answer."""
    wrong = {"name": "", "phase": "x", "start_time": "x", "duration": -1, "embedding": [1.0]}
    answer = client.post(PATH, json=record(**wrong))
    assert set(answer.json()["field_errors"]) == set(wrong)
