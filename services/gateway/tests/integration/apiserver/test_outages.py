"""A real API server stopped, killed and paused under the gateway; its audit log says what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.servers.ready import wait_until

PROMETHEUS = "/api/v1/signals/prometheus"
CREATE: dict[str, Any] = {"verb": "create", "resource": "remediationrequests"}
Json = dict[str, Any]
Make = Callable[..., Json]
Serve = Callable[..., Served]
Connect = Callable[..., httpx.Client]
Eventually = Callable[..., None]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_outage_shorter_than_the_attempts_is_not_noticed(
    apiserver_outage: Any,
    namespace: Cluster,
    serve: Serve,
    connect: Connect,
    alert: Make,
    attempts: Any,
    only: Callable[[], Json],
    how: str,
) -> None:
    """The sender waits a little longer, gets its 201, and one resource was made by one request."""
    client = connect(serve(retry_attempts=10, retry_initial=0.25, retry_max=5.0))
    with ThreadPoolExecutor(1) as pool:
        with apiserver_outage(how):
            answer = pool.submit(client.post, PROMETHEUS, json=alert())
            _until_repeated(client)
        assert answer.result(60).status_code == 201
    made = attempts(**CREATE, when=lambda each: each.code == 201, at_least=1)
    assert len(made) == 1
    only()


def test_an_outage_longer_than_the_attempts_is_503(
    apiserver_outage: Any,
    serve: Serve,
    connect: Connect,
    alert: Make,
    only: Callable[[], Json],
    eventually: Eventually,
) -> None:
    """503 with Retry-After and not ready; the sender's repetition makes the one resource."""
    client = connect(serve())
    with apiserver_outage():
        answer = client.post(PROMETHEUS, json=alert())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        text = client.get("/metrics").text
        assert 'gateway_retry_attempts_total{code="none",reason="refused"} 2.0' in text
        assert 'gateway_retry_exhausted_total{code="none",reason="refused"} 1.0' in text
        assert 'gateway_crd_creation_failures_total{reason="refused"} 1.0' in text
    eventually("it is ready", lambda: client.get("/readyz").status_code == 200)
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    assert client.post(PROMETHEUS, json=alert()).status_code == 202
    only()


def test_known_problems_go_on_during_an_outage(
    apiserver_outage: Any,
    serve: Serve,
    connect: Connect,
    alert: Make,
    occurrences: Callable[[], int],
    eventually: Eventually,
) -> None:
    """Duplicates are 202 while the server is away, and their count is written when it is back."""
    client = connect(serve())
    client.post(PROMETHEUS, json=alert())
    with apiserver_outage():
        assert [client.post(PROMETHEUS, json=alert()).status_code for _ in range(20)] == [202] * 20
    eventually("all are counted", lambda: occurrences() == 21, deadline=60)


def test_what_changed_during_an_outage_is_known_after_it(
    apiserver_outage: Any,
    serve: Serve,
    connect: Connect,
    alert: Make,
    found: Callable[..., list[Json]],
    eventually: Eventually,
) -> None:
    """The watch resumes: what another gateway makes after the outage is a duplicate to this one, without any list."""
    first, second = (connect(serve()) for _ in range(2))
    with apiserver_outage():
        assert first.get("/readyz").status_code == 503
    for client in (first, second):
        eventually("it is ready", lambda client=client: client.get("/readyz").status_code == 200)
    for number in range(5):
        assert first.post(PROMETHEUS, json=alert(f"p-{number}")).status_code == 201
    for number in range(5):
        assert second.post(PROMETHEUS, json=alert(f"p-{number}")).status_code == 202
    assert len(found()) == 5
    assert "gateway_index_lists_total 1.0" in second.get("/metrics").text


def test_a_pause_is_a_timeout_and_makes_no_second(
    apiserver_pause: Any,
    serve: Serve,
    connect: Connect,
    alert: Make,
    only: Callable[[], Json],
    eventually: Eventually,
) -> None:
    """A paused server takes connections and answers nothing: 503 by the deadline, and what it does late counts once.

    When it goes on it does what it was asked for while it hung; the sender's repetition is then a duplicate, or makes
    the resource itself. Either way there is one.
    """
    client = connect(serve(kubernetes_timeout=0.3))
    with apiserver_pause():
        assert client.post(PROMETHEUS, json=alert()).status_code == 503
        text = client.get("/metrics").text
        assert 'gateway_retry_exhausted_total{code="none",reason="timeout"} 1.0' in text
        assert 'gateway_retry_attempts_total{code="none",reason="timeout"} 2.0' in text
    eventually("the repetition is taken", lambda: client.post(PROMETHEUS, json=alert()).is_success, deadline=60)
    only()


def test_a_short_pause_is_not_noticed(
    apiserver_pause: Any, serve: Serve, connect: Connect, alert: Make, only: Callable[[], Json]
) -> None:
    """One that ends while the attempts last: 201, one resource, whichever attempt made it."""
    client = connect(serve(kubernetes_timeout=0.5, retry_attempts=10))
    with ThreadPoolExecutor(1) as pool:
        with apiserver_pause():
            answer = pool.submit(client.post, PROMETHEUS, json=alert())
            _until_repeated(client)
        assert answer.result(60).status_code == 201
    only()


def test_a_restart_in_the_middle_of_work_loses_nothing(
    apiserver_outage: Any,
    serve: Serve,
    connect: Connect,
    alert: Make,
    found: Callable[..., list[Json]],
    eventually: Eventually,
) -> None:
    """Hundred problems sent while the server is killed and comes back: after all were repeated, one resource each."""
    served = serve()
    client = connect(served)
    bodies = [alert(f"p-{number}") for number in range(100)]
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(asyncio.run, _post_all(served.url, bodies))
        with apiserver_outage("kill"):
            codes = sent.result(120)
    assert set(codes) <= {201, 202, 503}
    eventually("it is ready", lambda: client.get("/readyz").status_code == 200)
    again = asyncio.run(_post_all(served.url, bodies))
    assert set(again) <= {201, 202}
    names = [item["spec"]["targetResource"]["name"] for item in found()]
    assert sorted(names) == sorted(f"p-{number}" for number in range(100))


async def _post_all(url: str, bodies: list[Json]) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:

        async def send(body: Json) -> int:
            async with session.post(url + PROMETHEUS, json=body) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*map(send, bodies))


def _until_repeated(client: httpx.Client) -> None:
    """Wait until an attempt has failed and another is on its way."""
    what = "an attempt was repeated"
    wait_until(lambda: "\ngateway_retry_attempts_total{" in client.get("/metrics").text, what=what, timeout=30)
