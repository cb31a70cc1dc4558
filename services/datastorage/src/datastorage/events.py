"""Everything that is done with the table `audit_events`, which is append-only.

Rule 1: a batch is one transaction: all of its events are stored, or none.
Rule 2: an event that comes again, which is the same under the same event_id, is stored once and answered as before.
        Another one under an event_id that is taken is refused, also where both come at the same moment: the key of a
        partitioned table has to contain its time, so it does not tell them apart, and who writes an id that was given
        holds an advisory lock on it, until the transaction ends. Ids that were made here need neither lock nor look.
Rule 3: what needs no answer in between goes to the server together (pipeline mode).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from pydantic import TypeAdapter

from datastorage.errors import RepeatedError
from datastorage.event_models import Event, EventFilter, EventIn, EventPage, EventsStored, EventStored
from datastorage.kinds import Kind, dump_record
from datastorage.metrics import StoreMetrics, Write
from datastorage.table import insert_into, is_same, values
from servicekit.database import Connection, Database
from servicekit.listing import Listing

_TABLE = "audit_events"
_INSERT = insert_into(_TABLE, EventIn, sql.SQL("ON CONFLICT DO NOTHING"))
_FIND = "SELECT * FROM audit_events WHERE event_id = ANY(%s)"
# In one order, so that two batches never wait for each other. Ids share 256 locks, as the server has room for some
# thousands in all; the table's oid keeps schemas of one database apart.
_LOCK = """
    SELECT pg_advisory_xact_lock('audit_events'::regclass::oid::integer, slot)
    FROM (SELECT DISTINCT uuid_hash(id) & 255 AS slot FROM unnest(%s) AS id ORDER BY slot) AS slots
"""
_BATCH = TypeAdapter(list[EventIn])


class Events:
    """The events of one database."""

    def __init__(self, database: Database, metrics: StoreMetrics) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self._metrics = metrics
        self._listing = Listing(_TABLE, Event, newest="event_timestamp", key="event_id", filters=EventFilter)
        self.kind = Kind[EventIn, EventStored](
            name="events",
            table=_TABLE,
            ids=lambda event: [str(event.event_id)],
            dump=dump_record,
            load=EventIn.model_validate_json,
            insert=self._insert,
            is_stored=lambda event: self._are_stored([event]),
        )
        self.batch_kind = Kind[list[EventIn], EventsStored](
            name="event_batches",
            table=_TABLE,
            ids=lambda events: [str(event.event_id) for event in events],
            dump=_BATCH.dump_json,
            load=_BATCH.validate_json,
            insert=self._insert_batch,
            is_stored=self._are_stored,
        )

    async def _insert(self, event: EventIn, _: Write) -> EventStored:
        await self._database.run(partial(_store, events=[event]))
        return EventStored(event_id=event.event_id)

    async def _insert_batch(self, events: list[EventIn], _: Write) -> EventsStored:
        await self._database.run(partial(_store, events=events))
        return EventsStored(event_ids=[event.event_id for event in events])

    async def _are_stored(self, events: list[EventIn]) -> bool:
        return await self._database.run(partial(_first_that_is_another, events=events)) is None

    async def page(self, asked: EventFilter) -> EventPage:
        """Return the page asked for, newest `event_timestamp` first."""
        with self._metrics.read("list_events"):
            data, pagination = await self._listing.page(self._database, asked)
        return EventPage(data=data, pagination=pagination)


async def _store(connection: Connection, *, events: Sequence[EventIn]) -> None:
    given = [event for event in events if "event_id" in event.model_fields_set]
    rows = [values(event) for event in events]
    if len(events) == 1 and not given:
        await connection.execute(_INSERT, rows[0])
        return
    async with connection.pipeline(), connection.transaction(), connection.cursor() as cursor:
        if given:
            await cursor.execute(_LOCK, [[event.event_id for event in given]])
        await cursor.executemany(_INSERT, rows)
        if given and (other := await _first_that_is_another(connection, events=given)):
            raise RepeatedError("event_id", str(other.event_id))


async def _first_that_is_another(connection: Connection, *, events: Sequence[EventIn]) -> EventIn | None:
    """Return the first event whose id the table has not, or not for this very event alone."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_FIND, [[event.event_id for event in events]])
        rows = await cursor.fetchall()
    stored: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        stored.setdefault(row["event_id"], []).append(row)
    for event in events:
        found = stored.get(event.event_id, [])
        if len(found) != 1 or not is_same(event, found[0]):
            return event
    return None
