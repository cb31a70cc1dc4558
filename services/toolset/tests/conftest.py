"""A real service per test: its own namespace on a real API (fake, local or other), its own port, and tools that answer.

The tools are real servers on loopback addresses: `endpoints` is where `*.svc.cluster.local` leads to, and says how each
host behaves. Nothing sleeps for a fixed time: `eventually` waits for a fact, and a `ManualClock` moves when told to.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from services.toolset.tests.clock import ManualClock
from services.toolset.tests.endpoints import Endpoints
from testinfra.endpoints import Cluster

if TYPE_CHECKING:  # what the service is made of is imported by the fixtures: xdist's first process needs none of it
    import httpx

    from servicekit.testing import Served
    from testinfra.kubernetes.clients import Kubernetes
    from testinfra.kubernetes.rest import Rest
    from toolset import ServeSettings

Json = dict[str, Any]
CONFIGMAP = "kubernaut-toolset-config"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have what is imported be there for good: the collector would look at it over and over, for a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def endpoints() -> Iterator[Endpoints]:
    """Give the server that all tools of all tests are at."""
    every = Endpoints()
    yield every
    every.close()


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture(scope="session")
def make_service() -> Callable[..., Json]:
    """Give a function that makes a Service; a port is a number, or (name, number)."""

    def make(name: str, *ports: int | tuple[str, int], **metadata: Any) -> Json:
        named = [(f"port-{index}", port) if isinstance(port, int) else port for index, port in enumerate(ports)]
        spec: Json = {"ports": [{"name": each, "port": number} for each, number in named]}
        return {"metadata": {"name": name, **metadata}, "spec": {"clusterIP": "None", **spec}}  # addresses are few

    return make


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
def add(rest: Rest, namespace: Cluster, make_service: Callable[..., Json]) -> Callable[..., Json]:
    """Give a function that makes a Service in the test's namespace, or in another."""

    def make(name: str, *ports: int | tuple[str, int], place: str = "", **metadata: Any) -> Json:
        path = f"/api/v1/namespaces/{place or namespace.namespace}/services"
        return rest.post(path, make_service(name, *ports, **metadata))

    return make


@pytest.fixture(scope="session")
def settings_for(imported: None, endpoints: Endpoints) -> Callable[..., ServeSettings]:
    """Give a function that makes settings for a namespace: nobody is asked for a token, and rounds are far apart."""
    from toolset import ServeSettings  # noqa: PLC0415 - see above

    def make(place: Cluster, **changes: Any) -> ServeSettings:
        given: Json = {
            "kubeconfig": place.kubeconfig,
            "namespaces": (place.namespace,),
            "configmap_namespace": place.namespace,
            "connect_to": endpoints.connect_to,
            "interval": 86_400,
            "auth": "off",
            "shutdown_grace": 0,
            **changes,
        }
        return ServeSettings(**given)

    return make


@pytest.fixture
def settings(namespace: Cluster, settings_for: Callable[..., ServeSettings]) -> ServeSettings:
    """Give settings for this test's namespace."""
    return settings_for(namespace)


@pytest.fixture(scope="session")
def imported() -> None:
    """Import what the service is made of, for good, where the test's own module has not."""
    import toolset  # noqa: F401, PLC0415 - see above

    gc.freeze()


@pytest.fixture
def serve(imported: None, settings: ServeSettings) -> Iterator[Callable[..., Served]]:
    """Give a function that serves a toolset with these settings changed, until the test ends."""
    from servicekit.testing import serve_in_thread  # noqa: PLC0415 - see above
    from toolset import create_app  # noqa: PLC0415 - see above

    with ExitStack() as stack:

        def start(*, clock: ManualClock | None = None, **changes: Any) -> Served:
            app = create_app(settings.model_copy(update=changes), clock)
            return stack.enter_context(serve_in_thread(app))

        yield start


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running toolset."""
    return serve()


@pytest.fixture
def generate(client: httpx.Client) -> Callable[[], Json]:
    """Give a function that has tools discovered and written now, and returns the answer."""

    def now() -> Json:
        answered = client.post("/api/v1/toolsets/generate")
        assert answered.status_code == 200, answered.text
        body: Json = answered.json()
        return body

    return now


@pytest.fixture
def found(client: httpx.Client, generate: Callable[[], Json]) -> Callable[..., dict[str, Json]]:
    """Give a function that discovers now and returns the tools by their names."""

    def read(**query: str) -> dict[str, Json]:
        generate()
        listed = client.get("/api/v1/toolsets", params=query).json()["toolsets"]
        return {each["name"]: each for each in listed}

    return read


@pytest.fixture
def configmap(rest: Rest, namespace: Cluster) -> Callable[[], Json]:
    """Give a function that reads the ConfigMap behind the service's back."""
    return lambda: rest.get(f"/api/v1/namespaces/{namespace.namespace}/configmaps/{CONFIGMAP}")


@pytest.fixture
def published(configmap: Callable[[], Json]) -> Callable[[], list[Json]]:
    """Give a function that reads the tools that others are told of."""

    def read() -> list[Json]:
        tools: list[Json] = json.loads(configmap()["data"]["toolset.json"])["tools"]
        return tools

    return read
