"""Every error as a problem detail (RFC 9457), in one form whoever raises it.

Rule 1: `type` is `about:blank` where the status says it all, else `urn:problem-type:<name>`; `instance` is the path;
        validation is status 400 and lists every wrong field at once in `field_errors`.
Rule 2: an internal error shows nothing of itself: its traceback goes to the log, under the request's id.
Rule 3: a wrong method is answered with all methods the path has, not only those of the first route that matches; a
        route with a parameter that happens to match (`/things/{id}` for `/things/search`) does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.request_ids import request_id

MEDIA_TYPE = "application/problem+json"
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_log = structlog.get_logger(__name__)

OnFieldError = Callable[[str, str], None]
"""Called with (field, reason) for each wrong field, for a service's own metrics; `reason` is pydantic's error type."""


class Problem(BaseModel):
    """The body of every error; single errors add members of their own, as `field` and `value` of a conflict."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank", "urn:problem-type:validation-error"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What happened, for a person")
    instance: str = Field(description="The path of the request")
    request_id: str = Field(description="Also in the header X-Request-ID, and in every log line of this request")
    field_errors: dict[str, str] | None = Field(default=None, description="Every wrong field, with what is wrong")


class ProblemError(HTTPException):
    """Raise it in a handler to answer with a problem; `members` become members of the body."""

    def __init__(
        self, status: int, *, detail: str, kind: str = "", headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """Take the HTTP status, a sentence, and the name for `urn:problem-type:<kind>` where the status is not all."""
        super().__init__(status, detail=detail, headers=dict(headers or {}))
        self.kind = kind
        self.members = members


def problem_response(scope: Scope, error: StarletteHTTPException) -> Response:
    """Return the response for `error` on the request whose scope this is."""
    kind = getattr(error, "kind", "")
    body = {
        "type": f"urn:problem-type:{kind}" if kind else "about:blank",
        "title": kind.replace("-", " ").capitalize() if kind else HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": str(error.detail),
        "instance": scope["path"],
        "request_id": request_id(scope),
        **getattr(error, "members", {}),
    }
    return JSONResponse(body, status_code=error.status_code, headers=error.headers, media_type=MEDIA_TYPE)


def field_errors(error: RequestValidationError) -> list[tuple[str, str, str]]:
    """Return (field, reason, sentence) for each thing wrong; the field is a dotted path, or `body` for the whole."""
    found = []
    for each in error.errors():
        where, *path = each["loc"]
        if each["type"] == "json_invalid":
            detail = f"is no valid JSON at character {path[0]}: {each['ctx']['error']}"
            found.append(("body", each["type"], detail))
            continue
        name = ".".join(str(part) for part in path) or str(where)
        found.append((name, str(each["type"]), str(each["msg"]).removeprefix("Value error, ")))
    return found


def install(app: FastAPI, on_field_error: OnFieldError | None = None) -> None:
    """Answer every HTTP error and every failed validation of `app` with a problem."""

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        if error.status_code == HTTPStatus.NOT_FOUND and not isinstance(error, ProblemError):
            error = ProblemError(404, detail=f"there is nothing at {request.url.path}")
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(_allowed(app, request.scope))
            detail = f"{request.method} is no method of {request.url.path}, which has {allowed}"
            error = ProblemError(405, detail=detail, headers={"Allow": allowed})
        return problem_response(request.scope, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong: dict[str, str] = {}
        for field, reason, sentence in field_errors(error):
            wrong[field] = f"{wrong[field]}; {sentence}" if field in wrong else sentence
            if on_field_error is not None:
                on_field_error(field, reason)
        detail = f"{len(wrong)} wrong: {', '.join(wrong)}"
        problem = ProblemError(400, detail=detail, kind="validation-error", field_errors=wrong)
        return problem_response(request.scope, problem)

    app.add_exception_handler(StarletteHTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)


def _allowed(app: FastAPI, scope: Scope) -> list[str]:
    asked = {key: scope[key] for key in ("type", "path", "root_path", "headers", "query_string", "app") if key in scope}
    own = app.openapi()["paths"].get(scope["path"])
    return [
        method for method in _METHODS if (method.lower() in own if own else _matches(app, {**asked, "method": method}))
    ]


def _matches(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.router.routes)


class CatchErrors:
    """ASGI middleware: answers an unexpected exception with a plain 500 and logs its traceback.

    A request that the server cancels, because it took too long at shutdown, is answered 503: what it did is undone.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; an exception after the response has begun is raised on, to cut the connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if begun:
                raise
            gone = ProblemError(503, detail="the service shut down before this was done", kind="shutting-down")
            await problem_response(scope, gone)(scope, receive, send)
        except Exception:
            _log.exception("unexpected error", path=scope["path"], method=scope["method"])
            if begun:
                raise
            detail = "an unexpected error; the log of the service has it under this request_id"
            await problem_response(scope, ProblemError(500, detail=detail))(scope, receive, send)
