"""The metrics by their names, what moves them, and that their labels are bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
SERVICE = Path(__file__).parents[3]
Json = dict[str, Any]
Make = Callable[..., Json]
Metric = Callable[..., float]


def test_signals_are_counted_by_what_became_of_them(
    client: httpx.Client, alert: Make, event: Make, metric: Metric
) -> None:
    """Received by type and severity; created, deduplicated and resolved by type."""
    for _ in range(3):
        client.post(PROMETHEUS, json=alert())
    client.post(PROMETHEUS, json=alert(status="resolved"))
    client.post(EVENT, json=event(reason="BackOff"))
    assert metric("gateway_alerts_received_total", type="prometheus-alert", severity="critical") == 4
    assert metric("gateway_alerts_received_total", type="kubernetes-event", severity="warning") == 1
    assert metric("gateway_crd_created_total", type="prometheus-alert") == 1
    assert metric("gateway_crd_created_total", type="kubernetes-event") == 1
    assert metric("gateway_alerts_deduplicated_total", type="prometheus-alert") == 2
    assert metric("gateway_alerts_resolved_total", type="prometheus-alert") == 1


def test_every_signal_is_observed_once(client: httpx.Client, alert: Make, metric: Metric) -> None:
    """The histogram has one observation a signal, by result."""
    sent = alert("a")
    sent["alerts"] += alert("b")["alerts"] + alert("a")["alerts"]
    client.post(PROMETHEUS, json=sent)
    name = "gateway_processing_duration_seconds_count"
    assert metric(name, result="created") == 2
    assert metric(name, result="duplicate") == 1


def test_what_is_turned_away_is_counted(client: httpx.Client, alert: Make, metric: Metric) -> None:
    """A signal without a name is counted as invalid, and as nothing else."""
    client.post(PROMETHEUS, json=alert(labels={"alertname": None}))
    assert metric("gateway_rejected_total", reason="invalid") == 1
    assert "gateway_alerts_received_total{" not in client.get("/metrics").text


def test_made_up_names_make_no_series(client: httpx.Client, alert: Make) -> None:
    """Whatever a sender writes, the number of series stays."""

    def send(number: int) -> int:
        sent = alert(labels={"severity": f"s{number}", "alertname": f"A{number}", "namespace": f"n{number}"})
        assert [client.post(PROMETHEUS, json=sent).status_code for _ in range(2)] == [201, 202]
        lines = client.get("/metrics").text.splitlines()
        return len([line for line in lines if line.startswith(("gateway_alerts", "gateway_crd", "gateway_processing"))])

    first = send(0)
    assert {send(number) for number in range(1, 8)} == {first}


def test_the_size_of_the_index_is_told(
    client: httpx.Client, alert: Make, metric: Metric, eventually: Callable[..., None]
) -> None:
    """Three problems are three known resources."""
    for pod in "abc":
        client.post(PROMETHEUS, json=alert(pod))
    eventually("three are known", lambda: metric("gateway_index_size") == 3)


@pytest.mark.parametrize("folder", ["alerts", "dashboards"])
def test_rules_and_dashboard_ask_for_metrics_there_are(client: httpx.Client, folder: str) -> None:
    """Every metric of ours that the files of the service name is one that it has."""
    families = set(re.findall(r"^# TYPE (\S+) ", client.get("/metrics").text, re.MULTILINE))
    known = families | {f"{name}_{part}" for name in families for part in ("bucket", "count", "sum")}
    files = sorted((SERVICE / folder).iterdir())
    asked = {name for file in files for name in re.findall(r"\b(?:gateway|http)_[a-z_]+", file.read_text())}
    assert asked
    assert asked - known == set()
