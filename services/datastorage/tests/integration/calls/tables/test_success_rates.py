"""Success rates against plain Python over the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from datastorage.success_rate_models import IncidentTypeQuestion, PlaybookQuestion
from datastorage.success_rates import rates_statement

PATH = "/api/v1/success-rate"
WRITE = "/api/v1/action-traces"
Record = Callable[..., dict[str, Any]]
Row = dict[str, Any]
COLUMNS = (
    *("action_id", "correlation_id", "action_timestamp", "namespace", "cluster_name", "environment"),
    *("signal_name", "signal_severity", "signal_fingerprint", "action_type", "execution_status", "incident_type"),
    *("playbook_id", "playbook_version", "ai_selected", "ai_chained", "ai_manual_escalation"),
)


@pytest.fixture
def rows(db: psycopg.Connection[Any], trace: Record) -> list[Row]:
    """Fill the table with 600 traces of the last 60 days, and some of the future; give them."""
    chance = random.Random(7)  # noqa: S311 - the same rows in every run
    now = datetime.now(UTC)
    made = []
    for _ in range(600):
        playbook = chance.choice([None, "restart", "scale", "rollback"])
        made.append(
            trace(
                action_timestamp=now - timedelta(hours=chance.uniform(-20, 24 * 60)),
                action_type=chance.choice(["restart_pod", "scale_up", "drain_node"]),
                execution_status=chance.choice(["pending", "executing", *["completed"] * 4, "failed", "rolled-back"]),
                incident_type=chance.choice([None, "pod-oom", "disk-full", "node-down"]),
                playbook_id=playbook,
                playbook_version=chance.choice([None, "1.0", "2.0"]) if playbook else None,
                ai_selected=chance.random() < 0.6,
                ai_chained=chance.random() < 0.3,
                ai_manual_escalation=chance.random() < 0.1,
            )
        )
    with db.cursor() as cursor, cursor.copy(f"COPY resource_action_traces ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in made:
            copy.write_row([row[name] for name in COLUMNS])
    return made


def _finished(rows: list[Row], span: timedelta, **dimensions: str) -> list[Row]:
    now = datetime.now(UTC)
    return [
        row
        for row in rows
        if row["execution_status"] in {"completed", "failed"}
        and now - span < row["action_timestamp"] <= now
        and all(row[name] == value for name, value in dimensions.items())
    ]


def _rate(rows: list[Row]) -> Row:
    completed = sum(row["execution_status"] == "completed" for row in rows)
    return {
        "total_executions": len(rows),
        "successful_executions": completed,
        "failed_executions": len(rows) - completed,
        "success_rate": completed / len(rows) if rows else 0.0,
    }


def _broken_down(rows: list[Row], *names: str) -> dict[tuple[Any, ...], Row]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return {key: _rate(group) for key, group in groups.items()}


def _answered(breakdown: list[Row], *names: str) -> dict[tuple[Any, ...], Row]:
    """Return an answered breakdown by its keys, after checking that those with the most actions come first."""
    totals = [each["total_executions"] for each in breakdown]
    assert totals == sorted(totals, reverse=True)
    found = {tuple(each.pop(name) for name in names): each for each in breakdown}
    assert len(found) == len(totals)
    return found


@pytest.mark.parametrize(("window", "span"), [("100h", 100 / 24), ("7d", 7), ("30d", 30), ("99999d", 99_999)])
def test_the_rate_of_an_incident_type(client: httpx.Client, rows: list[Row], window: str, span: float) -> None:
    """Totals, rate, ways of execution and the breakdown by playbook are what counting the rows gives."""
    answer = client.get(f"{PATH}/incident-type", params={"incident_type": "pod-oom", "window": window}).json()
    own = _finished(rows, timedelta(days=span), incident_type="pod-oom")
    assert own
    names = ("playbook_id", "playbook_version")
    assert _answered(answer.pop("playbook_breakdown"), *names) == _broken_down(own, *names)
    assert answer == {
        **_rate(own),
        "incident_type": "pod-oom",
        "window": window,
        "min_samples": 5,
        "min_samples_met": len(own) >= 5,
        "confidence": "medium" if 20 <= len(own) < 100 else answer["confidence"],
        "execution_modes": {
            name: sum(row[name] for row in own) for name in ("ai_selected", "ai_chained", "ai_manual_escalation")
        },
    }


@pytest.mark.parametrize("version", [None, "2.0"])
def test_the_rate_of_a_playbook(client: httpx.Client, rows: list[Row], version: str | None) -> None:
    """All its versions or one; broken down by type of incident and by type of action."""
    asked = {"playbook_id": "restart"} | ({"playbook_version": version} if version else {})
    answer = client.get(f"{PATH}/playbook", params={**asked, "window": "90d"}).json()
    own = _finished(rows, timedelta(days=90), **asked)
    assert own
    assert answer.items() >= {**_rate(own), "playbook_id": "restart", "playbook_version": version}.items()
    for name in ("incident_type", "action_type"):
        assert _answered(answer[f"{name}_breakdown"], name) == _broken_down(own, name)


@pytest.mark.parametrize(
    "asked",
    [
        {"incident_type": "disk-full"},
        {"action_type": "drain_node"},
        {"playbook_id": "scale"},
        {"playbook_id": "scale", "playbook_version": "1.0", "incident_type": "node-down", "action_type": "scale_up"},
    ],
    ids="+".join,
)
def test_the_rate_of_dimensions(client: httpx.Client, rows: list[Row], asked: dict[str, str]) -> None:
    """Whatever dimensions are given, the rate and its breakdown count what matches all of them."""
    answer = client.get(f"{PATH}/multi-dimensional", params={**asked, "window": "90d"}).json()
    own = _finished(rows, timedelta(days=90), **asked)
    names = ("incident_type", "playbook_id", "playbook_version", "action_type")
    assert answer.items() >= {**_rate(own), **dict.fromkeys(names), **asked}.items()
    assert _answered(answer["breakdown"], *names) == _broken_down(own, *names)


def test_where_nothing_ran_there_is_no_confidence(client: httpx.Client) -> None:
    """No rows are a rate of 0 with insufficient data, and no breakdown."""
    answer = client.get(f"{PATH}/incident-type", params={"incident_type": "unheard-of"}).json()
    assert (answer["total_executions"], answer["success_rate"], answer["playbook_breakdown"]) == (0, 0.0, [])
    assert (answer["confidence"], answer["min_samples_met"]) == ("insufficient_data", False)


@pytest.mark.parametrize(
    ("samples", "min_samples", "confidence"),
    [
        (4, 1, "insufficient_data"),
        (5, 5, "low"),
        (19, 5, "low"),
        (20, 5, "medium"),
        (99, 5, "medium"),
        (100, 5, "high"),
        (100, 101, "insufficient_data"),
    ],
)
def test_confidence_follows_the_number_of_samples(
    client: httpx.Client, db: psycopg.Connection[Any], trace: Record, samples: int, min_samples: int, confidence: str
) -> None:
    """High from 100, medium from 20, low from 5; none with fewer, nor with fewer than the client asks for."""
    now = datetime.now(UTC)
    with db.cursor() as cursor, cursor.copy(f"COPY resource_action_traces ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for _ in range(samples):
            row = trace(action_timestamp=now - timedelta(hours=1))
            copy.write_row([row[name] for name in COLUMNS])
    asked = {"incident_type": "pod-oom", "min_samples": str(min_samples)}
    answer = client.get(f"{PATH}/incident-type", params=asked).json()
    assert (answer["total_executions"], answer["confidence"]) == (samples, confidence)
    assert answer["min_samples_met"] is (samples >= min_samples)


@pytest.mark.parametrize(
    ("call", "asked", "wrong"),
    [
        ("incident-type", {}, "incident_type"),
        (
            "incident-type",
            {"incident_type": "", "window": "7w", "min_samples": "0"},
            "incident_type window min_samples",
        ),
        ("incident-type", {"incident_type": "x", "window": "0d"}, "window"),
        ("incident-type", {"incident_type": "x", "window": "٣d"}, "window"),
        ("incident-type", {"incident_type": "x", "window": "7d\n"}, "window"),
        ("incident-type", {"incident_type": "x", "windw": "7d"}, "windw"),
        ("playbook", {}, "playbook_id"),
        ("playbook", {"playbook_id": "x" * 65, "playbook_version": "x" * 21}, "playbook_id playbook_version"),
        ("multi-dimensional", {}, "query"),
        ("multi-dimensional", {"playbook_version": "1.0", "action_type": "x"}, "query"),
    ],
)
def test_a_wrong_question_is_told(client: httpx.Client, call: str, asked: dict[str, str], wrong: str) -> None:
    """Every wrong parameter is named; no dimension, and a version of no playbook, are wrong as a whole."""
    answer = client.get(f"{PATH}/{call}", params=asked)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["field_errors"]) == set(wrong.split())


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (IncidentTypeQuestion(incident_type="pod-oom"), "incident_type"),
        (PlaybookQuestion(playbook_id="restart"), "playbook"),
    ],
    ids=["incident type", "playbook"],
)
def test_the_partial_indexes_serve_the_rates(
    db: psycopg.Connection[Any], rows: list[Row], question: IncidentTypeQuestion | PlaybookQuestion, index: str
) -> None:
    """EXPLAIN of the service's own statement reads the partial index, once reading the table is priced out."""
    db.execute("ANALYZE resource_action_traces; SET enable_seqscan = off")
    indexes = db.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
        [f"resource_action_traces_{index}_idx"],
    ).fetchall()
    statement, parameters = rates_statement(question, ("action_type",))
    plan = "\n".join(row[0] for row in db.execute(b"EXPLAIN " + statement.as_bytes(db), parameters).fetchall())
    assert any(f" on {name[0]} " in plan or f" using {name[0]} " in plan for name in indexes), plan
