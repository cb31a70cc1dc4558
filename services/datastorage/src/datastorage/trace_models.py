"""A trace of an action on a resource, which the API reads as an incident, as it goes in and comes out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, JsonValue, ValidationInfo, field_validator

from datastorage.fields import JsonObject, Key, Namespace, Paging, Signal, Time, Version
from servicekit.fields import Action, Embedding, Name, Pagination, Short, Strict, Text

ExecutionStatus = Literal["pending", "executing", "completed", "failed", "rolled-back"]
_Flag = Annotated[bool, Field(strict=True)]
_Fraction = Annotated[
    float,
    Field(strict=True, ge=0, le=1, description="Kept to three decimals"),
    AfterValidator(lambda value: round(value, 3)),
]


class TraceIn(Strict):
    """A trace to store. `embedding`: left out, it is made from the text; null, the row has none."""

    action_id: Key
    correlation_id: Name
    action_timestamp: Time
    namespace: Namespace
    cluster_name: Name
    environment: Short
    signal_name: Signal
    signal_severity: Short
    signal_fingerprint: Name
    action_type: Short
    execution_status: ExecutionStatus
    execution_error: Text | None = None
    incident_type: Action | None = None
    playbook_id: Key | None = None
    playbook_version: Version | None = None
    ai_selected: _Flag = False
    ai_chained: _Flag = False
    ai_manual_escalation: _Flag = False
    model_confidence: _Fraction | None = None
    labels: JsonObject = Field(default_factory=dict)
    embedding: Embedding | None = None

    @field_validator("playbook_version")
    @classmethod
    def _of_a_playbook(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("playbook_id", "") is None:
            raise ValueError("it is the version of no playbook: give playbook_id too")
        return value

    @property
    def wants_vector(self) -> bool:
        """Whether a vector is to be stored: it was given, or left to the service."""
        return self.embedding is not None or "embedding" not in self.model_fields_set

    def text(self) -> str:
        """Return what a vector of this record is made from: what it says, not when or under which id."""
        said: list[str | None] = [
            self.signal_name,
            self.signal_severity,
            self.namespace,
            self.cluster_name,
            self.environment,
        ]
        said += [self.action_type, self.execution_status, self.incident_type, self.playbook_id, self.execution_error]
        return "\n".join(part for part in said if part)


class Trace(BaseModel):
    """A stored trace; the vector itself stays in the store, `embedded` says whether there is one."""

    id: int
    action_id: str
    correlation_id: str
    action_timestamp: datetime
    namespace: str
    cluster_name: str
    environment: str
    signal_name: str
    signal_severity: str
    signal_fingerprint: str
    action_type: str
    execution_status: ExecutionStatus
    execution_error: str | None
    incident_type: str | None
    playbook_id: str | None
    playbook_version: str | None
    ai_selected: bool
    ai_chained: bool
    ai_manual_escalation: bool
    model_confidence: float | None
    labels: dict[str, JsonValue]
    embedded: bool


class IncidentFilter(Paging):
    """Which incidents, newest `action_timestamp` first: all that match every filter given."""

    namespace: Namespace | None = None
    signal_name: Signal | None = None
    severity: Short | None = None
    cluster: Name | None = None
    environment: Short | None = None
    action_type: Short | None = None


class IncidentPage(BaseModel):
    """One page of a list."""

    data: list[Trace]
    pagination: Pagination
