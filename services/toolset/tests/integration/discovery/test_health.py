"""How tools are: one real GET to each, whatever answers there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from services.toolset.tests.clock import ManualClock
from services.toolset.tests.endpoints import Endpoints
from testinfra.endpoints import Cluster

REFUSED = 1
Json = dict[str, Any]
Add = Callable[..., Json]
MakeService = Callable[..., Json]


def _http(status: int, *headers: str, body: bytes = b"") -> bytes:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


WELL = {
    "ok": _http(200),
    "no-content": _http(204),
    "large": _http(200, body=b"x" * 100_000),
    "old": b"HTTP/1.0 200 OK\r\n\r\nno length",
    "endless": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n(forever)",
    "mislabelled": _http(200, "Content-Encoding: gzip", body=b"not gzip at all"),
    "binary-body": _http(200, "Set-Cookie: no=cookie=at;all", body=b"\x00\xff"),
}
ILL = (201, 202, 301, 302, 307, 400, 401, 404, 429, 500, 503)
UNREACHABLE = {
    "banner": (b"SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP"),
    "binary": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "does not speak HTTP"),
    "no-status": (b"HTTP/1.1 two-hundred OK\r\n\r\n", "does not speak HTTP"),
    "endless-head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "does not speak HTTP"),
    "nothing": (b"", "the connection ended before the answer did"),
    "half-a-head": (b"HTTP/1.1 200 OK\r\nContent-Le", "the connection ended before the answer did"),
    "no-body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "the connection ended before the answer did"),
    "dead": (b"", "the connection was refused"),
}


@pytest.fixture(scope="module")
def seen(scene: Any, make_service: MakeService) -> Any:
    """Give the scene with all endpoints of this module behind one Service each."""
    for name, written in WELL.items():
        scene.add(make_service(name, 9090), written)
    for status in ILL:
        scene.add(make_service(f"ill-{status}", 3000), _http(status, "Location: /well"))
    for name, (written, _) in UNREACHABLE.items():
        port = REFUSED if name == "dead" else 16686
        scene.add(make_service(name, port, labels={"app": "jaeger"}), written)
    scene.discover()
    return scene


@pytest.mark.parametrize("name", WELL)
def test_200_and_204_are_well(seen: Any, name: str) -> None:
    """Whatever the body: no more of it is read than says that an answer came."""
    said = seen.services[name]
    assert (said["healthy"], said["reason"]) == (True, "HealthCheckPassed")
    assert name in {tool["name"] for tool in seen.published}


@pytest.mark.parametrize("status", ILL)
def test_any_other_answer_is_not_well(seen: Any, status: int) -> None:
    """The tool is kept, with what it answered, and left out of what is published; no redirect is followed."""
    name = f"ill-{status}"
    said = seen.services[name]
    assert (said["healthy"], said["reason"]) == (False, "HealthCheckFailed")
    assert said["message"].endswith(f": {status}, and has to be 200 or 204")
    assert name not in {tool["name"] for tool in seen.published}
    assert seen.asked(name) == {"GET /api/health HTTP/1.1"}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_gives_no_answer_is_unreachable(seen: Any, name: str) -> None:
    """With a few words of ours for it, whatever answers there and whoever listens."""
    said = seen.services[name]
    assert (said["healthy"], said["reason"]) == (False, "EndpointUnreachable")
    assert UNREACHABLE[name][1] in said["message"]
    assert name not in {tool["name"] for tool in seen.published}


def test_failures_are_counted_by_type_and_reason(seen: Any) -> None:
    """At each round, and nothing for those that are well."""
    name = "dynamic_toolset_health_check_failures_total"
    assert seen.counted(name, type="grafana", reason="HealthCheckFailed") == len(ILL)
    assert seen.counted(name, type="jaeger", reason="EndpointUnreachable") == len(UNREACHABLE)
    assert f'{name}{{reason="HealthCheckFailed",type="prometheus"}}' not in seen.metrics


def test_a_slow_endpoint_has_its_deadline(
    add: Add, serve: Callable[..., Served], connect: Any, endpoints: Endpoints, namespace: Cluster
) -> None:
    """Whatever it is slow with, the deadline is over all of it; twelve of them are waited for together."""
    slow = [b"(silence)", b"HTTP/1.1 200 OK\r\n(silence)", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n(silence)"]
    for number in range(12):
        endpoints.behave(f"grafana-{number}.{namespace.namespace}", slow[number % 3])
        add(f"grafana-{number}", 3000)
    endpoints.most_at_once = 0
    client: httpx.Client = connect(serve(health_timeout=0.1))
    assert client.post("/api/v1/toolsets/generate").json()["tools"] == 0
    assert endpoints.most_at_once >= 6
    listed = client.get("/api/v1/services").json()["services"]
    assert {each["reason"] for each in listed} == {"EndpointUnreachable"}
    assert all("no answer within 0.1 s" in each["message"] for each in listed)


def test_no_more_are_asked_at_once_than_is_said(
    add: Add, serve: Callable[..., Served], connect: Any, endpoints: Endpoints
) -> None:
    """Ten tools, two at a time; each is asked."""
    for number in range(10):
        add(f"jaeger-{number}", 16686)
    client: httpx.Client = connect(serve(health_concurrency=2))
    endpoints.most_at_once = 0
    assert client.post("/api/v1/toolsets/generate").json()["tools"] == 10
    assert 1 <= endpoints.most_at_once <= 2


def test_a_tool_that_gets_well_is_published(
    add: Add,
    found: Callable[..., dict[str, Json]],
    published: Callable[[], list[Json]],
    endpoints: Endpoints,
    namespace: Cluster,
) -> None:
    """And one that gets ill is no more."""
    add("prometheus", 9090)
    states = []
    for status in (503, 200, 500):
        endpoints.behave(f"prometheus.{namespace.namespace}", _http(status))
        states.append((found()["prometheus"]["healthy"], len(published())))
    assert states == [(False, 0), (True, 1), (False, 0)]


def test_the_time_of_the_check_is_told(
    add: Add, serve: Callable[..., Served], connect: Any, clock: ManualClock
) -> None:
    """In UTC."""
    add("prometheus", 9090)
    client: httpx.Client = connect(serve(clock=clock))
    client.post("/api/v1/toolsets/generate")
    (said,) = client.get("/api/v1/services").json()["services"]
    assert said["last_checked"] == "2026-11-21T10:00:00Z"
