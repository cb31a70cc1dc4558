"""What is particular about built-in resources, as data and small functions.

Rule 1: each fact was asked of a kube-apiserver 1.36: objects of the kind were created, put under another name and
        without a version, changed and deleted, and what came back was written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.status_errors import forbidden
from testinfra.kubernetes.fake.store import Object, Resource
from testinfra.kubernetes.fake.world import World

NAMESPACES: Resource = ("", "namespaces")
SERVICE_ACCOUNTS: Resource = ("", "serviceaccounts")
PODS: Resource = ("", "pods")
CRDS: Resource = ("apiextensions.k8s.io", "customresourcedefinitions")
_RBAC = "rbac.authorization.k8s.io"
_STORAGE = "storage.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
"""All of this group count generations and are not updated without a version."""

PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public")

_WITH_GENERATION = frozenset(
    {
        *(("apps", plural) for plural in ("deployments", "replicasets", "daemonsets", "statefulsets")),
        *(("batch", plural) for plural in ("jobs", "cronjobs")),
        *(("", plural) for plural in ("pods", "podtemplates", "replicationcontrollers")),
        *(("networking.k8s.io", plural) for plural in ("ingresses", "networkpolicies", "ingressclasses")),
        ("policy", "poddisruptionbudgets"),
        ("discovery.k8s.io", "endpointslices"),
        ("scheduling.k8s.io", "priorityclasses"),
        CRDS,
    }
)
_CREATED_BY_UPDATE = frozenset(
    {
        *((_RBAC, plural) for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
        *(("", plural) for plural in ("services", "endpoints", "limitranges", "events")),
        ("coordination.k8s.io", "leases"),
        ("events.k8s.io", "events"),
    }
)
_VERSION_NEEDED = frozenset(
    {
        *((_STORAGE, plural) for plural in ("csidrivers", "csinodes", "csistoragecapacities", "volumeattachments")),
        ("coordination.k8s.io", "leases"),
        ("policy", "poddisruptionbudgets"),
        CRDS,
    }
)
_SHOWN_WHEN_GONE = frozenset(
    {
        *(("", plural) for plural in ("namespaces", "pods", "podtemplates", "services", "serviceaccounts")),
        *(("", plural) for plural in ("persistentvolumeclaims", "persistentvolumes", "resourcequotas")),
        *((_STORAGE, plural) for plural in ("csidrivers", "csinodes", "storageclasses")),
        *((_STORAGE, plural) for plural in ("volumeattachments", "volumeattributesclasses")),
    }
)
_ORPHANING = frozenset({("", "replicationcontrollers"), ("batch", "jobs")})
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set"
    " propagationPolicy=Orphan to suppress this warning"
)
_STATUS_IS_TAKEN = frozenset({("", "nodes")})


def has_generation(kind: Kind) -> bool:
    """Tell whether changes of what is wanted are counted in `metadata.generation`."""
    return bool(kind.crd) or kind.group == _ADMISSION or kind.key in _WITH_GENERATION


def created_by_update(kind: Kind) -> bool:
    """Tell whether a PUT makes what is not there."""
    return kind.key in _CREATED_BY_UPDATE


def version_needed(kind: Kind) -> bool:
    """Tell whether a PUT must name the version that it is of."""
    return bool(kind.crd) or kind.group == _ADMISSION or kind.key in _VERSION_NEEDED


def shown_when_gone(kind: Kind) -> bool:
    """Tell whether the answer of a deletion is the object, where that of most kinds is a Status."""
    return kind.key in _SHOWN_WHEN_GONE


def orphans(kind: Kind) -> bool:
    """Tell whether dependents stay by default when an object is deleted."""
    return kind.key in _ORPHANING


def deletion_warnings(kind: Kind, propagation: str) -> list[str]:
    """Give what a deletion warns of."""
    return [_JOB_WARNING] if kind.key == ("batch", "jobs") and not propagation else []


def drop_status(kind: Kind, content: Object) -> None:
    """Put aside the status that the caller sent with a new object."""
    if "status" in kind.subresources and kind.key not in _STATUS_IS_TAKEN:
        content.pop("status", None)


def give_account(world: World, kind: Kind, content: Object) -> None:
    """Do what the ServiceAccount admission does to a new pod, but for the token's volume: nothing would mount it."""
    if kind.key != PODS:
        return
    spec = content.setdefault("spec", {})
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    namespace = content["metadata"]["namespace"]
    if world.store.find(SERVICE_ACCOUNTS, namespace, name) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(kind, content["metadata"].get("name", ""), why)
    spec["serviceAccountName"] = spec["serviceAccount"] = name


def finalizers(content: Mapping[str, Any]) -> list[str]:
    """Give an object's finalizers."""
    return list(content["metadata"].get("finalizers") or ())
