"""A route whose question goes from the query string into its model, and is kept for those who ask it again.

Problem: FastAPI looks at each field of a parameter model anew for each request, which costs as much as all the rest of
an answer that is in memory.
Solution: the handler's one parameter is the model, validated from the query string in one go, and a question that was
right is kept under its query string. FastAPI still reads the signature, so the OpenAPI document is made as ever.
Cost: such a handler has no other parameters and no dependencies, and returns a response. Models are not to be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from cachetools import LRUCache
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

_KEPT = 1000
_LONGEST = 1024
"""Bytes of a query string that is kept."""


class QueryRoute(APIRoute):
    """See above."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        (parameter,) = self.dependant.query_params
        model = parameter.field_info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        kept: LRUCache[bytes, BaseModel] = LRUCache(_KEPT)

        async def handle(request: Request) -> Response:
            query: bytes = request.scope["query_string"]
            asked = kept.get(query)
            if asked is None:
                asked = read(model, query)
                if len(query) <= _LONGEST:
                    kept[query] = asked
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
