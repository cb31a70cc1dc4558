"""Request bodies over the limit are refused with 413, before they are read where their length is announced."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.problems import ProblemError, problem_response

_DIGITS = 18
"""A length of more digits is over any limit, and is not made a number."""


class BodyLimit:
    """ASGI middleware: lets a handler read at most `limit` bytes of body."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        """Wrap `app`; `limit` in bytes."""
        self.app = app
        self.limit = limit

    def _too_large(self) -> ProblemError:
        return ProblemError(413, detail=f"the request body is larger than {self.limit} bytes, which is the limit")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > self.limit):
            await problem_response(scope, self._too_large())(scope, receive, send)
            return
        read = 0

        async def receive_limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise self._too_large()
            return message

        await self.app(scope, receive_limited, send)
