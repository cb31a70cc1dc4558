"""Fixtures of tests that break things: a server of one's own, its outages, and the service as a real process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testinfra import failures
from testinfra.endpoints import Postgres, Redis
from testinfra.faults.outage import Outage
from testinfra.serving import Service, python_module
from testinfra.stand import Stand

if TYPE_CHECKING:
    from testinfra.postgres.migrations import Migrations

StartService = Callable[..., Service]
_SCHEMA = "service"


@pytest.fixture
def exclusive_postgres(
    request: pytest.FixtureRequest, testinfra_stand: Stand, postgres_migrations: Migrations
) -> Iterator[Postgres]:
    """A Postgres that only this test has, embedded whatever the others use, with the migrations in one schema."""
    import psycopg  # noqa: PLC0415 - not before a test asks for it

    held, server = testinfra_stand.lone_postgres()
    endpoint = dataclasses.replace(server, schema=_SCHEMA, application_name=_SCHEMA)
    with psycopg.connect(endpoint.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {_SCHEMA}")
        postgres_migrations.apply(connection)
    failures.note(request.node, held, endpoint)
    yield endpoint
    testinfra_stand.release(held)


@pytest.fixture
def exclusive_redis(request: pytest.FixtureRequest, testinfra_stand: Stand) -> Iterator[Redis]:
    """A Redis that only this test has, embedded whatever the others use; what it answered, it keeps when killed."""
    held, endpoint = testinfra_stand.lone_redis()
    failures.note(request.node, held, endpoint)
    yield endpoint
    testinfra_stand.release(held)


@pytest.fixture
def postgres_outage(testinfra_stand: Stand, exclusive_postgres: Postgres) -> Iterator[Outage]:
    """Breaks `exclusive_postgres` for a block: killed (the default), stopped or paused."""
    yield from _outage(testinfra_stand, exclusive_postgres)


@pytest.fixture
def redis_outage(testinfra_stand: Stand, exclusive_redis: Redis) -> Iterator[Outage]:
    """Breaks `exclusive_redis` for a block: killed (the default), stopped or paused."""
    yield from _outage(testinfra_stand, exclusive_redis)


def _outage(stand: Stand, endpoint: Postgres | Redis) -> Iterator[Outage]:
    held = next(lease for lease in stand.leases.values() if lease.endpoint.get("port") == endpoint.port)
    outage = Outage(held, endpoint)
    yield outage
    outage.end()


@pytest.fixture
def start_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartService]:
    """Runs a service as a process: give it a module's name, variables, and the one that tells it its socket.

    `arguments` follow the module's name on its command line.
    Gives a `testinfra.serving.Service` that is ready (`wait=False`: that is only started).
    """
    services: list[Service] = []

    def start(
        module: str,
        environment: Mapping[str, str],
        *,
        arguments: Sequence[str] = (),
        socket_variable: str,
        ready_path: str = "/readyz",
        wait: bool = True,
    ) -> Service:
        service = Service(
            [*python_module(module), *arguments],
            environment=environment,
            socket_variable=socket_variable,
            log=tmp_path / f"{module}-{len(services)}.log",
            ready_path=ready_path,
        )
        services.append(service)
        failures.note_service(request.node, service)
        service.start(wait=wait)
        return service

    yield start
    for service in services:
        service.close()
