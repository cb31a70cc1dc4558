"""The calls that count, against plain Python over generated incidents."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/api/v1/aggregations"
Add = Callable[..., int]
Json = dict[str, Any]
PHASES = ("pending", "processing", "completed", "failed")
NOW = datetime.now(UTC)
COLUMNS = ("name", "namespace", "phase", "severity", "action_type", "start_time", "duration")
MANY = 10_000

INCIDENT = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["restart", "scale", "日本"]),
        "namespace": st.sampled_from(["payments", "checkout", "a'b"]),
        "phase": st.sampled_from(PHASES),
        "severity": st.sampled_from(["critical", "warning", "info", "high"]),
        "action_type": st.sampled_from(["restart_pod", "scale_up", "drain"]),
        "start_time": st.integers(-400 * 24, 48).map(lambda hours: NOW + timedelta(hours=hours, minutes=7)),
        "duration": st.none() | st.integers(0, 10**7),
    }
)


@pytest.fixture
def fill(db: psycopg.Connection[Any]) -> Callable[[list[Json]], None]:
    """Give a function that makes these incidents all that there are."""

    def replace_all(incidents: list[Json]) -> None:
        with db.transaction(), db.cursor() as cursor:
            cursor.execute("DELETE FROM remediation_audit")
            with cursor.copy(
                "COPY remediation_audit (name, namespace, phase, severity, action_type, start_time, duration, status,"
                " remediation_request_id, signal_fingerprint, environment, cluster_name, target_resource) FROM STDIN"
            ) as copy:
                for number, each in enumerate(incidents):
                    copy.write_row((*(each[name] for name in COLUMNS), "s", str(number), "f", "e", "c", "t"))

    return replace_all


def outcomes(incidents: list[Json]) -> Json:
    phases = Counter(each["phase"] for each in incidents)
    return {"total": len(incidents), "completed": phases["completed"], "failed": phases["failed"]}


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def rate(counted: Json, what: str) -> float:
    return share(counted[what], counted["completed"] + counted["failed"])


def by(incidents: list[Json], name: str) -> dict[str, Json]:
    values = {each[name] for each in incidents}
    return {value: outcomes([each for each in incidents if each[name] == value]) for value in values}


def plain_namespaces(incidents: list[Json]) -> Json:
    rows = [{"namespace": name, **counted} for name, counted in by(incidents, "namespace").items()]
    return {"namespaces": sorted(rows, key=lambda row: (-row["total"], row["namespace"].encode()))}


def plain_severity(incidents: list[Json], namespace: str | None) -> Json:
    counts = Counter(each["severity"] for each in incidents if namespace in (None, each["namespace"]))
    rows = [{"severity": name, "count": count} for name, count in counts.items()]
    rows.sort(key=lambda row: (-int(row["count"]), str(row["severity"])))
    return {"namespace": namespace, "total": counts.total(), "severities": rows}


def plain_trend(incidents: list[Json], days: int, today: Any) -> Json:
    dates = [today - timedelta(days=ago) for ago in reversed(range(days))]
    return {
        "days": days,
        "data": [
            {**outcomes([each for each in incidents if each["start_time"].date() == date]), "date": date.isoformat()}
            for date in dates
        ],
    }


def plain_failing(incidents: list[Json], window: str, hours: int, limit: int) -> Json:
    inside = [each for each in incidents if NOW - timedelta(hours=hours) < each["start_time"] <= NOW]
    rows = [
        {**counted, "action_type": name, "failure_rate": rate(counted, "failed")}
        for name, counted in by(inside, "action_type").items()
        if counted["failed"]
    ]
    rows.sort(key=lambda row: (-row["failed"], row["completed"], row["action_type"]))
    return {"window": window, "actions": rows[:limit]}


def plain_actions(incidents: list[Json]) -> Json:
    rows = [
        {**counted, "success_rate": rate(counted, "completed"), "action_type": name}
        for name, counted in by(incidents, "action_type").items()
    ]
    return {"actions": sorted(rows, key=lambda row: (-row["total"], row["action_type"]))}


def plain_health(incidents: list[Json], namespace: str) -> Json:
    inside = [each for each in incidents if each["namespace"] == namespace]
    counted = outcomes(inside)
    total, completed = counted["total"], counted["completed"]
    critical = sum(each["severity"] == "critical" for each in inside)
    took = [each["duration"] for each in inside if each["phase"] == "completed" and each["duration"] is not None]
    average = share(sum(took), len(took))
    speed = 300_000 / (300_000 + average) if completed else 0
    health = 0.6 * completed / total + 0.3 * (total - critical) / total + 0.1 * speed if total else 0
    return {
        **counted,
        "namespace": namespace,
        "critical": critical,
        "average_duration": pytest.approx(average),
        "health": pytest.approx(health),
    }


def get(client: httpx.Client, path: str, **parameters: Any) -> Json:
    answer = client.get(
        f"{PATH}/{path}", params={name: value for name, value in parameters.items() if value is not None}
    )
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the service's pool does, in its own thread
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(incidents=st.lists(INCIDENT, max_size=40))
def test_every_aggregation_is_what_plain_python_counts(
    uncached: httpx.Client, fill: Callable[[list[Json]], None], incidents: list[Json]
) -> None:
    """All seven calls over the same incidents, none at all among them."""
    fill(incidents)
    for name in ("restart", "日本", "nothing"):
        counted = outcomes([each for each in incidents if each["name"] == name])
        right = {"workflow_id": name, **counted, "success_rate": pytest.approx(rate(counted, "completed"))}
        assert get(uncached, "success-rate", workflow_id=name) == right
    assert get(uncached, "namespaces") == plain_namespaces(incidents)
    for namespace in (None, "payments", "a'b", "nowhere"):
        assert get(uncached, "severity", namespace=namespace) == plain_severity(incidents, namespace)
    for days in (1, 30, 365):
        today = datetime.now(UTC).date()
        assert get(uncached, "trend", days=days) in (
            plain_trend(incidents, days, today),
            plain_trend(incidents, days, today + timedelta(days=1)),  # midnight passed meanwhile
        )
    for window, hours, limit in (("36h", 36, 10), ("30d", 720, 2), ("99999d", 2_399_976, 1)):
        right = plain_failing(incidents, window, hours, limit)
        assert get(uncached, "top-failing-actions", window=window, limit=limit) == right
    assert get(uncached, "actions") == plain_actions(incidents)
    for namespace in ("payments", "checkout", "nowhere"):
        found = get(uncached, "namespace-health", namespace=namespace)
        assert found == plain_health(incidents, namespace)
        assert 0 <= found["health"] <= 1


def test_without_incidents_everything_is_zero(client: httpx.Client) -> None:
    """No division by nothing: rates and health are 0, lists are empty, every day of the trend is there."""
    nothing = {"total": 0, "completed": 0, "failed": 0}
    assert get(client, "success-rate", workflow_id="x") == {"workflow_id": "x", **nothing, "success_rate": 0}
    assert get(client, "namespaces") == {"namespaces": []}
    assert get(client, "severity") == {"namespace": None, "total": 0, "severities": []}
    trend = get(client, "trend")
    assert (trend["days"], len(trend["data"])) == (30, 30)
    assert all({**day, "date": ""} == {"date": "", **nothing} for day in trend["data"])
    assert get(client, "top-failing-actions") == {"window": "7d", "actions": []}
    assert get(client, "actions") == {"actions": []}
    health = get(client, "namespace-health", namespace="x")
    assert health == {"namespace": "x", **nothing, "critical": 0, "average_duration": 0, "health": 0}


def test_incidents_that_run_are_no_outcome(client: httpx.Client, add: Add) -> None:
    """They are in the total, and the rate is of those that ended."""
    for phase in ("pending", "processing", "completed", "completed", "completed", "failed"):
        add(phase=phase, name="x")
    found = get(client, "success-rate", workflow_id="x")
    assert found == {"workflow_id": "x", "total": 6, "completed": 3, "failed": 1, "success_rate": 0.75}


def test_a_namespace_where_all_went_well_and_fast_is_healthy(client: httpx.Client, add: Add) -> None:
    """Its health is 1; where all failed and was critical it is 0."""
    add(severity="info", duration=0, namespace="good")
    add(severity="critical", phase="failed", namespace="bad")
    assert get(client, "namespace-health", namespace="good")["health"] == pytest.approx(1)
    assert get(client, "namespace-health", namespace="bad")["health"] == 0


def test_a_trend_ends_today_and_has_every_day_once(client: httpx.Client) -> None:
    """In UTC, oldest first, without a gap."""
    for days in (1, 7, 365):
        before = datetime.now(UTC).date()
        dates = [datetime.fromisoformat(day["date"]).date() for day in get(client, "trend", days=days)["data"]]
        assert before <= dates[-1] <= datetime.now(UTC).date()
        assert dates == [dates[-1] - timedelta(days=ago) for ago in reversed(range(days))]


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("success-rate", {}, "workflow_id"),
        ("success-rate", {"workflow_id": ""}, "workflow_id"),
        ("success-rate", {"workflow_id": " "}, "workflow_id"),
        ("success-rate", {"workflow_id": "x" * 256}, "workflow_id"),
        ("success-rate", {"workflow_id": "a\0b"}, "workflow_id"),
        ("success-rate", {"workflow_id": "x", "window": "7d"}, "window"),
        ("severity", {"namespace": ""}, "namespace"),
        ("severity", {"namespace": "x" * 256}, "namespace"),
        ("trend", {"days": "0"}, "days"),
        ("trend", {"days": "-1"}, "days"),
        ("trend", {"days": "366"}, "days"),
        ("trend", {"days": "x"}, "days"),
        ("trend", {"days": "1.5"}, "days"),
        ("top-failing-actions", {"limit": "0"}, "limit"),
        ("top-failing-actions", {"limit": "101"}, "limit"),
        ("top-failing-actions", {"limit": "x"}, "limit"),
        ("top-failing-actions", {"window": "0d"}, "window"),
        ("top-failing-actions", {"window": "7"}, "window"),
        ("top-failing-actions", {"window": "7w"}, "window"),
        ("top-failing-actions", {"window": "100000d"}, "window"),
        ("top-failing-actions", {"window": "-7d"}, "window"),
        ("top-failing-actions", {"window": ""}, "window"),
        ("namespace-health", {}, "namespace"),
        ("namespace-health", {"namespace": ""}, "namespace"),
        ("namespace-health", {"namespace": "x" * 256}, "namespace"),
        ("namespace-health", {"namespace": "x", "days": "7"}, "days"),
    ],
)
def test_a_parameter_that_does_not_parse_is_named(
    client: httpx.Client, path: str, parameters: dict[str, str], field: str
) -> None:
    """400 as a problem, with the one wrong field; what is required and missing is wrong too."""
    answer = client.get(f"{PATH}/{path}", params=parameters)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["field_errors"]) == [field]


@pytest.mark.parametrize("value", ["日本語\U0001f680", "'; DROP TABLE remediation_audit; --", "%(x)s", "x" * 255, "%"])
def test_any_text_is_only_compared(client: httpx.Client, add: Add, value: str) -> None:
    """In a workflow's name and in a namespace's."""
    add(name=value, namespace=value)
    assert get(client, "success-rate", workflow_id=value)["total"] == 1
    assert get(client, "severity", namespace=value)["total"] == 1
    assert get(client, "namespace-health", namespace=value)["total"] == 1
    assert get(client, "success-rate", workflow_id=value[:-1] + "~")["total"] == 0


def test_ten_thousand_incidents_are_counted_within_a_second(
    uncached: httpx.Client, fill: Callable[[list[Json]], None]
) -> None:
    """Each of the seven calls, read from Postgres; the best of three, as other work on the machine can delay one."""
    fill(
        [
            {
                "name": f"workflow-{number % 50}",
                "namespace": f"namespace-{number % 200}",
                "phase": PHASES[number % 4],
                "severity": ("critical", "warning", "info")[number % 3],
                "action_type": f"action-{number % 30}",
                "start_time": NOW - timedelta(minutes=number * 7),
                "duration": number,
            }
            for number in range(MANY)
        ]
    )
    for path, parameters in (
        ("success-rate", {"workflow_id": "workflow-7"}),
        ("namespaces", {}),
        ("severity", {}),
        ("trend", {"days": 365}),
        ("top-failing-actions", {"window": "365d", "limit": 100}),
        ("actions", {}),
        ("namespace-health", {"namespace": "namespace-7"}),
    ):
        took = []
        for _ in range(3):
            started = time.monotonic()
            get(uncached, path, **parameters)
            took.append(time.monotonic() - started)
        assert min(took) < 1, (path, took)
