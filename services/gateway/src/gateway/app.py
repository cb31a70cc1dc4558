"""The service as an application: its parts, its routes, what it needs, and SIGHUP."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gateway.admission import TurnAway
from gateway.headers import SecurityHeaders
from gateway.parts import Parts
from gateway.routes import SignalRoutes
from gateway.settings import GatewaySettings
from servicekit import Dependency, ServiceApp, new_registry

_AFTER_METRICS = 2
"""Where TurnAway stands among servicekit's middleware: inside of request ids and metrics."""


class GatewayApp(ServiceApp):
    """The service; `parts` are what it is made of, and `parts.reload` does what SIGHUP does."""

    parts: Parts


def _from_environment() -> GatewaySettings:
    return GatewaySettings.load(os.environ)


def create_app(settings: GatewaySettings, load: Callable[[], GatewaySettings] = _from_environment) -> GatewayApp:
    """Return the service; it connects to nothing before it is served. `load` gives the settings anew at a reload."""
    registry = new_registry()
    parts = Parts(settings, load, registry)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with parts.running(), _reloading(parts.reload):
            yield

    needs = [
        Dependency(name="kubernetes", probe=parts.cluster.probe),
        Dependency(name="index", probe=parts.index_is_fresh),
    ]
    if settings.rate_limit:
        needs.append(Dependency(name="redis", probe=parts.redis_answers, required=False))
    app = GatewayApp(
        title="gateway",
        version=version("gateway"),
        settings=settings,
        registry=registry,
        needs=needs,
        resources=resources,
        bearer=True,
    )
    app.parts = parts
    turn_away = Middleware(TurnAway, admission=parts.admission, metrics=parts.metrics)
    app.user_middleware.insert(_AFTER_METRICS, turn_away)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["POST"], allow_headers=["*"]
        )
    app.add_middleware(SecurityHeaders)
    routes = SignalRoutes(
        intake=parts.intake,
        reviews=parts.reviews,
        limits=parts.limits,
        audit=parts.audit,
        live=parts.live,
        metrics=parts.metrics,
    )
    app.include_router(routes.router())
    return app


@asynccontextmanager
async def _reloading(reload: Callable[[], bool]) -> AsyncIterator[None]:
    """Read the settings again on SIGHUP, where signals can be taken: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    yield
    loop.remove_signal_handler(signal.SIGHUP)
