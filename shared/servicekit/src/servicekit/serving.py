"""Run an app on a socket, and end it without losing what was accepted.

Rule 1: the first SIGTERM or SIGINT makes readiness 503 at once; after the grace period, in which balancers take note,
        the listening socket closes; requests in flight have `shutdown_timeout` seconds, then they are cancelled; only
        then are the app's resources closed. A further signal changes nothing. The exit code is 0.
Rule 2: the socket is bound before the app starts, or inherited, so a taken port is told in one sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TypeVar

import structlog
import uvicorn

from servicekit import logs
from servicekit.app import ServiceApp
from servicekit.settings import Settings

_log = structlog.get_logger(__name__)
_TICK = 0.1
_POLL = 0.005
_BACKLOG = 2048
_CANCELLED_HAVE = 5.0
_TURNS = 5
"""Turns of the loop, of which what was accepted needs three."""

SettingsT = TypeVar("SettingsT", bound=Settings)


class Server(uvicorn.Server):
    """uvicorn's server with the shutdown of Rule 1; `begin_shutdown` may be called from any thread."""

    def __init__(self, app: ServiceApp) -> None:
        """Serve `app` with the limits of its settings."""
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",  # not what happens to be installed: uvloop is not what the tests run on,
                http="h11",  # and httptools knows only the usual methods and answers others in plain text
                log_config=None,
                access_log=False,
                proxy_headers=False,  # nothing depends on the client's address or scheme
                lifespan="on",
                server_header=False,
            )
        )
        self.app = app
        self.ready = threading.Event()
        """Set when requests are answered."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer requests until shutdown."""
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Enter the app's resources, then listen."""
        self.app.make_routes()
        await super().startup(sockets)
        for sock in sockets or ():
            _log.info("listening", address=_name(sock))
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals for good: uvicorn gives them back before the process ends, which one more would then kill."""
        if threading.current_thread() is threading.main_thread():
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Take a signal. It comes in the midst of whatever runs, whose request id is not to be on these lines."""
        contextvars.Context().run(self._signalled, signal.Signals(sig).name)

    def _signalled(self, name: str) -> None:
        _log.info("signal", signal=name)
        self.begin_shutdown()

    def begin_shutdown(self) -> None:
        """Begin the shutdown, or do nothing where it has begun."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        if self.app.lifecycle.draining:
            return
        self.app.lifecycle.begin_shutdown()
        _log.info("shutting down", grace_s=self.app.settings.shutdown_grace)
        self._loop.call_later(self.app.settings.shutdown_grace, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
        self._wake.set()

    async def main_loop(self) -> None:
        """Tick as uvicorn does, but end at once when told to."""
        tick = 0
        while not await self.on_tick(tick):
            tick = (tick + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse connections, let requests finish, cancel those that take too long, then close the resources."""
        await accept_no_more(self.servers)
        for server in self.servers:
            server.close()
        for sock in sockets or ():
            sock.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.app.settings.shutdown_timeout):
                while state.connections or state.tasks:  # noqa: ASYNC110 - sets of uvicorn's, without an event
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            _log.warning("requests took too long and are cancelled", count=len(state.tasks))
            for task in list(state.tasks):
                task.cancel()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=_CANCELLED_HAVE)
        await self.lifespan.shutdown()


async def accept_no_more(servers: Iterable[asyncio.Server]) -> None:
    """Return when what was accepted has become a connection: asyncio forgets what is halfway when a server closes."""
    loop = asyncio.get_running_loop()
    for server in servers:
        for sock in server.sockets:
            loop.remove_reader(sock.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def run(make_app: Callable[[SettingsT], ServiceApp], settings_class: type[SettingsT]) -> None:
    """Be the main program of a service: settings, logs, socket, app, until a signal ends it."""
    settings = settings_class.load_or_exit(os.environ)
    logs.configure(settings.log_level)
    try:
        sock = _listener(settings)
    except OSError as exc:
        sys.stderr.write(f"{_refused(settings, exc)}\n")
        sys.exit(1)
    Server(make_app(settings)).run(sockets=[sock])


def bind(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; raise OSError where the address is not to be had.

    asyncio sets TCP_NODELAY only on sockets whose protocol says TCP, and what `create_server` makes says 0, which it
    hands on to accepted connections: every answer would then wait 40 ms for an acknowledgement. Made anew from its
    descriptor, the socket knows its protocol.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.socket(fileno=socket.create_server((host, port), family=family, backlog=_BACKLOG).detach())


def _listener(settings: Settings) -> socket.socket:
    if settings.socket_fd is not None:
        inherited = socket.socket(fileno=settings.socket_fd)
        inherited.setblocking(False)
        return inherited
    return bind(settings.host, settings.port)


def _refused(settings: Settings, error: OSError) -> str:
    if settings.socket_fd is not None:
        name = f"{settings.prefix}SOCKET_FD"
        return f"{name}: {settings.socket_fd}: {error}. Right would be: the number of a bound socket that was inherited"
    return (
        f"cannot listen on {settings.host} port {settings.port}: {error}. Another process may hold the port (type:"
        f" ss -ltnp 'sport = :{settings.port}'); choose one with {settings.prefix}PORT, or 0 for a free one"
    )


def _name(sock: socket.socket) -> str:
    address = sock.getsockname()
    if not isinstance(address, tuple):
        return str(address)
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"
