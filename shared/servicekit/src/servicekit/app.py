"""The application class of all services: FastAPI with everything that they share already in place.

Rule 1: nothing is process-wide. Registry, lifecycle and settings belong to the app, so that many live in one process.
Rule 2: the order of the middleware, from outside: id, metrics and log, draining, internal errors, a short way if
        there is one, hang-ups, body limit.
        All of it stands outside of FastAPI's own exception handling, so that every response has an id and is counted.
Rule 3: the OpenAPI document says what is answered: problems and their media type, 400 and not FastAPI's 422.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from servicekit.body_limits import BodyLimit
from servicekit.disconnects import CancelOnDisconnect
from servicekit.health import Dependency, Readiness, readiness
from servicekit.lifecycle import CloseWhenDraining, Lifecycle
from servicekit.metrics import HttpMetrics, metrics_response
from servicekit.openapi import problem_responses, with_problems
from servicekit.problems import CatchErrors, OnFieldError, install
from servicekit.request_ids import RequestIds
from servicekit.settings import Settings

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class ServiceApp(FastAPI):
    """A FastAPI application that keeps the common rules of the services.

    `settings`, `registry` (its Prometheus metrics) and `lifecycle` (whether it is shutting down) are public.
    """

    def __init__(
        self,
        *,
        title: str,
        version: str,
        settings: Settings,
        registry: CollectorRegistry,
        needs: Sequence[Dependency] = (),
        resources: Lifespan | None = None,
        on_field_error: OnFieldError | None = None,
        bearer: bool = False,
        short_way: Middleware | None = None,
    ) -> None:
        """Build the app; `resources` is entered before the first request and left after the last.

        `short_way` may answer a request at once, before FastAPI: what it awaits itself is not cancelled by a hang-up.
        With `bearer`, the OpenAPI document has the scheme `bearer`, for routes that say `"security": [{"bearer": []}]`.
        `registry` comes from `metrics.new_registry`, so that a service can register its own metrics before.
        """
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.registry = registry
        self._needs = tuple(needs)
        self._bearer = bearer

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            if resources is None:
                yield
            else:
                async with resources():
                    yield

        super().__init__(
            title=title,
            version=version,
            lifespan=lifespan,
            redirect_slashes=False,
            docs_url=None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # HttpMetrics has both, once a request
            middleware=self._middleware(short_way),
        )
        install(self, on_field_error)
        self._add_health()

    def _middleware(self, short_way: Middleware | None) -> list[Middleware]:
        return [
            Middleware(RequestIds),
            Middleware(HttpMetrics, registry=self.registry),
            Middleware(CloseWhenDraining, lifecycle=self.lifecycle),
            Middleware(CatchErrors),
            *([short_way] if short_way else []),
            Middleware(CancelOnDisconnect),
            Middleware(BodyLimit, limit=self.settings.max_body_bytes),
        ]

    def _add_health(self) -> None:
        self.add_api_route("/livez", self._livez, tags=["health"], summary="Whether the process runs")
        self.add_api_route(
            "/readyz",
            self._readyz,
            tags=["health"],
            summary="Whether requests can be served, and what is missing",
            responses=problem_responses(503),
        )
        self.add_api_route(
            "/metrics",
            self._metrics,
            tags=["health"],
            summary="Metrics in Prometheus' format",
            response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        )

    def make_routes(self) -> None:
        """Have FastAPI make the routes of included routers now.

        It makes them at the first request that gets so far, which then waits, and of two apps in one process not
        safely: each takes the other's warning filters away.
        """
        scope = {"type": "http", "method": "OPTIONS", "path": "/", "root_path": "", "headers": []}
        for route in self.routes:
            route.matches(scope)

    async def _livez(self) -> dict[str, str]:
        return {"status": "alive"}

    async def _readyz(self) -> Readiness:
        return await readiness(self._needs, self.lifecycle)

    async def _metrics(self, request: Request) -> Response:
        return metrics_response(self.registry, request)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if not self.openapi_schema:
            made = get_openapi(title=self.title, version=self.version, routes=self.routes)
            self.openapi_schema = with_problems(made)
            if self._bearer:
                schemes = self.openapi_schema.setdefault("components", {}).setdefault("securitySchemes", {})
                schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        return self.openapi_schema
