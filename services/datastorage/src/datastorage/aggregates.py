"""Counts of incidents, by what they have in common."""

from __future__ import annotations

from datastorage.aggregate_models import (
    DayCount,
    NamespaceCount,
    NamespaceCounts,
    SeverityCount,
    SeverityCounts,
    Trend,
    TrendQuestion,
)
from datastorage.metrics import StoreMetrics
from servicekit.database import Database

_BY_NAMESPACE = b"SELECT namespace, count(*) FROM resource_action_traces GROUP BY 1 ORDER BY 2 DESC, 1"
_BY_SEVERITY = b"SELECT signal_severity AS severity, count(*) FROM resource_action_traces GROUP BY 1 ORDER BY 2 DESC, 1"
_TREND = b"""
    WITH days AS (
        SELECT generate_series(today - make_interval(days => %(days)s - 1), today, interval '1 day')::date AS date
        FROM date_trunc('day', now() AT TIME ZONE 'UTC') AS today
    ), counted AS (
        SELECT (action_timestamp AT TIME ZONE 'UTC')::date AS date, count(*) FROM resource_action_traces
        WHERE action_timestamp >= (SELECT min(date)::timestamp AT TIME ZONE 'UTC' FROM days) GROUP BY 1
    )
    SELECT date, coalesce(count, 0) AS count FROM days LEFT JOIN counted USING (date) ORDER BY date
"""


class Aggregates:
    """The counts of one database."""

    def __init__(self, database: Database, metrics: StoreMetrics) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self._metrics = metrics

    async def by_namespace(self) -> NamespaceCounts:
        """Count by namespace, those with the most incidents first."""
        with self._metrics.read("aggregate_by_namespace"):
            return NamespaceCounts(data=[NamespaceCount(**row) for row in await self._database.rows(_BY_NAMESPACE)])

    async def by_severity(self) -> SeverityCounts:
        """Count by severity, those with the most incidents first."""
        with self._metrics.read("aggregate_by_severity"):
            return SeverityCounts(data=[SeverityCount(**row) for row in await self._database.rows(_BY_SEVERITY)])

    async def trend(self, asked: TrendQuestion) -> Trend:
        """Count by day, oldest first, also the days without incidents."""
        with self._metrics.read("aggregate_trend"):
            rows = await self._database.rows(_TREND, {"days": asked.days})
        return Trend(period=asked.period, data=[DayCount(**row) for row in rows])
