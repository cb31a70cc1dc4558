"""The routes of traces, which are written as action traces and read as incidents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from datastorage.answers import write_responses, written
from datastorage.trace_models import IncidentFilter, IncidentPage, Trace, TraceIn
from datastorage.traces import Traces
from datastorage.writes import Writer
from servicekit import JsonRoute, problem_responses
from servicekit.answers import RowId, answered, found

_WRITE, _READ = "/api/v1/action-traces", "/api/v1/incidents"


class TraceRoutes:
    """The three calls on traces, as methods."""

    def __init__(self, traces: Traces, writer: Writer) -> None:
        """Read from `traces`, and write them with `writer`."""
        self._traces = traces
        self._writer = writer

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(route_class=JsonRoute, tags=["incidents"])
        created = write_responses(location=True)
        router.post(_WRITE, status_code=201, response_model=Trace, responses=created)(self.create)
        router.get(_READ, responses=problem_responses(503))(self.list)
        router.get(f"{_READ}/{{id}}", responses=problem_responses(404, 503))(self.get)
        return router

    async def create(self, record: TraceIn, response: Response) -> Trace | Response:
        """Store what was done to a resource, and its vector, both or neither."""
        return await written(
            self._writer, self._traces.kind, record, response, location=lambda stored: f"{_READ}/{stored.id}"
        )

    async def list(self, asked: Annotated[IncidentFilter, Query()]) -> IncidentPage:
        """List incidents, newest `action_timestamp` first."""
        return await answered(self._traces.page(asked))

    async def get(self, id: RowId) -> Trace:  # noqa: A002 - the API's name
        """Return one incident."""
        return await found(self._traces.get(id), what=f"incident with the id {id}")
