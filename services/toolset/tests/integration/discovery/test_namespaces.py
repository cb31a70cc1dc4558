"""Where tools are looked for: everywhere, or in the namespaces that are named; one list request for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from services.toolset.tests.clock import ManualClock
from testinfra.endpoints import Cluster

Json = dict[str, Any]
Add = Callable[..., Json]


@pytest.fixture
def other(rest: Any, namespace: Cluster) -> Iterator[str]:
    """Give another namespace."""
    name = f"{namespace.namespace}-b"
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    rest.delete(f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize(("named", "lists"), [("all", 1), ("both", 2), ("one", 1), ("one twice", 1)])
def test_only_what_is_named_is_looked_at(
    add: Add,
    serve: Callable[..., Served],
    connect: Any,
    intercept: Any,
    namespace: Cluster,
    other: str,
    clock: ManualClock,
    eventually: Callable[..., None],
    named: str,
    lists: int,
) -> None:
    """One request for all namespaces, else one for each; the names are told apart by them."""
    home = namespace.namespace
    add("prometheus", 9090)
    add("prometheus", 9090, place=other)
    chosen = {"all": (), "both": (home, other), "one": (home,), "one twice": (home, home)}[named]
    between = intercept(namespace)
    client: httpx.Client = connect(serve(clock=clock, kubeconfig=between.endpoint.kubeconfig, namespaces=chosen))
    eventually("it is discovered", lambda: len(clock.sleeping) == 1)
    listed = [each["namespace"] for each in client.get("/api/v1/toolsets").json()["toolsets"]]
    own = [each for each in listed if each in {home, other}]  # other tests have tools too
    assert own == ([home, other] if named in {"all", "both"} else [home])
    assert len(between.attempts(verb="list", resource="services")) == lists


def test_a_namespace_that_is_not_there_has_no_tools(add: Add, serve: Callable[..., Served], connect: Any) -> None:
    """Kubernetes lists nothing of it, and the others count."""
    add("prometheus", 9090)
    named = add("grafana", 3000)["metadata"]["namespace"]
    client: httpx.Client = connect(serve(namespaces=("no-such-namespace", named)))
    assert client.post("/api/v1/toolsets/generate").json()["tools"] == 2


def test_one_list_that_fails_fails_the_round(
    add: Add, serve: Callable[..., Served], connect: Any, intercept: Any, namespace: Cluster, other: str, published: Any
) -> None:
    """Half of the tools are never published as all of them."""
    add("prometheus", 9090)
    add("grafana", 3000, place=other)
    between = intercept(namespace)
    both = (namespace.namespace, other)
    client: httpx.Client = connect(serve(kubeconfig=between.endpoint.kubeconfig, namespaces=both))
    assert client.post("/api/v1/toolsets/generate").json()["tools"] == 2
    with between.answer(504, verb="list", resource="services", namespace=other):
        answer = client.post("/api/v1/toolsets/generate")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem-type:kubernetes-gateway-timeout")
    assert len(published()) == 2


def test_a_configmap_of_a_namespace_that_is_not_there(serve: Callable[..., Served], connect: Any) -> None:
    """503 in Kubernetes' own words."""
    client: httpx.Client = connect(serve(configmap_namespace="no-such-namespace"))
    answer = client.post("/api/v1/toolsets/generate")
    assert (answer.status_code, "no-such-namespace" in answer.json()["detail"]) == (503, True)
