"""Listing and reading incidents: every filter, every edge of the parameters, every refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from contextapi.models import Incident

PATH = "/api/v1/incidents"
Add = Callable[..., int]
BOTH = pytest.mark.parametrize("path", [PATH, "/api/v1/context/query"])


def ids(client: httpx.Client, path: str = PATH, **parameters: Any) -> list[int]:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["incidents"]]


@BOTH
def test_nothing_stored_is_an_empty_page(client: httpx.Client, path: str) -> None:
    """200 with no incidents and a total of 0, the defaults said."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"incidents": [], "total": 0, "limit": 10, "offset": 0}


@BOTH
def test_an_incident_has_every_field(client: httpx.Client, add: Add, path: str) -> None:
    """All nineteen, with times in UTC; the vector is not handed out."""
    number = add(start_time="2026-11-21T11:00:00+01:00", metadata={"tries": 2, "日": [None, True]}, error_message="x")
    (found,) = client.get(path).json()["incidents"]
    assert list(found) == list(Incident.model_fields)
    assert len(found) == 19
    made = {name: found.pop(name) for name in ("created_at", "updated_at")}
    assert made["created_at"] == made["updated_at"]
    assert made["created_at"].endswith("Z")
    assert found == {
        "id": number,
        "name": "restart-payment-api",
        "signal_fingerprint": "0f3a9c",
        "remediation_request_id": "request-1",
        "namespace": "payments",
        "cluster_name": "eu-1",
        "environment": "production",
        "target_resource": "deployment/payment-api",
        "phase": "completed",
        "status": "success",
        "severity": "critical",
        "action_type": "restart_pod",
        "start_time": "2026-11-21T10:00:00Z",
        "end_time": "2026-11-21T10:00:30Z",
        "duration": 30_000,
        "error_message": "x",
        "metadata": {"tries": 2, "日": [None, True]},
    }


def test_what_an_incident_does_not_have_is_null(client: httpx.Client, add: Add) -> None:
    """One that runs has no end, no duration and no error."""
    number = add(phase="processing", end_time=None, duration=None)
    found = client.get(f"{PATH}/{number}").json()
    assert (found["end_time"], found["duration"], found["error_message"]) == (None, None, None)


def test_incidents_come_newest_start_first(client: httpx.Client, add: Add) -> None:
    """And of one start, the one stored last first."""
    old, new, newer, twin = (
        add(start_time=f"2026-11-{day}T10:00:00Z", end_time=None) for day in ("01", "20", "21", "20")
    )
    assert ids(client) == [newer, twin, new, old]


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("namespace", "payments", "checkout"),
        ("phase", "pending", "completed"),
        ("phase", "processing", "failed"),
        ("phase", "completed", "failed"),
        ("phase", "failed", "completed"),
        ("status", "success", "failure"),
        ("severity", "critical", "info"),
        ("severity", "warning", "critical"),
        ("severity", "info", "warning"),
    ],
)
def test_a_filter_finds_its_value_and_no_other(
    client: httpx.Client, add: Add, name: str, value: str, other: str
) -> None:
    """Each of the four, with each value that has a name."""
    sought, _ = add(**{name: value}), add(**{name: other})
    assert ids(client, **{name: value}) == [sought]
    assert client.get(PATH, params={name: value}).json()["total"] == 1


def test_filters_are_all_to_match(client: httpx.Client, add: Add) -> None:
    """One that matches three of four is not found."""
    right = {"namespace": "payments", "phase": "failed", "status": "failure", "severity": "warning"}
    for name in right:
        add(**{**right, name: {"phase": "pending", "severity": "info"}.get(name, "other")})
    number = add(**right)
    assert ids(client, **right) == [number]


def test_a_severity_that_only_datastorage_knows_is_listed(client: httpx.Client, add: Add) -> None:
    """The three are what may be asked for; what was stored is told as it is."""
    add(severity="high")
    assert [each["severity"] for each in client.get(PATH).json()["incidents"]] == ["high"]


def test_pages_cover_everything_once(client: httpx.Client, add: Add) -> None:
    """Whatever the limit, and beyond the end there is an empty page with the same total."""
    stored = [add(start_time=f"2026-11-21T10:00:{second:02}Z", end_time=None) for second in range(7)]
    for limit in (1, 3, 7, 100):
        pages = [ids(client, limit=limit, offset=offset) for offset in range(0, 7, limit)]
        assert [number for page in pages for number in page] == stored[::-1]
    beyond = client.get(PATH, params={"limit": 3, "offset": 2**53 - 1}).json()
    assert beyond == {"incidents": [], "total": 7, "limit": 3, "offset": 2**53 - 1}


@BOTH
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "101"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", ""),
        ("limit", "9" * 5000),
        ("offset", "-1"),
        ("offset", "x"),
        ("offset", str(2**53)),
        ("phase", "done"),
        ("phase", ""),
        ("phase", "COMPLETED"),
        ("severity", "high"),
        ("severity", ""),
        ("status", ""),
        ("status", "x" * 51),
        ("namespace", ""),
        ("namespace", " "),
        ("namespace", "x" * 256),
        ("namespace", "a\0b"),
        ("namespace", "<b></b>"),
        ("name", "x"),
    ],
)
def test_a_parameter_that_does_not_parse_is_named(client: httpx.Client, path: str, name: str, value: str) -> None:
    """400 as a problem, with the one wrong field; an unknown parameter is wrong too."""
    answer = client.get(path, params={name: value})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["field_errors"]) == [name]


def test_every_wrong_parameter_is_named_at_once(client: httpx.Client) -> None:
    """Not only the first."""
    answer = client.get(PATH, params={"limit": 0, "offset": -1, "phase": "x", "severity": "y"})
    assert set(answer.json()["field_errors"]) == {"limit", "offset", "phase", "severity"}


@pytest.mark.parametrize(
    "value",
    [
        "日本語-\U0001f680",
        "zażółć",
        "e\u0301",
        "'; DROP TABLE remediation_audit; --",
        '" OR 1=1 --',
        "%",
        "_",
        "a\\b",
        "%(limit)s",
        "{0}",
        "x" * 255,
        "a&b=c#d?e/f+g h",
        "null",
    ],
)
def test_any_text_is_only_compared(client: httpx.Client, add: Add, value: str) -> None:
    """Unicode, injection, patterns and very long names find themselves and nothing else."""
    add(namespace="another")
    number = add(namespace=value)
    assert ids(client, namespace=value) == [number]
    assert ids(client, namespace=value[:-1] + "~") == []
    assert client.get(PATH).json()["total"] == 2


def test_the_last_of_a_repeated_parameter_counts(client: httpx.Client, add: Add) -> None:
    """In the filter and in the page, so that nobody is answered for the other value."""
    add(namespace="one")
    two = add(namespace="two")
    answer = client.get(f"{PATH}?namespace=one&namespace=two&limit=3&limit=4").json()
    assert ([each["id"] for each in answer["incidents"]], answer["limit"]) == ([two], 4)


def test_one_incident_is_read_by_its_id(client: httpx.Client, add: Add) -> None:
    """With the same fields as in the list."""
    number = add()
    answer = client.get(f"{PATH}/{number}")
    assert answer.status_code == 200
    assert answer.json() == client.get(PATH).json()["incidents"][0]


@pytest.mark.parametrize("number", ["1", "999999", str(2**53 - 1)])
def test_an_id_that_nothing_has_is_404(client: httpx.Client, number: str) -> None:
    """Named in the problem; and as it may come, it is not kept."""
    answer = client.get(f"{PATH}/{number}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert number in answer.json()["detail"]


def test_an_incident_that_comes_is_found_at_once(client: httpx.Client, add: Add) -> None:
    """A 404 just before does not hide it."""
    assert client.get(f"{PATH}/1").status_code == 404
    assert client.get(f"{PATH}/{add()}").status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "1e3", str(2**53), "9" * 5000, quote("1 OR 1=1"), "%00"])
def test_what_is_no_id_is_400(client: httpx.Client, number: str) -> None:
    """As a problem that names it."""
    answer = client.get(f"{PATH}/{number}")
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["id"]
