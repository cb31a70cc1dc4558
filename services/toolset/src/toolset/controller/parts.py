"""What the controller is made of, and in which order it begins and ends.

Rule: at the end no reconcile is under way before the lease is given back, and reviews are answered to the last.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from servicekit.background import beside
from servicekit.cluster import Cluster
from toolset.clock import Clock, SystemClock
from toolset.configmaps import ConfigMaps
from toolset.controller.certificates import Certificate, SharedCertificate, from_files
from toolset.controller.controller import Controller
from toolset.controller.lease import Lease
from toolset.controller.metrics import ControllerMetrics
from toolset.controller.reconciler import Reconciler, Rival
from toolset.controller.registration import Registration
from toolset.controller.review import Reviewer
from toolset.controller.settings import ControllerSettings
from toolset.controller.watches import Watches
from toolset.controller.webhook import WebhookServer
from toolset.discovery import Discovery
from toolset.health import HealthChecks
from toolset.metrics import ToolsetMetrics

_CONNECTIONS = 32


class Parts:
    """All parts of one controller, each given what it needs."""

    def __init__(self, settings: ControllerSettings, registry: CollectorRegistry, clock: Clock) -> None:
        """Bind the webhook's address (AddressTakenError where it is not to be had), and connect to nothing yet."""
        agent = f"kubernaut-toolset-controller/{version('toolset')}"
        self._settings = settings
        self.metrics = metrics = ControllerMetrics(registry)
        self.cluster = cluster = Cluster(
            settings.kubeconfig, agent=agent, timeout=lambda: settings.kubernetes_timeout, connections=_CONNECTIONS
        )
        tools = ToolsetMetrics(registry)
        self._checks = checks = HealthChecks(
            settings.health_timeout, settings.health_concurrency, settings.connect_to, clock
        )
        discovery, config_maps = Discovery(cluster, checks, tools, clock), ConfigMaps(cluster, tools, clock)

        def make_reconciler(rival: Rival) -> Reconciler:
            places = settings.namespaces
            return Reconciler(cluster, discovery, config_maps, metrics, clock, namespaces=places, rival=rival)

        self.controller = Controller(make_reconciler, metrics, tools, clock, debounce=settings.debounce)
        self.identity = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.lease = Lease(
            cluster,
            metrics,
            namespace=settings.own_namespace,
            name=settings.lease_name,
            identity=self.identity,
            duration=settings.lease_duration,
            on_change=self._lead,
        )
        self.webhook = WebhookServer(settings.webhook_host, settings.webhook_port)
        self.registration = Registration(
            cluster,
            metrics,
            SystemClock(),  # what API servers trust is a matter of their time
            self.webhook,
            self._certificate(),
            configuration=settings.webhook_configuration,
            url=settings.webhook_url.replace("{port}", str(self.webhook.port)),
            leads=lambda: self.lease.held,
        )
        reviewer = Reviewer(cluster, metrics, namespaces=settings.namespaces)
        self.watches = Watches(
            settings,
            cluster,
            metrics,
            webhook=self.webhook,
            listener=self.controller,
            review=reviewer.review,
            agent=agent,
        )

    def _certificate(self) -> Callable[[], Awaitable[Certificate]]:
        settings = self._settings
        files = settings.webhook_certificate, settings.webhook_key, settings.webhook_ca
        if all(files):
            return lambda: asyncio.to_thread(from_files, *files)
        service = f"{settings.webhook_service}.{settings.own_namespace}.svc"
        hosts = (service, "localhost", "127.0.0.1")
        shared = SharedCertificate(
            self.cluster, SystemClock(), namespace=settings.own_namespace, secret=settings.webhook_secret, hosts=hosts
        )
        return shared.get

    def _lead(self, leading: bool) -> None:  # noqa: FBT001 - the fact itself
        self.controller.lead(leading)
        if leading:
            self.registration.look()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context lasts."""
        try:
            watching = beside(self.watches.run(), self.registration.run())
            async with self._checks, watching, beside(self.lease.run()):
                yield
                await self.controller.stop()
        finally:
            self.webhook.close()
            await self.cluster.close()
