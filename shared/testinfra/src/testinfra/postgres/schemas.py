"""How tests are kept apart in Postgres: a schema each (default), a database each, or a transaction rolled back.

Rule 1: schemas and databases are made ahead of need by a thread and dropped behind the test by another.
Rule 2: a template database is sealed (`datistemplate`, no connections allowed) as the last step of its making, so one
        that a crash left half-made is never cloned; it is keyed by the digest of the migrations.
Rule 3: in `rollback` only one connection may write, for only what it wrote is rolled back; the DSN is read-only.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from testinfra.endpoints import Postgres
from testinfra.postgres.cluster import GROUP
from testinfra.postgres.migrations import Migrations
from testinfra.postgres.supply import Supply
from testinfra.postgres.tenant import MARK, Tenant

_AHEAD = {"schema": 4, "database": 2}


class Isolation:
    """Fresh schemas and databases with the same migrations, for one process."""

    def __init__(self, tenant: Tenant, migrations: Migrations, extensions: tuple[str, ...]) -> None:
        """Make nothing yet."""
        self._tenant = tenant
        self._migrations = migrations
        self._extensions = extensions
        self._maker: psycopg.Connection[Any] | None = None
        self._cloner: psycopg.Connection[Any] | None = None
        self._sealed_template = ""
        self._supplies: dict[str, Supply[str]] = {}
        self._shared = ""

    def take(self, mode: str) -> Postgres:
        """Give room for one test in one of the modes of `options.ISOLATION`; hand it back with `give_back`."""
        if mode == "rollback":
            return self._read_only()
        return self._endpoint(mode, self._take(mode))

    def _take(self, kind: str) -> str:
        if kind not in self._supplies:
            make = {"schema": self._make_schema, "database": self._make_database}[kind]
            self._supplies[kind] = Supply(make, depth=_AHEAD[kind], name=f"{kind}-maker")
        return self._supplies[kind].take()

    def _endpoint(self, kind: str, name: str) -> Postgres:
        change = {"schema": name} if kind == "schema" else {"database": name}
        return dataclasses.replace(self._tenant.endpoint, application_name=name, **change)  # type: ignore[arg-type]  # all str

    def give_back(self, mode: str, taken: Postgres, *, keep: bool = False) -> None:
        """Have it dropped, or kept for a look where the server outlives the run."""
        if mode == "rollback":
            return
        self._give_back(mode, taken.schema if mode == "schema" else taken.database, keep=keep)

    def _give_back(self, kind: str, name: str, *, keep: bool) -> None:
        if keep and self._tenant.outlives:
            self._tenant.keep(kind, name)
        else:
            self._tenant.drop(kind, name)

    def _read_only(self) -> Postgres:
        """Give the endpoint of `rollback`: one migrated schema for the process, in which a DSN can only read."""
        if not self._shared:
            self._shared = self._take("schema")
        shared = self._endpoint("schema", self._shared)
        return dataclasses.replace(shared, settings=(("default_transaction_read_only", "on"),))

    @contextmanager
    def rolled_back(self) -> Iterator[psycopg.Connection[Any]]:
        """Give the one connection of `rollback` that may write; `commit()` on it is refused by psycopg."""
        endpoint = dataclasses.replace(self._read_only(), settings=())
        with psycopg.connect(endpoint.dsn) as connection, connection.transaction(force_rollback=True):
            yield connection

    def _make_schema(self) -> str:
        if self._maker is None:
            self._maker = self._tenant.connect("maker")
        name = self._tenant.names.next()
        self._maker.execute(
            SQL("CREATE SCHEMA {0}; COMMENT ON SCHEMA {0} IS {1}; SET search_path TO {0}, public").format(
                Identifier(name), Literal(MARK)
            )
        )
        self._migrations.apply(self._maker)
        return name

    def _make_database(self) -> str:
        if self._cloner is None:  # one of its own: the janitor's would make it wait for drops
            self._sealed_template = self._template()
            application = f"{self._tenant.names.owner}:cloner"[:63]
            self._cloner = psycopg.connect(self._tenant.admin.dsn, autocommit=True, application_name=application)
        name = self._tenant.names.next()
        owner = GROUP if self._tenant.has_login else self._tenant.endpoint.user
        self._cloner.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(
                Identifier(name), Identifier(self._sealed_template), Identifier(owner)
            )
        )
        if self._tenant.outlives:
            self._cloner.execute(SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), Literal(MARK)))
        return name

    def _template_name(self) -> str:
        digest = hashlib.sha256(f"{self._migrations.digest()} {self._extensions}".encode()).hexdigest()[:16]
        return f"testinfra_template_{digest}"

    def _template(self) -> str:
        name = self._template_name()
        if self._sealed(name):
            return name
        lock = Literal(name)
        self._tenant.execute(SQL("SELECT pg_advisory_lock(hashtextextended({}, 8))").format(lock))
        try:
            if not self._sealed(name):
                self._make_template(name)
        finally:
            self._tenant.execute(SQL("SELECT pg_advisory_unlock(hashtextextended({}, 8))").format(lock))
        return name

    def _sealed(self, name: str) -> bool:
        return bool(
            self._tenant.execute(
                SQL("SELECT 1 FROM pg_database WHERE datname = {} AND datistemplate").format(Literal(name))
            )
        )

    def _make_template(self, name: str) -> None:
        template, tenant = Identifier(name), self._tenant
        owner = Identifier(GROUP if tenant.has_login else tenant.endpoint.user)
        tenant.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(template))
        tenant.execute(SQL("CREATE DATABASE {} OWNER {}").format(template, owner))
        inside = dataclasses.replace(tenant.admin, database=name)
        with psycopg.connect(inside.dsn, autocommit=True) as connection:
            for extension in self._extensions:
                connection.execute(SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(Identifier(extension)))
            connection.execute(SQL("SET ROLE {}").format(owner))
            self._migrations.apply(connection)
        tenant.execute(SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(template))
        tenant.execute(SQL("ALTER DATABASE {} WITH IS_TEMPLATE true").format(template))

    def close(self) -> None:
        """Stop making, and drop what was made and never taken."""
        for kind, supply in self._supplies.items():
            for name in supply.close():
                self._tenant.drop(kind, name)
        if self._shared:
            self._tenant.drop("schema", self._shared)
        for connection in (self._maker, self._cloner):
            if connection:
                connection.close()
