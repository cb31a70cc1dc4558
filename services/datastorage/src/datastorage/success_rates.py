"""Success rates of actions: completed against failed ones, over a window that ends now.

Rule 1: an action counts once it has an outcome: completed or failed. One that was rolled back, runs or waits does not.
Rule 2: a rate and its breakdowns come from one statement, so they add up.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from datastorage.metrics import StoreMetrics
from datastorage.success_rate_models import (
    ActionTypeRate,
    DimensionsAnswer,
    DimensionsQuestion,
    DimensionsRate,
    ExecutionModes,
    IncidentTypeAnswer,
    IncidentTypeQuestion,
    IncidentTypeRate,
    PlaybookAnswer,
    PlaybookQuestion,
    PlaybookRate,
    RateQuestion,
)
from servicekit.database import Database, Row

_DIMENSIONS = ("incident_type", "playbook_id", "playbook_version", "action_type")
_RATES = sql.SQL(
    "SELECT count(*) AS total_executions,"
    " count(*) FILTER (WHERE execution_status = 'completed') AS successful_executions,"
    " count(*) FILTER (WHERE execution_status = 'failed') AS failed_executions,"
    " count(*) FILTER (WHERE ai_selected) AS ai_selected, count(*) FILTER (WHERE ai_chained) AS ai_chained,"
    " count(*) FILTER (WHERE ai_manual_escalation) AS ai_manual_escalation,"
    " {columns}, GROUPING({columns}) AS left_out FROM resource_action_traces"
    " WHERE execution_status IN ('completed', 'failed')"
    " AND action_timestamp > now() - %(span)s AND action_timestamp <= now() AND {where}"
    " GROUP BY GROUPING SETS ((), {sets}) ORDER BY total_executions DESC, {columns}"
)


class SuccessRates:
    """The success rates of one database."""

    def __init__(self, database: Database, metrics: StoreMetrics) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self._metrics = metrics

    async def of_incident_type(self, asked: IncidentTypeQuestion) -> IncidentTypeAnswer:
        """Return the rate of a type of incident, and of each playbook that was tried on it."""
        with self._metrics.read("success_rate_incident_type"):
            whole, playbooks = await self._rates(asked, ("playbook_id", "playbook_version"))
        return IncidentTypeAnswer(**whole, playbook_breakdown=[PlaybookRate(**row) for row in playbooks])

    async def of_playbook(self, asked: PlaybookQuestion) -> PlaybookAnswer:
        """Return the rate of a playbook, and of it on each type of incident and with each type of action."""
        with self._metrics.read("success_rate_playbook"):
            whole, incidents, actions = await self._rates(asked, ("incident_type",), ("action_type",))
        return PlaybookAnswer(
            **whole,
            incident_type_breakdown=[IncidentTypeRate(**row) for row in incidents],
            action_type_breakdown=[ActionTypeRate(**row) for row in actions],
        )

    async def of_dimensions(self, asked: DimensionsQuestion) -> DimensionsAnswer:
        """Return the rate of what matches all dimensions given, and of each combination of dimensions in it."""
        with self._metrics.read("success_rate_multi_dimensional"):
            whole, combinations = await self._rates(asked, _DIMENSIONS)
        return DimensionsAnswer(**whole, breakdown=[DimensionsRate(**row) for row in combinations])

    async def _rates(self, asked: RateQuestion, *breakdowns: tuple[str, ...]) -> tuple[Any, ...]:
        """Return the members of the answer, then for each breakdown its rates, those with the most actions first."""
        statement, parameters = rates_statement(asked, *breakdowns)
        rows = [_with_rate(row) for row in await self._database.rows(statement, parameters)]
        masks = [_left_out(breakdowns, ()), *(_left_out(breakdowns, breakdown) for breakdown in breakdowns)]
        (whole,), *broken_down = ([row for row in rows if row["left_out"] == mask] for mask in masks)
        samples = whole["total_executions"]
        own = {
            "min_samples_met": samples >= asked.min_samples,
            "confidence": asked.confidence(samples),
            "execution_modes": ExecutionModes(**whole),
        }
        return {**whole, **asked.model_dump(), **own}, *broken_down


def rates_statement(asked: RateQuestion, *breakdowns: tuple[str, ...]) -> tuple[sql.Composed, Row]:
    """Return the statement that answers the question, and its parameters, so that it can be explained too."""
    given = {name: value for name, value in asked.model_dump().items() if name in _DIMENSIONS and value is not None}
    conditions = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in given]
    statement = _RATES.format(
        columns=_list(_columns(breakdowns)),
        where=sql.SQL(" AND ").join(conditions),
        sets=sql.SQL(", ").join(sql.SQL("({})").format(_list(breakdown)) for breakdown in breakdowns),
    )
    return statement, {"span": asked.span, **given}


def _list(names: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _columns(breakdowns: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(column for breakdown in breakdowns for column in breakdown)


def _left_out(breakdowns: tuple[tuple[str, ...], ...], kept: tuple[str, ...]) -> int:
    """Return what GROUPING gives for the rows of this breakdown: a bit for each column that it leaves out."""
    return int("".join("0" if column in kept else "1" for column in _columns(breakdowns)), 2)


def _with_rate(row: Row) -> Row:
    total = row["total_executions"]
    return {**row, "success_rate": row["successful_executions"] / total if total else 0.0}
