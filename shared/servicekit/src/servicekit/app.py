"""The application class of all services: FastAPI with everything that they share already in place.

Rule 1: nothing is process-wide. Registry, lifecycle and settings belong to the app, so that many live in one process.
Rule 2: the order of the middleware, from outside: id, metrics and log, draining, internal errors, a short way if
        there is one, hang-ups, body limit. All of it stands outside of FastAPI's own exception handling, so that
        every response has an id and is counted.
Rule 3: the OpenAPI document says what is answered: problems and their media type, 400 and not FastAPI's 422.
Rule 4: routes that are the same for every app hold nothing of one, and are made once: FastAPI has more work with them
        than with all else of an app. What they need, they find by their request's app.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
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
_HEALTH = APIRouter(tags=["health"])


@_HEALTH.get("/livez", summary="Whether the process runs")
async def _livez() -> dict[str, str]:
    return {"status": "alive"}


@_HEALTH.get("/readyz", summary="Whether requests can be served, and what is missing", responses=problem_responses(503))
async def _readyz(request: Request) -> Readiness:
    return await readiness(request.app.needs, request.app.lifecycle)


@_HEALTH.get(
    "/metrics",
    summary="Metrics in Prometheus' format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def _metrics(request: Request) -> Response:
    return metrics_response(request.app.registry, request)


class ServiceApp(FastAPI):
    """A FastAPI application that keeps the common rules of the services.

    `settings`, `registry` (its Prometheus metrics), `lifecycle` (whether it is shutting down) and `needs` are public.
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
        self.needs = tuple(needs)
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
        self.share(_HEALTH)

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

    def share(self, router: APIRouter) -> None:
        """Take the routes of `router` as they are (Rule 4); to include it would make all of them anew."""
        self.router.routes.extend(router.routes)

    def make_routes(self) -> None:
        """Have FastAPI make the routes of included routers now.

        It makes them at the first request that gets so far, which then waits, and of two apps in one process not
        safely: each takes the other's warning filters away.
        """
        scope = {"type": "http", "method": "OPTIONS", "path": "/", "root_path": "", "headers": []}
        for route in self.routes:
            route.matches(scope)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if not self.openapi_schema:
            made = get_openapi(title=self.title, version=self.version, routes=self.routes)
            self.openapi_schema = with_problems(made)
            if self._bearer:
                schemes = self.openapi_schema.setdefault("components", {}).setdefault("securitySchemes", {})
                schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        return self.openapi_schema
