"""When a ToolsetConfig is reconciled, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

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


def test_what_is_there_is_found_and_published(
    service: Served, configure: Configure, reached: Reached, add: Add, published: Callable[[], list[Json]]
) -> None:
    """A new ToolsetConfig: its tools are in the status and in the ConfigMap, its phase is Completed."""
    add("prometheus", 9090)
    add("grafana", ("service", 3000))
    add("shop", 8080)
    configure()
    found = reached()
    assert [(each["name"], each["type"], each["condition"]) for each in found["discoveredServices"]] == [
        ("grafana", "grafana", "Ready"),
        ("prometheus", "prometheus", "Ready"),
    ]
    assert (found["servicesDiscovered"], found["servicesHealthy"], found["servicesUnhealthy"]) == (2, 2, 0)
    assert (found["observedGeneration"], found["errors"]) == (1, [])
    assert [each["name"] for each in published()] == ["grafana", "prometheus"]


def test_one_that_was_there_before_the_controller(
    serve: Callable[..., Served], configure: Configure, reached: Reached, add: Add
) -> None:
    """It is found by the list with which a watch begins."""
    add("prometheus", 9090)
    configure()
    serve()
    assert reached()["servicesDiscovered"] == 1


def test_phases_come_in_their_order(
    service: Served, configure: Configure, reached: Reached, rest: Rest, namespace: Cluster
) -> None:
    """Pending when it is made, Running, Completed; a quiet reconcile is not Running again."""
    made = configure()
    reached()
    seen = [made["status"]["phase"]]
    version = made["metadata"]["resourceVersion"]
    for event in rest.watch(path(namespace.namespace), within=10, resourceVersion=version):
        seen.append(event["object"]["status"]["phase"])
        if seen[-1] == "Completed":
            break
    assert seen == ["Pending", "Running", "Completed"]


def test_a_changed_spec_is_followed_at_once(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    status: Callable[..., Json],
    eventually: Eventually,
) -> None:
    """Another generation is observed, though the interval is far from over."""
    add("prometheus", 9090)
    add("grafana", 3000)
    configure()
    reached()
    rest.patch(path(namespace.namespace, "tools"), {"spec": {"serviceTypes": {"grafana": {"enabled": False}}}})
    eventually("it is observed", lambda: status()["observedGeneration"] == 2)
    assert [each["name"] for each in status()["discoveredServices"]] == ["prometheus"]


def test_its_own_writes_and_labels_cause_nothing(
    service: Served, configure: Configure, reached: Reached, add: Add, rest: Rest, namespace: Cluster
) -> None:
    """A status and a label make no generation: when a Service that counts has come, there were just two discoveries."""
    configure()
    reached()
    rest.patch(path(namespace.namespace, "tools"), {"metadata": {"labels": {"a": "b"}}})
    add("prometheus", 9090)
    found = reached(at_least=2)
    assert (found["discoveryCount"], found["servicesDiscovered"]) == (2, 1)


def test_the_interval_is_kept(
    serve: Callable[..., Served],
    clock: Any,
    configure: Configure,
    reached: Reached,
    add: Add,
    endpoints: Any,
    namespace: Cluster,
    eventually: Eventually,
) -> None:
    """A virtual minute later, not before, it is reconciled: what changed at the endpoint shows."""
    add("prometheus", 9090)
    serve(clock=clock)
    configure(discoveryInterval="1m")
    assert reached()["servicesHealthy"] == 1
    endpoints.behave(f"prometheus.{namespace.namespace}", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    eventually("it sleeps", lambda: 60.0 in clock.sleeping)
    clock.advance(59)
    eventually("it still sleeps", lambda: 1.0 in clock.sleeping)
    clock.advance(1)
    found = reached(at_least=2)
    assert (found["servicesHealthy"], found["servicesUnhealthy"]) == (0, 1)
    assert found["lastDiscoveryTime"] == "2026-11-21T10:01:00Z"
    assert found["nextDiscoveryTime"] == "2026-11-21T10:02:00Z"


def test_each_has_its_own_interval(
    serve: Callable[..., Served], clock: Any, configure: Configure, reached: Reached, eventually: Eventually
) -> None:
    """Of two only the one whose time it is is reconciled."""
    serve(clock=clock)
    configure("often", discoveryInterval="1m", configMap={"name": "often"})
    configure("rarely", discoveryInterval="1h", configMap={"name": "rarely"})
    reached(name="often")
    reached(name="rarely")
    eventually("both sleep", lambda: {60.0, 3600.0} <= set(clock.sleeping))
    clock.advance(60)
    reached(name="often", at_least=2)
    assert reached(name="rarely")["discoveryCount"] == 1


def test_namespaces_are_a_filter(
    serve: Callable[..., Served],
    configure: Configure,
    reached: Reached,
    add: Add,
    other: str,
    namespace: Cluster,
    status: Callable[..., Json],
    eventually: Eventually,
) -> None:
    """One looks at one namespace, another at all that the controller works in, by one list for each namespace."""
    add("prometheus", 9090)
    add("grafana", 3000, place=other)
    serve(namespaces=(namespace.namespace, other))
    configure("here")
    configure("there", namespaces=[other], configMap={"name": "there"})
    configure("both", namespaces=["*"], configMap={"name": "both"})
    names = {
        name: {each["name"] for each in reached(name=name)["discoveredServices"]} for name in ("here", "there", "both")
    }
    assert names == {"here": {"prometheus"}, "there": {"grafana"}, "both": {"grafana", "prometheus"}}
    add("jaeger", 16686, place=other)
    eventually("both see it", lambda: all(status(name)["servicesDiscovered"] > 1 for name in ("there", "both")))
    assert status("here")["discoveryCount"] == 1


def test_a_deleted_one_ends_its_worker_and_its_metrics(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    configmap: Callable[[], Json],
    eventually: Eventually,
) -> None:
    """Nothing is left of it but what it published; made again, it is looked after again."""
    add("prometheus", 9090)
    configure()
    reached()
    with httpx.Client(base_url=service.url) as client:
        assert f'config="tools",namespace="{namespace.namespace}"' in client.get("/metrics").text
        rest.delete(path(namespace.namespace, "tools"))
        eventually("the metrics are gone", lambda: 'config="tools"' not in client.get("/metrics").text)
        assert "dynamic_toolset_controller_configs 0.0" in client.get("/metrics").text
    assert configmap()["data"]["toolset.json"]
    configure()
    assert reached()["servicesDiscovered"] == 1


def test_a_namespace_outside_of_the_controllers_is_told(
    service: Served, configure: Configure, reached: Reached
) -> None:
    """Failed, with what it names and where the controller works."""
    configure(namespaces=["elsewhere"])
    (error,) = reached("Failed")["errors"]
    assert "names elsewhere" in error


def test_errors_are_cleared_by_success(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    status: Callable[..., Json],
    eventually: Eventually,
) -> None:
    """What a Service says wrongly of itself is in errors while it says so."""
    own = f"/api/v1/namespaces/{namespace.namespace}/services/store"
    words = {
        "kubernaut.io/toolset": "enabled",
        "kubernaut.io/toolset-type": "store",
        "kubernaut.io/toolset-health-path": "no-slash",
    }
    add("store", 8080, annotations=words)
    configure()
    found = reached()
    assert "no-slash" in found["errors"][0]
    rest.patch(own, {"metadata": {"annotations": {"kubernaut.io/toolset-health-path": "/"}}})
    eventually("it is found, and errors are gone", lambda: status()["errors"] == [] != status()["discoveredServices"])


def test_kopf_leaves_no_mark(
    service: Served, configure: Configure, reached: Reached, add: Add, rest: Rest, namespace: Cluster
) -> None:
    """No finalizer, no annotation, on the ToolsetConfig as on the Service; no event either."""
    add("prometheus", 9090)
    configure()
    reached()
    own = rest.get(path(namespace.namespace, "tools"))["metadata"]
    tool = rest.get(f"/api/v1/namespaces/{namespace.namespace}/services/prometheus")["metadata"]
    assert [each.get(key) for each in (own, tool) for key in ("finalizers", "annotations")] == [None] * 4
    assert rest.get(f"/api/v1/namespaces/{namespace.namespace}/events")["items"] == []
