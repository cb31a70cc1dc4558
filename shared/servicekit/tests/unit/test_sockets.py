"""Sockets whose end is waited for."""

from __future__ import annotations

import asyncio
import socket

from servicekit.sockets import Sockets


def test_one_that_nobody_ends_is_cut_off() -> None:
    """The other side sees the end of the connection, and `closed` returns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def connect() -> socket.socket:
            sockets = Sockets()
            made = sockets((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0)))
            made.connect(listener.getsockname())
            async with asyncio.timeout(20):
                await sockets.closed()
            return made

        left = asyncio.run(connect())
        accepted, _ = listener.accept()
        with left, accepted:
            accepted.settimeout(10)
            assert accepted.recv(1) == b""


def test_closed_ones_are_not_waited_for() -> None:
    """It returns at once."""

    async def close() -> None:
        sockets = Sockets()
        sockets((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))).close()
        async with asyncio.timeout(0.5):
            await sockets.closed()

    asyncio.run(close())
