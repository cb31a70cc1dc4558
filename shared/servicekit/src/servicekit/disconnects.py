"""A client that goes away takes its handler, and thereby its query, with it.

Problem: an ASGI handler learns of a hang-up only from `receive()`, which nobody awaits while it waits for a database;
so a query whose answer nobody wants runs on, and a write that its client believes lost is stored.

Solution: this middleware is the only reader of the server's `receive`. It hands the body on, and when
`http.disconnect` comes before the response is complete, it cancels the handler's task. The cancellation travels to
where the handler waits: psycopg 3 then cancels the statement on the server and the transaction is rolled back.

Cost: a task per request, and at most one chunk of body ahead of the handler. What cannot be undone is a COMMIT that
the server has already done when the hang-up arrives.
"""

from __future__ import annotations

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_AGAIN_AFTER = 1.0
_log = structlog.get_logger(__name__)


class _Inbox:
    """The one reader of `receive`: passes messages on, and ends when the client is gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def watch(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            self._messages.put_nowait(message)
            if message.get("more_body"):
                await self._messages.join()  # the handler sets the pace, so that a body is not piled up here
        self._messages.put_nowait(message)

    async def get(self) -> Message:
        message = await self._messages.get()
        self._messages.task_done()
        return message


class CancelOnDisconnect:
    """ASGI middleware: cancels the handler when its client hangs up before the response is complete."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; return without a response where the client went away."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        inbox = _Inbox(receive)
        handler = asyncio.current_task()
        assert handler is not None
        cancelled = 0
        ended = False

        async def send_and_note(message: Message) -> None:
            nonlocal ended
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def watch() -> None:
            nonlocal cancelled
            await inbox.watch()
            if not ended:
                _log.info("client went away, its request is cancelled", path=scope["path"])
            while not ended:  # `asyncio.wait_for` of Python 3.11, which clients use, can swallow a cancellation
                cancelled += 1
                handler.cancel()
                await asyncio.sleep(_AGAIN_AFTER)

        watcher = asyncio.create_task(watch())
        try:
            await self.app(scope, inbox.get, send_and_note)
        except asyncio.CancelledError:
            if handler.cancelling() > cancelled or not cancelled:
                raise  # the server's own, at shutdown
        finally:
            ended = True
            watcher.cancel()
            for _ in range(cancelled):
                handler.uncancel()
