"""A TCP relay before a server, which can be told to be slow, to cut connections or to answer nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self


class Relay:
    """Relays to `target` (host, port) from a thread of its own, from when the block is entered until it is left.

    `delay`: seconds that every part of an answer is late; `says`: what is answered in place of the server's words.
    Both may be set at any time.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay = 0.0
        self.says = b""
        self.passed = 0
        """Parts of answers that were passed on, or replaced."""
        self.port = 0
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection that there is."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):  # asyncio's server makes an error of a cancellation
            upstream_reader, upstream = await asyncio.open_connection(*self._target)
            both = {writer, upstream}
            self._writers |= both
            try:
                await asyncio.gather(self._pass(reader, upstream), self._answers(upstream_reader, writer))
            finally:
                self._writers -= both
                for each in both:
                    each.transport.abort()

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            writer.write(part)
        writer.transport.abort()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)  # it is slow: this is the fault itself
            self.passed += 1
            writer.write(self.says or part)
        writer.transport.abort()
