"""What a store says, as HTTP: its errors as problems."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import Path

from servicekit.errors import NoEmbedderError, UnavailableError
from servicekit.fields import MAX_INTEGER
from servicekit.problems import ProblemError

ResultT = TypeVar("ResultT")
RowId = Annotated[int, Path(ge=1, le=MAX_INTEGER)]
_RETRY_AFTER = "1"


async def answered(answer: Awaitable[ResultT]) -> ResultT:
    """Return the answer, with the store's errors as problems: 400 without an embedder, 503 without Postgres."""
    try:
        return await answer
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
