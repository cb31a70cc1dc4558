"""Everything that is done with the table `resource_action_traces`, whose rows the API reads as incidents."""

from __future__ import annotations

from psycopg import sql
from psycopg.rows import class_row

from datastorage.metrics import StoreMetrics, Write
from datastorage.table import Table
from datastorage.trace_models import IncidentFilter, IncidentPage, Trace, TraceIn
from datastorage.vectors import Vectors
from servicekit.database import Connection, Database
from servicekit.listing import Listing, columns

_TABLE = "resource_action_traces"
_GET = sql.SQL("SELECT {} FROM resource_action_traces WHERE id = %s").format(columns(Trace))
_COLUMNS = {"severity": "signal_severity", "cluster": "cluster_name"}


class Traces:
    """The traces of one database."""

    def __init__(self, database: Database, vectors: Vectors, metrics: StoreMetrics) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self._vectors = vectors
        self._metrics = metrics
        self._table = Table(database, _TABLE, TraceIn, Trace, unique=("action_id", "action_timestamp"))
        self._listing = Listing(
            _TABLE, Trace, newest="action_timestamp", key="id", filters=IncidentFilter, names=_COLUMNS
        )
        self.kind = self._table.kind("traces", insert=self._insert)

    async def _insert(self, record: TraceIn, write: Write) -> Trace:
        return await self._table.insert(record, await self._vectors.of(record, write))

    async def get(self, number: int) -> Trace | None:
        """Return the incident of this id."""

        async def work(connection: Connection) -> Trace | None:
            async with connection.cursor(row_factory=class_row(Trace)) as cursor:
                await cursor.execute(_GET, [number])
                return await cursor.fetchone()

        with self._metrics.read("get_incident"):
            return await self._database.run(work)

    async def page(self, asked: IncidentFilter) -> IncidentPage:
        """Return the page asked for, newest `action_timestamp` first."""
        with self._metrics.read("list_incidents"):
            data, pagination = await self._listing.page(self._database, asked)
        return IncidentPage(data=data, pagination=pagination)
