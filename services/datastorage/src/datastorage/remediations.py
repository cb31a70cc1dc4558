"""Everything that is done with the table `remediation_audit`, in SQL; `servicekit.searching` has the search's.

Rule: row and vector are written by one statement: there is no moment with one and not the other.
"""

from __future__ import annotations

from psycopg import sql
from psycopg.rows import class_row

from datastorage.models import Found, ListFilter, Remediation, RemediationIn, RemediationPage
from datastorage.table import Table
from servicekit.database import Connection, Database
from servicekit.embedding import Vector
from servicekit.listing import Listing, columns
from servicekit.searching import nearest

_TABLE = "remediation_audit"
READ = columns(Remediation)
_GET = sql.SQL("SELECT {read} FROM remediation_audit WHERE id = %(id)s").format(read=READ)


class Remediations:
    """The remediations of one database."""

    def __init__(self, database: Database) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self.table = Table(database, _TABLE, RemediationIn, Remediation, unique=("remediation_request_id",))
        self._listing = Listing(_TABLE, Remediation, newest="start_time", key="id", filters=ListFilter)

    async def get(self, number: int) -> Remediation | None:
        """Return the remediation of this id."""

        async def work(connection: Connection) -> Remediation | None:
            async with connection.cursor(row_factory=class_row(Remediation)) as cursor:
                await cursor.execute(_GET, {"id": number})
                return await cursor.fetchone()

        return await self._database.run(work)

    async def page(self, asked: ListFilter) -> RemediationPage:
        """Return the page asked for, newest start first, and how many rows match in all."""
        data, pagination = await self._listing.page(self._database, asked)
        return RemediationPage(data=data, pagination=pagination)

    async def nearest(
        self, vector: Vector, *, limit: int, threshold: float | None = None, namespace: str | None = None
    ) -> list[Found]:
        """Return the `limit` remediations that are most alike by cosine similarity, best first, down to `threshold`."""
        query, parameters = nearest(_TABLE, READ, vector, limit=limit, threshold=threshold, namespace=namespace)

        async def work(connection: Connection) -> list[Found]:
            async with connection.cursor(row_factory=class_row(Found)) as cursor:
                await cursor.execute(query, parameters)
                return await cursor.fetchall()

        return await self._database.run(work)
