"""Success rates: what is asked, and what is answered. Every rate is a fraction from 0 to 1, and 0 where nothing ran."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from datastorage.fields import Key, Version
from servicekit.fields import Action, Short, Strict, Window, span

Confidence = Literal["high", "medium", "low", "insufficient_data"]
_CONFIDENCE: tuple[tuple[int, Confidence], ...] = ((100, "high"), (20, "medium"), (5, "low"))


class RateQuestion(Strict):
    """What every question about a rate says."""

    window: Window = "7d"
    min_samples: int = Field(default=5, ge=1, le=1_000_000, description="With fewer, there is no confidence")

    @property
    def span(self) -> timedelta:
        """The window as a length of time."""
        return span(self.window)

    def confidence(self, samples: int) -> Confidence:
        """Return how far a rate of this many finished actions is to be trusted."""
        if samples < self.min_samples:
            return "insufficient_data"
        return next((name for least, name in _CONFIDENCE if samples >= least), "insufficient_data")


class IncidentTypeQuestion(RateQuestion):
    """How often an incident of this type was solved."""

    incident_type: Action


class PlaybookQuestion(RateQuestion):
    """How often a playbook, or one version of it, solved what it was for."""

    playbook_id: Key
    playbook_version: Version | None = None


class DimensionsQuestion(RateQuestion):
    """How often actions that match all dimensions given succeeded; at least one is given."""

    incident_type: Action | None = None
    playbook_id: Key | None = None
    playbook_version: Version | None = None
    action_type: Short | None = None

    @model_validator(mode="after")
    def _some_dimension(self) -> Self:
        if self.playbook_id is None and self.playbook_version is not None:
            raise ValueError("playbook_version needs playbook_id")
        if self.incident_type is self.playbook_id is self.action_type is None:
            raise ValueError("give at least one of incident_type, playbook_id and action_type")
        return self


class Rate(BaseModel):
    """Finished actions and the fraction of them that completed."""

    total_executions: int = Field(description="Completed and failed ones; others have no outcome yet")
    successful_executions: int
    failed_executions: int
    success_rate: float = Field(ge=0, le=1)


class PlaybookRate(Rate):
    """The rate of one version of a playbook; null where no playbook was used, or none has a version."""

    playbook_id: str | None
    playbook_version: str | None


class IncidentTypeRate(Rate):
    """The rate of one type of incident; null where none was given."""

    incident_type: str | None


class ActionTypeRate(Rate):
    """The rate of one type of action."""

    action_type: str


class DimensionsRate(PlaybookRate, IncidentTypeRate, ActionTypeRate):
    """The rate of one combination of all dimensions."""


class ExecutionModes(BaseModel):
    """How many of the actions an AI chose from a catalogue, chained together, or handed to a person."""

    ai_selected: int
    ai_chained: int
    ai_manual_escalation: int


class SuccessRate(Rate):
    """A rate over a window, and how far it is to be trusted."""

    window: str
    min_samples: int
    min_samples_met: bool
    confidence: Confidence
    execution_modes: ExecutionModes


class IncidentTypeAnswer(SuccessRate):
    """The rate of a type of incident, and of each playbook that was tried on it."""

    incident_type: str
    playbook_breakdown: list[PlaybookRate]


class PlaybookAnswer(SuccessRate):
    """The rate of a playbook, and of it on each type of incident and with each type of action."""

    playbook_id: str
    playbook_version: str | None
    incident_type_breakdown: list[IncidentTypeRate]
    action_type_breakdown: list[ActionTypeRate]


class DimensionsAnswer(SuccessRate):
    """The rate of what matches all dimensions given, and of each combination of dimensions in it."""

    incident_type: str | None
    playbook_id: str | None
    playbook_version: str | None
    action_type: str | None
    breakdown: list[DimensionsRate]
