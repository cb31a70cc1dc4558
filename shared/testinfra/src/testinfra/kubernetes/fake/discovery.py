"""What the server serves, told in the two ways that clients ask: group by group, and all at once (aggregated).

Rule 1: both ways are made of the same records, so a client sees the same kinds whichever way it asks.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from testinfra.kubernetes.fake.kinds import Kind, Kinds, Subresource

_AGGREGATED = "apidiscovery.k8s.io"
_VERSIONS = ("v2",)  # v2beta1 is answered no more by 1.36


def legacy_versions(address: str) -> dict[str, Any]:
    """Answer `/api`; `address` is the server's `host:port`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(kinds: Kinds) -> dict[str, Any]:
    """Answer `/apis`."""
    groups = [_group(kinds, name) for name in kinds.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(kinds: Kinds, name: str) -> dict[str, Any] | None:
    """Answer `/apis/<name>`; None for a group that is not served."""
    if not name or not kinds.versions(name):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(kinds, name)}


def _group(kinds: Kinds, name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in kinds.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(kinds: Kinds, group: str, version: str) -> dict[str, Any] | None:
    """Answer `/apis/<group>/<version>` or `/api/v1`; None for one that is not served."""
    served = kinds.in_version(group, version)
    if not served:
        return None
    resources = [entry for kind in served for entry in (_resource(kind), *map(_subresource_of(kind), _subs(kind)))]
    name = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    return {**head, "groupVersion": name, "resources": resources}


def _subs(kind: Kind) -> list[Subresource]:
    return list(kind.subresources.values())


def _names(kind: Kind) -> dict[str, Any]:
    named = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
    return {key: value for key, value in named.items() if value}


def _resource(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        **_names(kind),
        **({"storageVersionHash": storage_hash(kind)} if "get" in kind.verbs else {}),
    }


def _subresource_of(kind: Kind) -> Any:
    def entry(sub: Subresource) -> dict[str, Any]:
        foreign = {"group": sub.group, "version": sub.version}
        return {
            "name": f"{kind.plural}/{sub.name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **(foreign if sub.group != kind.group else {}),
            "kind": sub.kind,
            "verbs": list(sub.verbs),
        }

    return entry


def storage_hash(kind: Kind) -> str:
    """Give what tells clients that a kind's storage changed: the server's own for built-in kinds, else a digest."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return kind.storage_hash or base64.b64encode(digest[:8]).decode()


def wants_aggregated(accept: str) -> str:
    """Tell the version of aggregated discovery that an Accept header asks for first and that is served; "" for none."""
    for asked in accept.split(","):
        name, *parameters = [part.strip() for part in asked.split(";")]
        given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if name == "application/json" and given.get("g") == _AGGREGATED:
            if given.get("v") in _VERSIONS and given.get("as") == "APIGroupDiscoveryList":
                return given["v"]
        elif name in {"application/json", "*/*"} and "as" not in given:
            return ""
    return ""


def content_type(version: str) -> str:
    """Give the content type of an aggregated answer."""
    return f"application/json;g={_AGGREGATED};v={version};as=APIGroupDiscoveryList"


def aggregated(kinds: Kinds, *, core: bool, version: str = "v2") -> dict[str, Any]:
    """Answer `/api` (`core`) or `/apis` with all groups, versions and resources at once."""
    names = [name for name in kinds.groups() if bool(name) != core]
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_discovered(kinds, name, one) for one in kinds.versions(name)],
        }
        for name in names
    ]
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": f"{_AGGREGATED}/{version}"}
    return {**head, "metadata": {}, "items": items}


def _discovered(kinds: Kinds, group: str, version: str) -> dict[str, Any]:
    resources = []
    for kind in kinds.in_version(group, version):
        subs = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in _subs(kind)
        ]
        resources.append(
            {
                "resource": kind.plural,
                "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "singularResource": kind.singular,
                "verbs": list(kind.verbs),
                **_names(kind),
                **({"subresources": subs} if subs else {}),
            }
        )
    return {"version": version, "resources": resources, "freshness": "Current"}
