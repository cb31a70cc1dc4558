"""A route whose question goes from the query string into its model, unless it is known already.

Problem: FastAPI looks at each field of a parameter model anew for each request, which costs as much as all the rest of
an answer that is in memory.
Solution: the handler's one parameter is the model, validated from the query string in one go. FastAPI still reads the
signature, so the OpenAPI document is made as ever.
Cost: such a handler has no other parameters and no dependencies, and returns a response.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from contextapi.calls import ASKED, Asked


class QueryRoute(APIRoute):
    """See above."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        (parameter,) = self.dependant.query_params
        model = parameter.field_info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)

        async def handle(request: Request) -> Response:
            known: Asked | None = request.scope.get(ASKED)
            asked = known.question if known else read(model, request.scope["query_string"])
            response: Response = await self.endpoint(asked)
            return response

        return handle


def read(model: type[BaseModel], query: bytes) -> BaseModel:
    """Return the model in `query`, where the last of a repeated parameter counts.

    Raises RequestValidationError with every wrong parameter at once.
    """
    try:
        return model.model_validate(dict(QueryParams(query)))
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        raise RequestValidationError([{**error, "loc": ("query", *error["loc"])} for error in errors]) from exc
