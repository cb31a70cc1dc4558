"""An HTTPS server of the stand's own, in a thread with an event loop of its own: the proxy's and the webhook's.

Rule 1: it ends at once, whoever is still connected, and with it everything that its application holds.
Rule 2: nothing of it can hang a test run: the thread is a daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from testinfra.errors import NotReady, extra
from testinfra.kubernetes.certs import Authority, save
from testinfra.servers.ports import LOOPBACK
from testinfra.servers.ready import wait_until

with extra("kubernetes"):
    from aiohttp import web

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STARTED_WITHIN = 10.0
_FAREWELL = 0.05
"""Seconds that requests under way have at the end; aiohttp takes 0 for no limit."""
_CLOSED_WITHIN = 1.0
"""Seconds in which the loop closes the sockets of connections that are broken."""
_LONGEST_LINE = 1 << 16
"""Bytes of a header: bearer tokens and label selectors are long."""


class HttpsServer:
    """Answers every request with `handler`, at `url`, until `close`."""

    def __init__(
        self, handler: Handler, folder: Path, *, name: str, at_end: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Start it; certificates go into `folder`. A client may, but need not, present one of `authority`'s.

        `at_end` is awaited in the loop when no request is left.
        """
        self.authority = Authority.create()
        self.ca_file = str(save(folder / "ca.crt", self.authority.pem))
        self._selector = selectors.DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(
            _application(handler, at_end),
            access_log=None,
            handler_cancellation=True,  # a watcher that goes away ends its watch at the server too
            shutdown_timeout=_FAREWELL,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        try:
            self.port = self.run(self._listen(_context(self.authority, folder, self.ca_file)))
        except BaseException:
            self._end_loop()
            raise
        self.url = f"https://{LOOPBACK}:{self.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's loop and give its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_STARTED_WITHIN)

    def call(self, function: Callable[[], object]) -> None:
        """Have the server's loop call a function soon."""
        self._loop.call_soon_threadsafe(function)

    async def _listen(self, context: ssl.SSLContext) -> int:
        await self._runner.setup()
        listener = socket.create_server((LOOPBACK, 0), backlog=1024)
        await web.SockSite(self._runner, listener, ssl_context=context).start()
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """End it. Harmless when done twice."""
        if not self._loop.is_closed():
            try:
                self.run(self._end())
                with contextlib.suppress(NotReady):  # then the interpreter closes what is left
                    wait_until(self._is_alone, what="the server's connections are closed", timeout=_CLOSED_WITHIN)
            finally:
                self._end_loop()

    def _is_alone(self) -> bool:
        """Tell whether the loop has nothing to listen to but itself."""
        return len(self._selector.get_map()) <= 1

    async def _end(self) -> None:
        """Break all connections first: a TLS client that says no farewell would be waited for."""
        server = self._runner.server
        for connection in server.connections if server else ():
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STARTED_WITHIN)
        self._loop.close()


def _application(handler: Handler, at_end: Callable[[], Awaitable[None]] | None) -> web.Application:
    application = web.Application(client_max_size=0)  # no limit of ours: the API server has its own
    application.router.add_route("*", "/{path:.*}", handler)
    if at_end:
        application.on_cleanup.append(lambda _: at_end())
    return application


def _context(authority: Authority, folder: Path, ca_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server([LOOPBACK, "localhost"]).save(folder, "server"))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(ca_file)
    return context


def cut(request: web.Request, *, reset: bool = False) -> None:
    """Break the client's connection: nothing more is sent on it. With `reset`, the kernel sends RST for an end."""
    transport = request.transport
    if transport is None:
        return
    if reset and (peer := transport.get_extra_info("socket")):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
