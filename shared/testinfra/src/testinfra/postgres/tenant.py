"""What one test process is in one Postgres: a login of its own, a lock that proves it lives, and its janitor.

Rule 1: the login is no superuser and has a connection limit, so a test sees what the service will see in production,
        and a process that takes more connections than its share is told so by the server. On an external server the
        given login is used, and there is no limit of ours.
Rule 2: whether an owner still lives is asked by its advisory lock, which the server drops with the connection.
Rule 3: only what carries our comment is ever dropped, and only when its owner is dead or says so.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from testinfra.endpoints import Postgres
from testinfra.names import Names, owner_of
from testinfra.postgres.cluster import GROUP

MARK = "testinfra:owned"
KEPT = "testinfra:kept:"
KEEP_SECONDS = 24 * 3600
"""How long the schema of a failed test is kept on a server that outlives the run."""

_POSTGRES_16 = 160000
_BATCH = 64
_LOCK = "hashtextextended({owner}, 7)"
_OURS = """
SELECT 'schema', nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace
 WHERE obj_description(oid, 'pg_namespace') LIKE 'testinfra:%'
UNION ALL
SELECT 'database', datname, shobj_description(oid, 'pg_database') FROM pg_database
 WHERE shobj_description(oid, 'pg_database') LIKE 'testinfra:%'
UNION ALL
SELECT 'role', rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
 WHERE shobj_description(oid, 'pg_authid') LIKE 'testinfra:%'
"""
_DROPS = {  # in this order: a role owns the rest
    "schema": "DROP SCHEMA IF EXISTS {} CASCADE",
    "database": "DROP DATABASE IF EXISTS {} WITH (FORCE)",
    "role": "DROP OWNED BY {0} CASCADE; DROP ROLE {0}",
}


class Tenant:
    """One process's stay in one Postgres, for the names of one service."""

    def __init__(self, admin: Postgres, names: Names, *, budget: int, outlives: bool) -> None:
        """Log in, lock the owner's name, sweep dead owners, make the login; `outlives`: the server outlives us."""
        self.admin = admin
        self.names = names
        self.outlives = outlives
        self.leaks: list[str] = []
        self._waiting: list[str] = []
        self._guard = threading.Lock()
        self._connection = psycopg.connect(admin.dsn, autocommit=True, application_name=names.owner)
        self._connection.execute(self._lock_call("pg_advisory_lock", names.owner))
        self.has_login = admin.backend != "external"
        self.swept = self._sweep() if outlives or admin.backend == "external" else []
        self.endpoint = self._make_login(budget) if self.has_login else admin
        self._janitor = ThreadPoolExecutor(1, thread_name_prefix="testinfra-janitor")

    @staticmethod
    def _lock_call(function: str, owner: str) -> Composed:
        return SQL(f"SELECT {function}({_LOCK})").format(owner=Literal(owner))

    def _make_login(self, budget: int) -> Postgres:
        password = secrets.token_urlsafe(12)
        fast = "SET scram_iterations = 1; " if self._connection.info.server_version >= _POSTGRES_16 else ""
        self._connection.execute(
            SQL(
                fast + "CREATE ROLE {role} LOGIN CREATEDB CREATEROLE CONNECTION LIMIT {budget} PASSWORD {password}"
                " IN ROLE {group}; COMMENT ON ROLE {role} IS {mark}"
            ).format(
                role=Identifier(self.names.owner),
                budget=Literal(budget),
                password=Literal(password),
                group=Identifier(GROUP),
                mark=Literal(MARK),
            )
        )
        return dataclasses.replace(
            self.admin, user=self.names.owner, password=password, connection_budget=budget, schema=""
        )

    def connect(self, purpose: str) -> psycopg.Connection[Any]:
        """Open an autocommit connection as this process's login; `purpose` shows in pg_stat_activity."""
        return psycopg.connect(
            self.endpoint.dsn, autocommit=True, application_name=f"{self.names.owner}:{purpose}"[:63]
        )

    def execute(self, statement: Composed) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator and give its rows, if it has any."""
        with self._guard:
            cursor = self._connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def drop(self, kind: str, name: str) -> Future[None] | None:
        """Have the janitor drop a schema or a database; the test does not wait for it."""
        if kind == "schema" and not self.outlives:
            # It dies with the server anyway: drop only to keep the catalogue small, and many at once.
            self._waiting.append(name)
            if len(self._waiting) < _BATCH:
                return None
            batch, self._waiting = self._waiting, []
            return self._janitor.submit(self._drop_batch, batch)
        return self._janitor.submit(self._drop, kind, name)

    def _drop_batch(self, names: list[str]) -> None:
        every = SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(SQL(", ").join(map(Identifier, names)))
        try:
            self._execute_within("1s", every)
        except psycopg.errors.LockNotAvailable:
            for name in names:
                self._drop("schema", name)

    def keep(self, kind: str, name: str) -> None:
        """Mark a schema or a database of a failed test to be kept for `KEEP_SECONDS`."""
        mark = Literal(f"{KEPT}{int(time.time())}")
        what = SQL(kind.upper())
        self.execute(SQL("COMMENT ON {} {} IS {}").format(what, Identifier(name), mark))

    def _drop(self, kind: str, name: str) -> None:
        statement = SQL(_DROPS[kind]).format(Identifier(name))
        try:
            self._execute_within("1s", statement)
        except psycopg.errors.LockNotAvailable:
            held = self._end_sessions_of(name)
            self.leaks.append(
                f"{kind} {name}: the test left {held} connection(s) open that held locks; they were ended"
            )
            self._execute_within("5s", statement)

    def _execute_within(self, lock_timeout: str, statement: Composed) -> None:
        """Run a statement that gives up on locks; alone, as DROP DATABASE cannot share a round trip."""
        with self._guard:
            self._connection.execute(SQL("SET lock_timeout = {}").format(Literal(lock_timeout)))
            try:
                self._connection.execute(statement)
            finally:
                self._connection.execute("RESET lock_timeout")

    def _end_sessions_of(self, name: str) -> int:
        ended = self.execute(
            SQL(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND"
                " (application_name = {name} OR pid IN (SELECT l.pid FROM pg_locks l JOIN pg_class c ON"
                " c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {name}))"
            ).format(name=Literal(name))
        )
        return len(ended)

    def _sweep(self) -> list[str]:
        """Drop what dead owners left; gives the names. An owner whose lock can be had is dead."""
        found: dict[str, list[tuple[str, str]]] = {}
        for kind, name, comment in self.execute(SQL(_OURS).format()):
            owner = name if kind == "role" else owner_of(name)
            kept_since = int(comment.removeprefix(KEPT)) if comment.startswith(KEPT) else None
            if kept_since is not None and time.time() - kept_since < KEEP_SECONDS:
                owner = None
            if owner and owner != self.names.owner:
                found.setdefault(owner, []).append((kind, name))
        dropped = []
        for owner, things in found.items():
            if not self.execute(self._lock_call("pg_try_advisory_lock", owner))[0][0]:
                continue
            for kind, name in sorted(things, key=lambda thing: list(_DROPS).index(thing[0])):
                self._drop(kind, name)
                dropped.append(name)
            self.execute(self._lock_call("pg_advisory_unlock", owner))
        return dropped

    def close(self) -> None:
        """Leave; where the server outlives us, with everything dropped."""
        # Waited for in any case: a connection must not be closed under the thread that uses it.
        self._janitor.shutdown(wait=True, cancel_futures=not self.outlives)
        if self.outlives and self.has_login and not self._keeps_something():
            self._drop("role", self.names.owner)
        self._connection.close()

    def _keeps_something(self) -> bool:
        mine = Literal(f"{self.names.owner}%")
        query = (
            "SELECT 1 FROM pg_namespace WHERE nspname LIKE {0} UNION SELECT 1 FROM pg_database WHERE datname LIKE {0}"
        )
        return bool(self.execute(SQL(query).format(mine)))
