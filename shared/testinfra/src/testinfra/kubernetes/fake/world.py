"""The state of one fake cluster, and what all verbs need of it: kinds, objects, watches, who may do what.

Rule 1: one thread owns it. Nothing in it waits; a request is answered by one call that runs from its start to its end.
Rule 2: what controllers of a real cluster do is a duty: it is done when the request that caused it is answered, before
        the next one is looked at.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable

from testinfra.kubernetes.fake import conversion
from testinfra.kubernetes.fake.auth import Authenticator
from testinfra.kubernetes.fake.kinds import Kind, Kinds
from testinfra.kubernetes.fake.rbac import Authorizer
from testinfra.kubernetes.fake.store import HISTORY, Change, Object, Resource, Store, Stored, encode
from testinfra.kubernetes.fake.watch import Watchers

_MOST_DUTIES = 1_000_000
"""Duties in a row after which something must be going round in circles."""


def now() -> str:
    """Give this second as the API writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """One cluster."""

    def __init__(self, *, history: int = HISTORY) -> None:
        """Be a cluster with nothing in it; see `bootstrap.fill`."""
        self.kinds = Kinds()
        self.store = Store(history=history)
        self.watchers = Watchers(lambda: self.store.revision)
        self.authenticator = Authenticator(self.store.get)
        self.authorizer = Authorizer(self.store.objects)
        self.store.listeners.append(self._tell)
        self.controllers: list[Callable[[Resource, Change], None]] = []
        """Called with every change; what they do about it they leave to `duty`."""
        self._duties: deque[Callable[[], None]] = deque()

    def __repr__(self) -> str:
        return f"<World: {self.store!r}, {self.kinds!r}, {len(self.watchers)} watches>"

    def _tell(self, resource: Resource, change: Change) -> None:
        self.watchers.tell(resource, change)
        for controller in self.controllers:
            controller(resource, change)

    def duty(self, work: Callable[[], None]) -> None:
        """Do it once the request of now is answered."""
        self._duties.append(work)

    def settle(self) -> None:
        """Do all duties, and those that come of them."""
        for _ in range(_MOST_DUTIES):
            if not self._duties:
                return
            self._duties.popleft()()
        raise RuntimeError(f"the fake's controllers find no end: {self!r}")

    def kind_of(self, resource: Resource) -> Kind | None:
        """Give the kind under whose preferred version a resource's objects are known, or None if it is not served."""
        return next(iter(self.kinds.of_resource(*resource)), None)

    def show(self, kind: Kind, stored: Stored) -> bytes:
        """Give an object as it is shown in the version of `kind`."""
        if conversion.differs(kind):
            return encode(self.shown(kind, stored.content))
        return b'{"kind":"%b","apiVersion":"%b",%b' % (
            kind.kind.encode(),
            kind.api_version.encode(),
            stored.encoded[1:],
        )

    def shown(self, kind: Kind, content: Object) -> Object:
        """Give content as it is shown in the version of `kind`; what is in it stays shared."""
        return {"kind": kind.kind, "apiVersion": kind.api_version, **conversion.from_stored(kind, content)}
