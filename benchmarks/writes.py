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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

import dbschema
from benchmarks.load import AT_ONCE, Round, percentiles, put, rate, running, timed
from benchmarks.result import Result
from datastorage.models import RemediationIn
from servicekit.embedding import HashingEmbedder, literal
from testinfra.endpoints import Postgres, Redis
from testinfra.options import Options
from testinfra.serving import python_module
from testinfra.stand import Stand

_WRITES = 2_000
_POOL = 25
_PEER = "psycopg 3, the same rows and pool"
_FAST_PEER = "the same in autocommit mode"
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


def _requests() -> list[bytes]:
    head = "POST /api/v1/audit/remediations HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    bodies = (json.dumps(_record(number)) for number in range(_WRITES))
    return [f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in bodies]


async def _by_psycopg(postgres: Postgres, *, autocommit: bool) -> Round:
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

        return await timed(_WRITES, AT_ONCE, send)


def _service_round() -> Round:
    with servers() as (_, postgres, redis):
        environment = {
            "DATASTORAGE_POSTGRES_DSN": postgres.dsn,
            "DATASTORAGE_REDIS_URL": redis.url,
            "DATASTORAGE_POOL_MIN": str(_POOL),
            "DATASTORAGE_POOL_MAX": str(_POOL),
            "DATASTORAGE_SHUTDOWN_GRACE": "0",
        }
        with running(python_module("datastorage"), environment, "DATASTORAGE_SOCKET_FD") as service:
            return put(service, _requests(), _WRITES, b"201")


def _psycopg_round(*, autocommit: bool) -> Round:
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
        rate("datastorage_writes", _PEER, ours, theirs),
        rate("datastorage_writes_autocommit", _FAST_PEER, ours, fast),
        *percentiles("datastorage_write", _PEER, ours, theirs),
    ]
