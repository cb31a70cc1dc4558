"""What the store says, as HTTP: its errors as problems, and a write as stored or queued."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Path, Response
from fastapi.responses import JSONResponse

from datastorage.dead_letters import Queued
from datastorage.errors import NoEmbedderError, RepeatedError, UnavailableError
from datastorage.fields import MAX_INTEGER
from datastorage.kinds import Kind, RecordT, StoredT
from datastorage.writes import Writer
from servicekit import ProblemError, problem_responses

ResultT = TypeVar("ResultT")
RowId = Annotated[int, Path(ge=1, le=MAX_INTEGER)]
_RETRY_AFTER = "1"
_LOCATION = {"headers": {"Location": {"description": "The path of the record", "schema": {"type": "string"}}}}


def write_responses(*, location: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what a route that writes has as its `responses`; `location`: a 201 says where the record is."""
    queued = {"model": Queued, "description": "Postgres cannot take it now: it is queued, and will be written"}
    return {201: _LOCATION if location else {}, 202: queued, **problem_responses(409, 503)}


async def answered(answer: Awaitable[ResultT]) -> ResultT:
    """Return the answer, with the store's errors as problems."""
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


async def found(answer: Awaitable[ResultT | None], *, what: str) -> ResultT:
    """Return the answer; where it is None, a 404 says that there is no `what`."""
    result = await answered(answer)
    if result is None:
        raise ProblemError(404, detail=f"there is no {what}")
    return result


async def written(
    writer: Writer,
    kind: Kind[RecordT, StoredT],
    record: RecordT,
    response: Response,
    *,
    location: Callable[[StoredT], str] | None = None,
) -> StoredT | Response:
    """Write the record; return what was stored, or a 202 where it was queued. `location` gives the path of a record."""
    write = writer.write(kind, record)
    outcome = await answered(write)
    if isinstance(outcome, Queued):
        return JSONResponse(outcome.model_dump(), status_code=202)
    if location is not None:
        response.headers["Location"] = location(outcome)
    return outcome
