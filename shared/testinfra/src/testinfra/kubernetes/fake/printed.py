"""The columns of the built-in kinds, as a 1.36 server prints them (`pkg/printers/internalversion` in Kubernetes).

Rule 1: a kind that is not here has its name and its age.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from testinfra.kubernetes.fake import formats
from testinfra.kubernetes.fake.columns import (
    AGE,
    CREATED,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    age,
    at,
    column,
    containers,
    field,
    joined,
    labels,
    number,
    selector,
    since,
)
from testinfra.kubernetes.fake.kinds import Kind

_Object = Mapping[str, Any]
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_TEMPLATE = containers("spec.template.spec.containers")
_SELECTOR = column("Selector", selector, wide=True)


def _phase(one: _Object) -> str:
    return "Terminating" if at(one, "metadata.deletionTimestamp") else str(at(one, "status.phase"))


def _ready(one: _Object) -> str:
    return f"{at(one, 'status.readyReplicas', 0)}/{at(one, 'spec.replicas', 0)}"


def _pod_status(one: _Object) -> str:
    if at(one, "metadata.deletionTimestamp"):
        return "Terminating"
    for status in at(one, "status.containerStatuses", []):
        for state in ("waiting", "terminated"):
            if at(status, f"state.{state}.reason"):
                return str(at(status, f"state.{state}.reason"))
    return str(at(one, "status.reason") or at(one, "status.phase"))


def _pod_ready(one: _Object) -> str:
    ready = sum(bool(status.get("ready")) for status in at(one, "status.containerStatuses", []))
    return f"{ready}/{len(at(one, 'spec.containers', []))}"


def _pod_restarts(one: _Object) -> str:
    return str(sum(status.get("restartCount", 0) for status in at(one, "status.containerStatuses", [])))


def _ports(one: _Object) -> str:
    told = []
    for port in at(one, "spec.ports", []):
        outside = f":{port['nodePort']}" if port.get("nodePort") else ""
        told.append(f"{port.get('port')}{outside}/{port.get('protocol')}")
    return joined(told)


def _external(one: _Object) -> str:
    if at(one, "spec.type") == "ExternalName":
        return str(at(one, "spec.externalName"))
    given = [each.get("ip") or each.get("hostname") for each in at(one, "status.loadBalancer.ingress", [])]
    pending = "<pending>" if at(one, "spec.type") == "LoadBalancer" else NONE
    return joined([*at(one, "spec.externalIPs", []), *given], pending)


def _addresses(one: _Object) -> str:
    told = []
    for subset in at(one, "subsets", []):
        ports = subset.get("ports") or [{}]
        told += [
            f"{each.get('ip')}:{port['port']}" if port.get("port") else each.get("ip")
            for port in ports
            for each in subset.get("addresses") or []
        ]
    more = f" + {len(told) - 3} more..." if len(told) > 3 else ""  # noqa: PLR2004 - the server's own limit
    return joined(told[:3]) + more


def _last_seen(one: _Object, now: dt.datetime) -> str:
    told = at(one, "series.lastObservedTime") or at(one, "lastTimestamp") or at(one, "eventTime")
    return age(formats.instant(told), now) if told else UNKNOWN


def _involved(one: _Object) -> str:
    about = one.get("involvedObject") or one.get("regarding") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}" if about.get("name") else ""


def _job_status(one: _Object) -> str:
    if at(one, "metadata.deletionTimestamp"):
        return "Terminating"
    told = {each.get("type") for each in at(one, "status.conditions", []) if each.get("status") == "True"}
    return next((name for name in ("Complete", "Failed", "Suspended") if name in told), "Running")


def _node_status(one: _Object) -> str:
    conditions = {each.get("type"): each.get("status") for each in at(one, "status.conditions", [])}
    told = {None: "Unknown", "True": "Ready"}.get(conditions.get("Ready"), "NotReady")
    return f"{told},SchedulingDisabled" if at(one, "spec.unschedulable") else told


def _roles(one: _Object) -> str:
    prefix = "node-role.kubernetes.io/"
    return joined(sorted(key.removeprefix(prefix) for key in at(one, "metadata.labels", {}) if key.startswith(prefix)))


def _subjects(kind: str) -> Callable[[_Object], str]:
    def read(one: _Object) -> str:
        found = [each for each in one.get("subjects") or [] if each.get("kind") == kind]
        names = [f"{each['namespace']}/{each['name']}" if each.get("namespace") else each.get("name") for each in found]
        return ", ".join(map(str, names))

    return read


def _modes(path: str) -> Callable[[_Object], str]:
    return lambda one: ",".join(_MODES.get(mode, mode) for mode in at(one, path, []))


_REPLICAS = (
    number("Desired", "spec.replicas"),
    number("Current", "status.replicas"),
    number("Ready", "status.readyReplicas"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
_BINDING = (
    column("Role", lambda one: f"{at(one, 'roleRef.kind')}/{at(one, 'roleRef.name')}"),
    AGE,
    column("Users", _subjects("User"), wide=True),
    column("Groups", _subjects("Group"), wide=True),
    column("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)
_EVENT = (
    Column(name="Last Seen", cell=_last_seen),
    field("Type", "type"),
    field("Reason", "reason"),
    column("Object", _involved),
    field("Subobject", "involvedObject.fieldPath", wide=True),
    field("Source", "source.component", wide=True),
    column("Message", lambda one: str(one.get("message") or one.get("note") or "").strip()),
    Column(name="First Seen", cell=since("firstTimestamp"), priority=1),
    field("Count", "count", 1, wide=True),
)
_HOOKS = (column("Webhooks", lambda one: len(one.get("webhooks") or []), kind="integer"), AGE)
_RBAC = "rbac.authorization.k8s.io"
_COLUMNS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("", "pods"): (
        column("Ready", _pod_ready),
        column("Status", _pod_status),
        column("Restarts", _pod_restarts),
        AGE,
        field("IP", "status.podIP", NONE, wide=True),
        field("Node", "spec.nodeName", NONE, wide=True),
        field("Nominated Node", "status.nominatedNodeName", NONE, wide=True),
        column("Readiness Gates", lambda _: NONE, wide=True),
    ),
    ("", "services"): (
        field("Type", "spec.type"),
        field("Cluster-IP", "spec.clusterIP", NONE),
        column("External-IP", _external),
        column("Port(s)", _ports),
        AGE,
        _SELECTOR,
    ),
    ("", "configmaps"): (
        column("Data", lambda one: len(one.get("data") or {}) + len(one.get("binaryData") or {}), kind="string"),
        AGE,
    ),
    ("", "secrets"): (field("Type", "type"), column("Data", lambda one: len(one.get("data") or {})), AGE),
    ("", "namespaces"): (column("Status", _phase), AGE),
    ("", "endpoints"): (column("Endpoints", _addresses), AGE),
    ("", "limitranges"): (CREATED,),
    ("", "events"): (*_EVENT, Column(name="Name", format="name", priority=1, cell=NAME.cell)),
    ("events.k8s.io", "events"): (*_EVENT, Column(name="Name", format="name", priority=1, cell=NAME.cell)),
    ("", "replicationcontrollers"): _REPLICAS,
    ("", "nodes"): (
        column("Status", _node_status),
        column("Roles", _roles),
        AGE,
        field("Version", "status.nodeInfo.kubeletVersion"),
    ),
    ("", "persistentvolumeclaims"): (
        column("Status", _phase),
        field("Volume", "spec.volumeName"),
        field("Capacity", "status.capacity.storage"),
        column("Access Modes", _modes("status.accessModes")),
        field("StorageClass", "spec.storageClassName"),
        field("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"),
        AGE,
        field("VolumeMode", "spec.volumeMode", wide=True),
    ),
    ("", "persistentvolumes"): (
        field("Capacity", "spec.capacity.storage"),
        column("Access Modes", _modes("spec.accessModes")),
        field("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"),
        column("Status", _phase),
        field("Claim", "spec.claimRef.name"),
        field("StorageClass", "spec.storageClassName"),
        field("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"),
        field("Reason", "status.reason"),
        AGE,
        field("VolumeMode", "spec.volumeMode", wide=True),
    ),
    ("apps", "deployments"): (
        column("Ready", _ready),
        field("Up-to-date", "status.updatedReplicas", 0),
        field("Available", "status.availableReplicas", 0),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    ("apps", "replicasets"): _REPLICAS,
    ("apps", "statefulsets"): (column("Ready", _ready), AGE, *_TEMPLATE),
    ("apps", "daemonsets"): (
        number("Desired", "status.desiredNumberScheduled"),
        number("Current", "status.currentNumberScheduled"),
        number("Ready", "status.numberReady"),
        number("Up-to-date", "status.updatedNumberScheduled"),
        number("Available", "status.numberAvailable"),
        column("Node Selector", lambda one: labels(at(one, "spec.template.spec.nodeSelector", {}))),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    ("batch", "jobs"): (
        column("Status", _job_status),
        column("Completions", lambda one: f"{at(one, 'status.succeeded', 0)}/{at(one, 'spec.completions', 1)}"),
        field("Duration", "status.duration"),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    ("batch", "cronjobs"): (
        field("Schedule", "spec.schedule"),
        field("Timezone", "spec.timeZone", NONE),
        column("Suspend", lambda one: str(bool(at(one, "spec.suspend"))), kind="boolean"),
        column("Active", lambda one: len(at(one, "status.active", [])), kind="integer"),
        Column(
            name="Last Schedule",
            cell=lambda one, now: (
                NONE if not at(one, "status.lastScheduleTime") else since("status.lastScheduleTime")(one, now)
            ),
        ),
        AGE,
        *containers("spec.jobTemplate.spec.template.spec.containers"),
    ),
    ("coordination.k8s.io", "leases"): (field("Holder", "spec.holderIdentity"), AGE),
    ("networking.k8s.io", "ingresses"): (
        field("Class", "spec.ingressClassName", NONE),
        column("Hosts", lambda one: joined((rule.get("host", "*") for rule in at(one, "spec.rules", [])), "*")),
        column(
            "Address", lambda one: joined((each.get("ip") for each in at(one, "status.loadBalancer.ingress", [])), "")
        ),
        column("Ports", lambda one: "80, 443" if at(one, "spec.tls") else "80"),
        AGE,
    ),
    ("networking.k8s.io", "networkpolicies"): (
        column("Pod-Selector", lambda one: labels(at(one, "spec.podSelector.matchLabels", {}))),
        AGE,
    ),
    ("policy", "poddisruptionbudgets"): (
        column("Min Available", lambda one: str(at(one, "spec.minAvailable", "N/A"))),
        column("Max Unavailable", lambda one: str(at(one, "spec.maxUnavailable", "N/A"))),
        number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    (_RBAC, "roles"): (CREATED,),
    (_RBAC, "clusterroles"): (CREATED,),
    (_RBAC, "rolebindings"): _BINDING,
    (_RBAC, "clusterrolebindings"): _BINDING,
    ("apiextensions.k8s.io", "customresourcedefinitions"): (CREATED,),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): _HOOKS,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): _HOOKS,
}


def of(kind: Kind) -> tuple[Column, ...]:
    """Give the columns of a built-in kind, its name the first (of events: the last)."""
    known = _COLUMNS.get(kind.key, (AGE,))
    return known if kind.plural == "events" else (NAME, *known)
