"""The garbage collector: owner references are followed when an owner goes, as kube-controller-manager's does it.

Rule 1: an object whose owners are all gone is deleted; of one that has others left, the references to what is gone are
        taken away. An owner counts as gone when its kind is served and no object has its uid (in the namespace of the
        dependent, for an owner that is in a namespace).
Rule 2: `foregroundDeletion` leaves an owner when no dependent that blocks it is left, `orphan` when no reference is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeAlias

from testinfra.kubernetes.fake import deleting, traits
from testinfra.kubernetes.fake.deleting import FOREGROUND_FINALIZER, ORPHAN_FINALIZER
from testinfra.kubernetes.fake.queries import FOREGROUND, DeleteOptions
from testinfra.kubernetes.fake.store import Change, Object, Resource, Stored
from testinfra.kubernetes.fake.world import World

_Address: TypeAlias = tuple[Resource, str, str]
_IN_THE_FOREGROUND = DeleteOptions(dry_run=False, propagation=FOREGROUND, grace=None, uid="", resource_version="")


class Collector:
    """Knows who depends on whom."""

    def __init__(self, world: World) -> None:
        """Look after the objects of `world`."""
        self._world = world
        self._objects: dict[str, _Address] = {}
        self._dependents: dict[str, dict[_Address, None]] = defaultdict(dict)
        world.controllers.append(self.noticed)

    def noticed(self, resource: Resource, change: Change) -> None:
        """Take note of a change."""
        metadata = change.shown.content["metadata"]
        address = (resource, *change.shown.key)
        for uid in _owners(change.before):
            self._dependents[uid].pop(address, None)
            if change.after is None:
                self._world.duty(lambda uid=uid: self._release(uid))  # type: ignore[misc]  # mypy: lambda's default
        if change.after is None:
            self._objects.pop(metadata["uid"], None)
            for dependent in list(self._dependents.pop(metadata["uid"], ())):
                self._look_at(dependent)
            return
        self._objects[metadata["uid"]] = address
        owners = _owners(change.after)
        for uid in owners:
            self._dependents[uid][address] = None
        if owners and owners != _owners(change.before):
            self._look_at(address)
        if "deletionTimestamp" in metadata:
            self._world.duty(lambda: self._release(metadata["uid"]))

    def _look_at(self, address: _Address) -> None:
        self._world.duty(lambda: self._check(address))

    def _check(self, address: _Address) -> None:
        """Delete a dependent that nobody is left for, or take its dead references away."""
        stored = self._world.store.find(*address)
        if stored is None or "deletionTimestamp" in stored.content["metadata"]:
            return
        references = stored.content["metadata"].get("ownerReferences") or []
        gone = [one for one in references if self._is_gone(one, address[1])]
        waiting = [one for one in references if one not in gone and self._waits(one)]
        solid = [one for one in references if one not in gone and one not in waiting]
        if not gone and not waiting:
            return
        if solid:
            self._rewrite(stored, address[0], ownerReferences=solid)
            return
        dependents = list(self._dependents.get(stored.content["metadata"]["uid"], ())) if waiting else []
        if any(self._is_waiting(dependent) for dependent in dependents):  # a circle: one has to let go
            free = [one | {"blockOwnerDeletion": False} for one in references]
            stored = self._rewrite(stored, address[0], ownerReferences=free)
        self._end(stored, address[0], _IN_THE_FOREGROUND if dependents else deleting.IN_THE_BACKGROUND)

    def _is_gone(self, reference: Mapping[str, Any], namespace: str) -> bool:
        kind = self._world.kinds.of(reference.get("apiVersion", ""), reference.get("kind", ""))
        if kind is None:
            return False
        found = self._objects.get(reference.get("uid", ""))
        return found is None or found[1] not in ("", namespace)

    def _waits(self, reference: Mapping[str, Any]) -> bool:
        """Tell whether the owner is on its way out and takes its dependents along."""
        found = self._objects.get(reference.get("uid", ""))
        return found is not None and self._is_waiting(found)

    def _is_waiting(self, address: _Address) -> bool:
        stored = self._world.store.find(*address)
        if stored is None or "deletionTimestamp" not in stored.content["metadata"]:
            return False
        return FOREGROUND_FINALIZER in traits.finalizers(stored.content)

    def _release(self, uid: str) -> None:
        """See to the dependents of an object that is being deleted, and to its finalizers of ours."""
        address = self._objects.get(uid)
        stored = self._world.store.find(*address) if address else None
        if stored is None or address is None or "deletionTimestamp" not in stored.content["metadata"]:
            return
        finalizers = traits.finalizers(stored.content)
        if ORPHAN_FINALIZER in finalizers:
            self._orphan(uid)
            self._drop(address, ORPHAN_FINALIZER)
        elif FOREGROUND_FINALIZER in finalizers:
            for dependent in list(self._dependents.get(uid, ())):
                self._check(dependent)
            if not any(self._blocks(dependent, uid) for dependent in self._dependents.get(uid, ())):
                self._drop(address, FOREGROUND_FINALIZER)

    def _blocks(self, dependent: _Address, uid: str) -> bool:
        stored = self._world.store.find(*dependent)
        references = stored.content["metadata"].get("ownerReferences") or [] if stored else []
        return any(one.get("uid") == uid and one.get("blockOwnerDeletion") for one in references)

    def _orphan(self, uid: str) -> None:
        for address in list(self._dependents.get(uid, ())):
            if stored := self._world.store.find(*address):
                references = stored.content["metadata"].get("ownerReferences") or []
                kept = [one for one in references if one.get("uid") != uid]
                self._rewrite(stored, address[0], ownerReferences=kept)

    def _drop(self, address: _Address, finalizer: str) -> None:
        if stored := self._world.store.find(*address):
            left = [one for one in traits.finalizers(stored.content) if one != finalizer]
            self._rewrite(stored, address[0], finalizers=left)

    def _rewrite(self, stored: Stored, resource: Resource, **lists: list[Any]) -> Stored:
        """Store the object with other lists in its metadata, or let it go if nothing holds it any more."""
        content: Object = stored.copy()
        for key, value in lists.items():
            content["metadata"][key] = value
            if not value:
                del content["metadata"][key]
        if deleting.is_over(resource, content):
            return self._world.store.remove(resource, *stored.key, last=content)
        return self._world.store.put(resource, content)

    def _end(self, stored: Stored, resource: Resource, options: DeleteOptions) -> None:
        kind = self._world.kind_of(resource)
        if kind is not None:
            deleting.end(self._world, kind, resource, stored, options)


def _owners(stored: Stored | None) -> list[str]:
    references = stored.content["metadata"].get("ownerReferences") or [] if stored else []
    return [one["uid"] for one in references if "uid" in one]
