"""Somebody's Postgres, by DSN: looked at, used, never started or stopped.

Rule: what a suite needs (a login, the right to create schemas, the extensions) is checked once, before any test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import psycopg
import psycopg.sql
from psycopg.conninfo import conninfo_to_dict

from testinfra.errors import Misconfigured, NotAvailable, NotReady
from testinfra.servers.backend import Terms
from testinfra.servers.places import Place

_PLAIN = {"host", "hostaddr", "port", "user", "password", "dbname", "application_name"}


class External:
    """One external Postgres."""

    kept = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: dsn, extensions."""
        self._dsn = str(settings.get("dsn", ""))
        self._extensions = [str(name) for name in settings.get("extensions", ())]

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """Look at the server; see `Backend.start`."""
        del place
        try:
            given = {name: str(value) for name, value in conninfo_to_dict(self._dsn).items() if value is not None}
        except psycopg.ProgrammingError as exc:
            raise Misconfigured(
                f"the DSN of the external Postgres cannot be read: {str(exc).strip()}",
                next_step="--postgres-dsn=postgresql://user:password@host:5432/database",
            ) from exc
        # For this look alone: asyncpg refuses a DSN that has it.
        within = {"connect_timeout": str(max(2, min(10, int(terms.start_timeout))))} | given
        place_name = f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
        try:
            with psycopg.connect(**within, autocommit=True) as connection:  # type: ignore[arg-type]  # str values
                return self._look(connection, given)
        except psycopg.OperationalError as exc:
            raise NotReady(
                f"the external Postgres at {place_name} cannot be used: {str(exc).strip().splitlines()[-1]}",
                cause="it is not running there, or host, port, database, user or password are others",
                looked_at=["--postgres-dsn", "TESTINFRA_POSTGRES_DSN", place_name],
                next_step="psql '<the DSN>' to try it by hand, or leave it out for the embedded server",
            ) from exc

    def _look(self, connection: psycopg.Connection[Any], given: Mapping[str, str]) -> dict[str, Any]:
        info = connection.info
        self._ensure_extensions(connection)
        row = connection.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone()
        if not row or not row[0]:
            raise NotAvailable(
                f"the user {info.user} may not create schemas in the database {info.dbname}",
                next_step=f'GRANT CREATE ON DATABASE "{info.dbname}" TO "{info.user}";',
            )
        return {
            "host": given.get("host") or info.host,
            "port": info.port,
            "user": info.user,
            "password": given.get("password") or os.environ.get("PGPASSWORD", ""),
            "database": info.dbname,
            "backend": "external",
            "version": connection.info.parameter_status("server_version") or "",
            "parameters": [[name, value] for name, value in given.items() if name not in _PLAIN],
        }

    def _ensure_extensions(self, connection: psycopg.Connection[Any]) -> None:
        there = {row[0] for row in connection.execute("SELECT extname FROM pg_extension")}
        for name in self._extensions:
            if name in there:
                continue
            try:
                connection.execute(psycopg.sql.SQL("CREATE EXTENSION {} CASCADE").format(psycopg.sql.Identifier(name)))
            except psycopg.Error as exc:
                raise NotAvailable(
                    f"the external Postgres has no extension {name}, and creating it failed: {str(exc).strip()}",
                    looked_at=["pg_extension", "CREATE EXTENSION"],
                    next_step=f"CREATE EXTENSION {name}; as its superuser, or --postgres-extensions=<those you need>",
                ) from exc

    def afterwards(self) -> None:
        """Do nothing more."""

    def stop(self) -> None:
        """Do nothing: it is not ours."""

    def death(self) -> str:
        """Say nothing: it is not ours to watch."""
        return ""

    def fault(self, how: str) -> None:
        """Refuse: it is not ours to break."""
        raise NotAvailable(f"an external Postgres cannot be broken ({how}): it is not ours")

    def heal(self, place: Place, terms: Terms) -> None:
        """Do nothing: it was not broken."""


def create(settings: Mapping[str, Any]) -> External:
    """Make the backend; see `testinfra.servers.backend`."""
    return External(settings)
