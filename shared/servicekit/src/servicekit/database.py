"""The pool of connections to Postgres, and the one way to use one.

Rule 1: opening never waits: a service whose database is down starts, is not ready, and becomes ready by itself.
Rule 2: `run` has a deadline for connection and work together. When it passes, or when the caller is cancelled, the
        statement is cancelled on the server and its transaction rolled back; a server that does not even take the
        cancellation is left to end in the background, so that the caller does not wait for it.
Rule 3: psycopg's errors are translated here: what another try may heal is UnavailableError, all else passes.
Rule 4: where there is no connection, and none in use either, the server is away: until one is there again, nobody waits
        for it as long as for a busy one, so that a write is queued before its client gives up.
Rule 5: settings that a query relies on go into the connection's start, so they cost no round trip. What the DSN itself
        sets comes last and wins.
Rule 6: connections are in autocommit mode: one statement is one transaction and one round trip. Who needs several
        statements opens a transaction.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from servicekit.errors import UnavailableError

Connection = psycopg.AsyncConnection[Any]
Query = bytes | sql.Composed
Row = dict[str, Any]
ResultT = TypeVar("ResultT")

_PROBE = "SELECT has_table_privilege(to_regclass('remediation_audit'), 'SELECT'), current_user"  # NULL: no such table
_NO_CONNECTION = "no connection to Postgres was free in time"
_CANCEL_HAS = 1.0
_PROBE_WAITS = 0.5
_AWAY_WAITS = 0.5
_HEALS_BY_ITSELF = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)


def conninfo(dsn: str, *, name: str, timeout: float, read_only: bool = False) -> str:
    """Return the DSN with what the service `name` relies on added to it; `timeout` in seconds."""
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    own = {
        "statement_timeout": f"{round(timeout * 1000)}",
        "TimeZone": "UTC",  # times are answered in it, and every one that was taken has a year from 1 to 9999 there
        "hnsw.iterative_scan": "strict_order",  # go on until LIMIT rows passed the filter, in the order of distance
        "hnsw.ef_search": "200",  # the search's largest limit, twice
        "hnsw.max_scan_tuples": "2147483647",  # the deadline ends a long scan, not a row count
    }
    if read_only:
        own["default_transaction_read_only"] = "on"
    settings = [f"-c{setting}={value}" for setting, value in own.items()]
    parts["options"] = " ".join([*settings, parts.get("options", "")]).strip()
    parts.setdefault("application_name", name)
    parts.setdefault("connect_timeout", max(2, round(timeout)))
    return make_conninfo("", **parts)


class Database:
    """A pool of connections in autocommit mode, whose first schema has the tables."""

    def __init__(
        self, dsn: str, *, name: str, pool_min: int, pool_max: int, timeout: float, read_only: bool = False
    ) -> None:
        """Take the DSN, the service's name, the pool's sizes, and the seconds that each `run` has.

        `read_only`: every transaction is, whatever its role may do. Connects to nothing yet.
        """
        self._conninfo = conninfo(dsn, name=name, timeout=timeout, read_only=read_only)
        self._grant = f"SELECT grant_{'reader' if read_only else 'application'}('{{}}'), as the owner"
        self._timeout = timeout
        self._in_use = 0
        self._answers = 0
        self._away = False
        self._unfinished: set[asyncio.Future[Any]] = set()
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._conninfo,
            kwargs={"autocommit": True},
            min_size=pool_min,
            max_size=pool_max,
            timeout=timeout / 2,  # the other half is for the work
            reconnect_timeout=1.0,  # give up soon: the next request or probe tries again at once
            open=False,
            name=name,
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep the pool open inside the context."""
        await self._pool.open(wait=False)
        try:
            yield
        finally:
            if self._unfinished:
                await asyncio.wait(self._unfinished, timeout=_CANCEL_HAS)
            await self._pool.close()

    async def run(self, work: Callable[[Connection], Awaitable[ResultT]], *, wait: float | None = None) -> ResultT:
        """Return what `work` returns on a connection; raise UnavailableError where Postgres did not do it in time.

        `wait`: seconds to wait for a free connection, where half of the deadline is too long.
        """
        begun = False

        async def begin(connection: Connection) -> ResultT:
            nonlocal begun
            begun = True
            result = await work(connection)
            self._answers += 1
            return result

        task = asyncio.ensure_future(self._work(begin, wait))
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        try:
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_CANCEL_HAS)
        if task.done() and not task.cancelled():
            return task.result()
        if not begun:
            raise UnavailableError(_NO_CONNECTION, reason="unavailable")
        raise UnavailableError(f"Postgres took longer than {self._timeout:g} s", reason="deadline")

    async def rows(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Return all rows of the query, by the names of its columns; raise as `run`."""

        async def work(connection: Connection) -> list[Row]:
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(query, parameters)
                return await cursor.fetchall()

        return await self.run(work)

    def _finished(self, task: asyncio.Future[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # seen here, where nobody waits for it any more

    async def _work(self, work: Callable[[Connection], Awaitable[ResultT]], wait: float | None) -> ResultT:
        if self._away:
            wait = min(_AWAY_WAITS, self._timeout / 2)
        try:
            connection = await self._connection(wait)
            self._away = False
            self._in_use += 1
            try:
                return await work(connection)
            finally:
                self._in_use -= 1
                await self._pool.putconn(connection)
        except PoolTimeout as exc:
            self._away = self._in_use == 0
            raise UnavailableError(_NO_CONNECTION, reason="unavailable") from exc
        except psycopg.errors.QueryCanceled as exc:
            raise UnavailableError("Postgres ended the query at its deadline", reason="deadline") from exc
        except _HEALS_BY_ITSELF as exc:
            raise UnavailableError(f"Postgres failed: {exc}".strip(), reason="unavailable") from exc

    async def _connection(self, wait: float | None) -> Connection:
        """Return one that the server has not ended, so that a server that was restarted costs no request.

        (The pool's own check makes pauses of seconds between two that it has.)
        """
        while True:
            connection = await self._pool.getconn(timeout=wait)
            alive = False
            try:
                alive = await _is_alive(connection)
            finally:
                if not alive:
                    await self._pool.putconn(connection)  # it sees that it is broken, and makes another
            if alive:
                return connection

    async def probe(self) -> None:
        """Return when a query is answered and the tables may be read; raise with the cause where not.

        A busy service is not taken out of service: where the pool has no connection to give it succeeds, if others were
        answered meanwhile. Otherwise a connection of its own tells why: if all in the pool only wait it succeeds, if
        none can be made it raises the server's own words.
        """
        answers = self._answers
        try:
            readable, role = await self.run(_look, wait=_PROBE_WAITS)
        except UnavailableError:
            if self._answers > answers:
                return
            async with await psycopg.AsyncConnection.connect(self._conninfo) as own:
                readable, role = await _look(own)
        if readable is None:
            raise UnavailableError(
                f"the table remediation_audit is not there, or in a schema that the role {role} may not use;"
                f" type: python -m dbschema, with its owner's DSN; and {self._grant.format(role)}",
                reason="unavailable",
            )
        if not readable:
            raise UnavailableError(
                f"the role {role} may not read remediation_audit; type: {self._grant.format(role)}",
                reason="unavailable",
            )


async def _is_alive(connection: Connection) -> bool:
    """Tell whether the server has not ended this connection.

    A server that dies, or restarts, closes its end, which makes ours readable, and on an idle connection little else
    does. So only one that can be read is asked, and all others cost no round trip.
    """
    try:
        readable = select.poll()
        readable.register(connection.fileno(), select.POLLIN)
        if readable.poll(0):
            await AsyncConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True


async def _look(connection: Connection) -> tuple[bool | None, str]:
    """Return whether this role may read the tables (None: there are none that it sees), and its name."""
    row = await (await connection.execute(_PROBE)).fetchone()
    assert row is not None
    return row[0], row[1]
