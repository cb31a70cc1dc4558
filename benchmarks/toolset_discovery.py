"""Discovery over 1,000 Services in 50 namespaces, 200 of which are tools that are asked how they are.

Ours is the discovery of the service itself; the peer does the same work as it is written in an afternoon: the official
client's list, a loop over its models, and httpx in twenty threads. Both begin with no connection, in turns in one run,
on the same API server and the same tools, which are another process. How many requests of the API server each side
needs is counted in a further turn, through the stand's proxy.

As `python -m benchmarks.toolset_discovery` it is the tools: whoever asks is answered 200, on the socket whose number is
in `TOOLS_SOCKET_FD`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config
from prometheus_client import CollectorRegistry

from benchmarks.load import running
from benchmarks.result import Result
from testinfra.endpoints import Cluster
from testinfra.faults.interceptor import Interceptor
from testinfra.kubernetes.rest import Rest
from testinfra.options import Options
from testinfra.serving import Service, python_module
from testinfra.stand import Stand
from toolset.app import connect, health_checks
from toolset.clock import SystemClock
from toolset.discovery import Discovery, Scope
from toolset.metrics import ToolsetMetrics
from toolset.settings import ToolsetSettings

_ROOT = Path(__file__).parents[1]
_NAMESPACES, _SERVICES, _TOOLS = 50, 1_000, 200
_KINDS = (
    ("prometheus", 9090, "/-/healthy"),
    ("grafana", 3000, "/api/health"),
    ("jaeger", 16686, "/"),
    ("elasticsearch", 9200, "/_cluster/health"),
)
_AT_ONCE = 20
_PEER = "the official client, a loop, httpx in 20 threads"
_WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def _cluster() -> Iterator[Cluster]:
    """Lease an API server with all Services; every fifth is a tool."""
    stand = Stand(Options(kubernetes="apiserver"), scope=f"b{os.getpid():x}"[-8:])
    try:
        kubernetes = stand.clusters().shared().kubernetes
        with Rest(kubernetes.endpoint) as rest, ThreadPoolExecutor(_AT_ONCE) as pool:
            make = lambda number: rest.post("/api/v1/namespaces", {"metadata": {"name": f"bench-{number}"}})  # noqa: E731 - for map
            list(pool.map(make, range(_NAMESPACES)))
            list(pool.map(lambda number: _make_service(rest, number), range(_SERVICES)))
        yield kubernetes.endpoint
    finally:
        stand.close()


def _make_service(rest: Rest, number: int) -> None:
    tool, rest_of_it = divmod(number, _SERVICES // _TOOLS)
    kind, port, _ = _KINDS[tool % len(_KINDS)]
    labels, port = ({"app": kind}, port) if rest_of_it == 0 else ({"app": "shop"}, 8080)
    body = {
        "metadata": {"name": f"service-{number}", "labels": labels},
        "spec": {"clusterIP": "None", "selector": labels, "ports": [{"name": "main", "port": port}]},
    }
    rest.post(f"/api/v1/namespaces/bench-{number % _NAMESPACES}/services", body)


async def _ours(kubeconfig: str, tools: Service) -> int:
    """Discover as the service does, and return how many are well."""
    settings = ToolsetSettings(kubeconfig=kubeconfig, connect_to=(f"::{tools.host}:{tools.port}",))
    cluster = connect(settings)
    try:
        async with health_checks(settings, SystemClock()) as checks:
            found = await Discovery(cluster, checks, ToolsetMetrics(CollectorRegistry())).run(Scope())
    finally:
        await cluster.close()
    return len(found.published())


def _peer(kubeconfig: str, tools: Service) -> int:
    """Do it with what is at hand, and return how many are well."""
    urls = []
    log_in: Any = new_client_from_config  # untyped
    items: list[Any] = CoreV1Api(log_in(kubeconfig)).list_service_for_all_namespaces().items
    for service in items:
        labels = service.metadata.labels or {}
        for kind, port, path in _KINDS:
            ports = service.spec.ports or []
            signs = (labels.get("app"), labels.get("app.kubernetes.io/name"))
            if ports and (kind in signs or kind in service.metadata.name or any(each.port == port for each in ports)):
                name = f"{service.metadata.name}.{service.metadata.namespace}.svc.cluster.local"
                urls.append(f"http://{name}:{port}{path}")
                break

    def is_well(url: str) -> bool:
        parts = urlsplit(url)
        answer = client.get(f"{tools.url}{parts.path}", headers={"Host": parts.netloc})
        return answer.status_code in {200, 204}

    with httpx.Client(timeout=5) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return sum(pool.map(is_well, urls))


def _timed(discover: Callable[[], int]) -> float:
    """Return the seconds of one discovery; raise RuntimeError where it did not find all."""
    started = time.perf_counter()
    well = discover()
    took = time.perf_counter() - started
    if well != _TOOLS:
        raise RuntimeError(f"{well} tools are well, and {_TOOLS} should be")
    return took


def _requests(cluster: Cluster, discover: Callable[[str], Any]) -> int:
    """Return how many requests of the API server one discovery needs."""
    with tempfile.TemporaryDirectory() as folder, Interceptor(cluster, Path(folder)) as between:
        discover(between.endpoint.kubeconfig)
        return len(between.attempts())


def discovery(runs: int) -> list[Result]:
    """Measure it: seconds, and requests of the API server."""
    variables = {"PYTHONPATH": str(_ROOT)}
    with _cluster() as cluster, running(python_module(__name__), variables, "TOOLS_SOCKET_FD") as tools:
        ours: Callable[[str], int] = lambda kubeconfig: asyncio.run(_ours(kubeconfig, tools))  # noqa: E731 - both alike
        peer: Callable[[str], int] = lambda kubeconfig: _peer(kubeconfig, tools)  # noqa: E731 - both alike
        sides = (ours, peer)
        turns = [[_timed(lambda side=side: side(cluster.kubeconfig)) for side in sides] for _ in range(runs + 1)]  # type: ignore[misc]
        asked = [_requests(cluster, side) for side in sides]
    own, theirs = zip(*turns[1:], strict=True)  # the first is for what either side loads when it is first used
    seconds = Result(name="toolset_discovery", unit="s", peer=_PEER, ours=own, theirs=theirs)
    requests = dataclasses.replace(
        seconds, name="toolset_discovery_requests", unit="requests", ours=asked[:1], theirs=asked[1:]
    )
    return [seconds, requests]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_WELL)
    writer.close()


async def _be_the_tools() -> None:
    inherited = socket.socket(fileno=int(os.environ["TOOLS_SOCKET_FD"]))
    async with await asyncio.start_server(_answer, sock=inherited, backlog=2048) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_be_the_tools())
