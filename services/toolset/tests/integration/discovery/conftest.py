"""A scene: Services that many tests of a module look at, discovered once, by one service in the module's namespace."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from services.toolset.tests.endpoints import Endpoints
from testinfra.endpoints import Cluster

if TYPE_CHECKING:  # imported where they are needed: xdist's first process needs none of it
    import ssl

    from servicekit.testing import Served
    from testinfra.kubernetes.clients import Kubernetes
    from toolset import ServeSettings

Json = dict[str, Any]


class Scene:
    """Services in a namespace, and what the service says of them after `discover`; `metrics` are of then."""

    def __init__(
        self, kubernetes: Kubernetes, place: Cluster, served: Served, endpoints: Endpoints, no_tls: ssl.SSLContext
    ) -> None:
        """Look through the administrator's eyes and through a client of the service."""
        import httpx  # noqa: PLC0415 - see above

        self.namespace = place.namespace
        self.client = httpx.Client(base_url=served.url, verify=no_tls, timeout=60)
        self.endpoints = endpoints
        self.services: dict[str, Json] = {}
        self.errors: list[str] = []
        self.published: list[Json] = []
        self.metrics = self._before = ""
        self._rest = kubernetes.rest()
        self._path = f"/api/v1/namespaces/{place.namespace}"

    def add(self, service: Json, written: bytes | None = None) -> None:
        """Make a Service; `written` is what answers there."""
        if written is not None:
            self.endpoints.behave(f"{service['metadata']['name']}.{self.namespace}", written)
        self._rest.post(f"{self._path}/services", service)

    def discover(self) -> None:
        """Have all of it discovered, and take note of what is said and of what one round counts."""
        self._generate()
        self._before = self.client.get("/metrics").text  # the service's first round may have seen half of it
        self._generate()
        said = self.client.get("/api/v1/services").json()
        self.services = {each["name"]: each for each in said["services"]}
        self.errors = said["errors"]
        self.metrics = self.client.get("/metrics").text
        document = self._rest.get(f"{self._path}/configmaps/kubernaut-toolset-config")["data"]["toolset.json"]
        self.published = json.loads(document)["tools"]

    def _generate(self) -> None:
        answered = self.client.post("/api/v1/toolsets/generate")
        assert answered.status_code == 200, answered.text

    def counted(self, name: str, **labels: str) -> float:
        """Return by how much one round increased a counter."""
        from servicekit.testing import sample  # noqa: PLC0415 - see above

        return sample(self.metrics, name, **labels) - sample(self._before, name, **labels)

    def asked(self, name: str) -> set[str]:
        """Return the request lines that came to a Service's endpoint."""
        return set(self.endpoints.asked(f"{name}.{self.namespace}"))


@pytest.fixture(scope="module")
def place(kubernetes: Kubernetes) -> Iterator[Cluster]:
    """Give a namespace of the module's own."""
    name = f"toolset-scene-{secrets.token_hex(4)}"
    kubernetes.rest().post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield dataclasses.replace(kubernetes.endpoint, namespace=name)
    kubernetes.rest().delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def scene(
    kubernetes: Kubernetes,
    place: Cluster,
    endpoints: Endpoints,
    settings_for: Callable[..., ServeSettings],
    no_tls: ssl.SSLContext,
) -> Iterator[Scene]:
    """Give a scene without a Service."""
    from servicekit.testing import serve_in_thread  # noqa: PLC0415 - see above
    from toolset import create_app  # noqa: PLC0415 - see above

    with serve_in_thread(create_app(settings_for(place))) as served:
        made = Scene(kubernetes, place, served, endpoints, no_tls)
        yield made
        made.client.close()
