"""A route whose body goes from its bytes into the model, behind a guard.

Problem: FastAPI parses a body to Python objects, copies them, looks at each parameter of the handler, and then
serialises and validates what the handler returns; for a repeated signal that costs as much as all the rest.
Solution: the handler's first parameter is the body's model, validated from the bytes in one go, its second is the
request, and it returns a response. FastAPI still reads the signature, so the OpenAPI document is made as ever.
Cost: such a handler has no other parameters and no dependencies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from servicekit import JsonRoute

Guard = Callable[[Request], Awaitable[None]]
"""Returns where the request may go on, and raises ProblemError where not; asked before the body is read."""


class _Direct(APIRoute):
    """See above; `guard` is set by `guarded_by`."""

    guard: Guard

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        assert self.body_field is not None
        model = self.body_field.field_info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)

        async def handle(request: Request) -> Response:
            await self.guard(request)
            response: Response = await self.endpoint(read(model, await request.body()), request)
            return response

        return handle


def guarded_by(guard: Guard) -> type[APIRoute]:
    """Return the class of routes that take JSON, and ask `guard` first."""
    return type("SignalRoute", (JsonRoute, _Direct), {"guard": staticmethod(guard)})


def read(model: type[BaseModel], body: bytes) -> BaseModel:
    """Return the model in `body`; raise RequestValidationError with every wrong field at once."""
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise RequestValidationError(
            [_as_fastapi_says(dict(error)) for error in exc.errors(include_url=False)]
        ) from exc


def _as_fastapi_says(error: dict[str, Any]) -> dict[str, Any]:
    if error["type"] == "json_invalid":  # pydantic says the place in its sentence, FastAPI as the last of the path
        return {**error, "loc": ("body", 0)}
    return {**error, "loc": ("body", *error["loc"])}
