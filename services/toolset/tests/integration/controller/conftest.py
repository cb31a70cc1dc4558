"""A real controller per test, on a real API server: in the test's own process, for the test's own namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from servicekit.testing import Served, sample, serve_in_thread
from testinfra.endpoints import Cluster
from toolset.controller.app import create_app
from toolset.controller.resources import path
from toolset.controller.settings import ControllerSettings

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
CRDS = Path(__file__).parents[3] / "crds"
EXAMPLE = Path(__file__).parents[3] / "examples" / "controller.yaml"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
URL = "https://127.0.0.1:{port}/review"


@pytest.fixture(autouse=True)
def _on_a_real_server(namespace: Cluster) -> None:
    """Fail where the server is the fake: a test of this folder that passes on it has shown nothing."""
    assert namespace.backend != "fake", "this folder needs a real API server; type: pytest --kubernetes=apiserver"


@pytest.fixture
def crds(install_crds: Callable[[Path], list[str]]) -> list[str]:
    """Install the definition of ToolsetConfig."""
    return install_crds(CRDS)


@pytest.fixture
def settings(namespace: Cluster, endpoints: Any, crds: list[str]) -> ControllerSettings:
    """Give settings for this test's namespace; the webhook has a free port, and is registered nowhere."""
    return ControllerSettings(
        kubeconfig=namespace.kubeconfig,
        namespaces=(namespace.namespace,),
        own_namespace=namespace.namespace,
        connect_to=endpoints.connect_to,
        debounce=0.02,
        webhook_port=0,
        shutdown_grace=0,
    )


@pytest.fixture
def serve(settings: ControllerSettings, eventually: Callable[..., None]) -> Iterator[Callable[..., Served]]:
    """Give a function that runs a controller with these settings changed, until the test ends; returns when ready."""
    with ExitStack() as stack:

        def start(*, clock: Any = None, ready: bool = True, **changes: Any) -> Served:
            app = create_app(settings.model_copy(update=changes), clock)
            served = stack.enter_context(serve_in_thread(app))
            if ready:
                with httpx.Client(base_url=served.url, timeout=60) as client:
                    eventually("the controller is ready", lambda: client.get("/readyz").status_code == 200)
            return served

        yield start


@pytest.fixture
def service(serve: Callable[..., Served]) -> Served:
    """Give a running controller."""
    return serve()


@pytest.fixture
def sampled() -> Callable[..., float]:
    """Give a function that reads one sample of a controller's metrics."""

    def read(served: Served, name: str, **labels: str) -> float:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            return sample(client.get("/metrics").text, name, **labels)

    return read


@pytest.fixture
def leads(sampled: Callable[..., float]) -> Callable[[Served], bool]:
    """Give a function that tells whether a controller holds the lease."""
    return lambda served: sampled(served, "dynamic_toolset_controller_leader") == 1


@pytest.fixture
def hook(rest: Rest, namespace: Cluster) -> Iterator[str]:
    """Register a webhook for this test's namespace only, as the example does, and give the configuration's name."""
    documents = yaml.safe_load_all(EXAMPLE.read_text())
    made: Json = next(each for each in documents if each["kind"] == "ValidatingWebhookConfiguration")
    made["metadata"]["name"] = namespace.namespace
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace.namespace}}
    for each in made["webhooks"]:
        each["namespaceSelector"] = selector
    rest.post(CONFIGURATIONS, made)
    yield namespace.namespace
    rest.delete(f"{CONFIGURATIONS}/{namespace.namespace}")


@pytest.fixture
def registered(rest: Rest) -> Callable[[str], bool]:
    """Give a function that tells whether a configuration has an authority."""
    return lambda name: "caBundle" in rest.get(f"{CONFIGURATIONS}/{name}")["webhooks"][0]["clientConfig"]


@pytest.fixture
def configure(rest: Rest, namespace: Cluster, crds: list[str]) -> Callable[..., Json]:
    """Give a function that makes a ToolsetConfig in the test's namespace, or in another."""

    def make(name: str = "tools", *, place: str = "", **spec: Any) -> Json:
        home = place or namespace.namespace
        body = {
            "apiVersion": "toolset.kubernaut.io/v1alpha1",
            "kind": "ToolsetConfig",
            "metadata": {"name": name},
            "spec": {"namespaces": [home], **spec},
        }
        return rest.post(path(home), body)

    return make


@pytest.fixture
def other(rest: Rest, namespace: Cluster) -> Iterator[str]:
    """Give a second namespace, which goes with the test."""
    name = f"{namespace.namespace}-other"[-63:].lstrip("-")
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    rest.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def status(rest: Rest, namespace: Cluster) -> Callable[..., Json]:
    """Give a function that reads a ToolsetConfig's status."""

    def read(name: str = "tools", *, place: str = "") -> Json:
        found: Json = rest.get(path(place or namespace.namespace, name))["status"]
        return found

    return read


@pytest.fixture
def reached(status: Callable[..., Json], eventually: Callable[..., None]) -> Callable[..., Json]:
    """Give a function that waits until a status has a phase (and a count of discoveries), and returns it."""

    def wait(
        phase: str = "Completed", name: str = "tools", *, place: str = "", at_least: int = 1, deadline: float = 30
    ) -> Json:
        def is_there() -> bool:
            found = status(name, place=place)
            return found["phase"] == phase and (phase != "Completed" or found["discoveryCount"] >= at_least)

        eventually(f"{name} is {phase}", is_there, deadline=deadline)
        return status(name, place=place)

    return wait


@pytest.fixture
def entries(status: Callable[..., Json]) -> Callable[..., dict[str, Json]]:
    """Give a function that reads the entries of a status by the names of their Services."""
    return lambda *args, **place: {each["name"]: each for each in status(*args, **place).get("discoveredServices", ())}
