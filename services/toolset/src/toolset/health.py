"""Is a tool well: one GET to its health path; 200 and 204 say yes.

Rule 1: no redirect is followed, and of the body no more is read than says that an answer came.
Rule 2: one deadline holds over all of it: the name, the connection, the head and the body.
Rule 3: whatever an endpoint does is an answer about that endpoint; nothing it does fails a discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp

from servicekit.sockets import Sockets
from toolset.clock import Clock, SystemClock
from toolset.connect_to import ConnectTo
from toolset.tools import Health, Key, Reason, Tool

_WELL = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})
_READ = 4096
"""Bytes of a body that are read at most."""
_WORDS: Mapping[type[Exception], str] = {
    aiohttp.ClientConnectorDNSError: "its name has no address",
    aiohttp.ClientSSLError: "the TLS handshake failed",
    aiohttp.ClientConnectorError: "there is no way to its address",
    aiohttp.ClientResponseError: "what answers does not speak HTTP",
    aiohttp.ServerDisconnectedError: "the connection ended before the answer did",
    aiohttp.ClientPayloadError: "the connection ended before the answer did",
    aiohttp.ClientOSError: "the connection ended before the answer did",
    ValueError: "it is no URL",  # aiohttp.InvalidURL is one
}
"""The first that fits counts."""


class HealthChecks:
    """Asks tools how they are, `concurrency` at one time; an async context, which holds the connections."""

    def __init__(
        self, timeout: float, concurrency: int, connect_to: Iterable[str] = (), clock: Clock | None = None
    ) -> None:
        """Give each check `timeout` seconds; `connect_to` is as in the module of that name."""
        self._timeout = timeout
        self._room = asyncio.Semaphore(concurrency)
        self._connect_to = tuple(connect_to)
        self._clock = clock or SystemClock()
        self._sockets = Sockets()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; each check has a connection of its own, as the next one is minutes away."""
        connector = aiohttp.TCPConnector(
            resolver=ConnectTo(self._connect_to),
            use_dns_cache=False,
            force_close=True,
            limit=0,
            socket_factory=self._sockets,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "kubernaut-toolset"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            await self._sockets.closed()

    async def check(self, tools: Sequence[Tool], *, timeout: float | None = None) -> dict[Key, Health]:  # noqa: ASYNC109 - given on to each check, a deadline over all of them would be another
        """Ask the tools; `timeout` is that of one check where it is another than usual. Never raises for a tool."""
        checked = await asyncio.gather(*(self._check(tool, timeout or self._timeout) for tool in tools))
        return {tool.key: health for tool, health in zip(tools, checked, strict=True)}

    async def _check(self, tool: Tool, seconds: float) -> Health:
        async with self._room:
            url = tool.endpoint + tool.health_path
            try:
                async with asyncio.timeout(seconds):
                    status = await self._status(url)
            except TimeoutError:
                return self._health(False, "EndpointUnreachable", f"GET {url}: no answer within {seconds:g} s")
            except (aiohttp.ClientError, OSError, ValueError) as exc:  # ValueError: what is no URL or no name
                return self._health(False, "EndpointUnreachable", f"GET {url}: {_in_words(exc)}")
        if status in _WELL:
            return self._health(True, "HealthCheckPassed", f"GET {url}: {status}")
        return self._health(False, "HealthCheckFailed", f"GET {url}: {status}, and has to be 200 or 204")

    async def _status(self, url: str) -> int:
        assert self._session is not None, "HealthChecks is entered before it checks"
        async with self._session.get(url, allow_redirects=False) as answer:
            await answer.content.read(_READ)
            return answer.status

    def _health(self, healthy: bool, reason: Reason, message: str) -> Health:  # noqa: FBT001 - the fact itself
        return Health(healthy=healthy, reason=reason, message=message, checked_at=self._clock.now())


def not_checked(clock: Clock) -> Health:
    """Return the health of a tool that was not asked."""
    return Health(healthy=None, reason="NotChecked", message="health checks are off for it", checked_at=clock.now())


def _in_words(exc: BaseException) -> str:
    """Return the same words for the same trouble: a message of the client has addresses, and changes with them."""
    if isinstance(exc, aiohttp.ClientConnectorError) and isinstance(exc.os_error, ConnectionRefusedError):
        return "the connection was refused"
    said = (words for kind, words in _WORDS.items() if isinstance(exc, kind))
    return next(said, f"the connection failed ({type(exc).__name__})")
