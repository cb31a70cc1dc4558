"""Whatever is posted to a running gateway: it is taken or refused, and never a 500."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATHS = ("/api/v1/signals/prometheus", "/api/v1/signals/kubernetes-event")
REFUSED_OR_TAKEN = {201, 202, 400}
ONE_GATEWAY = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # all inputs go to one gateway, as in life
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LABELS = st.dictionaries(st.sampled_from(["alertname", "namespace", "pod", "severity"]) | st.text(), st.text())
ALERT = st.fixed_dictionaries(
    {
        "status": st.just("firing"),
        "labels": LABELS,
        "startsAt": st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
    },
    optional={"annotations": LABELS, "more": JSON},
)
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", PATHS)
@ONE_GATEWAY
@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(client: httpx.Client, path: str, body: bytes) -> None:
    """Bytes and JSON of any kind are refused with 400."""
    assert client.post(path, content=body, headers=JSON_TYPE).status_code == 400


@ONE_GATEWAY
@given(sent=st.lists(ALERT, min_size=1, max_size=3))
def test_any_alerts(client: httpx.Client, sent: list[Any]) -> None:
    """Alerts with labels of any text are taken by the server, or refused with 400."""
    answer = client.post(PATHS[0], content=json.dumps({"alerts": sent}), headers=JSON_TYPE)
    assert answer.status_code in REFUSED_OR_TAKEN, answer.text


@ONE_GATEWAY
@given(name=st.text(), value=st.text())
def test_any_header(client: httpx.Client, name: str, value: str) -> None:
    """Headers that a client can send change nothing but what they are for."""
    headers = [(b"Content-Type", b"application/json"), (f"X-{name}".encode(), value.encode())]
    try:
        answer = client.post(PATHS[0], content=b"{}", headers=headers)
    except (httpx.LocalProtocolError, UnicodeError):  # the client itself refuses to send it
        return
    assert answer.status_code == 400
