"""The seam to a suite's schema: anything with these two methods can be what `postgres_migrations` returns."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg


class Migrations(Protocol):
    """What fills an empty schema (or database) before a test gets it."""

    def digest(self) -> str:
        """Name the content: equal digests mean equal results. Keys the template database."""
        ...

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        """Create everything on an autocommit connection whose `search_path` begins with the empty schema.

        Best in one `execute` of all statements: a round trip costs more than a table.
        """
        ...


class NoMigrations:
    """The default: an empty schema."""

    def digest(self) -> str:
        """See `Migrations.digest`."""
        return "empty"

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        """Create nothing."""
