"""Counts of incidents: by namespace, by severity, and by day."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from servicekit.fields import Strict

Period = Literal["7d", "30d", "90d"]


class TrendQuestion(Strict):
    """Over how many days, today among them."""

    period: Period = "7d"

    @property
    def days(self) -> int:
        """The number of days."""
        return int(self.period[:-1])


class NamespaceCount(BaseModel):
    """How many incidents a namespace had."""

    namespace: str
    count: int


class SeverityCount(BaseModel):
    """How many incidents of a severity there were."""

    severity: str
    count: int


class DayCount(BaseModel):
    """How many incidents a day had."""

    date: dt.date = Field(description="In UTC")
    count: int


class NamespaceCounts(BaseModel):
    """The namespaces, those with the most incidents first."""

    data: list[NamespaceCount]


class SeverityCounts(BaseModel):
    """The severities, those with the most incidents first."""

    data: list[SeverityCount]


class Trend(BaseModel):
    """Every day of the period, oldest first, also those without incidents."""

    period: Period
    data: list[DayCount]
