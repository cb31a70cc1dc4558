"""Counts and rates of incidents. Every rate is a fraction from 0 to 1, and 0 where there is nothing to divide by."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from contextapi.models import Cached, Question
from servicekit.fields import Name, Window


class NoQuestion(Question):
    """Nothing to say: no parameter is known."""


class WorkflowQuestion(Question):
    """Which workflow; incidents have it as their `name`."""

    workflow_id: Name


class SeverityQuestion(Question):
    """In which namespace, or in all."""

    namespace: Name | None = None


class TrendQuestion(Question):
    """Over how many days, today among them."""

    days: int = Field(default=30, ge=1, le=365)


class FailingQuestion(Question):
    """How many actions, and over which span of time that ends now."""

    limit: int = Field(default=10, ge=1, le=100)
    window: Window = "7d"


class HealthQuestion(Question):
    """Which namespace."""

    namespace: Name


class Outcomes(BaseModel):
    """How incidents ended; those that did not end yet are only in `total`."""

    total: int
    completed: int
    failed: int


class Rates(Outcomes):
    """How incidents ended, and how often well."""

    success_rate: float = Field(ge=0, le=1, description="completed / (completed + failed)")


class SuccessRate(Rates, Cached):
    """How often a workflow succeeded."""

    workflow_id: str


class NamespaceCount(Outcomes):
    """How many incidents a namespace has."""

    namespace: str


class NamespaceCounts(Cached):
    """The namespaces, those with the most incidents first."""

    namespaces: list[NamespaceCount]


class SeverityCount(BaseModel):
    """How many incidents of a severity there are."""

    severity: str
    count: int


class SeverityCounts(Cached):
    """The severities that there are, those with the most incidents first."""

    namespace: str | None
    total: int
    severities: list[SeverityCount]


class Day(Outcomes):
    """The incidents that started on a day."""

    date: dt.date = Field(description="In UTC")


class Trend(Cached):
    """Every day, oldest first, also those without incidents."""

    days: int
    data: list[Day]


class FailingAction(Outcomes):
    """A type of action that failed."""

    action_type: str
    failure_rate: float = Field(ge=0, le=1, description="failed / (completed + failed)")


class FailingActions(Cached):
    """The types of action that failed most often, over incidents that started in the window."""

    window: str
    actions: list[FailingAction]


class ActionRates(Rates):
    """How often a type of action succeeded."""

    action_type: str


class Actions(Cached):
    """All types of action, the most frequent first."""

    actions: list[ActionRates]


class NamespaceHealth(Outcomes, Cached):
    """How well a namespace is: 0.6 of what is completed, 0.3 of what is not critical, 0.1 of how fast it went."""

    namespace: str
    critical: int
    average_duration: float = Field(description="Milliseconds, of the completed ones that have a duration; else 0")
    health: float = Field(ge=0, le=1, description="0 where there is no incident")
