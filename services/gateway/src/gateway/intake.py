"""What becomes of a signal: a new RemediationRequest, or one more occurrence of a known problem.

Rule 1: a problem with a resource that is not in a terminal phase gets no other. Within a process one request makes it
        while the others wait for it; between processes the server decides, as all make the same name.
Rule 2: what has begun to be made is made to the end, also when its sender hangs up: others may wait for it.
Rule 3: a resource that turns out to exist is ours if it says so: then an earlier attempt made it, whose answer was
        lost. Any other is a duplicate, or, if it is in a terminal phase, a reason for the next generation.
Rule 4: without a fresh index the server is asked about each problem, so that nothing old is taken for new, or new for
        old.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Literal, Protocol

import structlog

from gateway import resources
from gateway.index import Index
from gateway.live import Live
from gateway.resources import Entry
from gateway.retries import Retries
from gateway.signals import Signal
from gateway.tallies import Tallies
from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from servicekit.cluster_settings import is_namespace

_ROUNDS = 10
"""Generations that are tried for one signal, before it is said that there is too much going on."""
_log = structlog.get_logger(__name__)


class Room(Protocol):
    """What limits how much is asked of Kubernetes at one time."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Enter when there is room."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a signal; `entry` None: it is over, and no resource knows of it."""

    status: Literal["created", "duplicate", "resolved"]
    entry: Entry | None
    count: int


class Intake:
    """Takes signals."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        index: Index,
        tallies: Tallies,
        retries: Retries,
        live: Live,
        room: Room,
        namespaces: Sequence[str],
        replica: str,
    ) -> None:
        """Make resources in `namespaces` (in any, where there are none), as `replica`."""
        self._cluster = cluster
        self._index = index
        self._tallies = tallies
        self._retries = retries
        self._live = live
        self._room = room
        self._namespaces = frozenset(namespaces)
        self._replica = replica
        self._numbers = itertools.count(1)
        self._making: dict[str, asyncio.Task[Outcome]] = {}

    async def take(self, signal: Signal) -> Outcome:
        """Take one signal; raise ClusterError where Kubernetes does not let us."""
        if not self._index.fresh:
            await self._look(signal)
        if not signal.firing:
            return self._over(signal)
        if (known := self._known(signal)) is not None:
            return self._again(signal, known)
        making = self._making.get(signal.fingerprint)
        if making is not None:
            made = await asyncio.shield(making)
            assert made.entry is not None
            return self._again(signal, self._index.get(made.entry.key) or made.entry)
        return await asyncio.shield(self._begin(signal))

    def _places(self, signal: Signal) -> tuple[str, str]:
        return signal.namespace, self._live.settings.fallback_namespace

    def _known(self, signal: Signal) -> Entry | None:
        return self._index.active(signal.fingerprint, self._places(signal))

    def _again(self, signal: Signal, known: Entry) -> Outcome:
        return Outcome("duplicate", known, self._tallies.repeated(known, signal.received))

    def _over(self, signal: Signal) -> Outcome:
        known = self._known(signal)
        if known is not None and not known.resolved:
            self._tallies.ended(known, signal.since)
        return Outcome("resolved", known, known.count if known else 0)

    def _begin(self, signal: Signal) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(self._make(signal), name=f"make {signal.fingerprint}")
        self._making[signal.fingerprint] = task
        task.add_done_callback(partial(self._made, signal.fingerprint))
        return task

    def _made(self, fingerprint: str, task: asyncio.Task[Outcome]) -> None:
        del self._making[fingerprint]
        if not task.cancelled() and task.exception() is not None:
            _log.warning("no resource made", fingerprint=fingerprint, why=str(task.exception()))

    async def finish(self) -> None:
        """Wait until everything that has begun is made."""
        if self._making:
            await asyncio.wait([*self._making.values()])

    async def _look(self, signal: Signal) -> None:
        """Ask the server for the resources of this problem."""
        query = {"fieldSelector": f"spec.signalFingerprint={signal.fingerprint}"}
        async with self._room.working():
            for place in dict.fromkeys((self._home(signal), self._live.settings.fallback_namespace)):
                ask = partial(self._cluster.get, resources.path(place), query)
                for found in (await self._retries("look", ask))["items"]:
                    self._index.put(resources.read(found))

    def _home(self, signal: Signal) -> str:
        """Return the namespace to make a resource in, as far as is known before the server is asked."""
        wanted = signal.namespace
        if not is_namespace(wanted) or (self._namespaces and wanted not in self._namespaces):
            return self._live.settings.fallback_namespace
        return wanted

    async def _make(self, signal: Signal) -> Outcome:
        """Make the next resource of the problem, or find the one that is there."""
        place = self._home(signal)
        mark = f"{self._replica}.{next(self._numbers)}"
        async with self._room.working():
            for _ in range(_ROUNDS):
                if (known := self._known(signal)) is not None:  # another replica made it while we waited
                    return self._again(signal, known)
                body = resources.new(signal, place, self._index.next_generation(signal.fingerprint), mark)
                try:
                    created = await self._retries("create", partial(self._cluster.post, resources.path(place), body))
                except ClusterError as exc:
                    if exc.without_namespace and place != self._live.settings.fallback_namespace:
                        place = self._live.settings.fallback_namespace
                        continue
                    if exc.status != HTTPStatus.CONFLICT:
                        raise
                    outcome = await self._found(signal, place, str(body["metadata"]["name"]), mark)
                    if outcome is not None:
                        return outcome
                else:
                    return self._ours(resources.read(created))
        raise ClusterError("conflict", status=HTTPStatus.CONFLICT)

    async def _found(self, signal: Signal, place: str, name: str, mark: str) -> Outcome | None:
        """Return what the existing resource means; None where the next generation has to be tried."""
        try:
            path = resources.path(place, name)
            obj = await self._retries("read after conflict", partial(self._cluster.get, path))
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        entry = resources.read(obj)
        self._index.put(entry)
        if resources.created_by(obj) == mark:
            return self._ours(entry)
        if entry.active and entry.fingerprint == signal.fingerprint:
            return self._again(signal, entry)
        return None

    def _ours(self, entry: Entry) -> Outcome:
        self._index.put(entry)
        return Outcome("created", entry, 1)
