"""The ConfigMap that others read: its key `toolset.json` is ours, all else in it belongs to whoever put it there.

Rule 1: a write says the resourceVersion it was decided on; on a conflict all is read and decided anew, with pauses that
        grow, for `PATIENCE` seconds.
Rule 2: nothing is written where nothing would change, so `kubernaut.io/generated-at` is when the content came to be.
Rule 3: drift is what somebody else did to it: a text that is neither what is wanted nor what was written last, none,
        one that is no JSON, or a deletion. What a new tool changes is no drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset import published
from toolset.clock import Clock, SystemClock
from toolset.metrics import ToolsetMetrics
from toolset.published import KEY
from toolset.tools import Json

LABELS = {
    "app.kubernetes.io/name": "kubernaut",
    "app.kubernetes.io/component": "toolset-config",
    "app.kubernetes.io/managed-by": "kubernaut-toolset",
}
GENERATED_AT = "kubernaut.io/generated-at"
PATIENCE = 10.0
"""Seconds that a ConfigMap may be fought over."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in the cluster now, and what it took."""

    resource_version: str
    result: Literal["created", "updated", "unchanged"]


class _VanishedError(Exception):
    """It was deleted between reading and writing."""


class ConfigMaps:
    """Publishes documents."""

    def __init__(self, cluster: Cluster, metrics: ToolsetMetrics, clock: Clock | None = None) -> None:
        """Write to `cluster`."""
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock or SystemClock()
        self._last: dict[str, Json] = {}
        """What this process wrote last, or found as it wants it, by path."""

    async def publish(self, namespace: str, name: str, document: Json, *, preserve: bool = True) -> Published:
        """Have `document` stand in the ConfigMap; without `preserve`, keys of others go. Raises ClusterError."""
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        tries = AsyncRetrying(
            retry=retry_if_exception(self._fought_over),
            stop=stop_after_delay(PATIENCE),
            wait=wait_random_exponential(_FIRST_PAUSE, max=_LONGEST_PAUSE),
            reraise=True,
        )
        try:
            done: Published = await tries(self._publish, path, name, document, preserve)
        except _VanishedError as exc:
            self._metrics.updates.labels("failed").inc()
            raise ClusterError("conflict", said={"message": f"{namespace}/{name} is deleted again and again"}) from exc
        except ClusterError:
            self._metrics.updates.labels("failed").inc()
            raise
        self._metrics.updates.labels(done.result).inc()
        self._last[f"{path}/{name}"] = document
        return done

    def _fought_over(self, exc: BaseException) -> bool:
        conflict = isinstance(exc, _VanishedError) or (isinstance(exc, ClusterError) and exc.reason == "conflict")
        if conflict:
            self._metrics.updates.labels("conflict").inc()
        return conflict

    async def _publish(self, path: str, name: str, document: Json, preserve: bool) -> Published:  # noqa: FBT001 - given on by tenacity
        own = f"{path}/{name}"
        found = await self._read(own)
        if found is None:
            made = await self._cluster.post(path, self._new(name, document))
            self._note_drift(own, drifted=own in self._last)
            return Published(made["metadata"]["resourceVersion"], "created")
        patch = self._difference(found, document, preserve=preserve)
        if not patch:
            return Published(found["metadata"]["resourceVersion"], "unchanged")
        patch.setdefault("metadata", {})["resourceVersion"] = found["metadata"]["resourceVersion"]
        try:
            changed = await self._cluster.patch(own, patch)
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                raise _VanishedError from exc
            raise
        self._note_drift(own, drifted=self._is_drift(own, found, document))
        return Published(changed["metadata"]["resourceVersion"], "updated")

    async def _read(self, path: str) -> Json | None:
        try:
            found: Json = await self._cluster.get(path)
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def _new(self, name: str, document: Json) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": LABELS, "annotations": self._stamp()},
            "data": {KEY: published.text(document)},
        }

    def _difference(self, found: Json, document: Json, *, preserve: bool) -> Json:
        """Return the merge patch that makes `found` what it has to be, {} where it is."""
        patch: Json = {}
        data, binary = found.get("data") or {}, found.get("binaryData") or {}
        others = {} if preserve else dict.fromkeys(data.keys() - {KEY})
        binary_others = dict.fromkeys(binary.keys() & {KEY} if preserve else binary)  # no key may be in both
        if not published.same(data.get(KEY), document):
            others[KEY] = published.text(document)
            patch["metadata"] = {"annotations": self._stamp()}
        if others:
            patch["data"] = others
        if binary_others:
            patch["binaryData"] = binary_others
        labels = found["metadata"].get("labels") or {}
        if not LABELS.items() <= labels.items():
            patch.setdefault("metadata", {})["labels"] = LABELS
        return patch

    def _stamp(self) -> dict[str, str]:
        return {GENERATED_AT: self._clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")}

    def _is_drift(self, path: str, found: Json, document: Json) -> bool:
        stood = (found.get("data") or {}).get(KEY)
        if published.same(stood, document):
            return False
        last = self._last.get(path)
        return not published.same(stood, last) if last is not None else published.parsed(stood) is None

    def _note_drift(self, path: str, *, drifted: bool) -> None:
        if drifted:
            self._metrics.drift.inc()
            _log.warning("what was published had been changed or deleted, and is restored", path=path)
