"""Fifty clients from a thread of their own, over raw sockets: a client library would cost more than the service.

Each asks some times a second. Which question is asked follows Zipf's law: some are hot and some are rare. After
each it asks whether the service lives, which needs nothing: that takes as long as the machine makes everybody wait.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from testinfra.servers.ready import wait_until

CLIENTS = 50
LIVE = "/livez"
_PAUSE = 0.2
_ANSWER_WITHIN = 20.0


@dataclass(frozen=True)
class Reply:
    """One answer."""

    path: str
    status: int
    body: bytes
    begun: float
    took: float
    """Both in seconds, of the monotonic clock."""


def p95(replies: Sequence[Reply]) -> float:
    """Return the 95th percentile of the times in milliseconds."""
    return statistics.quantiles([reply.took for reply in replies], n=100)[94] * 1000


class Load:
    """The clients, from when the block is entered until it is left; what breaks a client is raised there."""

    def __init__(self, host: str, port: int, paths: Sequence[str]) -> None:
        self.replies: list[Reply] = []
        self._address = (host, port)
        self._paths = paths
        self._weights = [1 / rank for rank in range(1, len(paths) + 1)]
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._ended = True
        self._thread.join()
        if self._error and exc is None:
            raise self._error

    def more(self, count: int, *, within: float = 30.0) -> list[Reply]:
        """Wait for `count` answers to questions asked from now on, and return them."""
        since, seen = time.monotonic(), len(self.replies)

        def fresh() -> list[Reply]:
            return [reply for reply in self.replies[seen:] if reply.begun >= since]

        wait_until(
            lambda: self._error or len(self.replies) - seen >= count + CLIENTS,
            what=f"{count} more answers",
            timeout=within,
        )
        if self._error:
            raise self._error
        return fresh()

    def _run(self) -> None:
        try:
            asyncio.run(self._clients())
        except Exception as exc:  # noqa: BLE001 - raised again in the test
            self._error = exc

    async def _clients(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._client(random.Random(number)))  # noqa: S311 - the same load every time

    async def _client(self, chance: random.Random) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        while not self._ended:
            for path in (*chance.choices(self._paths, self._weights), LIVE):
                self.replies.append(await _asked(path, reader, writer))
                await asyncio.sleep(_PAUSE)  # a client that thinks: what the load is, not a wait for something
        writer.close()


async def _asked(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Reply:
    begun = time.monotonic()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode())
    async with asyncio.timeout(_ANSWER_WITHIN):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
    return Reply(path, int(head.split(b" ", 2)[1]), body, begun, time.monotonic() - begun)
