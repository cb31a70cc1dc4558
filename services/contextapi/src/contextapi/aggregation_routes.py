"""The routes that count."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contextapi.aggregation_models import (
    Actions,
    FailingActions,
    FailingQuestion,
    HealthQuestion,
    NamespaceCounts,
    NamespaceHealth,
    NoQuestion,
    SeverityCounts,
    SeverityQuestion,
    SuccessRate,
    Trend,
    TrendQuestion,
    WorkflowQuestion,
)
from contextapi.aggregations import Aggregations
from contextapi.calls import AGE, Calls
from contextapi.query_routes import QueryRoute
from servicekit import problem_responses


class AggregationRoutes:
    """The seven calls that count, as methods."""

    def __init__(self, calls: Calls, aggregations: Aggregations) -> None:
        """Answer from `aggregations` by way of `calls`."""
        self._calls = calls
        self._aggregations = aggregations

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(
            prefix="/api/v1/aggregations",
            route_class=QueryRoute,
            tags=["aggregations"],
            responses={200: AGE, **problem_responses(503)},
        )
        router.get("/success-rate", response_model=SuccessRate)(self.success_rate)
        router.get("/namespaces", response_model=NamespaceCounts)(self.namespaces)
        router.get("/severity", response_model=SeverityCounts)(self.severity)
        router.get("/trend", response_model=Trend)(self.trend)
        router.get("/top-failing-actions", response_model=FailingActions)(self.top_failing_actions)
        router.get("/actions", response_model=Actions)(self.actions)
        router.get("/namespace-health", response_model=NamespaceHealth)(self.namespace_health)
        return router

    async def success_rate(self, asked: Annotated[WorkflowQuestion, Query()]) -> Response:
        """Say how often a workflow succeeded."""
        return await self._calls.answer("success_rate", asked, lambda: self._aggregations.success_rate(asked))

    async def namespaces(self, asked: Annotated[NoQuestion, Query()]) -> Response:
        """Count incidents by namespace, those with the most first."""
        return await self._calls.answer("namespaces", asked, self._aggregations.namespaces)

    async def severity(self, asked: Annotated[SeverityQuestion, Query()]) -> Response:
        """Count incidents by severity, those with the most first."""
        return await self._calls.answer("severity", asked, lambda: self._aggregations.severity(asked))

    async def trend(self, asked: Annotated[TrendQuestion, Query()]) -> Response:
        """Count incidents by the day of their start, oldest first."""
        return await self._calls.answer("trend", asked, lambda: self._aggregations.trend(asked))

    async def top_failing_actions(self, asked: Annotated[FailingQuestion, Query()]) -> Response:
        """Name the types of action that failed most often."""
        kind = "top_failing_actions"
        return await self._calls.answer(kind, asked, lambda: self._aggregations.top_failing_actions(asked))

    async def actions(self, asked: Annotated[NoQuestion, Query()]) -> Response:
        """Say how often each type of action succeeded, the most frequent first."""
        return await self._calls.answer("actions", asked, self._aggregations.actions)

    async def namespace_health(self, asked: Annotated[HealthQuestion, Query()]) -> Response:
        """Say how well a namespace is, from 0 to 1."""
        return await self._calls.answer("namespace_health", asked, lambda: self._aggregations.namespace_health(asked))
