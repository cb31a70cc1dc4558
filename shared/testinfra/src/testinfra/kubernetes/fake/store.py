"""What the fake remembers: objects, the one counter of versions, and what happened lately.

Rule 1: an object that is stored never changes; a change stores another one. So it may be shared by all who look.
Rule 2: every change takes the next number of one counter, which is the object's `resourceVersion` then; a deletion
        takes one as well, and the event that tells of it carries it.
Rule 3: the last `history` changes of each resource are remembered with what was there before. That is what a watch is
        resumed from, and what a list of an earlier version is made of; before them all is `Forgotten`.
Rule 4: `kind` and `apiVersion` are not stored: the same object is shown in each version of its resource.
Rule 5: nothing here waits and nothing is locked: one thread owns the store.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
Resource: TypeAlias = tuple[str, str]
"""Group ("" for the core one) and plural."""
HISTORY = 20_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(value: Any) -> bytes:
    """Give compact JSON."""
    return _encode(value).encode()


class Forgotten(Exception):  # noqa: N818 - no error of ours: the caller asks for what nobody remembers
    """A version before the oldest that is remembered."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {revision} ({oldest})")
        self.revision, self.oldest = revision, oldest


@dataclass(slots=True, eq=False)
class Stored:
    """One state of an object."""

    content: Object
    """The object without `kind` and `apiVersion`; not to be changed."""
    revision: int
    _encoded: bytes = b""

    @property
    def encoded(self) -> bytes:
        """The content as JSON, made when first asked for."""
        if not self._encoded:
            self._encoded = encode(self.content)
        return self._encoded

    def copy(self) -> Object:
        """Give the content as the caller's own."""
        copied: Object = json.loads(self.encoded)
        return copied

    @property
    def key(self) -> tuple[str, str]:
        """Namespace ("" for none) and name."""
        metadata = self.content["metadata"]
        return metadata.get("namespace", ""), metadata["name"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened: `before` is None for an object that was made, `after` None for one that went."""

    revision: int
    before: Stored | None
    after: Stored | None
    shown: Stored
    """The state that an event shows: `after`, or, of an object that went, its last one with the version it went at."""


@dataclass
class _Table:
    """The objects of one resource, and their late changes."""

    objects: dict[str, dict[str, Stored]] = field(default_factory=lambda: defaultdict(dict))
    changes: deque[Change] = field(default_factory=deque)
    forgotten: int = 0
    """The newest change that is no longer remembered."""


class Store:
    """All objects of one server."""

    def __init__(self, *, history: int = HISTORY) -> None:
        """Be empty; `history` is how many changes of each resource are remembered."""
        self.revision = 0
        self._history = history
        self._tables: dict[Resource, _Table] = defaultdict(_Table)
        self.listeners: list[Callable[[Resource, Change], None]] = []
        """Called with every change, in order, once it is stored."""

    def __repr__(self) -> str:
        count = sum(len(named) for table in self._tables.values() for named in table.objects.values())
        return f"<Store of {count} objects at {self.revision}>"

    def resources(self) -> list[Resource]:
        """Give the resources that there are objects of."""
        return [resource for resource, table in self._tables.items() if any(table.objects.values())]

    def find(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        """Give an object, or None."""
        named = self._tables[resource].objects.get(namespace)
        return named.get(name) if named else None

    def get(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        """Give the content of an object, or None."""
        found = self.find((group, plural), namespace, name)
        return found.content if found else None

    def objects(self, group: str, plural: str, namespace: str | None = None) -> Iterator[Object]:
        """Give the contents of a resource's objects, of all namespaces for None."""
        return (stored.content for stored in self.all_of((group, plural), namespace))

    def all_of(self, resource: Resource, namespace: str | None = None) -> list[Stored]:
        """Give the objects in their order: by namespace and name, as etcd has its keys."""
        objects = self._tables[resource].objects
        spaces = sorted(objects) if namespace is None else [namespace]
        return [named[name] for named in (objects.get(space, {}) for space in spaces) for name in sorted(named)]

    def all_of_at(self, resource: Resource, namespace: str | None, revision: int) -> list[Stored]:
        """Give the objects as they were at `revision`. Raises `Forgotten`."""
        found = {stored.key: stored for stored in self.all_of(resource, namespace)}
        for change in reversed(self.changes_since(resource, revision)):
            key = change.shown.key
            if namespace in (None, key[0]):
                found.pop(key, None)
                if change.before:
                    found[key] = change.before
        return [found[key] for key in sorted(found)]

    def changes_since(self, resource: Resource, revision: int) -> list[Change]:
        """Give the changes after `revision`, the oldest first. Raises `Forgotten`."""
        table = self._tables[resource]
        if revision < table.forgotten:
            raise Forgotten(revision, table.forgotten)
        found: list[Change] = []
        for change in reversed(table.changes):
            if change.revision <= revision:
                break
            found.append(change)
        return found[::-1]

    def forget(self, resource: Resource | None = None) -> None:
        """Forget what happened so far, to `resource` or to all: who resumes from an earlier version is too late."""
        for table in self._tables.values() if resource is None else [self._tables[resource]]:
            table.changes.clear()
            table.forgotten = self.revision

    def put(self, resource: Resource, content: Object) -> Stored:
        """Store a new state of an object, which is the store's from now on; `resourceVersion` is set in it."""
        metadata = content["metadata"]
        named = self._tables[resource].objects[metadata.get("namespace", "")]
        before = named.get(metadata["name"])
        self.revision += 1
        metadata["resourceVersion"] = str(self.revision)
        after = Stored(content, self.revision)
        named[metadata["name"]] = after
        self._remember(resource, Change(self.revision, before, after, after))
        return after

    def amend(self, resource: Resource, stored: Stored, content: Object) -> None:
        """Show an object otherwise from now on, at the version it has: nobody changed it, and no event tells of it."""
        namespace, name = stored.key
        self._tables[resource].objects[namespace][name] = Stored(content, stored.revision)

    def remove(self, resource: Resource, namespace: str, name: str, last: Object | None = None) -> Stored:
        """Remove an object; gives its last state (`last`, where a deletion changed it), with the version it went at."""
        objects = self._tables[resource].objects
        before = objects[namespace].pop(name)
        if not objects[namespace]:
            del objects[namespace]
        self.revision += 1
        shown = last or before.copy()
        shown["metadata"]["resourceVersion"] = str(self.revision)
        gone = Stored(shown, self.revision)
        self._remember(resource, Change(self.revision, before, None, gone))
        return gone

    def _remember(self, resource: Resource, change: Change) -> None:
        table = self._tables[resource]
        table.changes.append(change)
        if len(table.changes) > self._history:
            table.forgotten = table.changes.popleft().revision
        for listener in self.listeners:
            listener(resource, change)
