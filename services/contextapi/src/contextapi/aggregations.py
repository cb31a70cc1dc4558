"""Counts and rates of incidents, in SQL; it only reads.

Rule 1: the database counts, Python divides, and only where there is something to divide by.
Rule 2: an answer comes from one statement, so its parts add up.
Rule 3: the order is total and the same on every server: what ties in numbers is ordered by the bytes of its name.
"""

from __future__ import annotations

from contextapi.aggregation_models import (
    ActionRates,
    Actions,
    Day,
    FailingAction,
    FailingActions,
    FailingQuestion,
    HealthQuestion,
    NamespaceCount,
    NamespaceCounts,
    NamespaceHealth,
    SeverityCount,
    SeverityCounts,
    SeverityQuestion,
    SuccessRate,
    Trend,
    TrendQuestion,
    WorkflowQuestion,
)
from servicekit.database import Database, Row
from servicekit.fields import span

_OUTCOMES = (
    b" count(*) AS total, count(*) FILTER (WHERE phase = 'completed') AS completed,"
    b" count(*) FILTER (WHERE phase = 'failed') AS failed"
)
_SUCCESS_RATE = b"SELECT" + _OUTCOMES + b" FROM remediation_audit WHERE name = %(workflow_id)s"
_NAMESPACES = (
    b"SELECT namespace,"
    + _OUTCOMES
    + b' FROM remediation_audit GROUP BY namespace ORDER BY total DESC, namespace COLLATE "C"'
)
_SEVERITY = (
    b"SELECT severity, count(*) FROM remediation_audit"
    b" WHERE %(namespace)s::text IS NULL OR namespace = %(namespace)s"
    b' GROUP BY severity ORDER BY count DESC, severity COLLATE "C"'
)
_TREND = (
    b"WITH dates AS (SELECT generate_series(today - make_interval(days => %(days)s - 1), today, interval '1 day')"
    b" AS day FROM date_trunc('day', now() AT TIME ZONE 'UTC') AS today),"
    b" counted AS (SELECT date_trunc('day', start_time AT TIME ZONE 'UTC') AS day," + _OUTCOMES + b" FROM"
    b" remediation_audit WHERE start_time >= (SELECT min(day) AT TIME ZONE 'UTC' FROM dates) GROUP BY 1)"
    b" SELECT day::date AS date, coalesce(total, 0) AS total, coalesce(completed, 0) AS completed,"
    b" coalesce(failed, 0) AS failed FROM dates LEFT JOIN counted USING (day) ORDER BY day"
)
_FAILING = (
    b"SELECT action_type," + _OUTCOMES + b" FROM remediation_audit"
    b" WHERE start_time > now() - %(span)s AND start_time <= now() GROUP BY action_type"
    b" HAVING count(*) FILTER (WHERE phase = 'failed') > 0"
    b' ORDER BY failed DESC, completed, action_type COLLATE "C" LIMIT %(limit)s'
)
_ACTIONS = (
    b"SELECT action_type,"
    + _OUTCOMES
    + b' FROM remediation_audit GROUP BY action_type ORDER BY total DESC, action_type COLLATE "C"'
)
_HEALTH = (
    b"SELECT" + _OUTCOMES + b", count(*) FILTER (WHERE severity = 'critical') AS critical,"
    b" coalesce(avg(duration) FILTER (WHERE phase = 'completed'), 0)::float8 AS average_duration"
    b" FROM remediation_audit WHERE namespace = %(namespace)s"
)
_GOOD_DURATION = 300_000
"""Milliseconds after which half of the points for speed are gone."""


class Aggregations:
    """The counts of one database."""

    def __init__(self, database: Database) -> None:
        """Read from `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database

    async def success_rate(self, asked: WorkflowQuestion) -> SuccessRate:
        """Return how often a workflow succeeded, of the times that it ended."""
        (row,) = await self._database.rows(_SUCCESS_RATE, asked.model_dump())
        return SuccessRate(workflow_id=asked.workflow_id, **row, success_rate=_rate(row, "completed"))

    async def namespaces(self) -> NamespaceCounts:
        """Return the namespaces, those with the most incidents first."""
        return NamespaceCounts(namespaces=[NamespaceCount(**row) for row in await self._database.rows(_NAMESPACES)])

    async def severity(self, asked: SeverityQuestion) -> SeverityCounts:
        """Return the severities, those with the most incidents first."""
        counts = [SeverityCount(**row) for row in await self._database.rows(_SEVERITY, asked.model_dump())]
        return SeverityCounts(namespace=asked.namespace, total=sum(each.count for each in counts), severities=counts)

    async def trend(self, asked: TrendQuestion) -> Trend:
        """Return every day, oldest first."""
        rows = await self._database.rows(_TREND, asked.model_dump())
        return Trend(days=asked.days, data=[Day(**row) for row in rows])

    async def top_failing_actions(self, asked: FailingQuestion) -> FailingActions:
        """Return the types of action with the most failures; of those with as many, the one that succeeds least."""
        rows = await self._database.rows(_FAILING, {"span": span(asked.window), "limit": asked.limit})
        actions = [FailingAction(**row, failure_rate=_rate(row, "failed")) for row in rows]
        return FailingActions(window=asked.window, actions=actions)

    async def actions(self) -> Actions:
        """Return all types of action, the most frequent first."""
        rows = await self._database.rows(_ACTIONS)
        return Actions(actions=[ActionRates(**row, success_rate=_rate(row, "completed")) for row in rows])

    async def namespace_health(self, asked: HealthQuestion) -> NamespaceHealth:
        """Return how well a namespace is."""
        (row,) = await self._database.rows(_HEALTH, asked.model_dump())
        return NamespaceHealth(namespace=asked.namespace, **row, health=_health(row))


def _rate(row: Row, what: str) -> float:
    ended = row["completed"] + row["failed"]
    return float(row[what] / ended) if ended else 0.0


def _health(row: Row) -> float:
    total = row["total"]
    if not total:
        return 0.0
    speed = _GOOD_DURATION / (_GOOD_DURATION + row["average_duration"]) if row["completed"] else 0.0
    completed, critical = row["completed"] / total, row["critical"] / total
    return float(0.1 * speed + 0.3 * (1 - critical) + 0.6 * completed)  # in this order the most is 1, not a bit less
