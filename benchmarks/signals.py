"""Signals through the gateway against two ceilings, in turns in one run; and its memory as signals go by.

The gateway is one process, the load another, the API server is the stand's. Duplicates are compared with a Starlette
application that only sends the body back; new problems with the official client's asyncio side, which creates the same
objects directly.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from kubernetes.aio.client import ApiClient, CustomObjectsApi

from benchmarks.load import AT_ONCE, Round, cpu_rate, percentiles, put, rate, running, timed
from benchmarks.result import Result
from gateway import alerts, resources
from gateway.alerts import Alert
from testinfra.endpoints import Cluster
from testinfra.options import Options
from testinfra.serving import Service, python_module
from testinfra.stand import Stand

_DUPLICATES = 10_000
_NEW = 1_500
_PROBLEMS = 100
_FEW, _MANY = 10_000, 100_000
_PATH = "/api/v1/signals/prometheus"
_CRDS = Path(__file__).parents[1] / "services" / "gateway" / "crds"
ECHO = Path(__file__).with_name("signals_echo.py")
ECHO_PEER = "plain Starlette, which sends the body back"
_CLIENT_PEER = "the official client's asyncio side, the same objects"


def _alert(number: int, namespace: str) -> dict[str, Any]:
    labels = {
        "alertname": "KubePodCrashLooping", "container": "payment-api", "instance": "10.244.1.7:8080",
        "job": "kube-state-metrics", "namespace": namespace, "pod": f"payment-api-{number}", "severity": "warning",
    }  # fmt: skip
    annotations = {
        "description": f"Pod {namespace}/payment-api-{number} (payment-api) is in waiting state.",
        "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping",
        "summary": "Pod is crash looping.",
    }
    return {
        "status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-11-21T10:00:12.337Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus:9090/graph?g0.expr=x", "fingerprint": "5e",
    }  # fmt: skip


def webhook(number: int, namespace: str) -> bytes:
    """Give what Alertmanager sends about problem `number`."""
    sent = {"version": "4", "status": "firing", "receiver": "gateway", "alerts": [_alert(number, namespace)]}
    return json.dumps(sent).encode()


@contextmanager
def api_server() -> Iterator[Cluster]:
    """Lease an API server with the definition and a namespace."""
    stand = Stand(Options(kubernetes="apiserver"), scope=f"b{os.getpid():x}"[-8:])
    try:
        plane = stand.clusters().shared()
        plane.kubernetes.install_crds(_CRDS)
        namespaces = stand.clusters().namespaces(plane, "bench")
        taken = namespaces.take()
        yield taken
        namespaces.give_back(taken)
    finally:
        stand.close()


@contextmanager
def serving_gateway(cluster: Cluster) -> Iterator[Service]:
    """Run the gateway as a process."""
    environment = {
        "GATEWAY_KUBECONFIG": cluster.kubeconfig,
        "GATEWAY_NAMESPACES": cluster.namespace,
        "GATEWAY_FALLBACK_NAMESPACE": cluster.namespace,
        "GATEWAY_AUTH": "off",
        "GATEWAY_SHUTDOWN_GRACE": "0",
    }
    with running(python_module("gateway"), environment, "GATEWAY_SOCKET_FD") as service:
        yield service


def request(body: bytes) -> bytes:
    """Make the HTTP request that posts it."""
    head = f"POST {_PATH} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _post(service: Service, bodies: Iterable[bytes], count: int, wanted: bytes) -> Round:
    return put(service, [request(body) for body in bodies], count, wanted)


async def _by_the_client(cluster: Cluster) -> Round:
    """Create the objects that the gateway would make."""
    from kubernetes.aio.config import new_client_from_config  # noqa: PLC0415 - needs a loop

    now = datetime.now(UTC)
    objects = []
    for number in range(_NEW):
        sent = _alert(number, cluster.namespace)
        signal = alerts.read(Alert.model_validate(sent), 0, now, lambda sent=sent: {"alerts": [sent]})
        objects.append(resources.new(signal, cluster.namespace, 1, "bench.1"))
    load: Any = new_client_from_config  # untyped
    client: ApiClient = await load(config_file=cluster.kubeconfig)
    async with client:
        api = CustomObjectsApi(client)
        group, version, plural = resources.GROUP, resources.VERSION, resources.PLURAL

        async def send(number: int) -> None:
            await api.create_namespaced_custom_object(group, version, cluster.namespace, plural, objects[number])

        return await timed(_NEW, AT_ONCE, send)


def _duplicates_round(service: Service, namespace: str) -> Round:
    return _post(service, (webhook(number, namespace) for number in range(_PROBLEMS)), _DUPLICATES, b"202")


def _echo_round() -> Round:
    with running([sys.executable, str(ECHO)], {}, "ECHO_SOCKET_FD") as service:
        return _post(service, (webhook(number, "bench") for number in range(_PROBLEMS)), _DUPLICATES, b"200")


def _new_round() -> Round:
    with api_server() as cluster, serving_gateway(cluster) as service:
        return _post(service, (webhook(number, cluster.namespace) for number in range(_NEW)), _NEW, b"201")


def _client_round() -> Round:
    with api_server() as cluster:
        return asyncio.run(_by_the_client(cluster))


def duplicates(runs: int) -> list[Result]:
    """Measure repeated signals."""
    ours, theirs = [], []
    with api_server() as cluster, serving_gateway(cluster) as service:
        namespace = cluster.namespace
        _post(service, (webhook(number, namespace) for number in range(_PROBLEMS)), _PROBLEMS, b"201")
        for counted in [False, *[True] * runs]:
            gateway, echo = _duplicates_round(service, namespace), _echo_round()
            if counted:
                ours.append(gateway)
                theirs.append(echo)
    name = "gateway_duplicates"
    return [*_results(name, ECHO_PEER, ours, theirs), cpu_rate(name, ECHO_PEER, ours, theirs)]


def new(runs: int) -> list[Result]:
    """Measure new problems."""
    ours, theirs = [], []
    for counted in [False, *[True] * runs]:
        gateway, client = _new_round(), _client_round()
        if counted:
            ours.append(gateway)
            theirs.append(client)
    return _results("gateway_new", _CLIENT_PEER, ours, theirs)


def memory() -> list[Result]:
    """Measure the gateway's resident memory after many signals of a hundred problems against that after few."""
    with api_server() as cluster, serving_gateway(cluster) as service:
        namespace = cluster.namespace
        bodies = [webhook(number, namespace) for number in range(_PROBLEMS)]
        _post(service, bodies, _PROBLEMS, b"201")
        process = psutil.Process(service.pid)
        _post(service, bodies, _FEW, b"202")
        few = process.memory_info().rss / 2**20
        _post(service, bodies, _MANY - _FEW, b"202")
        many = process.memory_info().rss / 2**20
    return [Result(name="gateway_memory", unit="MiB", peer="itself after 10,000 alerts", ours=[many], theirs=[few])]


def _results(name: str, peer: str, ours: Sequence[Round], theirs: Sequence[Round]) -> list[Result]:
    return [rate(name, peer, ours, theirs), *percentiles(name, peer, ours, theirs)]
