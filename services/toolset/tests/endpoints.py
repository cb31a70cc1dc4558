"""Tools that answer: one real server on a loopback address that is all hosts there are."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

REFUSED = 1
"""The port of Services to which nothing listens."""
_LOOPBACK = "127.0.0.1"
_WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Held:
    """A host that is held: whether somebody asked it, and whether it may answer."""

    asked: threading.Event
    released: asyncio.Event

    def wait(self) -> None:
        """Return when somebody has asked."""
        assert self.asked.wait(30)


class Endpoints:
    """A server of all hosts there are: `behave` says what one of them writes, `asked` what it was asked.

    An answer that ends with `SILENCE` leaves the connection open; else it is closed, as after no answer at all.
    """

    SILENCE = b"(silence)"
    FOREVER = b"(forever)"

    def __init__(self) -> None:
        """Serve from a thread."""
        self._answers: dict[str, bytes] = {}
        self._asked: defaultdict[str, list[str]] = defaultdict(list)
        self._held: dict[str, Held] = {}
        self._at_once = 0
        self.most_at_once = 0
        self._socket = socket.create_server((_LOOPBACK, 0), backlog=2048)
        self._closed = socket.socket()
        self._closed.bind((_LOOPBACK, 0))  # bound, and does not listen
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()], name="endpoints", daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    @property
    def connect_to(self) -> tuple[str, ...]:
        """The routes that lead here."""
        refused = self._closed.getsockname()[1]
        return (f":{REFUSED}:{_LOOPBACK}:{refused}", f"::{_LOOPBACK}:{self._socket.getsockname()[1]}")

    def behave(self, host: str, written: bytes) -> None:
        """From now on the host writes this; a short name is that of a Service `name.namespace`."""
        self._answers[_full(host)] = written

    @contextmanager
    def hold(self, host: str) -> Iterator[Held]:
        """Keep who asks the host waiting, until the block ends."""
        held = self._held[_full(host)] = Held(threading.Event(), asyncio.Event())
        try:
            yield held
        finally:
            del self._held[_full(host)]
            self._loop.call_soon_threadsafe(held.released.set)

    def asked(self, host: str) -> list[str]:
        """Return the request lines that came for the host."""
        return list(self._asked[_full(host)])

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._closed.close()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with await asyncio.start_server(self._serve, sock=self._socket):
            self._ready.set()
            await self._over.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._at_once -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        host = next(line.split(":")[1].strip() for line in lines if line.lower().startswith("host:"))
        self._asked[host].append(lines[0])
        if held := self._held.get(host):
            held.asked.set()
            await held.released.wait()
        written = self._answers.get(host, _WELL)
        writer.write(written.removesuffix(self.SILENCE).removesuffix(self.FOREVER))
        while written.endswith(self.FOREVER):
            writer.write(b"x" * 65_536)
            await writer.drain()
        if written.endswith(self.SILENCE):
            await reader.read()


def _full(host: str) -> str:
    return host if host.count(".") != 1 else f"{host}.svc.cluster.local"
