"""Every fact here is told of every backend, by the stand's public fixtures: only the stand below them is another.

Rule: `external` is a server of the stand's own that all workers of the run share, seen through the DSN of a plain
login with a database of its own: no superuser, as somebody's server would have it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from testinfra import specs
from testinfra.endpoints import Postgres
from testinfra.stand import Stand

BACKENDS = ("embedded", "external")
LOGIN = "somebody"
PASSWORD = "p@ss:w/rd é"
"""One that has to be quoted in a URL."""


class Pets:
    """Migrations of one table; counts what they were asked."""

    def digest(self) -> str:
        return "pets-1"

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("CREATE TABLE pets (name text PRIMARY KEY, v vector(2)); CREATE SEQUENCE numbers")


@pytest.fixture(scope="session")
def postgres_migrations() -> Pets:
    return Pets()


def somebodys(stand: Stand) -> Postgres:
    """A login and its database on a second server, made by whichever worker is first."""
    options = dataclasses.replace(stand.options, postgres="embedded", postgres_max_connections=200)
    admin = Postgres(**stand.lease(specs.postgres(options)).endpoint)
    with psycopg.connect(admin.dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
            # A plain login may not create the extension: on a server of the stand every new database has it.
            connection.execute(f"CREATE ROLE {LOGIN} LOGIN CREATEDB PASSWORD '{PASSWORD}'")
            connection.execute(f"CREATE DATABASE {LOGIN} OWNER {LOGIN}")
    return dataclasses.replace(admin, user=LOGIN, password=PASSWORD, database=LOGIN)


@pytest.fixture(scope="session", params=BACKENDS)
def testinfra_stand(request: pytest.FixtureRequest, testinfra_stand: Stand) -> Iterator[Stand]:
    """The stand of the backend: what all public fixtures below stand on."""
    if request.param == "embedded":
        yield testinfra_stand
        return
    given, dsn = testinfra_stand, somebodys(testinfra_stand).dsn
    options = dataclasses.replace(given.options, postgres="external", postgres_dsn=dsn)
    stand = Stand(options, scope=given.scope, worker=given.worker, workers=given.workers)
    yield stand
    stand.close()


@pytest.fixture
def backend(testinfra_stand: Stand) -> str:
    """Its name."""
    return testinfra_stand.options.postgres
