"""Everything that is done with the table `remediation_audit`, in SQL.

Rule 1: row and vector are written by one statement: there is no moment with one and not the other.
Rule 2: the search orders by the index's own expression, so that HNSW serves it; a threshold only cuts off the end of
        what is already in order, outside of LIMIT. A filter on the namespace is applied while the index is scanned
        (`hnsw.iterative_scan`), so it does not thin out the answer; where a namespace is rare, the planner reads its
        rows by their own index and sorts them, which is exact.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql
from psycopg.rows import class_row

from datastorage.database import Connection, Database
from datastorage.embedding import Vector, literal
from datastorage.listing import Listing, columns
from datastorage.models import Found, ListFilter, Remediation, RemediationIn, RemediationPage
from datastorage.table import Table

_TABLE = "remediation_audit"
_READ = columns(Remediation)
_GET = sql.SQL("SELECT {read} FROM remediation_audit WHERE id = %(id)s").format(read=_READ)
_SEARCH = sql.SQL(
    "SELECT * FROM (SELECT {read}, 1 - (embedding <=> %(vector)s::vector) AS similarity FROM remediation_audit"
    " WHERE {where} ORDER BY embedding <=> %(vector)s::vector LIMIT %(limit)s) AS nearest"
    " WHERE similarity >= %(threshold)s ORDER BY similarity DESC, id"
)
_LEAST_SIMILARITY = -1.0


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
        query, parameters = search_statement(vector, limit=limit, threshold=threshold, namespace=namespace)

        async def work(connection: Connection) -> list[Found]:
            async with connection.cursor(row_factory=class_row(Found)) as cursor:
                await cursor.execute(query, parameters)
                return await cursor.fetchall()

        return await self._database.run(work)


def search_statement(
    vector: Vector, *, limit: int, threshold: float | None, namespace: str | None
) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the search's statement and its parameters, so that they can be explained too."""
    conditions = [sql.SQL("embedding IS NOT NULL")]
    parameters: dict[str, Any] = {"vector": literal(vector), "limit": limit}
    parameters["threshold"] = _LEAST_SIMILARITY if threshold is None else threshold
    if namespace is not None:
        conditions.append(sql.SQL("namespace = %(namespace)s"))
        parameters["namespace"] = namespace
    return _SEARCH.format(read=_READ, where=sql.SQL(" AND ").join(conditions)), parameters
