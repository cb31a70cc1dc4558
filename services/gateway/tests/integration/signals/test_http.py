"""What is refused before it is handled, in one form, and what every response carries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.headers import SECURITY
from servicekit.testing import Served

PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
PROBLEM = "application/problem+json"
Json = dict[str, Any]
Make = Callable[..., Json]
GONE = "(left out)"


def _changed(sent: Json, path: str, value: object) -> Json:
    """Return `sent` with the member at the dotted path changed, or taken away."""
    *parents, last = path.split(".")
    at: Any = sent
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    if value is GONE:
        del at[last]
    else:
        at[last] = value
    return sent


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("alerts", GONE),
        ("alerts", []),
        ("alerts", {}),
        ("version", "3"),
        ("version", 4),
        ("status", "pending"),
        ("groupLabels", []),
        ("alerts.0.status", GONE),
        ("alerts.0.status", "unknown"),
        ("alerts.0.labels", GONE),
        ("alerts.0.labels", ["a"]),
        ("alerts.0.labels.count", 7),
        ("alerts.0.labels.gone", None),
        ("alerts.0.labels.alertname", GONE),
        ("alerts.0.labels.alertname", ""),
        ("alerts.0.labels.alertname", "x" * 254),
        ("alerts.0.annotations", "text"),
        ("alerts.0.startsAt", GONE),
        ("alerts.0.startsAt", "yesterday"),
        ("alerts.0.startsAt", "2026-11-21T10:00:00"),
        ("alerts.0.startsAt", 1_700_000_000),
        ("alerts.0.startsAt", "1700000000"),
        ("alerts.0.endsAt", "2026-13-01T00:00:00Z"),
    ],
    ids=str,
)
def test_a_wrong_webhook_is_told(
    client: httpx.Client, alert: Make, found: Callable[..., list[Json]], path: str, value: object
) -> None:
    """400 with the member that is wrong, and nothing is made."""
    answer = client.post(PROMETHEUS, json=_changed(alert(), path, value))
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["field_errors"]) == {path}
    assert found() == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("type", GONE),
        ("type", "Strange"),
        ("type", "Normal"),
        ("reason", GONE),
        ("reason", ""),
        ("reason", "x" * 254),
        ("involvedObject", GONE),
        ("involvedObject.kind", ""),
        ("involvedObject.kind", GONE),
        ("involvedObject.name", GONE),
        ("involvedObject.name", "x" * 254),
        ("firstTimestamp", "soon"),
        ("count", -1),
        ("count", "5"),
        ("source", "kubelet"),
    ],
    ids=str,
)
def test_a_wrong_event_is_told(
    client: httpx.Client, event: Make, found: Callable[..., list[Json]], path: str, value: object
) -> None:
    """400 with the member that is wrong, and nothing is made."""
    answer = client.post(EVENT, json=_changed(event(), path, value))
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["field_errors"]) == {path}
    assert found() == []


def test_a_normal_event_is_refused_in_these_words(client: httpx.Client, event: Make) -> None:
    """The detail is the documented sentence."""
    answer = client.post(EVENT, json=event(type="Normal"))
    assert (answer.status_code, answer.json()["detail"]) == (400, "normal events are not processed")


def test_all_that_is_wrong_is_told_at_once(client: httpx.Client, alert: Make) -> None:
    """Three wrong members are three messages."""
    sent = alert(startsAt="never", annotations=7)
    sent["version"] = "9"
    wrong = client.post(PROMETHEUS, json=sent).json()["field_errors"]
    assert set(wrong) == {"version", "alerts.0.startsAt", "alerts.0.annotations"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"alerts": [}', b"nul", b'{"a": "\\ud800"}']
)
@pytest.mark.parametrize("path", [PROMETHEUS, EVENT])
def test_what_is_no_signal_at_all_is_told(client: httpx.Client, path: str, body: bytes) -> None:
    """Bodies that are no JSON, or no object, are 400 and a problem."""
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert answer.json()["field_errors"]


@pytest.mark.parametrize(
    "sent", ["text/plain", "application/xml", "multipart/form-data", "application/json; charset=latin1"]
)
def test_another_content_type_is_refused(client: httpx.Client, alert: Make, sent: str) -> None:
    """415 with the one that is taken."""
    answer = client.post(PROMETHEUS, content=json.dumps(alert()), headers={"Content-Type": sent})
    assert (answer.status_code, answer.headers["Accept"]) == (415, "application/json")


def test_no_content_type_is_refused(client: httpx.Client, alert: Make) -> None:
    """415 as well: nothing is guessed."""
    request = client.build_request("POST", PROMETHEUS, content=json.dumps(alert()))
    request.headers.pop("Content-Type", None)
    assert client.send(request).status_code == 415


def test_a_body_over_the_limit_is_refused(client: httpx.Client, alert: Make, found: Any) -> None:
    """413 above 100 KB, announced or not, and nothing is made."""
    large = json.dumps(alert(annotations={"text": "x" * 110_000})).encode()
    headers = {"Content-Type": "application/json"}
    assert client.post(PROMETHEUS, content=large, headers=headers).status_code == 413
    parts = (large[start : start + 10_000] for start in range(0, len(large), 10_000))
    assert client.post(PROMETHEUS, content=parts, headers=headers).status_code == 413
    assert found() == []


def test_a_body_just_below_the_limit_is_taken(client: httpx.Client, alert: Make) -> None:
    """102,400 bytes are taken."""
    room = 102_400 - len(json.dumps(alert(annotations={"text": ""})).encode())
    sent = json.dumps(alert(annotations={"text": "x" * room})).encode()
    assert len(sent) == 102_400
    assert client.post(PROMETHEUS, content=sent, headers={"Content-Type": "application/json"}).status_code == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [PROMETHEUS, EVENT])
def test_another_method_is_refused(client: httpx.Client, path: str, method: str) -> None:
    """405 with the one there is."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/api/v1/signals", "/api/v1/signals/", "/api/v1/signals/other", "/api/v2"])
def test_another_path_is_not_there(client: httpx.Client, path: str) -> None:
    """404 as a problem that names the path."""
    answer = client.post(path, json={})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert answer.json()["instance"] == path


@pytest.mark.parametrize(("name", "value"), sorted(SECURITY.items()))
def test_every_response_has_the_security_headers(client: httpx.Client, alert: Make, name: str, value: str) -> None:
    """Each of the six is in answers of all kinds: success, refusal, unknown path, health."""
    answers = [
        client.post(PROMETHEUS, json=alert()),
        client.post(PROMETHEUS, json={}),
        client.post(PROMETHEUS, content=b"x" * 200_000),
        client.get("/nowhere"),
        client.get("/livez"),
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 413, 404, 200]
    assert {answer.headers[name] for answer in answers} == {value}


def test_the_security_headers_are_these(client: httpx.Client) -> None:
    """The six, by what they say."""
    headers = client.get("/livez").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-XSS-Protection"].startswith("1")


def test_cors_is_off_by_default(client: httpx.Client, alert: Make) -> None:
    """A browser's page of another origin is told nothing that would let it in."""
    answer = client.post(PROMETHEUS, json=alert(), headers={"Origin": "https://evil.example.org"})
    asked = {"Origin": "https://evil.example.org", "Access-Control-Request-Method": "POST"}
    before = client.options(PROMETHEUS, headers=asked)
    assert before.status_code == 405
    for headers in (answer.headers, before.headers):
        assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_cors_lets_in_who_is_named(serve: Callable[..., Served], connect: Callable[..., httpx.Client]) -> None:
    """With the setting just the named origin may post."""
    client = connect(serve(cors_origins=("https://console.example.org",)))
    asked = {"Origin": "https://console.example.org", "Access-Control-Request-Method": "POST"}
    assert client.options(PROMETHEUS, headers=asked).headers["Access-Control-Allow-Origin"] == asked["Origin"]
    other = {**asked, "Origin": "https://evil.example.org"}
    assert "Access-Control-Allow-Origin" not in client.options(PROMETHEUS, headers=other).headers


def test_the_request_id_comes_back(client: httpx.Client, alert: Make) -> None:
    """A sane one is kept, also in a problem's body; another is replaced."""
    answer = client.post(PROMETHEUS, json={}, headers={"X-Request-ID": "my-id.1"})
    assert (answer.headers["X-Request-ID"], answer.json()["request_id"]) == ("my-id.1", "my-id.1")
    assert client.post(PROMETHEUS, json=alert(), headers={"X-Request-ID": "no id"}).headers["X-Request-ID"] != "no id"


@pytest.mark.parametrize("seconds", [0, -290, 110], ids=["now", "almost 5 minutes ago", "almost 2 minutes ahead"])
def test_a_timestamp_of_about_now_is_taken(client: httpx.Client, alert: Make, seconds: int) -> None:
    """X-Timestamp may be 5 minutes in the past and 2 ahead."""
    headers = {"X-Timestamp": str(int(time.time()) + seconds)}
    assert client.post(PROMETHEUS, json=alert(), headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("seconds", "said"), [(-310, "in the past"), (-(10**6), "in the past"), (140, "ahead"), (10**6, "ahead")]
)
def test_a_timestamp_of_another_time_is_told(client: httpx.Client, alert: Make, seconds: int, said: str) -> None:
    """400 that says which side it is on."""
    headers = {"X-Timestamp": str(int(time.time()) + seconds)}
    answer = client.post(PROMETHEUS, json=alert(), headers=headers)
    assert answer.status_code == 400
    assert said in answer.json()["field_errors"]["X-Timestamp"]


@pytest.mark.parametrize("text", ["", "now", "-5", "1.5", "0x10", "9" * 40, "٣"])
def test_a_timestamp_that_is_none_is_told(client: httpx.Client, alert: Make, text: str) -> None:
    """400 for what is no number of seconds."""
    answer = client.post(PROMETHEUS, json=alert(), headers=[(b"X-Timestamp", text.encode())])
    assert answer.status_code == 400
    assert "seconds since 1970" in answer.json()["field_errors"]["X-Timestamp"]


def test_a_timestamp_can_be_demanded(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make
) -> None:
    """With the setting a request without one is 400."""
    client = connect(serve(require_timestamp=True))
    answer = client.post(PROMETHEUS, json=alert())
    assert answer.status_code == 400
    assert "missing" in answer.json()["field_errors"]["X-Timestamp"]
    now = {"X-Timestamp": str(int(time.time()))}
    assert client.post(PROMETHEUS, json=alert(), headers=now).status_code == 201


def test_what_others_add_to_a_webhook_is_no_error(client: httpx.Client, alert: Make) -> None:
    """Alertmanager may grow members that nobody here knows."""
    sent = alert()
    sent["silences"] = [1]
    assert client.post(PROMETHEUS, json=sent).status_code == 201
