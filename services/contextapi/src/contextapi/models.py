"""An incident, as it comes out over HTTP, and the questions about incidents.

An incident is a row of the table `remediation_audit`, which datastorage writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from servicekit.fields import Name, Page, Short, Strict, Whole
from servicekit.searching import TextOrVector

Phase = Literal["pending", "processing", "completed", "failed"]
Severity = Literal["critical", "warning", "info"]


class Question(Strict):
    """What is asked in one call; an answer depends on all of its fields, their defaults included."""


class Cached(BaseModel):
    """What every answer says of itself."""

    stale: bool = Field(
        default=False, description="True, and only then there: an old answer, as Postgres is away; its Age says how old"
    )


class Incident(BaseModel):
    """One incident. Times are in UTC."""

    id: int
    name: str
    signal_fingerprint: str
    remediation_request_id: str
    namespace: str
    cluster_name: str
    environment: str
    target_resource: str
    phase: Phase
    status: str
    severity: str
    action_type: str
    start_time: datetime
    end_time: datetime | None
    duration: int | None = Field(description="Milliseconds")
    error_message: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime


class IncidentFilter(Page, Question):
    """Which incidents, newest `start_time` first: all that match every filter given."""

    namespace: Name | None = None
    phase: Phase | None = None
    status: Short | None = None
    severity: Severity | None = None
    limit: int = Field(default=10, ge=1, le=100)


class IncidentQuestion(Question):
    """Which incident."""

    id: int


class IncidentPage(Cached):
    """One page of the incidents; `total` counts all that match."""

    incidents: list[Incident]
    total: int
    limit: int
    offset: int


class OneIncident(Incident, Cached):
    """One incident, as an answer of its own."""


class Search(TextOrVector, Question):
    """What to look for: a text or a vector."""

    limit: Annotated[int, Field(strict=True, ge=1, le=50), Whole] = 10
    threshold: Annotated[float, Field(strict=True, ge=0, le=1, description="The least score")] = 0.7


class ScoredIncident(Incident):
    """An incident that a search found."""

    score: float = Field(ge=-1, le=1, description="Cosine similarity to what was searched")


class SearchResult(Cached):
    """What a search found, nearest first."""

    incidents: list[ScoredIncident]
