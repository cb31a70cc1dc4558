"""The metrics by their names, what moves them, and that their labels are bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Metric = Callable[..., float]
TABLE = "remediation_audit"


def test_writes_are_counted_by_outcome(client: httpx.Client, add: Record, record: Record, metric: Metric) -> None:
    """A success, a conflict and a row without a vector are told apart."""
    add(remediation_request_id="one")
    assert client.post(PATH, json=record(remediation_request_id="one")).status_code == 409
    add(embedding=None)
    assert metric("datastorage_write_total", table=TABLE, status="success") == 2
    assert metric("datastorage_write_total", table=TABLE, status="conflict") == 1
    assert metric("datastorage_write_duration_seconds_count", table=TABLE) == 3
    assert metric("datastorage_dualwrite_success_total") == 1
    assert metric("datastorage_dualwrite_failure_total", reason="conflict") == 1


def test_reads_are_observed_by_operation(client: httpx.Client, metric: Metric) -> None:
    """Each of the three reads is observed under its own name, also when it finds nothing."""
    client.get(PATH)
    client.get(f"{PATH}/1")
    client.post(f"{PATH}/search", json={"query": "x"})
    for operation in ("list", "get", "search"):
        assert metric("datastorage_query_duration_seconds_count", operation=operation) == 1


def test_wrong_fields_are_counted_and_their_labels_are_bounded(
    client: httpx.Client, record: Record, metric: Metric
) -> None:
    """A field is counted by its name and pydantic's reason; names that clients make up all count as `unknown`."""
    client.post(PATH, json=record(phase="x", name=""))
    for made_up in ("a", "b", "c"):
        client.post(PATH, json=record(**{made_up: 1}))
    assert metric("datastorage_validation_failures_total", field="phase", reason="literal_error") == 1
    assert metric("datastorage_validation_failures_total", field="name", reason="string_too_short") == 1
    assert metric("datastorage_validation_failures_total", field="unknown", reason="extra_forbidden") == 3


def test_http_requests_are_observed_once_under_the_template(client: httpx.Client, metric: Metric) -> None:
    """Many ids are one path, many unknown paths are `unmatched`, and each request counts once."""
    for number in range(1, 4):
        client.get(f"{PATH}/{number}")
        client.get(f"/no/such/{number}")
        client.request("PROPFIND", "/livez")
    name = "http_request_duration_seconds_count"
    assert metric(name, method="GET", path=f"{PATH}/{{id}}", status="404") == 3
    assert metric(name, method="GET", path="unmatched", status="404") == 3
    assert metric(name, method="other", path="/livez", status="405") == 3
