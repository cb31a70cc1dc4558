"""The routes that count: success rates and aggregates of incidents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from datastorage.aggregate_models import NamespaceCounts, SeverityCounts, Trend, TrendQuestion
from datastorage.aggregates import Aggregates
from datastorage.success_rate_models import (
    DimensionsAnswer,
    DimensionsQuestion,
    IncidentTypeAnswer,
    IncidentTypeQuestion,
    PlaybookAnswer,
    PlaybookQuestion,
)
from datastorage.success_rates import SuccessRates
from servicekit import JsonRoute, problem_responses
from servicekit.answers import answered

_RATES, _COUNTS = "/api/v1/success-rate", "/api/v1/aggregate"


class AnalysisRoutes:
    """The six calls that count, as methods."""

    def __init__(self, rates: SuccessRates, aggregates: Aggregates) -> None:
        """Answer from these two."""
        self._rates = rates
        self._aggregates = aggregates

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(route_class=JsonRoute, tags=["analysis"], responses=problem_responses(503))
        router.get(f"{_RATES}/incident-type")(self.of_incident_type)
        router.get(f"{_RATES}/playbook")(self.of_playbook)
        router.get(f"{_RATES}/multi-dimensional")(self.of_dimensions)
        router.get(f"{_COUNTS}/by-namespace")(self.by_namespace)
        router.get(f"{_COUNTS}/by-severity")(self.by_severity)
        router.get(f"{_COUNTS}/trend")(self.trend)
        return router

    async def of_incident_type(self, asked: Annotated[IncidentTypeQuestion, Query()]) -> IncidentTypeAnswer:
        """Say how often a type of incident was solved, and by which playbook."""
        return await answered(self._rates.of_incident_type(asked))

    async def of_playbook(self, asked: Annotated[PlaybookQuestion, Query()]) -> PlaybookAnswer:
        """Say how often a playbook succeeded, on which type of incident and with which action."""
        return await answered(self._rates.of_playbook(asked))

    async def of_dimensions(self, asked: Annotated[DimensionsQuestion, Query()]) -> DimensionsAnswer:
        """Say how often what matches all dimensions given succeeded."""
        return await answered(self._rates.of_dimensions(asked))

    async def by_namespace(self) -> NamespaceCounts:
        """Count incidents by namespace, those with the most first."""
        return await answered(self._aggregates.by_namespace())

    async def by_severity(self) -> SeverityCounts:
        """Count incidents by severity, those with the most first."""
        return await answered(self._aggregates.by_severity())

    async def trend(self, asked: Annotated[TrendQuestion, Query()]) -> Trend:
        """Count incidents by day, oldest first."""
        return await answered(self._aggregates.trend(asked))
