"""When it is discovered: at once, on the interval, when asked for; and what becomes of rounds that fail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from services.toolset.tests.clock import ManualClock
from services.toolset.tests.endpoints import Endpoints
from testinfra.endpoints import Cluster

LISTS: dict[str, Any] = {"verb": "list", "resource": "services"}
Json = dict[str, Any]
Add = Callable[..., Json]
Eventually = Callable[..., None]


@pytest.fixture
def between(intercept: Any, namespace: Cluster) -> Any:
    """Give a proxy before the API server."""
    return intercept(namespace)


@pytest.fixture
def serve_behind(serve: Callable[..., Served], between: Any, clock: ManualClock) -> Callable[..., Served]:
    """Give a function that serves a toolset behind that proxy, by the test's clock."""
    return lambda **changes: serve(clock=clock, kubeconfig=between.endpoint.kubeconfig, **changes)


def test_a_round_is_at_once_and_on_every_interval(
    add: Add,
    serve_behind: Callable[..., Served],
    connect: Any,
    between: Any,
    eventually: Eventually,
    clock: ManualClock,
    published: Any,
) -> None:
    """Nobody has to ask; a round is one list of the Services, and its time is counted."""
    add("prometheus", 9090)
    client: httpx.Client = connect(serve_behind(interval=300.0))
    eventually("it waits for the interval", lambda: clock.sleeping == [300])
    assert [tool["name"] for tool in published()] == ["prometheus"]
    assert len(between.attempts(**LISTS)) == 1
    add("grafana", 3000)
    clock.advance(299)
    assert clock.sleeping == [1]
    clock.advance(1)
    eventually("it waits for the next interval", lambda: clock.sleeping == [300])
    assert [tool["name"] for tool in published()] == ["grafana", "prometheus"]
    assert len(between.attempts(**LISTS)) == 2
    assert "dynamic_toolset_discovery_duration_seconds_count 2.0" in client.get("/metrics").text


def test_before_the_first_round_it_is_503(
    serve_behind: Callable[..., Served], connect: Any, between: Any, eventually: Eventually, clock: ManualClock
) -> None:
    """With Retry-After; it tries again after 1, 2, 4 seconds, the interval at most, until a round succeeds."""
    with between.answer(503, times=4, **LISTS):
        client: httpx.Client = connect(serve_behind(interval=5.0))
        for pause in (1, 2, 4, 5):
            eventually(f"it waits for {pause} s", lambda pause=pause: clock.sleeping == [pause])
            for path in ("/api/v1/toolsets", "/api/v1/toolsets/prometheus", "/api/v1/services"):
                answer = client.get(path)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert answer.json()["type"] == "urn:problem-type:not-discovered-yet"
            clock.advance(pause)
    eventually("a round succeeds", lambda: client.get("/api/v1/toolsets").status_code == 200)
    text = client.get("/metrics").text
    assert 'dynamic_toolset_discovery_errors_total{type="kubernetes"} 4.0' in text


def test_a_round_that_fails_leaves_what_was_found(
    add: Add, serve_behind: Callable[..., Served], connect: Any, between: Any, published: Any
) -> None:
    """503 to who asked for it; what was found and what was published stay."""
    add("prometheus", 9090)
    client: httpx.Client = connect(serve_behind())
    assert client.post("/api/v1/toolsets/generate").status_code == 200
    with between.answer(500, **LISTS):
        answer = client.post("/api/v1/toolsets/generate")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem-type:kubernetes-http-error")
    assert [each["name"] for each in client.get("/api/v1/toolsets").json()["toolsets"]] == ["prometheus"]
    assert [tool["name"] for tool in published()] == ["prometheus"]


def test_a_write_that_fails_is_told_and_counted(
    add: Add,
    serve_behind: Callable[..., Served],
    connect: Any,
    between: Any,
    eventually: Eventually,
    clock: ManualClock,
) -> None:
    """What was found is listed all the same, and the write is repeated soon."""
    add("prometheus", 9090)
    with between.answer(403, times=2, verb="create", resource="configmaps"):
        client: httpx.Client = connect(serve_behind())
        eventually("it waits a second", lambda: clock.sleeping == [1])
        answer = client.post("/api/v1/toolsets/generate")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem-type:kubernetes-forbidden")
    assert [each["name"] for each in client.get("/api/v1/toolsets").json()["toolsets"]] == ["prometheus"]
    clock.advance(1)
    eventually("it is written", lambda: 'updates_total{result="created"} 1.0' in client.get("/metrics").text)
    assert 'dynamic_toolset_configmap_updates_total{result="failed"} 2.0' in client.get("/metrics").text


def test_many_who_ask_share_one_round(
    add: Add,
    serve: Callable[..., Served],
    connect: Any,
    endpoints: Endpoints,
    namespace: Cluster,
    clock: ManualClock,
    eventually: Any,
) -> None:
    """Whoever asks while one is under way gets the next: twenty do not make twenty rounds."""
    add("prometheus", 9090)
    host = f"prometheus.{namespace.namespace}"
    client: httpx.Client = connect(serve(clock=clock))
    eventually("the first round has ended", lambda: len(clock.sleeping) == 1)

    def generate(_: int) -> str:
        return str(client.post("/api/v1/toolsets/generate").json()["result"])

    def in_flight() -> bool:
        accepted = client.post("/api/v1/discover").status_code == 202
        return accepted and rest[-1].running()

    with ThreadPoolExecutor(21) as pool:
        with endpoints.hold(host) as held:
            first = pool.submit(generate, 0)
            held.wait()
            rest = [pool.submit(generate, turn) for turn in range(20)]
            eventually("all ask", in_flight)
        assert {each.result() for each in (first, *rest)} == {"unchanged"}
    assert 3 <= len(endpoints.asked(host)) <= 8  # three, and some where the last of them came late


def test_who_asks_sees_what_was_there_before(add: Add, client: httpx.Client, generate: Callable[[], Json]) -> None:
    """A round that began before the question is no answer to it, however often it is asked."""
    for number in range(5):
        client.post("/api/v1/discover")
        add(f"prometheus-{number}", 9090)
        assert generate()["tools"] == number + 1


def test_discover_does_not_wait(
    add: Add,
    client: httpx.Client,
    generate: Callable[[], Json],
    endpoints: Endpoints,
    namespace: Cluster,
    eventually: Eventually,
) -> None:
    """202 while a tool keeps it waiting; then the tool is there, and written."""
    generate()
    add("prometheus", 9090)
    with endpoints.hold(f"prometheus.{namespace.namespace}") as held:
        answer = client.post("/api/v1/discover")
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        held.wait()
        assert client.get("/api/v1/toolsets").json()["toolsets"] == []
    eventually("it is found", lambda: client.get("/api/v1/toolsets").json()["toolsets"] != [])
    eventually("it is written", lambda: 'updates_total{result="updated"} 1.0' in client.get("/metrics").text)


def test_what_was_accepted_is_done_before_the_end(
    add: Add, serve: Callable[..., Served], connect: Any, endpoints: Endpoints, namespace: Cluster, published: Any
) -> None:
    """A discovery that was asked for and not yet begun when shutdown came is written when the process has ended."""
    served = serve()
    client: httpx.Client = connect(served)
    add("grafana", 3000)
    with endpoints.hold(f"grafana.{namespace.namespace}") as held:
        assert client.post("/api/v1/discover").status_code == 202
        held.wait()
        add("prometheus", 9090)
        assert client.post("/api/v1/discover").status_code == 202
        served.server.begin_shutdown()
    served.stop()
    assert [tool["name"] for tool in published()] == ["grafana", "prometheus"]


def test_a_cluster_that_does_not_answer_is_named(
    serve_behind: Callable[..., Served], connect: Any, between: Any
) -> None:
    """Not ready, with the dependency that fails; alive all the same, and ready when it answers again."""
    client: httpx.Client = connect(serve_behind())
    with between.answer(500, times=None, path="/version"):
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["dependencies"]["kubernetes"]["status"] == "failing"
        assert client.get("/livez").status_code == 200
    assert client.get("/readyz").json()["dependencies"]["kubernetes"]["status"] == "ok"
