"""A hundred concurrent requests against a gateway that is a process of its own, in every worker at once."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gateway import GatewaySettings
from testinfra.serving import Service

PROMETHEUS = "/api/v1/signals/prometheus"
CONCURRENT = 100
ROUNDS = 10
_HEAD = f"POST {PROMETHEUS} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: ".encode()
Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def gateway(settings: GatewaySettings, start_service: Callable[..., Service]) -> Service:
    """Give a gateway as a process."""
    environment = {
        "GATEWAY_KUBECONFIG": settings.kubeconfig,
        "GATEWAY_NAMESPACES": ",".join(settings.namespaces),
        "GATEWAY_FALLBACK_NAMESPACE": settings.fallback_namespace,
        "GATEWAY_AUTH": "off",
        "GATEWAY_SHUTDOWN_GRACE": "0",
        "GATEWAY_LOG_LEVEL": "warning",  # a line each would fill the report of a failure
    }
    started: Service = start_service("gateway", environment, socket_variable="GATEWAY_SOCKET_FD")
    return started


async def _concurrent(service: Service, bodies: list[bytes]) -> list[tuple[int, float]]:
    """Keep a hundred in flight until all are sent; return codes and seconds.

    Over plain sockets: an HTTP client library takes as much of the machine as the gateway, and would be measured too.
    """
    waiting = iter(bodies)
    answers: list[tuple[int, float]] = []

    async def send() -> None:
        reader, writer = await asyncio.open_connection(service.host, service.port)
        for body in waiting:
            began = time.perf_counter()
            writer.write(_HEAD + b"%d\r\n\r\n" % len(body) + body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"\ncontent-length:")[2].partition(b"\r")[0]))
            answers.append((int(head[9:12]), time.perf_counter() - began))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(send() for _ in range(CONCURRENT)))
    return answers


def _pod(number: int) -> str:
    """Return what the request of this number is about: every tenth is a new problem, all others are earlier ones."""
    tens, rest = divmod(number, 10)
    return f"p-{tens if rest == 0 else number * 7919 % max(1, tens)}"


@pytest.mark.parametrize("worker", range(4))
def test_a_hundred_at_once(
    gateway: Service,
    alert: Make,
    found: Callable[..., list[Json]],
    eventually: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    worker: int,
) -> None:
    """One in ten new, nine known: all are taken, and every count is exact; how long it took is printed."""
    pods = [_pod(number) for number in range(CONCURRENT * ROUNDS)]
    wanted = Counter(pods)
    answers = asyncio.run(_concurrent(gateway, [json.dumps(alert(pod)).encode() for pod in pods]))
    codes = [code for code, _ in answers]
    assert (codes.count(201), codes.count(202)) == (len(wanted), len(pods) - len(wanted))
    cuts = statistics.quantiles([seconds for _, seconds in answers], n=100)
    with capsys.disabled():
        said = f"\n  {CONCURRENT} at once: p50 {cuts[49]:.3f} s, p95 {cuts[94]:.3f} s, p99 {cuts[98]:.3f} s"
        print(said, file=sys.__stderr__)  # a worker's other output is not shown

    def counted() -> bool:
        targets = ((item["spec"]["targetResource"]["name"], item["status"]["deduplication"]) for item in found())
        return {pod: seen["occurrenceCount"] for pod, seen in targets} == wanted

    eventually("every count is exact", counted, deadline=60)
