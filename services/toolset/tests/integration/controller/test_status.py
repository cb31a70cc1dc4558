"""The status: entries in place, and bounds that hold whatever comes and goes."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from toolset.controller.resources import path
from toolset.tools import Tool

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
VOLATILE = ("lastDiscoveryTime", "nextDiscoveryTime", "discoveryCount")
LAST_EVENT = 1
"""Objects in memory that a watch of kopf has at hand until its next event."""


def _kept(namespace: str) -> int:
    """Return how many Services of the namespace, as objects of the API or as tools, are in this process's memory."""

    def is_one(found: object) -> bool:
        if isinstance(found, Tool):
            return found.namespace == namespace
        if not isinstance(found, dict):
            return False
        spec, meta = found.get("spec"), found.get("metadata")
        if not isinstance(spec, dict) or not isinstance(meta, dict):
            return False
        return "clusterIPs" in spec and meta.get("namespace") == namespace

    gc.collect()
    return sum(map(is_one, gc.get_objects()))


def _lasting(status: Json) -> Json:
    """Return what a quiet reconcile does not change."""
    kept = {name: value for name, value in status.items() if name not in VOLATILE}
    kept["discoveredServices"] = [
        {name: value for name, value in entry.items() if name != "lastChecked"}
        for entry in status["discoveredServices"]
    ]
    return kept


def test_a_quiet_reconcile_changes_times_and_the_count_only(
    serve: Callable[..., Served],
    clock: Any,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    configmap: Callable[[], Json],
    eventually: Callable[..., None],
) -> None:
    """Three intervals later all else is as it was, and the ConfigMap was not written."""
    add("prometheus", 9090)
    add("grafana", 3000)
    serve(clock=clock)
    configure()
    first, written = reached(), configmap()["metadata"]["resourceVersion"]
    for number in range(2, 5):
        eventually("it sleeps", lambda: 300.0 in clock.sleeping)
        clock.advance(300)
        reached(at_least=number)
    last = reached(at_least=4)
    assert _lasting(last) == _lasting(first)
    assert (first["lastDiscoveryTime"], last["lastDiscoveryTime"]) == ("2026-11-21T10:00:00Z", "2026-11-21T10:15:00Z")
    assert [each["lastChecked"] for each in last["discoveredServices"]] == ["2026-11-21T10:15:00Z"] * 2
    assert configmap()["metadata"]["resourceVersion"] == written


def test_entries_stay_in_their_place(
    service: Served,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    endpoints: Any,
    namespace: Cluster,
    status: Callable[..., Json],
    eventually: Callable[..., None],
) -> None:
    """Of three the one in the middle turns ill when another comes: the order is that of the names, nothing twice."""
    for name in ("prometheus-a", "prometheus-b", "prometheus-c"):
        add(name, 9090)
    configure()
    before = reached()
    endpoints.behave(f"prometheus-b.{namespace.namespace}", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    add("prometheus-0", 9090)
    eventually("the other one is found", lambda: status()["servicesDiscovered"] == 4)
    after = status()
    assert [(each["name"], each["condition"]) for each in after["discoveredServices"]] == [
        ("prometheus-0", "Ready"),
        ("prometheus-a", "Ready"),
        ("prometheus-b", "NotReady"),
        ("prometheus-c", "Ready"),
    ]
    unchanged = [_lasting(each)["discoveredServices"][-1] for each in (before, after)]
    assert unchanged[0] == unchanged[1]


def test_a_status_is_not_written_to_one_made_in_its_place(
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    endpoints: Any,
    namespace: Cluster,
    rest: Rest,
    eventually: Callable[..., None],
) -> None:
    """It is deleted and made again with another spec while a health check hangs: the status is that of the new one."""
    slow = f"prometheus.{namespace.namespace}"
    endpoints.behave(slow, endpoints.SILENCE)
    add("prometheus", 9090)
    serve()
    configure(healthCheck={"timeout": "2s"})
    eventually("it is asked", lambda: bool(endpoints.asked(slow)))
    rest.delete(path(namespace.namespace, "tools"))
    configure(healthCheck={"enabled": False})
    found = reached()
    assert (found["discoveryCount"], found["discoveredServices"][0]["reason"]) == (1, "NotChecked")


@pytest.fixture
def batch(rest: Rest, namespace: Cluster) -> Callable[[int], None]:
    """Give a function that makes a batch of a hundred custom tools."""
    home = f"/api/v1/namespaces/{namespace.namespace}/services"
    words = {"kubernaut.io/toolset": "enabled", "kubernaut.io/toolset-type": "store"}

    def make(number: int) -> None:
        bodies = [
            {
                "metadata": {"name": f"tool-{number}-{index}", "annotations": words},
                "spec": {"clusterIP": "None", "ports": [{"port": 8080}]},
            }
            for index in range(100)
        ]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda body: rest.post(home, body), bodies))

    return make


def test_five_hundred_services_come_and_go(
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    status: Callable[..., Json],
    batch: Callable[[int], None],
    rest: Rest,
    namespace: Cluster,
    sampled: Callable[..., float],
    eventually: Callable[..., None],
) -> None:
    """In batches of a hundred: the status has what is there and is bounded, and nothing is kept of those that went."""
    home = f"/api/v1/namespaces/{namespace.namespace}/services"
    served = serve(debounce=0.2)
    configure(healthCheck={"enabled": False})
    reached()
    sizes: list[int] = []
    for number in range(5):
        batch(number)
        eventually("a batch is there", lambda: status()["servicesDiscovered"] == 100)
        assert _kept(namespace.namespace) >= 100
        sizes.append(len(json.dumps(status())))
        rest.delete(home)
        eventually("a batch is gone", lambda: status()["servicesDiscovered"] == 0)
        eventually("and forgotten", lambda: _kept(namespace.namespace) <= LAST_EVENT)
    assert max(sizes) < 60_000
    assert max(sizes) - min(sizes) < 2_000
    assert status()["discoveredServices"] == []
    own = {"namespace": namespace.namespace, "config": "tools", "state": "unchecked"}
    assert sampled(served, "dynamic_toolset_config_services", **own) == 0
