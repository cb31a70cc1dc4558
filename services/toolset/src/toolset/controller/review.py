"""What is refused of a ToolsetConfig beyond what its schema can say, and what is only warned of.

Rule 1: it is about other objects, so it is asked of the API server each time: a replica's own view may be old.
Rule 2: a change that leaves the ConfigMap as it was is not refused for it: somebody has to be able to mend the rest.
Rule 3: where it cannot be found out, it is refused and said why; a warning that cannot be given is left out.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.configmaps import LABELS
from toolset.controller import resources
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.reconciler import outside
from toolset.controller.resources import Config
from toolset.published import KEY
from toolset.tools import Json

_OWNER = "app.kubernetes.io/managed-by"
_log = structlog.get_logger(__name__)


class Reviewer:
    """Reviews what people want to store."""

    def __init__(self, cluster: Cluster, metrics: ControllerMetrics, *, namespaces: tuple[str, ...]) -> None:
        """Review for a controller that works in `namespaces`, () for all."""
        self._cluster = cluster
        self._metrics = metrics
        self._namespaces = namespaces

    async def review(self, operation: str, obj: Json, old: Json | None) -> tuple[str, list[str]]:
        """Return why it is refused, "" where it is not, and what is warned of."""
        if operation == "DELETE" or obj["metadata"].get("deletionTimestamp"):
            return "", []
        config = resources.read(obj)
        try:
            refused = await self._refusal(config, old)
        except ClusterError as exc:
            self._metrics.failed("review", exc)
            _log.warning("review failed", namespace=config.key[0], config=config.key[1], error=str(exc))
            refused = f"it cannot be reviewed now, as Kubernetes did not answer the reviewer: {exc}"
        self._metrics.reviews.labels("refused" if refused else "allowed").inc()
        return refused, [] if refused else await self._warnings(config)

    async def _refusal(self, config: Config, old: Json | None) -> str:
        if refused := outside(config, self._namespaces):
            return refused
        if old is not None and resources.read(old).config_map == config.config_map:
            return ""
        return await self._taken(config) or await self._foreign(config)

    async def _taken(self, config: Config) -> str:
        """Return a sentence where another ToolsetConfig publishes to the same ConfigMap."""
        lists = [self._cluster.get(resources.path(place)) for place in self._namespaces or ("",)]
        for found in await asyncio.gather(*lists):
            for other in map(resources.read, found["items"]):
                if other.key != config.key and other.config_map == config.config_map:
                    name = "/".join(config.config_map)
                    return f"ToolsetConfig {'/'.join(other.key)} publishes to the ConfigMap {name} already"
        return ""

    async def _foreign(self, config: Config) -> str:
        """Return a sentence where the ConfigMap is there and is somebody else's."""
        namespace, name = config.config_map
        try:
            found = await self._cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return ""
            raise
        owner = (found["metadata"].get("labels") or {}).get(_OWNER)
        if owner == LABELS[_OWNER]:
            return ""
        if owner:
            return f"the ConfigMap {namespace}/{name} is managed by {owner} (its label {_OWNER})"
        if KEY in (found.get("data") or {}) or KEY in (found.get("binaryData") or {}):
            return f"the ConfigMap {namespace}/{name} has a key {KEY} that is not ours: it has no label {_OWNER}"
        return ""

    async def _warnings(self, config: Config) -> list[str]:
        named = sorted({*config.namespaces, config.config_map[0]} - {config.key[0]})
        said = await asyncio.gather(*(self._warning(name) for name in named))
        return [each for each in said if each]

    async def _warning(self, namespace: str) -> str:
        try:
            await self._cluster.get(f"/api/v1/namespaces/{namespace}")
        except ClusterError as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return f"there is no namespace {namespace} yet"
            self._metrics.failed("warning", exc)
            _log.warning("namespace not seen", namespace=namespace, error=str(exc))
        return ""
