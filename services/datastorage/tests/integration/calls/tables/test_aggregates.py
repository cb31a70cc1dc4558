"""Counts of incidents against plain Python over the same rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import httpx
import psycopg
import pytest

PATH = "/api/v1/aggregate"
Record = Callable[..., dict[str, Any]]
Row = dict[str, Any]
COLUMNS = (
    *("action_id", "correlation_id", "action_timestamp", "namespace", "cluster_name", "environment"),
    *("signal_name", "signal_severity", "signal_fingerprint", "action_type", "execution_status"),
)


@pytest.fixture
def rows(db: psycopg.Connection[Any], trace: Record) -> list[Row]:
    """Fill the table with 300 traces of the last 100 days, three at the edges of yesterday; give them."""
    chance = random.Random(9)  # noqa: S311 - the same rows in every run
    midnight = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    moments = [midnight, midnight - timedelta(microseconds=1), midnight - timedelta(days=1)]
    moments += [midnight - timedelta(hours=chance.uniform(0, 24 * 100)) for _ in range(297)]
    made = [
        trace(
            action_timestamp=moment,
            namespace=chance.choice(["payments", "checkout", "search"]),
            signal_severity=chance.choice(["critical", "high", "low", "low"]),
        )
        for moment in moments
    ]
    with db.cursor() as cursor, cursor.copy(f"COPY resource_action_traces ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in made:
            copy.write_row([row[name] for name in COLUMNS])
    return made


@pytest.mark.parametrize(("name", "column"), [("namespace", "namespace"), ("severity", "signal_severity")])
def test_incidents_are_counted(client: httpx.Client, rows: list[Row], name: str, column: str) -> None:
    """By namespace and by severity, those with the most incidents first, equal ones by name."""
    counted = sorted(Counter(row[column] for row in rows).items(), key=lambda each: (-each[1], each[0]))
    answer = client.get(f"{PATH}/by-{name}")
    assert answer.status_code == 200
    assert answer.json() == {"data": [{name: value, "count": count} for value, count in counted]}


@pytest.mark.parametrize("period", ["7d", "30d", "90d"])
def test_the_trend_has_every_day_of_its_period(client: httpx.Client, rows: list[Row], period: str) -> None:
    """Oldest first, today last, days in UTC; a day without incidents has 0."""
    counted = Counter(row["action_timestamp"].date() for row in rows)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in reversed(range(int(period[:-1])))]
    answer = client.get(f"{PATH}/trend", params={"period": period}).json()
    assert answer == {"period": period, "data": [{"date": str(day), "count": counted[day]} for day in days]}
    assert {0} < {each["count"] for each in answer["data"]} or period == "7d"


def test_an_empty_store_counts_nothing(client: httpx.Client) -> None:
    """No incidents are no namespaces, no severities, and seven days of 0."""
    assert client.get(f"{PATH}/by-namespace").json() == {"data": []}
    assert client.get(f"{PATH}/by-severity").json() == {"data": []}
    assert [each["count"] for each in client.get(f"{PATH}/trend").json()["data"]] == [0] * 7


@pytest.mark.parametrize("asked", [{"period": "8d"}, {"perod": "7d"}])
def test_a_wrong_question_is_told(client: httpx.Client, asked: dict[str, str]) -> None:
    """Another period, and a parameter that is none, are 400 by name."""
    answer = client.get(f"{PATH}/trend", params=asked)
    assert answer.status_code == 400
    assert answer.json()["field_errors"].keys() == asked.keys()


def test_reads_are_counted_by_operation(client: httpx.Client, metric: Callable[..., float]) -> None:
    """Each of the six calls that count is observed under its own name."""
    client.get(f"{PATH}/by-namespace")
    client.get(f"{PATH}/by-severity")
    client.get(f"{PATH}/trend")
    client.get("/api/v1/success-rate/incident-type", params={"incident_type": "x"})
    client.get("/api/v1/success-rate/playbook", params={"playbook_id": "x"})
    client.get("/api/v1/success-rate/multi-dimensional", params={"action_type": "x"})
    for operation in (
        *("aggregate_by_namespace", "aggregate_by_severity", "aggregate_trend"),
        *("success_rate_incident_type", "success_rate_playbook", "success_rate_multi_dimensional"),
    ):
        assert metric("datastorage_query_duration_seconds_count", operation=operation) == 1
