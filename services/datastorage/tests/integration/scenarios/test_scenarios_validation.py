"""Scenarios 15 to 23: what is wrong is told, markup goes, and everything else is stored as it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]

LENGTHS = {
    "name": 255,
    "namespace": 255,
    "action_type": 100,
    "status": 50,
    "remediation_request_id": 255,
    "signal_fingerprint": 255,
    "severity": 50,
    "environment": 50,
    "cluster_name": 255,
    "target_resource": 512,
}
REQUIRED = {*LENGTHS, "phase", "start_time"}


def test_scenario_15_missing_fields_are_all_told(client: httpx.Client, count: Callable[[], int]) -> None:
    """An empty record gives 400 with every required field at once."""
    answer = client.post(PATH, json={})
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == REQUIRED
    assert count() == 0


def test_scenario_16_a_wrong_phase_is_told(client: httpx.Client, record: Record, count: Callable[[], int]) -> None:
    """Unknown, empty, null and wrongly cased phases are refused, and the message lists the four that are right."""
    for phase in ("done", "", None, "Completed", 1):
        answer = client.post(PATH, json=record(phase=phase))
        assert answer.status_code == 400, phase
        message = answer.json()["field_errors"]["phase"]
        assert all(right in message for right in ("pending", "processing", "completed", "failed"))
    assert count() == 0


def test_scenario_17_length_limits_hold(client: httpx.Client, record: Record, count: Callable[[], int]) -> None:
    """One character more than its column takes, in all fields together, is told for each of them."""
    answer = client.post(PATH, json=record(**{name: "x" * (most + 1) for name, most in LENGTHS.items()}))
    assert answer.status_code == 400
    errors = answer.json()["field_errors"]
    assert set(errors) == set(LENGTHS)
    assert all(str(most) in errors[name] for name, most in LENGTHS.items())
    assert count() == 0


def test_scenario_18_a_valid_record_is_accepted(client: httpx.Client, add: Record) -> None:
    """Every field filled to its limit, in characters of several bytes, is stored and read back whole."""
    full = {name: "ü" * most for name, most in LENGTHS.items()}
    stored = add(**full, phase="failed", duration=2**53 - 1, error_message="é" * 65_536)
    read = client.get(f"{PATH}/{stored['id']}").json()
    assert {name: read[name] for name in full} == full
    assert (read["duration"], len(read["error_message"])) == (2**53 - 1, 65_536)


def test_scenario_19_scripts_are_stripped(add: Record, db: Connection) -> None:
    """A script goes with its content, a tag goes alone, and the text around them stays."""
    stored = add(
        name="<script>alert('x')</script>Legitimate text",
        error_message="<SCRIPT src=x>a</SCRIPT >Legitimate <b>text</b><scr<script></script>ipt>alert(1)</script>",
    )
    assert (stored["name"], stored["error_message"]) == ("Legitimate text", "Legitimate text")
    assert db.execute("SELECT name, error_message FROM remediation_audit").fetchall() == [("Legitimate text",) * 2]


def test_scenario_20_sql_looking_text_is_stored_as_text(client: httpx.Client, add: Record, db: Connection) -> None:
    """Keywords, quotes and comments are data: stored as they are, found as they are, and the table is still there."""
    texts = ["my-app-delete-jobs", "'; DROP TABLE remediation_audit; --", "1 OR 1=1 /* UNION SELECT */", "%s %(name)s"]
    for text in texts:
        add(name=text, namespace=text)
        found = client.get(PATH, params={"namespace": text}).json()
        assert [(each["name"], each["namespace"]) for each in found["data"]] == [(text, text)]
    assert db.execute("SELECT name FROM remediation_audit ORDER BY id").fetchall() == [(text,) for text in texts]


def test_scenario_21_safe_text_is_unchanged(add: Record) -> None:
    """Comparisons, entities, quotes, other scripts, emoji and white space come back character by character."""
    texts = [
        "a < b and c > d",
        "x<5 && y>3",
        'Tom &amp; Jerry\'s "show"',
        "日本語 ☃ 🚀",
        " two  spaces\n\ttab ",
        "<3 <- ->",
    ]
    for text in texts:
        stored = add(name=text, error_message=text, metadata={text: text})
        assert (stored["name"], stored["error_message"], stored["metadata"]) == (text, text, {text: text})


def test_scenario_22_malicious_metadata_is_made_harmless(client: httpx.Client, record: Record, add: Record) -> None:
    """Markup goes at every depth and out of keys, and what no jsonb can hold, or is too much of it, is refused."""
    stored = add(metadata={"a": ["<script>x()</script>1", {"<b>k</b>": "<img src=x onerror=y()>2"}], "n": 1.5})
    assert stored["metadata"] == {"a": ["1", {"k": "2"}], "n": 1.5}
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    refused: dict[str, Any] = {
        "U+0000": {"a": "nul \0 byte"},
        "deeper": {"a": deep},
        "bytes": {"a": "x" * 70_000},
        "same": {"a<b>": 1, "a": 2},
        "dictionary": ["no object"],
    }
    for said, metadata in refused.items():
        answer = client.post(PATH, json=record(metadata=metadata))
        assert answer.status_code == 400, said
        assert said in answer.json()["field_errors"]["metadata"]
    for number in ("NaN", "Infinity", "1e999"):
        body = client.build_request("POST", PATH, json=record(metadata={"n": "N"})).content.replace(
            b'"N"', number.encode()
        )
        answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["field_errors"]) == (
            400,
            {"metadata": "it has a number that is not finite"},
        )


def test_scenario_23_validated_sanitised_and_stored(
    client: httpx.Client, record: Record, add: Record, db: Connection
) -> None:
    """A record goes all the way: refused while it is wrong, then cleaned, embedded, stored, listed and found."""
    wrong = record(name="<script>only()</script>", end_time="2026-11-21T09:00:00Z", start_time="2026-11-21T10:00:00Z")
    errors = client.post(PATH, json=wrong).json()["field_errors"]
    assert set(errors) == {"name", "end_time"}
    assert db.execute("SELECT count(*) FROM remediation_audit").fetchone() == (0,)
    stored = add(
        name="<i>scale</i> checkout", error_message="<script>x</script>quota exceeded", metadata={"by": "<b>me</b>"}
    )
    assert (stored["name"], stored["error_message"], stored["metadata"]) == (
        "scale checkout",
        "quota exceeded",
        {"by": "me"},
    )
    assert client.get(PATH, params={"namespace": stored["namespace"]}).json()["data"] == [stored]
    found = client.post(f"{PATH}/search", json={"query": "scale checkout quota exceeded"}).json()["data"]
    assert [each["id"] for each in found] == [stored["id"]]
    assert found[0]["similarity"] > 0.3
