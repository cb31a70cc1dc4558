"""The `scale` subresource: an object seen as a number of replicas.

Rule 1: a custom kind says in its CRD where the numbers are; the built-in ones are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake.kinds import Kind

_BUILT_IN = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def read(kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
    """Give the `Scale` (autoscaling/v1) of an object."""
    paths = _paths(kind)
    status = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    selector = _selector(kind, obj)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in _META if key in obj["metadata"]},
        "spec": {"replicas": _at(obj, paths["specReplicasPath"])} if _at(obj, paths["specReplicasPath"]) else {},
        "status": {**status, **({"selector": selector} if selector else {})},
    }


def write(kind: Kind, obj: dict[str, Any], scale: Mapping[str, Any]) -> None:
    """Set an object's replicas to what a `Scale` asks for, in place."""
    *way, last = _paths(kind)["specReplicasPath"].lstrip(".").split(".")
    here = obj
    for step in way:
        here = here.setdefault(step, {})
    here[last] = (scale.get("spec") or {}).get("replicas", 0)


def _paths(kind: Kind) -> Mapping[str, str]:
    return kind.crd_version["subresources"]["scale"] if kind.crd else _BUILT_IN


def _selector(kind: Kind, obj: Mapping[str, Any]) -> str:
    if kind.crd:
        path = _paths(kind).get("labelSelectorPath")
        return str(_at(obj, path) or "") if path else ""
    selector = (obj.get("spec") or {}).get("selector") or {}
    labels = selector if kind.plural == "replicationcontrollers" else selector.get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _at(obj: Mapping[str, Any], path: str) -> Any:
    here: Any = obj
    for step in path.lstrip(".").split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here
