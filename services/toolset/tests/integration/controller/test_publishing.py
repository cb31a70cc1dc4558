"""Where it is published, beside whom, and what others put there."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from toolset.controller.resources import path

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Add = Callable[..., Json]
Configure = Callable[..., Json]
Reached = Callable[..., Json]
Eventually = Callable[..., None]


def test_it_publishes_to_another_namespace(
    serve: Callable[..., Served],
    configure: Configure,
    reached: Reached,
    add: Add,
    other: str,
    namespace: Cluster,
    rest: Rest,
) -> None:
    """Where spec.configMap says, and nowhere else."""
    serve(namespaces=(namespace.namespace, other))
    add("prometheus", 9090)
    configure(configMap={"name": "mine", "namespace": other})
    reached()
    text = rest.get(f"/api/v1/namespaces/{other}/configmaps/mine")["data"]["toolset.json"]
    assert [each["name"] for each in json.loads(text)["tools"]] == ["prometheus"]
    here = rest.get(f"/api/v1/namespaces/{namespace.namespace}/configmaps")["items"]
    assert [each["metadata"]["name"] for each in here if each["metadata"]["name"] != "kube-root-ca.crt"] == []


@pytest.mark.parametrize("preserve", [True, False])
def test_what_others_put_into_the_configmap(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    configmap: Callable[[], Json],
    preserve: bool,
) -> None:
    """Their keys stay, or go where preserveOverrides is false; labels and annotations of theirs stay in any case."""
    body = {
        "metadata": {"name": "kubernaut-toolset-config", "labels": {"theirs": "1"}, "annotations": {"theirs": "2"}},
        "data": {"overrides.yaml": "a: b"},
    }
    rest.post(f"/api/v1/namespaces/{namespace.namespace}/configmaps", body)
    add("prometheus", 9090)
    configure(configMap={"preserveOverrides": preserve})
    reached()
    found = configmap()
    assert ("overrides.yaml" in found["data"]) is preserve
    assert found["metadata"]["labels"]["theirs"] == "1"
    assert found["metadata"]["annotations"]["theirs"] == "2"


def test_a_configmap_that_was_deleted_is_made_again(
    serve: Callable[..., Served],
    clock: Any,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    published: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """At the next interval."""
    add("prometheus", 9090)
    serve(clock=clock)
    configure()
    reached()
    rest.delete(f"/api/v1/namespaces/{namespace.namespace}/configmaps/kubernaut-toolset-config")
    eventually("it sleeps", lambda: 300.0 in clock.sleeping)
    clock.advance(300)
    reached(at_least=2)
    assert [each["name"] for each in published()] == ["prometheus"]


def test_ten_writers_fight_over_the_configmap(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    configmap: Callable[[], Json],
    status: Callable[..., Json],
    published: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """Three hundred writes of ten others while tools come: all are published, and all that was written is there."""
    configure()
    reached()
    own = f"/api/v1/namespaces/{namespace.namespace}/configmaps/kubernaut-toolset-config"

    def write(number: int) -> None:
        for count in range(1, 31):
            rest.patch(own, {"data": {f"writer-{number}": str(count)}})

    with ThreadPoolExecutor(10) as pool:
        writers = [pool.submit(write, number) for number in range(10)]
        for number in range(3):
            add(f"prometheus-{number}", 9090)
        for each in writers:
            each.result()
    eventually("all are found", lambda: status()["servicesDiscovered"] == 3)
    assert len(published()) == 3
    data = configmap()["data"]
    assert {name: data[name] for name in data if name != "toolset.json"} == {
        f"writer-{number}": "30" for number in range(10)
    }
    assert (status()["phase"], status()["errors"]) == ("Completed", [])


def test_of_two_with_one_configmap_the_older_publishes(
    service: Served,
    configure: Configure,
    reached: Reached,
    rest: Rest,
    namespace: Cluster,
    add: Add,
    published: Callable[[], list[Json]],
) -> None:
    """The other is Failed and says why, until the older one is gone."""
    add("prometheus", 9090)
    configure("a-first")
    reached(name="a-first")
    configure("b-second", serviceTypes={"prometheus": {"enabled": False}})
    (error,) = reached("Failed", "b-second")["errors"]
    assert f"ToolsetConfig {namespace.namespace}/a-first publishes to" in error
    assert len(published()) == 1
    rest.delete(path(namespace.namespace, "a-first"))
    assert reached(name="b-second")["errors"] == []
    assert published() == []
