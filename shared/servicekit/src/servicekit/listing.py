"""A page of a table's rows and how many there are in all, for every list that the API has.

Rule 1: the page and its total come from one statement, so from one snapshot.
Rule 2: a filter is a condition by name; a name that the listing does not know never reaches the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from psycopg import sql
from pydantic import BaseModel

from servicekit.database import Database
from servicekit.fields import Page, Pagination

RowT = TypeVar("RowT", bound=BaseModel)
_NO_COLUMNS = {*Page.model_fields, "since", "until"}
_PAGE = sql.SQL(
    "SELECT matching.total, page.* FROM (SELECT count(*) AS total FROM {table} WHERE {where}) AS matching"
    " LEFT JOIN LATERAL (SELECT {read} FROM {table} WHERE {where}"
    " ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s) AS page ON true ORDER BY {order}"
)


def columns(row: type[BaseModel]) -> sql.Composed:
    """Return what SELECT reads for this model: its fields, and whether there is a vector for its field `embedded`."""
    computed = {"embedded": sql.SQL("embedding IS NOT NULL AS embedded")}
    return sql.SQL(", ").join(computed.get(name, sql.Identifier(name)) for name in row.model_fields)


class Listing(Generic[RowT]):
    """How one table is listed: `newest` is its column of time, by which it is ordered and which the span is about."""

    def __init__(
        self,
        table: str,
        row: type[RowT],
        *,
        newest: str,
        key: str,
        filters: type[Page],
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`key` orders rows of one time; `filters` has a parameter a column, which `names` gives where it differs."""
        self._row = row
        self._key = key
        self._table = sql.Identifier(table)
        self._read = columns(row)
        self._order = sql.SQL("{} DESC, {} DESC").format(sql.Identifier(newest), sql.Identifier(key))
        self._conditions = {
            name: sql.SQL("{} = {}").format(sql.Identifier(names.get(name, name)), sql.Placeholder(name))
            for name in filters.model_fields
            if name not in _NO_COLUMNS
        }
        self._conditions["since"] = sql.SQL("{} >= %(since)s").format(sql.Identifier(newest))
        self._conditions["until"] = sql.SQL("{} < %(until)s").format(sql.Identifier(newest))

    async def page(self, database: Database, asked: Page) -> tuple[list[RowT], Pagination]:
        """Return the page asked for, newest first; raise UnavailableError where Postgres did not give it in time."""
        given = asked.model_dump(exclude_none=True)
        conditions: list[sql.Composable] = [condition for name, condition in self._conditions.items() if name in given]
        where = sql.SQL(" AND ").join(conditions or [sql.SQL("true")])
        query = _PAGE.format(table=self._table, read=self._read, where=where, order=self._order)
        rows = await database.rows(query, given)
        found = [self._row.model_validate(row) for row in rows if row[self._key] is not None]
        return found, Pagination(limit=asked.limit, offset=asked.offset, total=rows[0]["total"])
