"""A table whose records have a unique id: insert one, and tell whether a row is the record that it is taken for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from datastorage.errors import RepeatedError
from datastorage.kinds import Kind, dump_record
from datastorage.metrics import Write
from servicekit.database import Connection, Database
from servicekit.embedding import Vector, literal
from servicekit.listing import columns

RecordT = TypeVar("RecordT", bound=BaseModel)
RowT = TypeVar("RowT", bound=BaseModel)
_VECTOR = "embedding"


def insert_into(table: str, record: type[BaseModel], then: sql.Composable) -> bytes:
    """Return the statement that inserts all fields of the record; its parameters are those of `values`.

    As bytes, since psycopg makes these of anything else at every execution.
    """
    names = tuple(record.model_fields)
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}")
        .format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(map(sql.Placeholder, names)),
            then,
        )
        .as_bytes()
    )


def values(record: BaseModel, vector: Vector | None = None) -> dict[str, Any]:
    """Return the parameters that insert `record`, with `vector` where its table has one."""
    found = {name: getattr(record, name) for name in type(record).model_fields}
    if _VECTOR in found:
        found[_VECTOR] = None if vector is None else literal(vector)
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in found.items()}


def is_same(record: BaseModel, row: dict[str, Any]) -> bool:
    """Tell whether inserting `record` makes this row; vectors are left out, as they come from the rest."""
    return all(_equal(getattr(record, name), row[name]) for name in type(record).model_fields if name != _VECTOR)


def _equal(given: Any, stored: Any) -> bool:
    """Tell whether `stored` is what becomes of `given`: a float comes back as the decimal or the integer it is."""
    if isinstance(given, dict) and isinstance(stored, dict):
        return given.keys() == stored.keys() and all(_equal(given[key], stored[key]) for key in given)
    if isinstance(given, list) and isinstance(stored, list):
        return len(given) == len(stored) and all(map(_equal, given, stored))
    if isinstance(given, float) and isinstance(stored, int | Decimal):
        return given == float(stored)
    return bool(given == stored)


class Table(Generic[RecordT, RowT]):
    """One table of a database: `RecordT` goes in, `RowT` comes out."""

    def __init__(
        self, database: Database, name: str, record: type[RecordT], row: type[RowT], *, unique: tuple[str, ...]
    ) -> None:
        """`unique` are the fields that no two records share, the first of them the one that a client is told."""
        self._database = database
        self._name = name
        self._record = record
        self._row = row
        self._unique = unique
        self._insert = insert_into(name, record, sql.SQL("RETURNING {}").format(columns(row)))
        self._find = sql.SQL("SELECT * FROM {} WHERE {}").format(
            sql.Identifier(name),
            sql.SQL(" AND ").join(sql.SQL("{} = {}").format(sql.Identifier(f), sql.Placeholder(f)) for f in unique),
        )

    def kind(self, name: str, *, insert: Callable[[RecordT, Write], Awaitable[RowT]]) -> Kind[RecordT, RowT]:
        """Return how a record of this table is written, by `insert`; `name` is the kind's."""
        return Kind(
            name=name,
            table=self._name,
            ids=lambda record: [str(getattr(record, self._unique[0]))],
            dump=dump_record,
            load=self._record.model_validate_json,
            insert=insert,
            is_stored=self.is_stored,
        )

    async def insert(self, record: RecordT, vector: Vector | None = None) -> RowT:
        """Return the stored row; raise RepeatedError where its id is there, UnavailableError where Postgres fails.

        One statement in autocommit mode, so one transaction: whoever cancels it leaves all of the row, or nothing.
        """

        async def work(connection: Connection) -> RowT:
            async with connection.cursor(row_factory=class_row(self._row)) as cursor:
                await cursor.execute(self._insert, values(record, vector))
                stored = await cursor.fetchone()
            assert stored is not None
            return stored

        try:
            return await self._database.run(work)
        except psycopg.errors.UniqueViolation as exc:
            raise RepeatedError(self._unique[0], str(getattr(record, self._unique[0]))) from exc

    async def is_stored(self, record: RecordT) -> bool:
        """Tell whether the table has this very record: the same id with the same content."""

        async def work(connection: Connection) -> bool:
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(self._find, {name: getattr(record, name) for name in self._unique})
                row = await cursor.fetchone()
            return row is not None and is_same(record, row)

        return await self._database.run(work)
