"""Services that come, change and go, and what their endpoints do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Add = Callable[..., Json]
Configure = Callable[..., Json]
Reached = Callable[..., Json]
Entries = Callable[..., dict[str, Json]]
Eventually = Callable[..., None]
DISCOVERIES = "dynamic_toolset_discovery_duration_seconds_count"


def test_a_service_that_comes_changes_and_goes(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    entries: Entries,
    published: Callable[[], list[Json]],
    eventually: Eventually,
) -> None:
    """Each is followed at once, in the status and in what is published."""
    configure()
    reached()
    add("prometheus", 9090)
    eventually("it has come", lambda: "prometheus" in entries())
    own = f"/api/v1/namespaces/{namespace.namespace}/services/prometheus"
    rest.patch(own, {"spec": {"ports": [{"name": "web", "port": 9091}]}})
    eventually("it has changed", lambda: entries()["prometheus"]["endpoint"].endswith(":9091"))
    rest.delete(own)
    eventually("it is gone", lambda: not entries() and not published())


def test_a_service_that_becomes_and_ceases_to_be_a_tool(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    rest: Rest,
    namespace: Cluster,
    entries: Entries,
    eventually: Eventually,
) -> None:
    """By an annotation, and its removal."""
    add("store", 8080)
    configure()
    reached()
    own = f"/api/v1/namespaces/{namespace.namespace}/services/store"
    words = {"kubernaut.io/toolset": "enabled", "kubernaut.io/toolset-type": "store"}
    rest.patch(own, {"metadata": {"annotations": words}})
    eventually("it is a tool", lambda: "store" in entries())
    rest.patch(own, {"metadata": {"annotations": dict.fromkeys(words)}})
    eventually("it is none any more", lambda: not entries())


def test_a_service_that_is_no_tool_causes_nothing(
    service: Served, configure: Configure, reached: Reached, add: Add, sampled: Callable[..., float]
) -> None:
    """Twenty of them come; the one discovery that follows is that of the tool that comes last."""
    configure()
    reached()
    before = sampled(service, DISCOVERIES)
    for number in range(20):
        add(f"shop-{number}", 8080)
    add("prometheus", 9090)
    reached(at_least=2)
    assert sampled(service, DISCOVERIES) - before == 1


def test_a_burst_makes_few_discoveries(
    serve: Callable[..., Served],
    configure: Configure,
    reached: Reached,
    add: Add,
    status: Callable[..., Json],
    eventually: Eventually,
) -> None:
    """Forty tools that come within a moment: all are found, by a handful of discoveries."""
    serve(debounce=1.0)
    configure()
    reached()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(f"prometheus-{number}", 9090), range(40)))
    eventually("all are found", lambda: status()["servicesDiscovered"] == 40)
    assert status()["discoveryCount"] <= 8


def test_what_comes_during_a_discovery_is_not_lost(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    endpoints: Any,
    namespace: Cluster,
    entries: Entries,
    eventually: Eventually,
) -> None:
    """A health check hangs while another tool comes: a further discovery finds it."""
    slow = f"prometheus.{namespace.namespace}"
    endpoints.behave(slow, endpoints.SILENCE)
    add("prometheus", 9090)
    configure(healthCheck={"timeout": "1s"})
    eventually("the slow one is asked", lambda: bool(endpoints.asked(slow)))
    add("grafana", 3000)
    eventually("the other one is found", lambda: "grafana" in entries())
    assert entries()["prometheus"]["reason"] == "EndpointUnreachable"


@pytest.mark.parametrize(
    ("written", "reason", "condition"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "HealthCheckPassed", "Ready"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HealthCheckFailed", "NotReady"),
        (b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HealthCheckFailed", "NotReady"),
        (b"not http at all\r\n\r\n", "EndpointUnreachable", "NotReady"),
        (b"", "EndpointUnreachable", "NotReady"),
    ],
    ids=["204", "500", "redirect", "garbage", "hangs up"],
)
def test_what_an_endpoint_does_is_in_the_status(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    endpoints: Any,
    namespace: Cluster,
    published: Callable[[], list[Json]],
    written: bytes,
    reason: str,
    condition: str,
) -> None:
    """Condition, reason and message; only what is well is published."""
    endpoints.behave(f"jaeger.{namespace.namespace}", written)
    add("jaeger", ("query", 16686))
    configure()
    (entry,) = reached()["discoveredServices"]
    assert (entry["reason"], entry["condition"], entry["healthy"]) == (reason, condition, condition == "Ready")
    assert "http://jaeger." in entry["message"]
    assert len(published()) == (condition == "Ready")


def test_without_health_checks_nothing_is_asked(
    service: Served,
    configure: Configure,
    reached: Reached,
    add: Add,
    endpoints: Any,
    namespace: Cluster,
    published: Callable[[], list[Json]],
) -> None:
    """All that are found are published, their condition is Unknown."""
    add("prometheus", 9090)
    configure(healthCheck={"enabled": False})
    found = reached()
    (entry,) = found["discoveredServices"]
    assert (entry["condition"], entry["reason"], "healthy" in entry) == ("Unknown", "NotChecked", False)
    assert (found["servicesHealthy"], found["servicesUnhealthy"], len(published())) == (0, 0, 1)
    assert endpoints.asked(f"prometheus.{namespace.namespace}") == []


def test_a_service_that_opts_out(
    service: Served, configure: Configure, reached: Reached, add: Add, published: Callable[[], list[Json]]
) -> None:
    """It is listed as not checked, says why, and is not published."""
    add("prometheus", 9090, annotations={"kubernaut.io/toolset": "disabled"})
    configure()
    (entry,) = reached()["discoveredServices"]
    assert (entry["condition"], "opts out" in entry["message"], published()) == ("Unknown", True, [])


def test_types_are_narrowed_by_labels_and_annotations(
    service: Served, configure: Configure, reached: Reached, add: Add
) -> None:
    """All of the labels and annotations that a type names have to be there; other types are not touched."""
    add("prometheus-a", 9090, labels={"team": "a"}, annotations={"tier": "gold"})
    add("prometheus-b", 9090, labels={"team": "a"})
    add("prometheus-c", 9090, annotations={"tier": "gold"})
    add("grafana", 3000)
    configure(serviceTypes={"prometheus": {"labels": {"team": "a"}, "annotations": {"tier": "gold"}}})
    assert [each["name"] for each in reached()["discoveredServices"]] == ["grafana", "prometheus-a"]
