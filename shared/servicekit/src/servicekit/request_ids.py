"""One id per request, in every response and in every log line.

Rule 1: an id that the client sends is kept if it is a sane token, and replaced otherwise: it goes into logs.
Rule 2: pure ASGI, as all middleware here: Starlette's BaseHTTPMiddleware runs the handler in a task group of its own,
        which hides a client that hangs up.
"""

from __future__ import annotations

import random
import re

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_RAW_HEADER = HEADER.lower().encode()
_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CHANCE = random.Random()  # noqa: S311 - an id is no secret, and the system's chance is a system call
_KEY = "servicekit.request_id"


def request_id(scope: Scope) -> str:
    """Return the id of the request whose ASGI scope this is; empty outside of RequestIds."""
    return str(scope.get(_KEY, ""))


class RequestIds:
    """ASGI middleware: takes or makes the id, binds it to the log, and puts it into the response."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(HEADER, "")
        own = sent if _SANE.fullmatch(sent) else f"{_CHANCE.getrandbits(128):032x}"
        scope[_KEY] = own

        header = (_RAW_HEADER, own.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        before = structlog.contextvars.bind_contextvars(request_id=own)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.reset_contextvars(**before)
