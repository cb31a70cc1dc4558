"""Four gateways, each a process, and two hundred copies of one alert at once: one resource, and an exact count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from gateway import GatewaySettings
from testinfra.endpoints import Cluster
from testinfra.serving import Service

PROMETHEUS = "/api/v1/signals/prometheus"
GATEWAYS, COPIES, ROUNDS = 4, 200, 20
Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def gateways(settings: GatewaySettings, start_service: Callable[..., Service]) -> list[Service]:
    """Give four, each a process."""
    environment = {
        "GATEWAY_KUBECONFIG": settings.kubeconfig,
        "GATEWAY_NAMESPACES": ",".join(settings.namespaces),
        "GATEWAY_FALLBACK_NAMESPACE": settings.fallback_namespace,
        "GATEWAY_AUTH": "off",
        "GATEWAY_FLUSH_INTERVAL": "0.1",
        "GATEWAY_SHUTDOWN_GRACE": "0",
        "GATEWAY_LOG_LEVEL": "warning",  # a line each would fill the report of a failure
        "GATEWAY_KUBERNETES_TIMEOUT": "30",
    }
    started = [
        start_service("gateway", environment, socket_variable="GATEWAY_SOCKET_FD", wait=False) for _ in range(GATEWAYS)
    ]
    for each in started:
        each.await_ready()
    return started


async def _at_once(urls: list[str], body: Json) -> list[int]:
    """Send all copies at once, in turn to each of the gateways."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> int:
            async with session.post(urls[number % len(urls)] + PROMETHEUS, json=body) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*map(send, range(COPIES)))


def test_twenty_rounds_make_one_resource_each(
    gateways: list[Service], alert: Make, found: Callable[..., list[Json]], eventually: Callable[..., None]
) -> None:
    """Each round: one answer is 201, all others are 202, one resource, and occurrenceCount is exactly 200."""
    urls = [each.url for each in gateways]
    for number in range(ROUNDS):
        codes = asyncio.run(_at_once(urls, alert(f"round-{number}")))
        assert sorted(codes) == [201] + [202] * (COPIES - 1), f"round {number}"
    assert len(found()) == ROUNDS

    def counts() -> set[int]:
        return {item["status"]["deduplication"]["occurrenceCount"] for item in found()}

    eventually("every count is 200", lambda: counts() == {COPIES}, deadline=60)


def test_counts_are_exact_after_a_clean_end(
    gateways: list[Service], alert: Make, found: Callable[..., list[Json]]
) -> None:
    """All four end by SIGTERM in the moment after; what they had gathered is written, to the last one."""
    asyncio.run(_at_once([each.url for each in gateways], alert("last")))
    assert [each.stop() for each in gateways] == [0] * GATEWAYS
    (item,) = found()
    assert item["status"]["deduplication"]["occurrenceCount"] == COPIES


def test_the_next_generation_is_raced_for_too(
    gateways: list[Service], alert: Make, found: Callable[..., list[Json]], rest: Any, namespace: Cluster
) -> None:
    """After the first resource has ended there is one second generation, however stale each gateway's view is."""
    urls = [each.url for each in gateways]
    asyncio.run(_at_once(urls, alert("again")))
    (first,) = found()
    path = f"/apis/kubernaut.ai/v1alpha1/namespaces/{namespace.namespace}/remediationrequests"
    rest.patch(f"{path}/{first['metadata']['name']}/status", {"status": {"overallPhase": "Completed"}})
    codes: list[int] = []
    while 201 not in codes:
        codes = asyncio.run(_at_once(urls, alert("again")))
        assert set(codes) <= {201, 202}
    assert len(found()) == 2
