"""Everything that is asked of single incidents, in SQL; it only reads."""

from __future__ import annotations

from psycopg import sql

from contextapi.errors import NotFoundError
from contextapi.models import Incident, IncidentFilter, IncidentPage, OneIncident, ScoredIncident, Search, SearchResult
from servicekit.database import Database
from servicekit.embedding import Embedder
from servicekit.listing import Listing, columns
from servicekit.searching import nearest

_TABLE = "remediation_audit"
_READ = columns(Incident)
_GET = sql.SQL("SELECT {read} FROM remediation_audit WHERE id = %(id)s").format(read=_READ)


class Incidents:
    """The incidents of one database."""

    def __init__(self, database: Database, embedder: Embedder | None) -> None:
        """Read from `database`; every method raises UnavailableError where it does not do its work in time.

        `embedder` None: only vectors can be searched.
        """
        self._database = database
        self._embedder = embedder
        self._listing = Listing(_TABLE, Incident, newest="start_time", key="id", filters=IncidentFilter)

    async def page(self, asked: IncidentFilter) -> IncidentPage:
        """Return the page asked for, newest start first."""
        found, pagination = await self._listing.page(self._database, asked)
        return IncidentPage(incidents=found, **pagination.model_dump())

    async def get(self, number: int) -> OneIncident:
        """Return the incident of this id; raise NotFoundError where there is none."""
        rows = await self._database.rows(_GET, {"id": number})
        if not rows:
            raise NotFoundError(number)
        return OneIncident.model_validate(rows[0])

    async def search(self, asked: Search) -> SearchResult:
        """Return what is most alike, nearest first; raise NoEmbedderError where a text is given and none embeds it."""
        query, parameters = nearest(
            _TABLE,
            _READ,
            await asked.vector(self._embedder),
            limit=asked.limit,
            threshold=asked.threshold,
            namespace=asked.namespace,
        )
        rows = await self._database.rows(query, parameters)
        return SearchResult(incidents=[ScoredIncident(**row, score=row["similarity"]) for row in rows])
