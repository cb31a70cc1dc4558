"""The routes of incidents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contextapi.calls import AGE, Calls
from contextapi.incidents import Incidents
from contextapi.models import IncidentFilter, IncidentPage, IncidentQuestion, OneIncident, Search, SearchResult
from contextapi.query_routes import QueryRoute
from servicekit import JsonRoute, ProblemError, problem_responses
from servicekit.answers import RowId

_PATH, _ALIAS = "/api/v1/incidents", "/api/v1/context/query"


class IncidentRoutes:
    """The calls on single incidents, as methods."""

    def __init__(self, calls: Calls, incidents: Incidents) -> None:
        """Answer from `incidents` by way of `calls`."""
        self._calls = calls
        self._incidents = incidents

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(route_class=JsonRoute, tags=["incidents"], responses={200: AGE, **problem_responses(503)})
        for path in (_PATH, _ALIAS):
            router.add_api_route(path, self.list, response_model=IncidentPage, route_class_override=QueryRoute)
        router.post(f"{_PATH}/search", response_model=SearchResult)(self.search)
        router.get(f"{_PATH}/search", include_in_schema=False)(self.no_id)
        router.get(f"{_PATH}/{{id}}", response_model=OneIncident, responses=problem_responses(404))(self.get)
        return router

    async def list(self, asked: Annotated[IncidentFilter, Query()]) -> Response:
        """List incidents, newest `start_time` first."""
        return await self._calls.answer("incidents", asked, lambda: self._incidents.page(asked))

    async def search(self, asked: Search) -> Response:
        """Find the incidents that are most alike a text or a vector, nearest first."""
        return await self._calls.answer("search", asked, lambda: self._incidents.search(asked))

    async def no_id(self) -> None:
        """Keep `search` from being taken for an id."""
        raise ProblemError(405, detail="search has no such method")

    async def get(self, id: RowId) -> Response:  # noqa: A002 - the API's name
        """Return one incident."""
        return await self._calls.answer("incident", IncidentQuestion(id=id), lambda: self._incidents.get(id))
