"""HTTP metrics and the access log: one observation and one line per request.

Rule 1: a registry per app, so that many apps can live in one process, as in tests.
Rule 2: every label is bounded: `path` is the route's template or `unmatched`, `method` one of HTTP's or `other`.
Rule 3: a request whose client went away before the answer counts as status 499, as in nginx.
Rule 4: it is counted before the last byte is sent, so that who has the answer also finds it in the metrics.
"""

from __future__ import annotations

import time

import structlog
from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_CLIENT_GONE = 499


def new_registry() -> CollectorRegistry:
    """Return a registry with the process's own metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metrics_response(registry: CollectorRegistry, request: Request) -> Response:
    """Return the registry's metrics in the format that the request accepts."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


class HttpMetrics:
    """ASGI middleware: observes `http_request_duration_seconds{method,path,status}` and writes the access log."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        """Wrap `app`; the histogram is registered in `registry`."""
        self.app = app
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the last part of the response",
            ["method", "path", "status"],
            registry=registry,
        )
        self._observers: dict[tuple[str, str, int], Histogram] = {}
        self._log = structlog.get_logger("servicekit.access").bind()  # once: a lazy logger is made anew for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = _CLIENT_GONE
        observed = False
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status, observed
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body"):
                observed = True
                self._observe(scope, status, time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            if not observed:
                self._observe(scope, status, time.perf_counter() - started)

    def _observe(self, scope: Scope, status: int, took: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        path = getattr(scope.get("route"), "path", "unmatched")
        observer = self._observers.get((method, path, status))
        if observer is None:
            observer = self._observers[method, path, status] = self._duration.labels(method, path, str(status))
        observer.observe(took)
        self._log.info("request", method=method, path=scope["path"], status=status, duration_ms=round(took * 1000, 2))
