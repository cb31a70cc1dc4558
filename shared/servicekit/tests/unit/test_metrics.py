"""One observation per request, with bounded labels."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from servicekit import ServiceApp


def _seen(app: ServiceApp) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["method"], sample.labels["path"], sample.labels["status"]): sample.value
        for metric in app.registry.collect()
        for sample in metric.samples
        if sample.name == "http_request_duration_seconds_count"
    }


def test_each_request_is_observed_once_under_its_template(client: httpx.Client, demo: Any) -> None:
    """Ids share a template, unknown paths share `unmatched`, unusual methods share `other`."""
    for number in range(3):
        client.get(f"/items/{number}")
        client.get(f"/nothing/{number}")
        client.request(f"BREW{number}", "/items")
    assert _seen(demo.app) == {
        ("GET", "/items/{number}", "200"): 3,
        ("GET", "unmatched", "404"): 3,
        ("other", "/items", "405"): 3,
    }


def test_errors_are_observed_with_their_status(client: httpx.Client, demo: Any) -> None:
    """An exception and a refused body count like any other answer."""
    client.get("/items")
    client.post("/items", content=b"x" * 2000)
    assert _seen(demo.app) == {("GET", "/items", "500"): 1, ("POST", "unmatched", "413"): 1}


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
def test_metrics_come_in_the_format_that_is_asked_for(client: httpx.Client, accept: str) -> None:
    """Prometheus' text, or OpenMetrics; with the process's own metrics."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
    assert "process_resident_memory_bytes" in answer.text


def test_each_app_has_metrics_of_its_own(make_demo: Any, client: httpx.Client, demo: Any) -> None:
    """Many apps live in one process without seeing each other's requests."""
    client.get("/livez")
    assert len(_seen(demo.app)) == 1
    assert _seen(make_demo().app) == {}
