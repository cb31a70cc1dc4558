"""The two calls that take signals: Alertmanager's webhook, and events of Kubernetes.

Rule: the order is: content type, who, how often, when, what; so that nobody's body is looked at who may not send one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from gateway import alerts, answers, events, times, timestamps
from gateway.alerts import AlertWebhook
from gateway.answers import SignalAnswer, SignalResults, Taken
from gateway.audit import Audit
from gateway.direct_routes import guarded_by
from gateway.events import KubernetesEvent
from gateway.intake import Intake
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.rate_limits import RateLimits
from gateway.reviews import Reviews
from gateway.signals import NotTakenError, Signal
from servicekit import ProblemError, problem_responses
from servicekit.cluster_errors import ClusterError
from servicekit.token_reviews import unauthenticated

_HEADER = {
    "name": timestamps.HEADER,
    "in": "header",
    "required": False,
    "description": f"Seconds since 1970, at most {timestamps.PAST} s in the past and {timestamps.AHEAD} s ahead",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}
Reader = Callable[[], Signal]


def _responses() -> dict[int | str, dict[str, Any]]:
    said = problem_responses(401, 403, 429, 503)
    said[429]["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    said[401]["headers"] = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}}
    taken = "The problem has a resource already, or its end was noted"
    return {202: {"model": SignalAnswer | SignalResults, "description": taken}, **said}


class SignalRoutes:
    """The calls, as methods."""

    def __init__(
        self,
        *,
        intake: Intake,
        reviews: Reviews,
        limits: RateLimits,
        audit: Audit,
        live: Live,
        metrics: GatewayMetrics,
    ) -> None:
        """Hand signals to `intake`."""
        self._intake = intake
        self._reviews = reviews
        self._limits = limits
        self._audit = audit
        self._live = live
        self._metrics = metrics

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(prefix="/api/v1/signals", tags=["signals"], route_class=guarded_by(self._guard))
        for path, handle in (("/prometheus", self.prometheus), ("/kubernetes-event", self.kubernetes_event)):
            router.add_api_route(
                path,
                handle,
                methods=["POST"],
                status_code=201,
                response_model=SignalAnswer | SignalResults,
                responses=_responses(),
                openapi_extra={"parameters": [_HEADER], "security": [{"bearer": []}]},
            )
        return router

    async def prometheus(self, webhook: AlertWebhook, request: Request) -> Response:
        """Take the alerts of a webhook of Alertmanager, each on its own."""
        received, sent = times.now(), _sent(await request.body())
        return await self._answer(
            [_reader(alerts.read, alert, index, received, sent) for index, alert in enumerate(webhook.alerts)]
        )

    async def kubernetes_event(self, event: KubernetesEvent, request: Request) -> Response:
        """Take an event of Kubernetes."""
        return await self._answer([_reader(events.read, event, times.now(), _sent(await request.body()))])

    async def _answer(self, readers: Sequence[Reader]) -> Response:
        if len(readers) == 1:
            taken = [await self._take(readers[0])]
        else:
            taken = await asyncio.gather(*map(self._take, readers))
        return answers.answer(taken)

    async def _take(self, read: Reader) -> Taken:
        """Take one signal; never raises for what is wrong with it, or with Kubernetes."""
        began = time.perf_counter()
        try:
            signal = read()
        except NotTakenError as exc:
            self._metrics.rejected.labels("invalid").inc()
            return Taken(None, failure=exc)
        self._metrics.received.labels(signal.type, signal.severity).inc()
        self._audit.note("signal.received", signal)
        try:
            outcome = await self._intake.take(signal)
        except ClusterError as exc:
            took = time.perf_counter() - began
            self._metrics.failures.labels(exc.reason).inc()
            self._metrics.seconds.labels("failed").observe(took)
            self._audit.note("crd.creation_failed", signal, failed=exc.reason, took=took)
            return Taken(signal, failure=exc)
        taken = Taken(signal, outcome)
        self._count(signal, taken, time.perf_counter() - began)
        return taken

    def _count(self, signal: Signal, taken: Taken, took: float) -> None:
        assert taken.outcome is not None
        self._metrics.seconds.labels(taken.outcome.status).observe(took)
        resource = taken.outcome.entry.key[1] if taken.outcome.entry else ""
        match taken.outcome.status:
            case "created":
                self._metrics.created.labels(signal.type).inc()
                self._audit.note("crd.created", signal, resource=resource, took=took)
            case "duplicate":
                self._metrics.deduplicated.labels(signal.type).inc()
                self._audit.note("signal.deduplicated", signal, resource=resource, took=took)
            case "resolved":
                self._metrics.resolved.labels(signal.type).inc()

    async def _guard(self, request: Request) -> None:
        settings = self._live.settings
        source = request.client.host if request.client else ""
        if settings.auth == "token":
            source = await self._user(request)
        if settings.rate_limit and (seconds := await self._limits.wait_for(source)):
            self._metrics.rejected.labels("rate_limited").inc()
            detail = f"this source has sent {settings.rate_limit} requests in {settings.rate_window} s, its limit"
            raise ProblemError(429, detail=detail, headers={"Retry-After": str(seconds)})
        timestamps.check(request.headers.get(timestamps.HEADER), required=settings.require_timestamp)

    async def _user(self, request: Request) -> str:
        try:
            verdict = await self._reviews.of(request.headers.get("authorization", ""), request.url.path)
        except ClusterError as exc:
            self._metrics.rejected.labels("unreviewed").inc()
            problem = answers.unreachable(exc)
            problem.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            raise problem from exc
        if verdict.result == "allowed":
            return verdict.user
        self._metrics.rejected.labels(verdict.result).inc()
        if verdict.result == "denied":
            raise ProblemError(403, detail=f"{verdict.user} may not post signals here")
        raise unauthenticated()


def _sent(body: bytes) -> Callable[[], Any]:
    """Return what gives the parsed body, for the resources that keep it; parsed once, and only for these."""
    return cache(lambda: from_json(body))


def _reader(read: Callable[..., Signal], *arguments: Any) -> Reader:
    return lambda: read(*arguments)
