"""Which replica reconciles: the one that holds a Lease (coordination.k8s.io/v1).

Rule 1: all times are measured by this machine's clock, as clocks differ: another's lease is over when it did not change
        for as long as it says, since this replica first saw it so.
Rule 2: a write says the resourceVersion it was decided on, so of two that reach for it one gets it.
Rule 3: who holds it takes it for lost somewhat before others may take it, also when the server is not to be reached.
Rule 4: who ends gives it back, so that the others need not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.controller.metrics import ControllerMetrics
from toolset.tools import Json

_LONGEST_PAUSE = 2.0
_SAFE = 0.8
"""The part of the duration that the holder relies on."""
_FAREWELL = 2.0
"""Seconds to give it back."""
_log = structlog.get_logger(__name__)


class Lease:
    """One replica's view of the Lease; `on_change` is told whether it holds it."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: ControllerMetrics,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: int,
        on_change: Callable[[bool], None],
    ) -> None:
        """Reach for it as `identity`, for `duration` seconds at a time."""
        self._cluster = cluster
        self._metrics = metrics
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._duration = duration
        self._on_change = on_change
        self._pause = min(_LONGEST_PAUSE, duration / 4)
        self._seen: tuple[object, ...] = ()
        self._seen_at = 0.0
        self._version = ""
        self._until = 0.0
        self._known_at = 0.0
        self.held = False

    async def is_known(self) -> None:
        """Return where it was read or written of late; raise ConnectionError where not."""
        if time.monotonic() > self._known_at + self._duration:
            raise ConnectionError(f"the Lease {self._name} can be neither read nor written")

    async def run(self) -> None:
        """Hold it, or wait for it, until cancelled; then give it back."""
        try:
            while True:
                await self._once()
                pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311 - replicas out of step
                left = self._until - time.monotonic() if self.held else pause
                await asyncio.sleep(max(0.0, min(pause, left)))
        finally:
            await self._give_back()

    async def _once(self) -> None:
        """Renew or take it; as long as that takes, what was held runs out when it does."""
        deadline = self._until - time.monotonic() if self.held else None
        try:
            async with asyncio.timeout(deadline):
                await self._reach()
        except ClusterError as exc:
            if exc.status != HTTPStatus.CONFLICT:  # another was faster, and the next look shows it
                self._metrics.failed("lease", exc)
                _log.warning("lease not to be had", lease=self._name, reason=exc.reason, error=str(exc))
            else:
                self._version = ""
        except TimeoutError:
            _log.warning("lease not renewed in time", lease=self._name)
        if self.held and time.monotonic() >= self._until:
            self._turn(held=False)

    async def _reach(self) -> None:
        started = time.monotonic()
        if not (self.held and self._version):
            found = await self._read()
            if found is None:
                self._note(await self._cluster.post(self._path, self._fresh(0)), started)
                return
            if not self._may_take(found):
                self._known_at = started
                if self.held:
                    self._turn(held=False)
                return
            self._version = found["metadata"]["resourceVersion"]
            transitions = found["spec"].get("leaseTransitions") or 0
            own = found["spec"].get("holderIdentity") == self._identity
            body = self._fresh(transitions if own else transitions + 1)
        else:
            body = {"spec": {"renewTime": _now()}}
        body["metadata"] = {"name": self._name, "resourceVersion": self._version}
        self._note(await self._cluster.patch(f"{self._path}/{self._name}", body), started)

    async def _read(self) -> Json | None:
        try:
            found: Json = await self._cluster.get(f"{self._path}/{self._name}")
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def _may_take(self, found: Json) -> bool:
        spec = found.get("spec") or {}
        found["spec"] = spec
        holder = spec.get("holderIdentity") or ""
        seen = (found["metadata"]["uid"], holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, time.monotonic()
        over = time.monotonic() >= self._seen_at + (spec.get("leaseDurationSeconds") or self._duration)
        return not holder or holder == self._identity or over

    def _fresh(self, transitions: int) -> Json:
        now = _now()
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._duration,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        return {"metadata": {"name": self._name}, "spec": spec}

    def _note(self, written: Json, started: float) -> None:
        self._version = written["metadata"]["resourceVersion"]
        self._known_at = started
        self._until = started + _SAFE * self._duration
        if not self.held:
            self._turn(held=True)

    def _turn(self, *, held: bool) -> None:
        self.held = held
        if not held:
            self._version = ""
        self._on_change(held)

    async def _give_back(self) -> None:
        if not self.held:
            return
        self._turn(held=False)
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                found = await self._read()  # the last renewal may have been broken off, and yet have been done
                if found is None or found["spec"].get("holderIdentity") != self._identity:
                    return
                spec = {"holderIdentity": "", "leaseDurationSeconds": 1}
                body = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "spec": spec}
                await self._cluster.patch(f"{self._path}/{self._name}", body)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
