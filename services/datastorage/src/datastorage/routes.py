"""The routes of remediations: HTTP on one side, the store on the other, and its errors as problems."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Response

from datastorage.errors import NoEmbedderError, RepeatedError, UnavailableError
from datastorage.models import (
    MAX_BIGINT,
    ListFilter,
    Remediation,
    RemediationIn,
    RemediationPage,
    Search,
    SearchResult,
)
from datastorage.store import Store
from servicekit import JsonRoute, ProblemError, problem_responses

ResultT = TypeVar("ResultT")
_PATH = "/api/v1/audit/remediations"
_RETRY_AFTER = "1"


class RemediationRoutes:
    """The four calls on remediations, as methods."""

    def __init__(self, store: Store) -> None:
        """Answer from `store`."""
        self._store = store

    def router(self) -> APIRouter:
        """Return the router with the routes of the table below."""
        router = APIRouter(route_class=JsonRoute, tags=["remediations"])
        where = {"headers": {"Location": {"description": "The path of the record", "schema": {"type": "string"}}}}
        created = {201: where, **problem_responses(409, 503)}
        router.post(_PATH, status_code=201, responses=created)(self.create)
        router.get(_PATH, responses=problem_responses(503))(self.list)
        router.post(f"{_PATH}/search", responses=problem_responses(503))(self.search)
        router.get(f"{_PATH}/{{id}}", responses=problem_responses(404, 503))(self.get)
        return router

    async def create(self, record: RemediationIn, response: Response) -> Remediation:
        """Store a remediation and its vector, both or neither."""
        stored = await _answered(self._store.add(record))
        response.headers["Location"] = f"{_PATH}/{stored.id}"
        return stored

    async def list(self, asked: Annotated[ListFilter, Query()]) -> RemediationPage:
        """List remediations, newest start first."""
        return await _answered(self._store.page(asked))

    async def get(self, id: Annotated[int, Path(ge=1, le=MAX_BIGINT)]) -> Remediation:  # noqa: A002 - the API's name
        """Return one remediation."""
        found = await _answered(self._store.get(id))
        if found is None:
            raise ProblemError(404, detail=f"there is no remediation with the id {id}")
        return found

    async def search(self, asked: Search) -> SearchResult:
        """Find the remediations that are most alike a text or a vector, best first."""
        return await _answered(self._store.search(asked))


async def _answered(answer: Awaitable[ResultT]) -> ResultT:
    try:
        return await answer
    except RepeatedError as exc:
        raise ProblemError(409, detail=str(exc), kind="repeated", field=exc.field, value=exc.value) from exc
    except NoEmbedderError as exc:
        wrong = {"query": str(exc)}
        raise ProblemError(400, detail="1 wrong: query", kind="validation-error", field_errors=wrong) from exc
    except UnavailableError as exc:
        headers = {"Retry-After": _RETRY_AFTER}
        raise ProblemError(503, detail=str(exc), kind=f"postgres-{exc.reason}", headers=headers) from exc
