"""Whether the service is shutting down: known to readiness, to the server, and to every response."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Lifecycle:
    """The one fact `draining`, set once."""

    def __init__(self) -> None:
        """Begin not draining."""
        self.draining = False

    def begin_shutdown(self) -> None:
        """From now on the service is not ready, and asks its clients to connect elsewhere."""
        self.draining = True


class CloseWhenDraining:
    """ASGI middleware: once shutdown has begun, each response ends its connection.

    A client that keeps its connection would otherwise send the next request into a socket that is about to close.
    """

    def __init__(self, app: ASGIApp, *, lifecycle: Lifecycle) -> None:
        """Wrap `app`."""
        self.app = app
        self.lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and self.lifecycle.draining:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self.app(scope, receive, send_and_close)
