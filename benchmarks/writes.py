"""Audit writes through the service against the same rows inserted by plain psycopg with the same pool, in turns.

The service is one process, the load another, Postgres and Redis are the stand's. The load is fifty connections that
each send the next record as soon as the last is answered; raw sockets, as an HTTP client library would cost more than
the service. The peer is one process with fifty tasks over a pool of the same size: what Python can do without HTTP,
validation, sanitising and embedding. It has two forms: psycopg as it comes, which makes BEGIN, INSERT and COMMIT of
an insert, and in autocommit mode, a third of the round trips, as the service has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

import dbschema
from benchmarks.result import Result
from datastorage.embedding import HashingEmbedder, literal
from datastorage.models import RemediationIn
from testinfra.endpoints import Postgres, Redis
from testinfra.options import Options
from testinfra.serving import Service, python_module
from testinfra.stand import Stand

_CLIENTS = 50
_WRITES = 2_000
_POOL = 25
_PEER = "psycopg 3, the same rows and pool"
_FAST_PEER = "the same in autocommit mode"
_PERCENTILES = (50, 95, 99)
Rounds = Sequence[tuple[float, list[float]]]
"""Of each round the writes per second, and every write's milliseconds."""
_COLUMNS = tuple(name for name in RemediationIn.model_fields if name != "embedding")
_INSERT = (
    f"INSERT INTO remediation_audit ({', '.join(_COLUMNS)}, embedding)"
    f" VALUES ({', '.join(f'%({name})s' for name in _COLUMNS)}, %(embedding)s) RETURNING *"
)


def _record(number: int) -> dict[str, Any]:
    return {
        "name": "restart-payment-api", "namespace": f"team-{number % 20}", "phase": "completed",
        "action_type": "restart_pod", "status": "success", "start_time": "2026-11-21T10:00:00Z",
        "end_time": "2026-11-21T10:00:30Z", "duration": 30_000, "remediation_request_id": f"request-{number}",
        "signal_fingerprint": "0f3a9c", "severity": "high", "environment": "production", "cluster_name": "eu-1",
        "target_resource": f"deployment/payment-api-{number % 500}",
    }  # fmt: skip


@contextmanager
def servers() -> Iterator[tuple[Stand, Postgres, Redis]]:
    """Lease a migrated schema and a Redis database for one round."""
    stand = Stand(Options(), scope=f"b{os.getpid():x}"[-8:])
    isolation = stand.isolation("bench", dbschema.Migrations())
    taken = isolation.take("schema")
    try:
        yield stand, taken, stand.redis_databases("bench").take()
    finally:
        isolation.give_back("schema", taken)
        stand.close()


async def _timed(send: Callable[[int], Awaitable[None]]) -> tuple[float, list[float]]:
    """Send all writes, `_CLIENTS` at a time; gives writes per second and each one's milliseconds."""
    waiting = iter(range(_WRITES))
    times: list[float] = []

    async def work() -> None:
        for number in waiting:
            started = time.perf_counter()
            await send(number)
            times.append((time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_CLIENTS)))
    return _WRITES / (time.perf_counter() - started), times


async def _through_the_service(service: Service) -> tuple[float, list[float]]:
    connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_CLIENTS):
        connections.put_nowait(await asyncio.open_connection(service.host, service.port))
    head = "POST /api/v1/audit/remediations HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"

    async def send(number: int) -> None:
        reader, writer = connections.get_nowait()
        body = json.dumps(_record(number))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(f"a write was not stored: {answer[:200]!r}")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        connections.put_nowait((reader, writer))

    found = await _timed(send)
    while not connections.empty():
        connections.get_nowait()[1].close()
    return found


async def _by_psycopg(postgres: Postgres, *, autocommit: bool) -> tuple[float, list[float]]:
    embedder = HashingEmbedder()
    rows = []
    for number in range(_WRITES):
        record = RemediationIn.model_validate(_record(number))
        row: dict[str, Any] = {name: getattr(record, name) for name in _COLUMNS}
        vector = literal(await embedder.embed(record.text()))
        rows.append(row | {"metadata": Jsonb(record.metadata), "embedding": vector})
    options = {"autocommit": autocommit}
    pool = AsyncConnectionPool(postgres.dsn, min_size=_POOL, max_size=_POOL, kwargs=options, open=False)
    async with pool:
        await pool.wait()

        async def send(number: int) -> None:
            async with pool.connection() as connection:
                await (await connection.execute(_INSERT, rows[number])).fetchone()

        return await _timed(send)


def _service_round() -> tuple[float, list[float]]:
    with servers() as (_, postgres, redis), tempfile.TemporaryDirectory() as folder:
        service = Service(
            python_module("datastorage"),
            environment={
                "DATASTORAGE_POSTGRES_DSN": postgres.dsn,
                "DATASTORAGE_REDIS_URL": redis.url,
                "DATASTORAGE_POOL_MIN": str(_POOL),
                "DATASTORAGE_POOL_MAX": str(_POOL),
                "DATASTORAGE_SHUTDOWN_GRACE": "0",
            },
            socket_variable="DATASTORAGE_SOCKET_FD",
            log=Path(folder) / "service.log",
        )
        try:
            service.start()
            return asyncio.run(_through_the_service(service))
        finally:
            service.close()


def _psycopg_round(*, autocommit: bool) -> tuple[float, list[float]]:
    with servers() as (_, postgres, _redis):
        return asyncio.run(_by_psycopg(postgres, autocommit=autocommit))


def writes(runs: int) -> list[Result]:
    """Measure writes per second, and the percentiles of their times."""
    ours, theirs, fast = [], [], []
    for counted in [False, *[True] * runs]:
        service, plain, quick = _service_round(), _psycopg_round(autocommit=False), _psycopg_round(autocommit=True)
        if counted:
            ours.append(service)
            theirs.append(plain)
            fast.append(quick)
    return [
        _rate("datastorage_writes", _PEER, ours, theirs),
        _rate("datastorage_writes_autocommit", _FAST_PEER, ours, fast),
        *(_percentile(each, ours, theirs) for each in _PERCENTILES),
    ]


def _rate(name: str, peer: str, ours: Rounds, theirs: Rounds) -> Result:
    return Result(
        name=name, unit="1/s", peer=peer, more_is_better=True,
        ours=[each[0] for each in ours], theirs=[each[0] for each in theirs],
    )  # fmt: skip


def _percentile(which: int, ours: Rounds, theirs: Rounds) -> Result:
    def of(rounds: Rounds) -> list[float]:
        return [statistics.quantiles(times, n=100)[which - 1] for _, times in rounds]

    return Result(name=f"datastorage_write_p{which}", unit="ms", peer=_PEER, ours=of(ours), theirs=of(theirs))
