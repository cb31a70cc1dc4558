"""Keeps the webhook answering: a certificate that is good, and a ValidatingWebhookConfiguration that trusts it.

Rule 1: the configuration is somebody's: of each of its webhooks only `caBundle` is changed, and where a URL is set the
        address too. It is not made where there is none.
Rule 2: the authority is registered before its certificate is shown.
Rule 3: the leader registers, so that two replicas with addresses of their own do not take turns.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog

from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from toolset.clock import Clock
from toolset.controller.certificates import Certificate
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.waiting import either
from toolset.controller.webhook import WebhookServer
from toolset.tools import Json

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_EVERY = 60.0
"""Seconds between looks at the certificate and the configuration."""
_SOON = 2.0
_log = structlog.get_logger(__name__)


class Registration:
    """One replica's part of it."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: ControllerMetrics,
        clock: Clock,
        server: WebhookServer,
        certificate: Callable[[], Awaitable[Certificate]],
        *,
        configuration: str | None,
        url: str,
        leads: Callable[[], bool],
    ) -> None:
        """Serve with what `certificate` returns; register in `configuration` (None: nowhere) while `leads`."""
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock
        self._server = server
        self._certificate = certificate
        self._configuration = configuration
        self._url = url
        self._leads = leads
        self._look = asyncio.Event()
        self._told = ""

    def look(self) -> None:
        """Look at once: this replica leads now."""
        self._look.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self._look.clear()
            wait = _EVERY if await self._once() else _SOON
            await either(self._look, self._clock.sleep(wait))

    async def _once(self) -> bool:
        """Do what is to be done; False where it has to be tried again soon."""
        try:
            certificate = await self._certificate()
        except (ClusterError, OSError) as exc:
            self._tell("certificate", exc)
            return False
        failure: ClusterError | OSError | None = None
        try:
            if self._configuration and self._leads():
                await self._register(self._configuration, certificate.authorities)
        except ClusterError as exc:
            failure = exc
            self._tell("registration", exc)
        try:
            self._server.use(certificate)
        except OSError as exc:  # files that are no certificate, or no key of it
            failure = exc
            self._tell("certificate", exc)
        if failure is None:
            self._told = ""
        return failure is None

    def _tell(self, operation: str, exc: ClusterError | OSError) -> None:
        if isinstance(exc, ClusterError):
            self._metrics.failed(operation, exc)
        said = f"{operation}: {exc}"
        if said != self._told:
            _log.warning("webhook not in order", error=said)
        self._told = said

    async def _register(self, name: str, authorities: bytes) -> None:
        while True:
            found = await self._cluster.get(f"{_CONFIGURATIONS}/{name}")
            hooks = [self._hook(hook, authorities) for hook in found.get("webhooks") or ()]
            if hooks == found.get("webhooks"):
                return
            body = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "webhooks": hooks}
            try:
                await self._cluster.patch(f"{_CONFIGURATIONS}/{name}", body)
            except ClusterError as exc:
                if exc.status != HTTPStatus.CONFLICT:
                    raise

    def _hook(self, hook: Json, authorities: bytes) -> Json:
        client = {**hook["clientConfig"], "caBundle": base64.b64encode(authorities).decode()}
        if self._url:
            client["url"] = self._url
            client.pop("service", None)
        return {**hook, "clientConfig": client}
