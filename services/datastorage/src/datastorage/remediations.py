"""Everything that is done with the table `remediation_audit`, in SQL.

Rule 1: row and vector are written in one transaction, by one statement: there is no moment with one and not the other.
Rule 2: a list and its total come from one statement, so from one snapshot.
Rule 3: the search orders by the index's own expression, so that HNSW serves it; a threshold only cuts off the end of
        what is already in order, outside of LIMIT. A filter on the namespace is applied while the index is scanned
        (`hnsw.iterative_scan`), so it does not thin out the answer; where a namespace is rare, the planner reads its
        rows by their own index and sorts them, which is exact.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from datastorage.database import Connection, Database
from datastorage.embedding import Vector, literal
from datastorage.errors import RepeatedError
from datastorage.models import Found, ListFilter, Pagination, Remediation, RemediationIn, RemediationPage

_GIVEN = tuple(name for name in RemediationIn.model_fields if name != "embedding")
_READ = sql.SQL(", ").join(
    [sql.Identifier(name) for name in Remediation.model_fields if name != "embedded"]
    + [sql.SQL("embedding IS NOT NULL AS embedded")]
)
_INSERT = sql.SQL(
    "INSERT INTO remediation_audit ({names}, embedding) VALUES ({values}, %(embedding)s) RETURNING {read}"
)
_INSERT_ALL = _INSERT.format(
    names=sql.SQL(", ").join(map(sql.Identifier, _GIVEN)),
    values=sql.SQL(", ").join(map(sql.Placeholder, _GIVEN)),
    read=_READ,
)
_GET = sql.SQL("SELECT {read} FROM remediation_audit WHERE id = %(id)s").format(read=_READ)
_PAGE = sql.SQL(
    "SELECT matching.total, page.* FROM (SELECT count(*) AS total FROM remediation_audit WHERE {where}) AS matching"
    " LEFT JOIN LATERAL (SELECT {read} FROM remediation_audit WHERE {where}"
    " ORDER BY start_time DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s) AS page ON true"
    " ORDER BY page.start_time DESC, page.id DESC"
)
_SEARCH = sql.SQL(
    "SELECT * FROM (SELECT {read}, 1 - (embedding <=> %(vector)s::vector) AS similarity FROM remediation_audit"
    " WHERE {where} ORDER BY embedding <=> %(vector)s::vector LIMIT %(limit)s) AS nearest"
    " WHERE similarity >= %(threshold)s ORDER BY similarity DESC, id"
)
_CONDITIONS = {
    "namespace": sql.SQL("namespace = %(namespace)s"),
    "status": sql.SQL("status = %(status)s"),
    "phase": sql.SQL("phase = %(phase)s"),
    "severity": sql.SQL("severity = %(severity)s"),
    "since": sql.SQL("start_time >= %(since)s"),
    "until": sql.SQL("start_time < %(until)s"),
}
_LEAST_SIMILARITY = -1.0
_UNIQUE = "remediation_request_id"


class Remediations:
    """The remediations of one database."""

    def __init__(self, database: Database) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database

    async def add(self, record: RemediationIn, vector: Vector | None) -> Remediation:
        """Store the record, with its vector or without one; raise RepeatedError where its request is stored already."""
        try:
            return await self._database.run(partial(_insert, record=record, vector=vector))
        except psycopg.errors.UniqueViolation as exc:
            raise RepeatedError(_UNIQUE, record.remediation_request_id) from exc

    async def get(self, number: int) -> Remediation | None:
        """Return the remediation of this id."""

        async def work(connection: Connection) -> Remediation | None:
            async with connection.cursor(row_factory=class_row(Remediation)) as cursor:
                await cursor.execute(_GET, {"id": number})
                return await cursor.fetchone()

        return await self._database.run(work)

    async def page(self, asked: ListFilter) -> RemediationPage:
        """Return the page asked for, newest start first, and how many rows match in all."""
        given = asked.model_dump(exclude_none=True)
        conditions = [condition for name, condition in _CONDITIONS.items() if name in given]
        query = _PAGE.format(read=_READ, where=sql.SQL(" AND ").join(conditions or [sql.SQL("true")]))

        async def work(connection: Connection) -> list[dict[str, Any]]:
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(query, given)
                return await cursor.fetchall()

        rows = await self._database.run(work)
        return RemediationPage(
            data=[Remediation.model_validate(row) for row in rows if row["id"] is not None],
            pagination=Pagination(limit=asked.limit, offset=asked.offset, total=rows[0]["total"]),
        )

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
        conditions.append(_CONDITIONS["namespace"])
        parameters["namespace"] = namespace
    return _SEARCH.format(read=_READ, where=sql.SQL(" AND ").join(conditions)), parameters


async def _insert(connection: Connection, *, record: RemediationIn, vector: Vector | None) -> Remediation:
    values: dict[str, Any] = {name: getattr(record, name) for name in _GIVEN}
    values["metadata"] = Jsonb(record.metadata)
    values["embedding"] = None if vector is None else literal(vector)
    async with connection.transaction(), connection.cursor(row_factory=class_row(Remediation)) as cursor:
        await cursor.execute(_INSERT_ALL, values)
        stored = await cursor.fetchone()
    assert stored is not None
    return stored
