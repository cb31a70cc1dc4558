"""The service as an application: its parts, its routes, and what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from servicekit import Dependency, ServiceApp, new_registry
from servicekit.cluster import Cluster
from toolset import published
from toolset.callers import Callers
from toolset.clock import Clock, SystemClock
from toolset.configmaps import ConfigMaps, Published
from toolset.discovery import Discovery, Scope
from toolset.health import HealthChecks
from toolset.metrics import ToolsetMetrics
from toolset.rounds import Rounds
from toolset.routes import ROUTES
from toolset.settings import ServeSettings, ToolsetSettings
from toolset.tools import Found

_CONNECTIONS = 32
_VERSION = version("toolset")


def connect(settings: ToolsetSettings) -> Cluster:
    """Return the talk with Kubernetes that the settings say; nothing is connected to yet."""
    return Cluster(
        settings.kubeconfig,
        agent=f"kubernaut-toolset/{_VERSION}",
        timeout=lambda: settings.kubernetes_timeout,
        connections=_CONNECTIONS,
    )


def health_checks(settings: ToolsetSettings, clock: Clock) -> HealthChecks:
    """Return the health checks that the settings say, to be entered."""
    return HealthChecks(settings.health_timeout, settings.health_concurrency, settings.connect_to, clock)


def create_app(settings: ServeSettings, clock: Clock | None = None) -> ServiceApp:
    """Return the service; it connects to nothing before it is served."""
    clock = clock or SystemClock()
    registry = new_registry()
    metrics = ToolsetMetrics(registry)
    cluster = connect(settings)
    checks = health_checks(settings, clock)
    discovery = Discovery(cluster, checks, metrics, clock)
    maps = ConfigMaps(cluster, metrics, clock)

    async def discover() -> Found:
        return await discovery.run(Scope(namespaces=settings.namespaces))

    async def publish(found: Found) -> Published:
        return await maps.publish(settings.configmap_namespace, settings.configmap_name, published.document(found))

    rounds = Rounds(discover, publish, metrics, clock, interval=settings.interval)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        try:
            async with checks, rounds.running(finish_within=settings.shutdown_timeout):
                yield
        finally:
            await cluster.close()

    app = ServiceApp(
        title="toolset",
        version=_VERSION,
        settings=settings,
        registry=registry,
        needs=[Dependency(name="kubernetes", probe=cluster.probe)],
        resources=resources,
        bearer=True,
    )
    app.state.rounds = rounds
    app.state.callers = Callers(cluster, kept_for=settings.auth_cache) if settings.auth == "token" else None
    app.share(ROUTES)
    return app
