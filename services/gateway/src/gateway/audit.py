"""Audit events, on their way to datastorage in batches.

Rule 1: noting one costs an append: datastorage away or slow never slows a signal.
Rule 2: the buffer is bounded; what does not fit, and what datastorage refuses, is dropped and counted.
Rule 3: an event keeps its id, so a batch that is sent again is stored once.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import Any

import aiohttp
import structlog
from pydantic_core import to_json

from gateway import times
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.signals import Signal
from servicekit.cluster_settings import is_namespace

PATH = "/api/v1/audit/events/batch"
_BATCH = 500
_LONGEST_PAUSE = 10.0
_log = structlog.get_logger(__name__)


class Audit:
    """Gathers events and sends them."""

    def __init__(self, settings: GatewaySettings, metrics: GatewayMetrics, *, replica: str) -> None:
        """Send as `replica` to `audit_url`; without one nothing is gathered."""
        self._settings = settings
        self._metrics = metrics
        self._replica = replica
        self._waiting: deque[dict[str, Any]] = deque()
        self._url = f"{settings.audit_url}{PATH}" if settings.audit_url else ""

    def note(self, action: str, signal: Signal, *, resource: str = "", failed: str = "", took: float = 0.0) -> None:
        """Note that something happened to a signal: `signal.received`, `crd.created` and so on."""
        if not self._url:
            return
        if len(self._waiting) >= self._settings.audit_buffer:
            self._metrics.audit_dropped.labels("full").inc()
            return
        about = "RemediationRequest" if resource else "Signal"
        # One event that datastorage refuses would take its whole batch along.
        where = {"namespace": signal.namespace} if is_namespace(signal.namespace) else {}
        self._waiting.append(
            {
                **where,
                "event_id": str(uuid.uuid4()),
                "event_type": f"gateway.{action}",
                "event_category": "gateway",
                "event_action": action.rpartition(".")[2],
                "event_outcome": "failure" if failed else "success",
                "event_timestamp": times.write(times.now()),
                "correlation_id": signal.fingerprint,
                "actor_type": "service",
                "actor_id": self._replica,
                "resource_type": about,
                "resource_id": resource or signal.fingerprint,
                "severity": signal.severity,
                "duration_ms": int(took * 1000),
                "event_data": {
                    "signal_name": signal.name.replace("\0", ""),
                    "signal_type": signal.type,
                    **({"reason": failed} if failed else {}),
                },
            }
        )

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        if not self._url:
            return
        pause = self._settings.audit_interval
        async with self._session() as session:
            while True:
                self._metrics.audit_waiting.set(len(self._waiting))
                await asyncio.sleep(pause)
                while self._waiting:
                    if not await self._send(session):
                        pause = min(2 * pause, _LONGEST_PAUSE)
                        break
                    pause = self._settings.audit_interval

    async def flush(self) -> None:
        """Send what waits, once, within `audit_timeout` seconds; count what is not taken as dropped."""
        if self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.audit_timeout), self._session() as session:
                    while self._waiting and await self._send(session):
                        pass
        if self._waiting:
            self._metrics.audit_dropped.labels("shutdown").inc(len(self._waiting))
            _log.warning("audit events lost at shutdown", count=len(self._waiting))

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._settings.audit_timeout))

    async def _send(self, session: aiohttp.ClientSession) -> bool:
        """Send one batch; False where it has to be sent again."""
        batch = list(islice(self._waiting, _BATCH))
        began = time.monotonic()
        try:
            async with session.post(
                self._url, data=to_json(batch), headers={"Content-Type": "application/json"}
            ) as answer:
                status, said = answer.status, await answer.text()
        except (aiohttp.ClientError, OSError) as exc:
            _log.warning("datastorage does not answer", error=type(exc).__name__, after_s=time.monotonic() - began)
            return False
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("datastorage does not take events now", status=status)
            return False
        for _ in batch:
            self._waiting.popleft()
        if status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            self._metrics.audit_sent.inc(len(batch))
        else:
            self._metrics.audit_dropped.labels("refused").inc(len(batch))
            _log.error("datastorage refused events", status=status, count=len(batch), said=said[:500])
        return True
