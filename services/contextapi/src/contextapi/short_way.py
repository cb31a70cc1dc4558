"""The short way: a question that was answered before, and whose answer is in memory, is answered before FastAPI.

Problem: to find the route, to read the question and to make the response costs ten times what the cache costs.
Solution: what was asked, and on which route, is kept under the path and the query string that asked it. Where the
answer is in this process's memory and fresh, it is sent; everything else goes the long way, with the question read.
Cost: two requests are the same only byte by byte, and one with a body always goes the long way.

Nothing is awaited before the answer, so no client can go away meanwhile.
"""

from __future__ import annotations

from cachetools import LRUCache
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from contextapi.calls import ASKED, Asked, Calls

_KEPT = 1000
_LONGEST = 1024
"""Characters of a path and a query string that are kept."""
_BODY = (b"content-length", b"transfer-encoding")
_JSON = ((b"content-type", b"application/json"),)


class ShortWay:
    """ASGI middleware: answers `GET` from memory where it can."""

    def __init__(self, app: ASGIApp, *, calls: Calls) -> None:
        """Wrap `app`, whose answers `calls` makes."""
        self._app = app
        self._calls = calls
        self._kept: LRUCache[tuple[str, bytes], tuple[Asked, BaseRoute]] = LRUCache(_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or any(name in _BODY for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        same = (scope["path"], scope["query_string"])
        known = self._kept.get(same)
        if known is not None:
            scope[ASKED], scope["route"] = known
            answer = self._calls.at_hand(known[0])
            if answer is not None:
                headers = [*_JSON, (b"content-length", b"%d" % len(answer.body)), (b"age", b"%d" % answer.age)]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})
                return
        await self._app(scope, receive, send)
        if ASKED in scope and len(same[0]) + len(same[1]) <= _LONGEST:
            self._kept[same] = (scope[ASKED], scope["route"])
