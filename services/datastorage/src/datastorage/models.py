"""What goes in and comes out over HTTP: the shape of a remediation, and of the questions about them.

Rule 1: every wrong field is found at once, and an unknown field is wrong: in an audit store a typo loses data.
Rule 2: what passes here can be stored: lengths are those of the columns, and no text has what Postgres cannot hold.
Rule 3: text is sanitised here, so nothing behind this module sees markup.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from datastorage.embedding import DIMENSIONS, Vector, checked
from datastorage.sanitise import without_markup

Phase = Literal["pending", "processing", "completed", "failed"]
MAX_BIGINT = 2**63 - 1
_MAX_METADATA_BYTES = 65_536
_MAX_METADATA_DEPTH = 16
_MAX_TEXT = 65_536


def _clean_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("it has a character U+0000, which cannot be stored")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it has half a character (a lone surrogate), which cannot be stored")
    return without_markup(value)


def _clean(value: str) -> str:
    clean = _clean_text(value)
    if not clean.strip():
        raise ValueError("it is blank, or nothing is left without its markup")
    return clean


def _written_time(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("it has to be a time such as 2026-11-21T10:30:00Z")  # noqa: TRY004 - pydantic's contract
    return value


def _numbers(value: Any) -> Any:
    """Check the length before the numbers, so that three strings are told as three."""
    if value is None or isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise ValueError(f"it has to be an array of {DIMENSIONS} numbers")  # noqa: TRY004 - pydantic's contract
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        raise ValueError("every entry has to be a number")
    try:
        return checked([float(number) for number in value])
    except OverflowError:
        raise ValueError("every number has to be finite") from None


Short = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(_clean)]
Action = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_clean)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_clean)]
Target = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_clean)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_TEXT), AfterValidator(_clean)]
Time = Annotated[AwareDatetime, BeforeValidator(_written_time)]
_Numbers = Annotated[list[float], Field(min_length=DIMENSIONS, max_length=DIMENSIONS)]
Embedding = Annotated[Vector, BeforeValidator(_numbers, json_schema_input_type=_Numbers)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RemediationIn(_Strict):
    """A remediation to store. `embedding`: left out, it is made from the text; null, the row has none."""

    name: Name
    namespace: Name
    phase: Phase
    action_type: Action
    status: Short
    start_time: Time
    end_time: Time | None = None
    duration: Annotated[int, Field(strict=True, ge=0, le=MAX_BIGINT, description="Milliseconds")] | None = None
    remediation_request_id: Name
    signal_fingerprint: Name
    severity: Short
    environment: Short
    cluster_name: Name
    target_resource: Target
    error_message: Text | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    embedding: Embedding | None = None

    @field_validator("end_time")
    @classmethod
    def _not_before_its_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start_time")
        if value is not None and start is not None and value < start:
            raise ValueError("it is before start_time")
        return value

    @field_validator("metadata")
    @classmethod
    def _storable(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        clean = _clean_json(value, depth=1)
        assert isinstance(clean, dict)
        if len(json.dumps(clean).encode()) > _MAX_METADATA_BYTES:
            raise ValueError(f"it has more than {_MAX_METADATA_BYTES} bytes as JSON")
        return clean

    @property
    def wants_vector(self) -> bool:
        """Whether a vector is to be stored: it was given, or left to the service."""
        return self.embedding is not None or "embedding" not in self.model_fields_set

    def text(self) -> str:
        """Return what a vector of this record is made from: what it says, not when or under which id."""
        said = [self.name, self.namespace, self.action_type, self.status, self.phase, self.severity]
        said += [self.environment, self.cluster_name, self.target_resource, self.error_message or ""]
        return "\n".join(part for part in said if part)


def _clean_json(value: JsonValue, *, depth: int) -> JsonValue:
    if depth > _MAX_METADATA_DEPTH:
        raise ValueError(f"it is nested deeper than {_MAX_METADATA_DEPTH}")
    if isinstance(value, dict):
        clean = {_clean_text(key): _clean_json(each, depth=depth + 1) for key, each in value.items()}
        if len(clean) < len(value):
            raise ValueError("two of its keys are the same without their markup")
        return clean
    if isinstance(value, list):
        return [_clean_json(each, depth=depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has a number that is not finite")
    return _clean_text(value) if isinstance(value, str) else value


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


class ListFilter(_Strict):
    """Which remediations, newest start first: all that match every filter given."""

    namespace: Name | None = None
    status: Short | None = None
    phase: Phase | None = None
    severity: Short | None = None
    since: Time | None = Field(default=None, description="start_time at or after")
    until: Time | None = Field(default=None, description="start_time before")
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=MAX_BIGINT)

    @field_validator("until")
    @classmethod
    def _after_since(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if value is not None and since is not None and value <= since:
            raise ValueError("it is not after since")
        return value


class Pagination(BaseModel):
    """Where a page stands: `total` counts all rows that match."""

    limit: int
    offset: int
    total: int


class RemediationPage(BaseModel):
    """One page of a list."""

    data: list[Remediation]
    pagination: Pagination


class Search(_Strict):
    """What to look for: a text or a vector."""

    query: Text | None = None
    embedding: Embedding | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=100)] = 10
    threshold: Annotated[float, Field(strict=True, ge=0, le=1, description="The least similarity")] | None = None
    namespace: Name | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.query is None) == (self.embedding is None):
            raise ValueError("give one of query and embedding")
        return self


class SearchResult(BaseModel):
    """What a search found, best first."""

    data: list[Found]


KNOWN_FIELDS = frozenset({"body", "id", *RemediationIn.model_fields, *ListFilter.model_fields, *Search.model_fields})
