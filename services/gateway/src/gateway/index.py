"""The RemediationRequests that are known, by fingerprint: so a repeated signal costs no question to the server.

Rule 1: it is fed by the informer, and by the answers to the gateway's own writes; what is older than what is known
        changes nothing.
Rule 2: it is relied on while it is fresh: a replica that has heard nothing for too long would take new problems for
        old.
Rule 3: a generation that was given out is not given out again soon after its resource was deleted, or two replicas,
        of which one knows of the deletion, would make two resources.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from gateway.resources import Entry, Key

REMEMBERED = 300.0
"""Seconds that the generation of a problem without resources is remembered: far longer than a watch lags."""


class _Problem:
    """The resources of one fingerprint, and the highest generation that any had."""

    __slots__ = ("entries", "generation")

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self.generation = 0


class Index:
    """What is known of the resources of the watched namespaces."""

    def __init__(self, *, stale_after: float) -> None:
        """Rely on what is known for `stale_after` seconds after the last word of the server."""
        self._stale_after = stale_after
        self._problems: dict[str, _Problem] = {}
        self._fingerprints: dict[Key, str] = {}
        self._deleted: dict[Key, int] = {}
        self._to_forget: deque[tuple[float, str, Key]] = deque()
        self._confirmed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._fingerprints)

    def __repr__(self) -> str:
        return f"<Index of {len(self)} resources, {'fresh' if self.fresh else 'stale'}>"

    @property
    def fresh(self) -> bool:
        """Whether every watch has heard from the server lately."""
        latest = time.monotonic() - self._stale_after
        return bool(self._confirmed) and min(self._confirmed.values()) > latest

    def expect(self, scopes: Iterable[str]) -> None:
        """Be stale until each of these scopes is confirmed."""
        self._confirmed = dict.fromkeys(scopes, float("-inf"))

    def confirm(self, scope: str) -> None:
        """Note that what is known of `scope` is what the server knows."""
        self._confirmed[scope] = time.monotonic()

    def put(self, entry: Entry) -> None:
        """Take the state of a resource, unless a later one is known."""
        known = self.get(entry.key)
        if entry.version <= (known.version if known else self._deleted.get(entry.key, -1)):
            return
        if known and known.fingerprint != entry.fingerprint:  # deleted, and made anew under the same name
            self._problems[known.fingerprint].entries.pop(entry.key)
        problem = self._problems.setdefault(entry.fingerprint, _Problem())
        problem.entries[entry.key] = entry
        problem.generation = max(problem.generation, entry.generation)
        self._fingerprints[entry.key] = entry.fingerprint

    def remove(self, key: Key, version: int) -> None:
        """Take note that a resource was deleted, at the resourceVersion `version`."""
        known = self.get(key)
        if known is None or version < known.version:
            return
        del self._problems[known.fingerprint].entries[key]
        del self._fingerprints[key]
        self._deleted[key] = version
        self._to_forget.append((time.monotonic() + REMEMBERED, known.fingerprint, key))
        self._forget(time.monotonic())

    def replace(self, scope: str, entries: Iterable[Entry], version: int) -> None:
        """Take all resources of a namespace (of all: ""), as they were at the resourceVersion `version`."""
        listed = set()
        for entry in entries:
            listed.add(entry.key)
            self.put(entry)
        gone = [key for key in self._fingerprints if (not scope or key[0] == scope) and key not in listed]
        for key in gone:
            known = self.get(key)
            if known and known.version <= version:  # what was made after the list was read is not in it
                self.remove(key, version)

    def get(self, key: Key) -> Entry | None:
        """Return what is known of a resource."""
        fingerprint = self._fingerprints.get(key)
        return self._problems[fingerprint].entries[key] if fingerprint is not None else None

    def active(self, fingerprint: str, namespaces: Iterable[str]) -> Entry | None:
        """Return the newest resource of a problem, in one of these namespaces, that is not in a terminal phase."""
        problem = self._problems.get(fingerprint)
        if problem is None:
            return None
        found = [entry for entry in problem.entries.values() if entry.active and entry.key[0] in namespaces]
        return max(found, key=lambda entry: (entry.generation, entry.version)) if found else None

    def next_generation(self, fingerprint: str) -> int:
        """Return the generation after the highest that is known."""
        problem = self._problems.get(fingerprint)
        return problem.generation + 1 if problem else 1

    def _forget(self, now: float) -> None:
        while self._to_forget and self._to_forget[0][0] <= now:
            _, fingerprint, key = self._to_forget.popleft()
            self._deleted.pop(key, None)
            problem = self._problems.get(fingerprint)
            if problem is not None and not problem.entries:
                del self._problems[fingerprint]
