"""The controllers of CustomResourceDefinitions: a definition is accepted and served, and takes its objects along.

Rule 1: a definition that is accepted is served before the next request is looked at.
Rule 2: objects are shown as the schema of now has them: without fields it does not know, with its defaults.
Rule 3: a definition that is deleted serves on until its last object is gone; then its watches end.
"""

from __future__ import annotations

from testinfra.kubernetes.fake import crds, creating, deleting, objects, traits
from testinfra.kubernetes.fake.deleting import CRD_FINALIZER
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.store import Change, Resource, Stored
from testinfra.kubernetes.fake.traits import CRDS
from testinfra.kubernetes.fake.world import World, now


class Definitions:
    """Looks after the definitions of a world."""

    def __init__(self, world: World) -> None:
        """Do so from now on."""
        self._world = world
        self._going: set[Resource] = set()
        world.controllers.append(self.noticed)

    def noticed(self, resource: Resource, change: Change) -> None:
        """Take note of a change."""
        if resource == CRDS:
            name = change.shown.key[1]
            if change.after is None:
                self._withdraw(name)
            elif "deletionTimestamp" in change.after.content["metadata"]:
                self._world.duty(lambda: self._empty(name))
            else:
                self._world.duty(lambda: self._accept(name))
        elif change.after is None and resource in self._going:
            self._world.duty(lambda: self._empty(f"{resource[1]}.{resource[0]}"))

    def _accept(self, name: str) -> None:
        stored = self._world.store.find(CRDS, "", name)
        if stored is None or "deletionTimestamp" in stored.content["metadata"]:
            return
        content = stored.copy()
        crds.conditions(content, self._world.kinds, now())
        if content != stored.content:
            self._world.store.put(CRDS, content)
        if crds.established(content):
            known = self._world.kinds.of_crd(name)
            self._serve(known, self._world.kinds.add(content))

    def _serve(self, before: list[Kind], now: list[Kind]) -> None:
        if not now:
            return
        resource = now[0].key
        if not before:  # nobody can resume from before the server knew the kind
            self._world.store.forget(resource)
        elif before[0].schema != now[0].schema:
            for stored in self._world.store.all_of(resource):
                content = self._world.shown(now[0], stored.copy())
                objects.decode(now[0], content)
                objects.default(now[0], content)
                self._world.store.amend(resource, stored, creating.stateless(content))

    def _withdraw(self, name: str) -> None:
        kinds = self._world.kinds.remove(name)
        gone = {kind.key for kind in kinds}
        self._going -= gone
        self._world.watchers.end(lambda watch: watch.wanted.resource in gone)

    def _empty(self, name: str) -> None:
        stored = self._world.store.find(CRDS, "", name)
        if stored is None or CRD_FINALIZER not in traits.finalizers(stored.content):
            return
        spec = stored.content["spec"]
        resource = (spec["group"], spec["names"]["plural"])
        self._going.add(resource)
        if kind := self._world.kind_of(resource):
            for one in self._world.store.all_of(resource):
                if "deletionTimestamp" not in one.content["metadata"]:
                    deleting.end(self._world, kind, resource, one, deleting.IN_THE_BACKGROUND)
        if not self._world.store.all_of(resource):
            self._release(stored)

    def _release(self, stored: Stored) -> None:
        content = stored.copy()
        content["metadata"]["finalizers"].remove(CRD_FINALIZER)
        if content["metadata"]["finalizers"]:
            self._world.store.put(CRDS, content)
        else:
            self._world.store.remove(CRDS, *stored.key, last=content)
