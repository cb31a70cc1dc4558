"""The service's own metrics: what was asked, how it ended, and what it cost Postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

Metric = Callable[..., float]
CALLS = {
    "incidents": "incidents",
    "context/query": "incidents",
    "aggregations/success-rate?workflow_id=x": "success_rate",
    "aggregations/namespaces": "namespaces",
    "aggregations/severity": "severity",
    "aggregations/trend": "trend",
    "aggregations/top-failing-actions": "top_failing_actions",
    "aggregations/actions": "actions",
    "aggregations/namespace-health?namespace=x": "namespace_health",
}


@pytest.mark.parametrize(("path", "kind"), CALLS.items())
def test_a_call_is_counted_and_the_second_costs_no_query(
    client: httpx.Client, metric: Metric, path: str, kind: str
) -> None:
    """By type and status; the answer is kept, and the same."""
    first, second = (client.get(f"/api/v1/{path}").json() for _ in range(2))
    assert first == second
    assert metric("context_api_queries_total", type=kind, status="success") == 2
    assert metric("context_api_query_duration_seconds_count", type=kind) == 2
    assert metric("context_api_database_queries_total", type=kind) == 1
    assert metric("context_api_cache_misses_total") == 1


def test_a_search_is_counted_too(client: httpx.Client, metric: Metric) -> None:
    """By text and by vector, which are two questions."""
    for body in ({"query": "x"}, {"query": "x"}, {"embedding": [1.0] * 384}):
        assert client.post("/api/v1/incidents/search", json=body).status_code == 200
    assert metric("context_api_queries_total", type="search", status="success") == 3
    assert metric("context_api_database_queries_total", type="search") == 2


def test_what_is_not_found_is_counted_as_that(client: httpx.Client, metric: Metric) -> None:
    """A 404 is an answer, and is asked anew each time."""
    for _ in range(2):
        assert client.get("/api/v1/incidents/7").status_code == 404
    assert metric("context_api_queries_total", type="incident", status="not_found") == 2
    assert metric("context_api_database_queries_total", type="incident") == 2


def test_what_fails_is_counted_as_an_error(client: httpx.Client, metric: Metric, db: psycopg.Connection[Any]) -> None:
    """A 500 is not a success."""
    db.execute("DROP TABLE remediation_audit")
    assert client.get("/api/v1/incidents").status_code == 500
    assert metric("context_api_queries_total", type="incidents", status="error") == 1


def test_labels_are_bounded(client: httpx.Client) -> None:
    """No name that a client sends is one."""
    client.get("/api/v1/incidents", params={"namespace": "sent-by-a-client"})
    client.get("/api/v1/sent-by-a-client")
    assert "sent-by-a-client" not in client.get("/metrics").text
