"""Load on a service for comparisons, and what was measured as lines of the report.

Many requests at once over raw sockets, as an HTTP client library would cost more than the service.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from benchmarks.result import Result
from testinfra.serving import Service

AT_ONCE = 50
_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Round:
    """What one side did in one turn."""

    rate: float
    """Requests per second."""
    times: list[float]
    """Each one's milliseconds."""
    cpu_rate: float = 0.0
    """Requests per second of the serving process's processor time: what one core does that has nothing else to do."""


@contextmanager
def running(command: list[str], environment: dict[str, str], socket_variable: str) -> Iterator[Service]:
    """Run a service as a process, on a socket that `socket_variable` tells it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "service.log"
        service = Service(command, environment=environment, socket_variable=socket_variable, log=log)
        try:
            service.start()
            yield service
            service.stop()
        finally:
            service.close()


async def timed(count: int, at_once: int, send: Callable[[int], Awaitable[None]]) -> Round:
    """Send `count` requests, `at_once` at a time."""
    waiting = iter(range(count))
    times: list[float] = []

    async def work() -> None:
        for number in waiting:
            started = time.perf_counter()
            await send(number)
            times.append((time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return Round(count / (time.perf_counter() - started), times)


def put(service: Service, requests: Sequence[bytes], count: int, wanted: bytes) -> Round:
    """Send `count` requests, these over and over; raise RuntimeError at one that is not answered `wanted`."""
    process = psutil.Process(service.pid)
    before = process.cpu_times()
    done = asyncio.run(_over_http(service, requests, count, wanted))
    after = process.cpu_times()
    return replace(done, cpu_rate=count / (after.user + after.system - before.user - before.system))


async def _over_http(service: Service, requests: Sequence[bytes], count: int, wanted: bytes) -> Round:
    connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(AT_ONCE):
        connections.put_nowait(await asyncio.open_connection(service.host, service.port))

    async def send(number: int) -> None:
        reader, writer = connections.get_nowait()
        writer.write(requests[number % len(requests)])
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 " + wanted):
            raise RuntimeError(f"a request was not answered {wanted!r}: {answer[:200]!r}")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        connections.put_nowait((reader, writer))

    found = await timed(count, AT_ONCE, send)
    while not connections.empty():
        connections.get_nowait()[1].close()
    return found


def rate(name: str, peer: str, ours: Sequence[Round], theirs: Sequence[Round]) -> Result:
    """Give the line of the requests per second."""
    return Result(
        name=name, unit="1/s", peer=peer, more_is_better=True,
        ours=[each.rate for each in ours], theirs=[each.rate for each in theirs],
    )  # fmt: skip


def cpu_rate(name: str, peer: str, ours: Sequence[Round], theirs: Sequence[Round]) -> Result:
    """Give the line of the requests per second of processor time."""
    return Result(
        name=f"{name}_cpu", unit="1/cpu s", peer=peer, more_is_better=True,
        ours=[each.cpu_rate for each in ours], theirs=[each.cpu_rate for each in theirs],
    )  # fmt: skip


def percentiles(name: str, peer: str, ours: Sequence[Round], theirs: Sequence[Round]) -> list[Result]:
    """Give the lines of the times."""

    def of(rounds: Sequence[Round], which: int) -> list[float]:
        return [statistics.quantiles(each.times, n=100)[which - 1] for each in rounds]

    return [
        Result(name=f"{name}_p{which}", unit="ms", peer=peer, ours=of(ours, which), theirs=of(theirs, which))
        for which in _PERCENTILES
    ]
