"""What a server fills into objects of the built-in kinds: the values of a table, and the few that need more than that.

Rule 1: only what is absent is filled in.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from testinfra.kubernetes.fake.defaultvalues import APPS, CORE, RBAC, VALUES
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.schema import Schema, parts

_SERVICE_NETWORK = ipaddress.ip_network("10.0.0.0/16")
_NODE_PORTS = range(30000, 32768)


def fill(kind: Kind, obj: dict[str, Any]) -> None:
    """Fill in a built-in kind's defaults, in place. `metadata` has its name and uid by then."""
    _walk(kind.schema, obj)
    special = _BY_KIND.get(kind.key)
    if special:
        special(obj)


def _walk(schema: Schema, value: Any) -> None:
    name = schema.get("$id", "")
    if isinstance(value, dict):
        for key, default in VALUES.get(name, {}).items():
            if key not in value:
                value[key] = copy.deepcopy(default)
        more = _BY_TYPE.get(name)
        if more:
            more(value)
    for key, part, _ in parts(schema, value):
        _walk(part, value[key])


def _container(container: dict[str, Any]) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    latest = "@" not in image and tag in {"", "latest"}
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


def _volume(volume: dict[str, Any]) -> None:
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}


def _strategy(strategy: dict[str, Any]) -> None:
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {})


def _subject(subject: dict[str, Any]) -> None:
    if subject.get("kind") in {"User", "Group"}:
        subject.setdefault("apiGroup", RBAC)


def _number(obj: Mapping[str, Any], salt: str) -> int:
    """A number that is an object's own as long as it lives: stands for what a server would allocate."""
    meta = obj.get("metadata", {})
    text = "/".join([salt, meta.get("uid") or "", meta.get("namespace") or "", meta.get("name") or ""])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _service(service: dict[str, Any]) -> None:
    spec = service["spec"]
    for port in spec.get("ports") or []:
        port.setdefault("targetPort", port.get("port"))
        if spec["type"] in {"NodePort", "LoadBalancer"}:
            port.setdefault("nodePort", _NODE_PORTS[_number(service, f"port {port.get('port')}") % len(_NODE_PORTS)])
    if spec["type"] == "ExternalName":
        return
    address = _SERVICE_NETWORK[1 + _number(service, "address") % (_SERVICE_NETWORK.num_addresses - 2)]
    spec["clusterIP"] = spec.get("clusterIP") or str(address)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] != "ClusterIP":
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _secret(secret: dict[str, Any]) -> None:
    texts = secret.pop("stringData", None) or {}
    if texts:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _namespace(namespace: dict[str, Any]) -> None:
    meta = namespace["metadata"]
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}


def _job(job: dict[str, Any]) -> None:
    spec = job.get("spec") or {}
    if not spec.get("completions") and not spec.get("parallelism"):
        spec.setdefault("completions", 1)
    for key, value in (
        ("parallelism", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("manualSelector", False),
        ("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"),
    ):
        spec.setdefault(key, value)
    name, uid = job["metadata"].get("name"), job["metadata"].get("uid")
    if spec["manualSelector"] or not uid:
        return
    own = {"batch.kubernetes.io/controller-uid": uid}
    labels = {**own, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name}
    pods = spec.setdefault("template", {}).setdefault("metadata", {})
    pods["labels"] = {**(pods.get("labels") or {}), **labels}
    spec.setdefault("selector", {"matchLabels": own})
    job["metadata"].setdefault("labels", dict(pods["labels"]))


def _pod(pod: dict[str, Any]) -> None:
    """What the server and its admission (Priority, DefaultTolerationSeconds) add to a pod that is no template."""
    spec = pod.setdefault("spec", {})
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    tolerations += [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        if not any(one.get("key") in {key, None} for one in tolerations)
    ]
    pod["status"].setdefault("qosClass", _quality(spec))


def _quality(spec: Mapping[str, Any]) -> str:
    """The quality of service class that a pod's requests and limits give it."""
    asked = [one.get("resources") or {} for one in spec.get("containers") or []]
    if not any(one.get("requests") or one.get("limits") for one in asked):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= (one.get("limits") or {}).keys() and one.get("requests", one["limits"]) == one["limits"]
        for one in asked
    )
    return "Guaranteed" if full else "Burstable"


def _replication(controller: dict[str, Any]) -> None:
    spec = controller.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        spec.setdefault("selector", dict(labels))
        controller["metadata"].setdefault("labels", dict(labels))


def _policy(policy: dict[str, Any]) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _limits(limits: dict[str, Any]) -> None:
    for item in (limits.get("spec") or {}).get("limits") or []:
        if item.get("type") == "Container":
            for source, target in (("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")):
                if item.get(source):
                    item[target] = {**item[source], **(item.get(target) or {})}


_BY_TYPE: Mapping[str, Callable[[dict[str, Any]], None]] = {
    CORE + "Container": _container,
    CORE + "Volume": _volume,
    APPS + "DeploymentStrategy": _strategy,
    APPS + "StatefulSetUpdateStrategy": _strategy,
    APPS + "DaemonSetUpdateStrategy": _strategy,
    "io.k8s.api.rbac.v1.Subject": _subject,
}
_BY_KIND: Mapping[tuple[str, str], Callable[[dict[str, Any]], None]] = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("", "secrets"): _secret,
    ("", "namespaces"): _namespace,
    ("", "replicationcontrollers"): _replication,
    ("", "limitranges"): _limits,
    ("batch", "jobs"): _job,
    ("networking.k8s.io", "networkpolicies"): _policy,
}
