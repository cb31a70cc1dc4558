"""The namespace and service account controllers: what a namespace begins with, and how it ends.

Rule 1: every namespace has the ServiceAccount `default`; where it is deleted it comes again.
Rule 2: a namespace that is being deleted is emptied, then finalized; what is left says so in its conditions, in the
        words of kube-controller-manager, and the namespace goes with the last of it.
"""

from __future__ import annotations

import uuid
from collections import Counter

from testinfra.kubernetes.fake import deleting, traits
from testinfra.kubernetes.fake.queries import BACKGROUND, DeleteOptions
from testinfra.kubernetes.fake.store import Change, Object, Resource, Stored
from testinfra.kubernetes.fake.traits import NAMESPACES, SERVICE_ACCOUNTS
from testinfra.kubernetes.fake.world import World, now

_AT_ONCE = DeleteOptions(dry_run=False, propagation=BACKGROUND, grace=0, uid="", resource_version="")
_OURS = "kubernetes"


class Namespaces:
    """Looks after the namespaces of a world."""

    def __init__(self, world: World) -> None:
        """Do so from now on."""
        self._world = world
        world.controllers.append(self.noticed)

    def noticed(self, resource: Resource, change: Change) -> None:
        """Take note of a change."""
        namespace, name = change.shown.key
        if resource == NAMESPACES:
            if change.before is None:
                self._world.duty(lambda: self._give_account(name))
            elif change.after and "deletionTimestamp" in change.after.content["metadata"]:
                self._world.duty(lambda: self._empty(name))
        elif namespace and (change.after is None):
            self._world.duty(lambda: self._empty(namespace))
            if (resource, name) == (SERVICE_ACCOUNTS, "default"):
                self._world.duty(lambda: self._give_account(namespace))

    def _give_account(self, namespace: str) -> None:
        space = self._world.store.find(NAMESPACES, "", namespace)
        if space is None or "deletionTimestamp" in space.content["metadata"]:
            return
        if self._world.store.find(SERVICE_ACCOUNTS, namespace, "default") is None:
            self._world.store.put(SERVICE_ACCOUNTS, made("default", namespace))

    def _empty(self, name: str) -> None:
        """Delete what is in a namespace that is being deleted, and the namespace with the last of it."""
        store = self._world.store
        space = store.find(NAMESPACES, "", name)
        if space is None or "deletionTimestamp" not in space.content["metadata"]:
            return
        for resource in store.resources():
            kind = self._world.kind_of(resource)
            if kind is None or not kind.namespaced:
                continue
            for stored in store.all_of(resource, name):
                if "deletionTimestamp" not in stored.content["metadata"]:
                    deleting.end(self._world, kind, resource, stored, _AT_ONCE)
        left = [(resource, one) for resource in store.resources() for one in store.all_of(resource, name)]
        space = store.find(NAMESPACES, "", name)
        if space is not None:
            self._conclude(space, [(resource, stored) for resource, stored in left if stored.key[0]])

    def _conclude(self, space: Stored, left: list[tuple[Resource, Stored]]) -> None:
        content = space.copy()
        if left:
            content["status"] = {"phase": "Terminating", "conditions": _conditions(left, space.content)}
            if content["status"] != space.content.get("status"):
                self._world.store.put(NAMESPACES, content)
            return
        finalizers = [one for one in content["spec"].get("finalizers", ()) if one != _OURS]
        content["spec"] = {**content["spec"], "finalizers": finalizers} if finalizers else {}
        if deleting.is_over(NAMESPACES, content):
            self._world.store.remove(NAMESPACES, *space.key, last=content)
        elif content["spec"] != space.content["spec"]:
            self._world.store.put(NAMESPACES, content)


def made(name: str, namespace: str = "", **content: object) -> Object:
    """Give an object as a controller makes it."""
    metadata: Object = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata, **content}


def _conditions(left: list[tuple[Resource, Stored]], space: Object) -> list[Object]:
    kinds = Counter(f"{plural}.{group}" for (group, plural), _ in left)
    holds = Counter(one for _, stored in left for one in traits.finalizers(stored.content))
    remaining = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(kinds.items()))
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(holds.items()))
    told = [
        ("DeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "DeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "DeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("ContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {remaining}"),
    ]
    if finalizers:
        why = f"Some content in the namespace has finalizers remaining: {finalizers}"
        told.append(("FinalizersRemaining", "True", "SomeFinalizersRemain", why))
    before = {one["type"]: one for one in space.get("status", {}).get("conditions", ())}
    found = []
    for suffix, status, reason, message in told:
        condition = {"type": f"Namespace{suffix}", "status": status, "reason": reason, "message": message}
        since = before.get(condition["type"], {})
        changed = since.get("status") != status
        found.append({**condition, "lastTransitionTime": now() if changed else since["lastTransitionTime"]})
    return found
