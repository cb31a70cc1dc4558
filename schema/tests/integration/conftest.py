"""Fixtures of the schema's tests: empty schemas, so that the tests themselves apply the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from testinfra.endpoints import Postgres


class NoMigrations:
    """Leaves a fresh schema empty."""

    def digest(self) -> str:
        """Return a digest of nothing."""
        return "empty"

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        """Do nothing to the schema."""


@pytest.fixture(scope="session")
def postgres_migrations() -> NoMigrations:
    """Have the stand hand out empty schemas."""
    return NoMigrations()


@pytest.fixture
def connection(postgres_schema: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Give an autocommit connection whose `search_path` begins with an empty schema of this test's own."""
    with psycopg.connect(postgres_schema.dsn, autocommit=True) as connection:
        yield connection
