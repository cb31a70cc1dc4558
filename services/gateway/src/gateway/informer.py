"""Keeps the index: reads all resources once, then follows the server's watch.

Rule 1: after an interruption the watch resumes where it ended; only when the server does not know that place any more
        (410, or a server with another history) is all read again.
Rule 2: lists come in pages, and each object is stripped to what is remembered before the next is looked at.
Rule 3: the server ends each watch after `watch_timeout` seconds, so a connection that died in silence is noticed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any

import structlog

from gateway import resources
from gateway.index import Index
from gateway.metrics import GatewayMetrics
from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError

_PAGE = "250"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_START_OVER = frozenset({HTTPStatus.GONE, HTTPStatus.BAD_REQUEST, HTTPStatus.GATEWAY_TIMEOUT})
"""410: too old; 504 with a resourceVersion: "too large", of another history; 400: none of this server's."""
_log = structlog.get_logger(__name__)


class Informer:
    """Feeds one index from one namespace, or from all."""

    def __init__(
        self, cluster: Cluster, index: Index, metrics: GatewayMetrics, *, scope: str, watch_timeout: int
    ) -> None:
        """Follow the namespace `scope` ("" for all)."""
        self._cluster = cluster
        self._index = index
        self._metrics = metrics
        self._scope = scope
        self._watch_timeout = watch_timeout
        self._path = resources.path(scope)
        self._version = ""

    async def run(self) -> None:
        """Follow the server until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = _FIRST_PAUSE
            except ClusterError as exc:
                _log.warning("watch interrupted", scope=self._scope, reason=exc.reason, code=exc.code)
                if exc.status in _START_OVER:
                    self._version = ""
                await asyncio.sleep(max(pause * random.uniform(0.5, 1.5), exc.retry_after or 0))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _list(self) -> None:
        entries: list[resources.Entry] = []
        query = {"limit": _PAGE}
        while True:
            page = await self._cluster.get(self._path, query)
            entries += _read(page.pop("items"))
            if not (rest := page["metadata"].get("continue")):
                break
            query["continue"] = rest
        self._version = str(page["metadata"]["resourceVersion"])
        self._index.replace(self._scope, entries, int(self._version))
        self._metrics.index_lists.inc()
        self._heard()
        _log.info("resources read", scope=self._scope, count=len(entries))

    async def _watch(self) -> None:
        asked = {"resourceVersion": self._version}
        async with aclosing(self._cluster.watch(self._path, asked, seconds=self._watch_timeout)) as events:
            async for event in events:
                self._take(event)
                self._heard()
        self._heard()

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                entry = resources.read(event["object"])
                self._index.put(entry)
                self._version = str(entry.version)
            case "DELETED":
                entry = resources.read(event["object"])
                self._index.remove(entry.key, entry.version)
                self._version = str(entry.version)
            case "BOOKMARK":
                self._version = str(event["object"]["metadata"]["resourceVersion"])
            case "ERROR":
                said = event["object"]
                raise ClusterError("gone", status=int(said.get("code", HTTPStatus.GONE)), said=said)

    def _heard(self) -> None:
        self._index.confirm(self._scope)
        self._metrics.index_size.set(len(self._index))


def _read(items: list[dict[str, Any]]) -> Iterator[resources.Entry]:
    while items:
        yield resources.read(items.pop())


async def follow(informers: list[Informer]) -> None:
    """Run the informers until cancelled."""
    tasks = [asyncio.create_task(informer.run()) for informer in informers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
