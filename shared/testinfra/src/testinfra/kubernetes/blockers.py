"""What keeps a namespace from going away: its own conditions, and objects in it whose finalizers nobody removes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from testinfra.kubernetes.rest import ApiError, Rest

_METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"}
_NEEDED = {"list", "delete"}
_COLLECTOR = {"foregroundDeletion", "orphan"}
"""Finalizers that the garbage collector removes by itself."""


def find(rest: Rest, namespaces: Sequence[str]) -> dict[str, list[str]]:
    """Give what blocks each of `namespaces` in words; a namespace that nothing blocks is left out.

    One list for each kind of the server, over all namespaces.
    """
    found: dict[str, list[str]] = {}
    if not namespaces:
        return found
    wanted = set(namespaces)
    for path, plural in _listable(rest):
        with contextlib.suppress(ApiError):  # a kind that went away since, or that we may not list
            for one in rest.request("GET", path, headers=_METADATA_ONLY).body.get("items") or []:
                metadata = one["metadata"]
                finalizers = set(metadata.get("finalizers", [])) - _COLLECTOR
                if metadata.get("namespace") in wanted and finalizers:
                    words = f"{plural}/{metadata['name']} has the finalizer {', '.join(sorted(finalizers))}"
                    found.setdefault(metadata["namespace"], []).append(words)
    for name in wanted - set(found):
        if told := _conditions(rest, name):
            found[name] = told
    return found


def _conditions(rest: Rest, name: str) -> list[str]:
    """Give what the namespace controller says of it."""
    with contextlib.suppress(ApiError):
        conditions = rest.get(f"/api/v1/namespaces/{name}").get("status", {}).get("conditions") or []
        return [one.get("message", one["type"]) for one in conditions if one["status"] == "True"]
    return []


def _listable(rest: Rest) -> Iterator[tuple[str, str]]:
    """Give path and plural of every kind that lives in namespaces and can be listed and deleted."""
    roots = [("/api/v1", rest.get("/api/v1"))]
    for group in rest.get("/apis")["groups"]:
        path = f"/apis/{group['preferredVersion']['groupVersion']}"
        with contextlib.suppress(ApiError):  # the group's last definition may just be going
            roots.append((path, rest.get(path)))
    for root, said in roots:
        resources: list[dict[str, Any]] = said.get("resources", [])
        for one in resources:
            if one["namespaced"] and set(one["verbs"]) >= _NEEDED and "/" not in one["name"]:
                yield f"{root}/{one['name']}", one["name"]
