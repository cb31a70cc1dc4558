"""A remediation, as it goes in and comes out over HTTP, and the questions about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationInfo, field_validator

from datastorage.fields import JsonObject, Milliseconds, Paging, Target, Time
from servicekit.fields import Action, Embedding, Name, Pagination, Short, Strict, Text, Whole
from servicekit.searching import TextOrVector

Phase = Literal["pending", "processing", "completed", "failed"]


class RemediationIn(Strict):
    """A remediation to store. `embedding`: left out, it is made from the text; null, the row has none."""

    name: Name
    namespace: Name
    phase: Phase
    action_type: Action
    status: Short
    start_time: Time
    end_time: Time | None = None
    duration: Milliseconds | None = None
    remediation_request_id: Name
    signal_fingerprint: Name
    severity: Short
    environment: Short
    cluster_name: Name
    target_resource: Target
    error_message: Text | None = None
    metadata: JsonObject = Field(default_factory=dict)
    embedding: Embedding | None = None

    @field_validator("end_time")
    @classmethod
    def _not_before_its_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start_time")
        if value is not None and start is not None and value < start:
            raise ValueError("it is before start_time")
        return value

    @property
    def wants_vector(self) -> bool:
        """Whether a vector is to be stored: it was given, or left to the service."""
        return self.embedding is not None or "embedding" not in self.model_fields_set

    def text(self) -> str:
        """Return what a vector of this record is made from: what it says, not when or under which id."""
        said = [self.name, self.namespace, self.action_type, self.status, self.phase, self.severity]
        said += [self.environment, self.cluster_name, self.target_resource, self.error_message or ""]
        return "\n".join(part for part in said if part)


class Remediation(BaseModel):
    """A stored remediation; the vector itself stays in the store, `embedded` says whether there is one."""

    id: int
    name: str
    namespace: str
    phase: Phase
    action_type: str
    status: str
    start_time: datetime
    end_time: datetime | None
    duration: int | None = Field(description="Milliseconds")
    remediation_request_id: str
    signal_fingerprint: str
    severity: str
    environment: str
    cluster_name: str
    target_resource: str
    error_message: str | None
    metadata: dict[str, JsonValue]
    embedded: bool
    created_at: datetime
    updated_at: datetime


class Found(Remediation):
    """A remediation that a search found."""

    similarity: float = Field(ge=-1, le=1, description="Cosine similarity to what was searched")


class ListFilter(Paging):
    """Which remediations, newest start first: all that match every filter given."""

    namespace: Name | None = None
    status: Short | None = None
    phase: Phase | None = None
    severity: Short | None = None


class RemediationPage(BaseModel):
    """One page of a list."""

    data: list[Remediation]
    pagination: Pagination


class Search(TextOrVector):
    """What to look for: a text or a vector."""

    limit: Annotated[int, Field(strict=True, ge=1, le=100), Whole] = 10
    threshold: Annotated[float, Field(strict=True, ge=0, le=1, description="The least similarity")] | None = None


class SearchResult(BaseModel):
    """What a search found, best first."""

    data: list[Found]
