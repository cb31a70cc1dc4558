"""Shutdown while requests are in flight: every one is answered, and nothing that was counted is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.servers.ready import wait_until

PROMETHEUS = "/api/v1/signals/prometheus"
IN_FLIGHT = 200
Json = dict[str, Any]
Make = Callable[..., Json]


async def _send_all(url: str, bodies: list[Json], begin: Callable[[], None]) -> list[int]:
    """Send all at once, call `begin` when all are sent, and return the answers' codes."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(body: Json) -> int:
            async with session.post(url + PROMETHEUS, json=body) as answer:
                await answer.read()
                return answer.status

        sent = [asyncio.create_task(send(body)) for body in bodies]
        await asyncio.to_thread(begin)
        return await asyncio.gather(*sent)


def _inside(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    return float(text.partition("\ngateway_requests_in_flight ")[2].split("\n", 1)[0])


def test_two_hundred_in_flight_are_all_answered(
    intercept: Any,
    namespace: Cluster,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    found: Callable[..., list[Json]],
) -> None:
    """Two hundred new problems are being made when shutdown begins: each is answered 201, and each is there.

    The server answers late (the proxy holds every request), so that all are in flight at that moment. Readiness is 503
    at once.
    """
    between = intercept(namespace)
    served = serve(
        kubeconfig=between.endpoint.kubeconfig,
        kubernetes_timeout=60.0,  # two hundred TLS handshakes in one process, with everybody's tests beside it
        max_in_flight=IN_FLIGHT,
        shutdown_grace=0.2,
    )
    client = connect(served)
    ready: list[int] = []

    def begin() -> None:
        wait_until(lambda: _inside(client) == IN_FLIGHT, what="all are in flight", timeout=30)
        served.server.begin_shutdown()
        wait_until(lambda: served.app.lifecycle.draining, what="shutdown has begun", timeout=30)
        ready.append(client.get("/readyz").status_code)

    bodies = [alert(f"p-{number}") for number in range(IN_FLIGHT)]
    with between.delay(2.0, times=None, verb="create", resource="remediationrequests"):
        codes = asyncio.run(_send_all(served.url, bodies, begin))
        served.stop()
    assert codes == [201] * IN_FLIGHT
    assert ready == [503]
    assert len(found()) == IN_FLIGHT


def test_what_was_counted_is_written(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make, found: Callable[..., list[Json]]
) -> None:
    """Repetitions of thirty problems, gathered for an hour, are written when the process ends."""
    served = serve(flush_interval=60.0)
    client = connect(served)
    for _ in range(4):
        for number in range(30):
            client.post(PROMETHEUS, json=alert(f"p-{number}"))
    served.stop()
    assert [item["status"]["deduplication"]["occurrenceCount"] for item in found()] == [4] * 30


def test_what_cannot_be_written_in_time_is_told(
    intercept: Any,
    namespace: Cluster,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    caplog: Any,
) -> None:
    """With a cluster that takes no writes the end comes after flush_timeout, and the log says how many are lost."""
    between = intercept(namespace)
    served = serve(kubeconfig=between.endpoint.kubeconfig, flush_interval=60.0, flush_timeout=0.5)
    client = connect(served)
    for _ in range(6):
        client.post(PROMETHEUS, json=alert())
    with between.answer(503, times=None, verb="patch"):
        served.stop()
    lost: list[Any] = [record.msg for record in caplog.records if record.name == "gateway.parts"]
    assert [line["count"] for line in lost] == [5]


def test_a_sender_that_hangs_up_loses_nothing(
    intercept: Any,
    namespace: Cluster,
    serve: Callable[..., Served],
    alert: Make,
    only: Callable[[], Json],
    eventually: Callable[..., None],
) -> None:
    """What was being made when the sender went away is made, once; its repetition is a duplicate."""
    between = intercept(namespace)
    served = serve(kubeconfig=between.endpoint.kubeconfig)
    with between.delay(1.0, verb="create", resource="remediationrequests") as held:
        try:
            httpx.post(served.url + PROMETHEUS, json=alert(), timeout=0.3)
        except httpx.TimeoutException:
            gone = True
        else:
            gone = False
        assert gone
        held.wait(30)
    answer = httpx.post(served.url + PROMETHEUS, json=alert(), timeout=30)
    assert answer.status_code == 202
    only()
