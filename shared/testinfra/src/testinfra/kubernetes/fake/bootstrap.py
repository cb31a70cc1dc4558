"""What a new cluster begins with: namespaces, the roles of RBAC, priority classes, the service `kubernetes`."""

from __future__ import annotations

from testinfra.kubernetes.fake import builtin
from testinfra.kubernetes.fake.collector import Collector
from testinfra.kubernetes.fake.definitions import Definitions
from testinfra.kubernetes.fake.namespaces import Namespaces, made
from testinfra.kubernetes.fake.store import Object
from testinfra.kubernetes.fake.traits import NAMESPACES
from testinfra.kubernetes.fake.world import World

_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def fill(world: World) -> None:
    """Start the controllers of an empty world and give it its first objects."""
    for controller in (Collector, Namespaces, Definitions):
        controller(world)
    for name in _NAMESPACES:
        space = made(name, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
        space["metadata"]["labels"] = {"kubernetes.io/metadata.name": name}
        world.store.put(NAMESPACES, space)
    for content in builtin.first_objects():
        kind = world.kinds.of(content["apiVersion"], content["kind"])
        assert kind is not None
        metadata = content["metadata"]
        first = made(metadata["name"], metadata.get("namespace", ""))["metadata"]
        body = {key: value for key, value in content.items() if key not in ("kind", "apiVersion")}
        world.store.put(kind.key, {**body, "metadata": {**metadata, **first}})
    for name, value in _PRIORITIES.items():
        world.store.put(("scheduling.k8s.io", "priorityclasses"), _priority(name, value))
    world.store.put(("", "services"), _front_door())
    world.settle()


def _priority(name: str, value: int) -> Object:
    found = made(name, value=value, preemptionPolicy="PreemptLowerPriority")
    found["metadata"]["generation"] = 1
    return found


def _front_door() -> Object:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    spec = {
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    found = made("kubernetes", "default", spec=spec, status={"loadBalancer": {}})
    found["metadata"]["labels"] = labels
    return found
