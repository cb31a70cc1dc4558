"""What a write says, as HTTP: stored, queued, or refused as repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from datastorage.dead_letters import Queued
from datastorage.errors import RepeatedError
from datastorage.kinds import Kind, RecordT, StoredT
from datastorage.writes import Writer
from servicekit import ProblemError, problem_responses
from servicekit.answers import answered

_LOCATION = {"headers": {"Location": {"description": "The path of the record", "schema": {"type": "string"}}}}


def write_responses(*, location: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what a route that writes has as its `responses`; `location`: a 201 says where the record is."""
    queued = {"model": Queued, "description": "Postgres cannot take it now: it is queued, and will be written"}
    return {201: _LOCATION if location else {}, 202: queued, **problem_responses(409, 503)}


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
    try:
        outcome = await answered(write)
    except RepeatedError as exc:
        raise ProblemError(409, detail=str(exc), kind="repeated", field=exc.field, value=exc.value) from exc
    if isinstance(outcome, Queued):
        return JSONResponse(outcome.model_dump(), status_code=202)
    if location is not None:
        response.headers["Location"] = location(outcome)
    return outcome
