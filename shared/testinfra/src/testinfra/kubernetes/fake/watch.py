"""Watches: streams that tell of changes as they are stored.

Rule 1: an event is made once for all who watch the same version of a resource, and written to each at once, in the
        order of the changes. A watch costs nothing while nothing happens but one timer.
Rule 2: with a selector, an object that begins to match is ADDED, and one that ceases to is DELETED (shown as it was
        last while it matched, with the version of the change).
Rule 3: a watch from a version that is forgotten is one event, an ERROR with a Status of 410.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testinfra.kubernetes.fake.http import Response
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.selectors import Test
from testinfra.kubernetes.fake.store import Change, Object, Resource, Stored, encode

Render = Callable[[Stored, bool], bytes]
"""Makes the JSON of an event's object; the second argument tells the first event of a stream."""
BOOKMARK_EVERY = 60.0
"""Seconds; the real server's `bookmarkFrequency`."""
_BOOKMARK = b'{"type":"BOOKMARK"'
_BEFORE_THE_END = 2.0
"""Seconds before its end that a stream's last bookmark is sent, as the real server does it."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What one watch is of."""

    kind: Kind
    resource: Resource
    """What the kind's objects are stored under."""
    namespace: str | None
    """None for all."""
    chosen: Test | None
    render: Render
    render_key: str
    """Watches of equal keys share what was rendered."""
    bookmarks: bool
    seconds: float


class Watch:
    """One stream; see `http.Stream`."""

    def __init__(self, wanted: Wanted, watchers: Watchers, initial: Iterable[bytes], *, ends: bool = False) -> None:
        """Send `initial` first, then what changes from now on; with `ends`, nothing more."""
        self.head = Response(200, b"")
        self.wanted = wanted
        self._watchers = watchers
        self._ends = ends
        self._initial = list(initial)
        self._first = all(line.startswith(_BOOKMARK) for line in self._initial)
        self._timers: list[asyncio.TimerHandle] = []
        self.on_close: Callable[[], None] = lambda: None

    def opened(self, write: Callable[[Iterable[bytes]], None], end: Callable[[], None]) -> None:
        """See `http.Stream`."""
        self._write = write
        self._end = end
        if self._initial:
            write(self._initial)
            self._initial = []
        if self._ends:
            end()
            return
        loop = asyncio.get_running_loop()
        self._timers = [loop.call_later(self.wanted.seconds, end)]
        if self.wanted.bookmarks:
            last = self.wanted.seconds - _BEFORE_THE_END
            if last > 0:
                self._timers.append(loop.call_later(min(last, BOOKMARK_EVERY), self._bookmark))
        self._watchers.add(self)

    def closed(self) -> None:
        """See `http.Stream`."""
        self._watchers.discard(self)
        for timer in self._timers:
            timer.cancel()
        self.on_close()

    def tell(self, change: Change, rendered: dict[tuple[str, str, bool], bytes]) -> None:
        """Write the event of a change, if it shows here; `rendered` is shared by all watches of this change."""
        what = seen(change, self.wanted.chosen)
        if what is None:
            return
        kind, shown = what
        key = (self.wanted.render_key, kind, self._first)
        if key not in rendered:
            rendered[key] = event(kind, self.wanted.render(shown, self._first))
        self._first = False
        self._write((rendered[key],))

    def stop(self) -> None:
        """End the stream in order."""
        self._end()

    def _bookmark(self) -> None:
        loop = asyncio.get_running_loop()
        self._write((bookmark(self.wanted.kind, self._watchers.revision()),))
        self._timers[1] = loop.call_later(BOOKMARK_EVERY, self._bookmark)


class Watchers:
    """All streams of one server."""

    def __init__(self, revision: Callable[[], int]) -> None:
        """Be none; `revision` tells the store's version now."""
        self.revision = revision
        self._of: dict[tuple[Resource, str | None], dict[Watch, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def add(self, watch: Watch) -> None:
        """Tell it of changes from now on."""
        self._of[watch.wanted.resource, watch.wanted.namespace][watch] = None

    def discard(self, watch: Watch) -> None:
        """Tell it of no more."""
        key = (watch.wanted.resource, watch.wanted.namespace)
        self._of[key].pop(watch, None)
        if not self._of[key]:
            del self._of[key]

    def tell(self, resource: Resource, change: Change) -> None:
        """Tell all whom it concerns."""
        rendered: dict[tuple[str, str, bool], bytes] = {}
        for namespace in {None, change.shown.key[0]}:
            for watch in list(self._of.get((resource, namespace), ())):
                watch.tell(change, rendered)

    def end(self, of: Callable[[Watch], bool]) -> None:
        """End the streams that `of` chooses."""
        for watch in [one for streams in self._of.values() for one in streams if of(one)]:
            watch.stop()


def seen(change: Change, chosen: Test | None) -> tuple[str, Stored] | None:
    """Give type and object of the event that a selector sees of a change, or None."""
    before = change.before is not None and (chosen is None or chosen(change.before.content))
    after = change.after is not None and (chosen is None or chosen(change.after.content))
    if after:
        return ("MODIFIED" if before else "ADDED"), change.shown
    if not before:
        return None
    if change.after is None:
        return "DELETED", change.shown
    assert change.before is not None
    left: Object = json.loads(change.before.encoded)
    left["metadata"]["resourceVersion"] = str(change.revision)
    return "DELETED", Stored(left, change.revision)


def event(kind: str, body: bytes) -> bytes:
    """Give one line of a watch stream."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), body)


def error(status: Mapping[str, Any]) -> bytes:
    """Give the event of a stream that cannot go on."""
    return event("ERROR", encode(status))


def bookmark(kind: Kind, revision: int, *, initial_events_end: bool = False) -> bytes:
    """Give the event that tells how far a stream has come."""
    metadata: Object = {"resourceVersion": str(revision)}
    if initial_events_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", encode({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}))
