"""The official client's asyncio side, whose connections are gone when it is closed.

Problem: aiohttp gives the TLS connection of a watch that was left up only when the server has said goodbye, which it
does not wait for. In a test that connection outlives the event loop, and Python warns of it in whatever test is next.
Solution: the client makes its sockets itself, and its `close` waits until they are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from aiohttp import TCPConnector
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

if TYPE_CHECKING:
    from aiohttp import AddrInfoType

_GOODBYE = 1.0
"""Seconds that a server has to say goodbye, and then the loop to take note of an end."""
_LOOK_AGAIN = 0.002


class _Rest(RESTClientObject):
    """The client's connections."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def _create_connector(self) -> TCPConnector:
        return TCPConnector(limit=self.maxsize, ssl=self.ssl_context, socket_factory=self._socket)

    def _socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    async def close(self) -> None:
        await super().close()
        if not await self._are_closed():
            for each in self._open():  # a server that says no goodbye is cut off, which the loop takes for one
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            await self._are_closed()

    async def _are_closed(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                while self._open():  # noqa: ASYNC110 - sockets have no event
                    await asyncio.sleep(_LOOK_AGAIN)
                return True
        return False

    def _open(self) -> list[socket.socket]:
        return [each for each in self._sockets if each.fileno() >= 0]


def make(configuration: Any) -> ApiClient:
    """Make an `ApiClient` of this configuration, to be closed by who uses it."""
    made = ApiClient(configuration)
    made.rest_client = _Rest(configuration)
    return made
