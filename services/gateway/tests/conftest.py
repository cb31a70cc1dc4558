"""A real gateway per test: its own namespace on a real API (fake, local or other), its own port.

Everything a test needs beyond libraries comes from here as a fixture. Nothing sleeps for a fixed time: `eventually`
waits for a fact, and fails with what was waited for. The namespace that the gateway is told is the test's own endpoint,
not a name that the test made too.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import pytest
from pydantic import SecretStr

from gateway import GatewaySettings, create_app, resources
from gateway.app import GatewayApp
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Cluster, Redis

hypothesis.settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of it
hypothesis.settings.load_profile("any machine")

if TYPE_CHECKING:
    from testinfra.kubernetes.clients import Kubernetes
    from testinfra.kubernetes.rest import Rest

CRDS = Path(__file__).parents[1] / "crds"
PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
Json = dict[str, Any]


def make_alert(
    pod: str = "payment-api-0", *, status: str = "firing", labels: Json | None = None, **fields: Any
) -> Json:
    """Return one alert about a pod, with labels added (None takes one away) and fields changed."""
    own: Json = {"alertname": "PodCrashLooping", "namespace": "payments", "pod": pod, "severity": "critical"}
    own |= labels or {}
    return {
        "status": status,
        "labels": {name: value for name, value in own.items() if value is not None},
        "annotations": {"summary": "Pod is crash looping"},
        "startsAt": "2026-11-21T10:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "b2d2ad4c8a2f1b6c",
        **fields,
    }


def make_webhook(*alerts: Json, **fields: Any) -> Json:
    """Return what Alertmanager posts for these alerts."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="PodCrashLooping"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "gateway",
        "groupLabels": {"alertname": "PodCrashLooping"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **fields,
    }


def make_event(name: str = "payment-api-0", **fields: Any) -> Json:
    """Return an event about a pod."""
    about = {"kind": "Pod", "namespace": "payments", "name": name, "uid": "u-1", "apiVersion": "v1"}
    return {
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "involvedObject": about,
        "firstTimestamp": "2026-11-21T10:00:00Z",
        "lastTimestamp": "2026-11-21T10:05:00Z",
        "count": 5,
        "source": {"component": "kubelet", "host": "node-1"},
        **fields,
    }


@pytest.fixture
def alert(request: pytest.FixtureRequest) -> Callable[..., Json]:
    """Give a function that makes a webhook with one alert about a pod in the test's namespace."""
    home = request.getfixturevalue("namespace").namespace if "namespace" in request.fixturenames else "payments"

    def make(pod: str = "payment-api-0", *, labels: Json | None = None, **fields: Any) -> Json:
        return make_webhook(make_alert(pod, labels={"namespace": home, **(labels or {})}, **fields))

    return make


@pytest.fixture
def event(namespace: Cluster) -> Callable[..., Json]:
    """Give a function that makes an event about a pod in the test's namespace."""

    def make(name: str = "payment-api-0", **fields: Any) -> Json:
        about = {"kind": "Pod", "namespace": namespace.namespace, "name": name}
        return make_event(name, **{"involvedObject": about, **fields})

    return make


def settings_for(namespace: Cluster, **changes: Any) -> GatewaySettings:
    """Return settings for this test's namespace: nobody is asked for a token, and counts are written at once."""
    given: Json = {
        "kubeconfig": namespace.kubeconfig,
        "namespaces": (namespace.namespace,),
        "fallback_namespace": namespace.namespace,
        "auth": "off",
        "flush_interval": 0.02,
        "shutdown_grace": 0,
        **changes,
    }
    return GatewaySettings(**given)


@pytest.fixture
def crds(install_crds: Callable[[Path], list[str]]) -> list[str]:
    """Install the definition of RemediationRequests."""
    return install_crds(CRDS)


@pytest.fixture
def settings(namespace: Cluster, crds: list[str]) -> GatewaySettings:
    """Give settings for this test's namespace."""
    return settings_for(namespace)


@pytest.fixture
def with_redis(settings: GatewaySettings, redis_db: Redis) -> GatewaySettings:
    """Give the settings with this test's own Redis database, and a limit of three requests an hour."""
    return settings.model_copy(
        update={
            "redis_url": SecretStr(redis_db.url),
            "redis_key_prefix": redis_db.key_prefix,
            "redis_timeout": 2.0,
            "rate_limit": 3,
            "rate_window": 3600,
        }
    )


@pytest.fixture
def serve(
    settings: GatewaySettings, eventually: Callable[..., None], no_tls: ssl.SSLContext
) -> Iterator[Callable[..., Served]]:
    """Give a function that serves a gateway with these settings changed, until the test ends; it returns when ready."""
    with ExitStack() as stack:

        def start(base: GatewaySettings | None = None, *, ready: bool = True, **changes: Any) -> Served:
            chosen = (base or settings).model_copy(update=changes)
            served = stack.enter_context(serve_in_thread(create_app(chosen, lambda: chosen)))
            if ready:
                url = f"{served.url}/readyz"
                eventually("the gateway is ready", lambda: httpx.get(url, verify=no_tls).status_code == 200)
            return served

        yield start


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running gateway."""
    return serve()


@pytest.fixture
def app(service: Served) -> GatewayApp:
    """Give the application of `service`, for a look at its parts."""
    assert isinstance(service.app, GatewayApp)
    return service.app


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Kubernetes:
    """Give the API server of this test: its own where it takes `exclusive_kubernetes`, else the shared one."""
    lone = "exclusive_kubernetes" in request.fixturenames or "testinfra_lone_plane" in request.fixturenames
    found: Kubernetes = request.getfixturevalue("exclusive_kubernetes" if lone else "kubernetes")
    return found


@pytest.fixture
def rest(cluster: Kubernetes) -> Rest:
    """Give the administrator's own talk with the API server, for a look behind the service."""
    return cluster.rest()


@pytest.fixture
def found(rest: Rest, namespace: Cluster) -> Callable[..., list[Json]]:
    """Give a function that lists the RemediationRequests of the test's namespace (or of another), by name."""

    def read(place: str = "") -> list[Json]:
        items: list[Json] = rest.get(resources.path(place or namespace.namespace))["items"]
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    return read


@pytest.fixture
def only(found: Callable[..., list[Json]]) -> Callable[[], Json]:
    """Give a function that returns the one RemediationRequest there is, and fails where there is none or another."""

    def read() -> Json:
        items = found()
        assert len(items) == 1, [item["metadata"]["name"] for item in items]
        return items[0]

    return read


@pytest.fixture
def occurrences(only: Callable[[], Json]) -> Callable[[], int]:
    """Give a function that reads the count of the one RemediationRequest there is."""
    return lambda: int(only()["status"]["deduplication"]["occurrenceCount"])


@pytest.fixture
def move(rest: Rest, app: GatewayApp, eventually: Callable[..., None]) -> Callable[[Json, str], None]:
    """Give a function that puts a resource into a phase, as what remediates does, until the gateway has seen it."""

    def to(obj: Json, phase: str) -> None:
        place, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        rest.patch(resources.path(place, name, "status"), {"status": {"overallPhase": phase}})
        wanted = phase not in resources.TERMINAL

        def seen() -> bool:
            entry = app.parts.index.get((place, name))
            return entry is not None and entry.active == wanted

        eventually(f"the gateway sees that {name} is {phase}", seen)

    return to
