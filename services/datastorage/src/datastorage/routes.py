"""The routes of remediations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from datastorage.answers import write_responses, written
from datastorage.models import (
    ListFilter,
    Remediation,
    RemediationIn,
    RemediationPage,
    Search,
    SearchResult,
)
from datastorage.store import Store
from datastorage.writes import Writer
from servicekit import JsonRoute, ProblemError, problem_responses
from servicekit.answers import RowId, answered, found

_PATH = "/api/v1/audit/remediations"


class RemediationRoutes:
    """The four calls on remediations, as methods."""

    def __init__(self, store: Store, writer: Writer) -> None:
        """Read from `store`, and write with `writer`."""
        self._store = store
        self._writer = writer

    def router(self) -> APIRouter:
        """Return the router with the routes of the table below."""
        router = APIRouter(route_class=JsonRoute, tags=["remediations"])
        created = write_responses(location=True)
        router.post(_PATH, status_code=201, response_model=Remediation, responses=created)(self.create)
        router.get(_PATH, responses=problem_responses(503))(self.list)
        router.post(f"{_PATH}/search", responses=problem_responses(503))(self.search)
        router.get(f"{_PATH}/search", include_in_schema=False)(self.no_id)
        router.get(f"{_PATH}/{{id}}", responses=problem_responses(404, 503))(self.get)
        return router

    async def create(self, record: RemediationIn, response: Response) -> Remediation | Response:
        """Store a remediation and its vector, both or neither."""
        return await written(
            self._writer, self._store.kind, record, response, location=lambda stored: f"{_PATH}/{stored.id}"
        )

    async def list(self, asked: Annotated[ListFilter, Query()]) -> RemediationPage:
        """List remediations, newest start first."""
        return await answered(self._store.page(asked))

    async def get(self, id: RowId) -> Remediation:  # noqa: A002 - the API's name
        """Return one remediation."""
        return await found(self._store.get(id), what=f"remediation with the id {id}")

    async def no_id(self) -> None:
        """Keep `search` from being taken for an id."""
        raise ProblemError(405, detail="search has no such method")

    async def search(self, asked: Search) -> SearchResult:
        """Find the remediations that are most alike a text or a vector, best first."""
        return await answered(self._store.search(asked))
