"""Sockets of an HTTP client, whose end can be waited for.

Problem: aiohttp's closed session has only asked for its connections to end. One under TLS ends when the server has said
goodbye, and would outlive the event loop.
Solution: the client's sockets are made here: `TCPConnector(socket_factory=sockets)`; `closed` returns when all are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from aiohttp import AddrInfoType

_FAREWELL = 1.0
"""Seconds that a server has to say goodbye, and then the loop to take note of an end."""
_LOOK_AGAIN = 0.002


class Sockets:
    """Makes sockets, and knows those that are open."""

    def __init__(self) -> None:
        """Know none yet."""
        self._made: WeakSet[socket.socket] = WeakSet()

    def __call__(self, address: AddrInfoType) -> socket.socket:
        """Make one."""
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        self._made.add(made)
        return made

    async def closed(self) -> None:
        """Return when all are closed; who gets no goodbye is cut off, which the loop takes for one."""
        if not await self._are_closed():
            for each in self._open():
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            await self._are_closed()

    async def _are_closed(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                while self._open():  # noqa: ASYNC110 - sockets have no event
                    await asyncio.sleep(_LOOK_AGAIN)
                return True
        return False

    def _open(self) -> list[socket.socket]:
        return [each for each in self._made if each.fileno() >= 0]
