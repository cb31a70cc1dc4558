"""Answers of contextapi: kept ones, read ones, and how many of a likely load are kept.

The service is one process, the load another, Postgres and Redis are the stand's. Kept answers are compared with a
Starlette application that sends the same bytes; on uvicorn as it comes, and on the loop and the HTTP parser that the
services have. Read answers are compared with the same reads by the service's own code without HTTP and cache.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from benchmarks.load import AT_ONCE, Round, cpu_rate, percentiles, put, rate, running, timed
from benchmarks.result import Result
from benchmarks.writes import servers
from contextapi.incidents import Incidents
from contextapi.models import IncidentFilter
from servicekit.database import Database
from servicekit.testing import sample
from testinfra.endpoints import Postgres, Redis
from testinfra.serving import Service, python_module

_ROWS = 10_000
_NAMESPACES = 200
_HITS = 10_000
_HOT = 100
_MISSES = 2_000
_POOL = 25
_ASKED = 20_000
_DIFFERENT = 5_000
_PATH = "/api/v1/incidents"
_ECHO = Path(__file__).with_name("context_echo.py")
_PLAIN, _SAME = "plain Starlette, the same bytes", "the same on the services' loop and parser"
_READS_PEER = "the same reads without HTTP and cache"
_IDEAL = "a cache without limits"
_FILL = """
INSERT INTO remediation_audit (name, namespace, phase, action_type, status, start_time, end_time, duration,
    remediation_request_id, signal_fingerprint, severity, environment, cluster_name, target_resource)
SELECT 'restart-payment-api', 'team-' || n %% %(namespaces)s, 'completed', 'restart_pod', 'success',
    now() - make_interval(mins => n), now() - make_interval(mins => n - 1), 60000, 'request-' || n, '0f3a9c',
    'critical', 'production', 'eu-1', 'deployment/payment-api-' || n %% 500
FROM generate_series(1, %(rows)s) AS n
"""


@contextmanager
def _filled() -> Iterator[tuple[Postgres, Redis]]:
    """Lease servers, with incidents in the schema."""
    with servers() as (_, postgres, redis):
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(_FILL, {"namespaces": _NAMESPACES, "rows": _ROWS})
            connection.execute("ANALYZE remediation_audit")
        yield postgres, redis


@contextmanager
def _contextapi(postgres: Postgres, redis: Redis) -> Iterator[Service]:
    environment = {
        "CONTEXTAPI_POSTGRES_DSN": postgres.dsn,
        "CONTEXTAPI_REDIS_URL": redis.url,
        "CONTEXTAPI_REDIS_KEY_PREFIX": redis.key_prefix,
        "CONTEXTAPI_POOL_MIN": str(_POOL),
        "CONTEXTAPI_POOL_MAX": str(_POOL),
        "CONTEXTAPI_SHUTDOWN_GRACE": "0",
    }
    with running(python_module("contextapi"), environment, "CONTEXTAPI_SOCKET_FD") as service:
        yield service


def _question(number: int) -> dict[str, str | int]:
    """Give one of the questions, of which there are 32,000: ten rows of a namespace, from some offset."""
    page, namespace = divmod(number, _NAMESPACES)
    flavour, offset = divmod(page, 40)
    asked: dict[str, str | int] = {"namespace": f"team-{namespace}", "limit": 10, "offset": offset}
    return asked | [{}, {"phase": "completed"}, {"status": "success"}, {"severity": "critical"}][flavour]


def _get(number: int) -> bytes:
    return f"GET {_PATH}?{urlencode(_question(number))} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _body(service: Service, number: int) -> bytes:
    with urllib.request.urlopen(f"{service.url}{_PATH}?{urlencode(_question(number))}", timeout=10) as answer:  # noqa: S310 - our own URL
        body: bytes = answer.read()
    return body


@contextmanager
def _echo(body: bytes, server: str) -> Iterator[Service]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        environment = {"ECHO_BODY": file.name, "ECHO_SERVER": server}
        with running([sys.executable, str(_ECHO)], environment, "ECHO_SOCKET_FD") as service:
            yield service


def hits(runs: int) -> list[Result]:
    """Measure kept answers; the rate and the times of a hundred questions that are asked over and over."""
    requests = [_get(number) for number in range(_HOT)]
    sides: dict[str, list[Round]] = {"ours": [], "plain": [], "same": []}
    with _filled() as (postgres, redis), _contextapi(postgres, redis) as service:
        put(service, requests, _HOT, b"200")
        body = _body(service, 0)
        with _echo(body, "plain") as plain, _echo(body, "same") as same:
            for counted in [False, *[True] * runs]:
                for name, side in (("ours", service), ("plain", plain), ("same", same)):
                    done = put(side, requests, _HITS, b"200")
                    if counted:
                        sides[name].append(done)
    name = "contextapi_hits_throughput"
    return [
        rate(name, _PLAIN, sides["ours"], sides["plain"]),
        rate(f"{name}_same_server", _SAME, sides["ours"], sides["same"]),
        cpu_rate(name, _PLAIN, sides["ours"], sides["plain"]),
        cpu_rate(f"{name}_same_server", _SAME, sides["ours"], sides["same"]),
        *percentiles("contextapi_hit", _PLAIN, sides["ours"], sides["plain"]),
    ]


async def _by_the_code(postgres: Postgres, numbers: Sequence[int]) -> Round:
    database = Database(postgres.dsn, name="bench", pool_min=_POOL, pool_max=_POOL, timeout=30, read_only=True)
    incidents = Incidents(database, None)
    async with database.opened():

        async def send(number: int) -> None:
            await incidents.page(IncidentFilter.model_validate(_question(numbers[number])))

        await timed(_POOL, _POOL, send)  # connections are made
        return await timed(len(numbers), AT_ONCE, send)


def misses(runs: int) -> list[Result]:
    """Measure answers that nobody has asked for before."""
    ours, theirs = [], []
    with _filled() as (postgres, redis), _contextapi(postgres, redis) as service:
        for turn, counted in enumerate([False, *[True] * runs]):
            numbers = range(turn * _MISSES, (turn + 1) * _MISSES)
            done = put(service, [_get(number) for number in numbers], _MISSES, b"200")
            plain = asyncio.run(_by_the_code(postgres, numbers))
            if counted:
                ours.append(done)
                theirs.append(plain)
    return [
        rate("contextapi_misses_throughput", _READS_PEER, ours, theirs),
        *percentiles("contextapi_miss", _READS_PEER, ours, theirs),
    ]


def hit_rate() -> list[Result]:
    """Measure the share of kept answers where questions are asked as Zipf's law has it, from an empty cache."""
    chance = random.Random(20261121)  # noqa: S311 - a load, no secret
    weights = [1 / rank for rank in range(1, _DIFFERENT + 1)]
    numbers = chance.choices(range(_DIFFERENT), weights, k=_ASKED)
    with _filled() as (postgres, redis), _contextapi(postgres, redis) as service:
        put(service, [_get(number) for number in numbers], _ASKED, b"200")
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:  # noqa: S310 - our own URL
            text = answer.read().decode()
    kept = sum(sample(text, "context_api_cache_hits_total", tier=tier) for tier in ("redis", "memory"))
    ideal = 1 - len(set(numbers)) / _ASKED
    return [
        Result(
            name="contextapi_hit_rate", unit="", peer=_IDEAL, more_is_better=True,
            ours=[kept / _ASKED], theirs=[ideal],
        )
    ]  # fmt: skip
