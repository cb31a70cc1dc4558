"""The fields that records and questions are made of, beyond those of `servicekit.fields`, whose rules hold here too.

Rule: what passes here can be stored: lengths are those of the columns, and a time is one that Python and Postgres both
      have.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from servicekit.fields import MAX_INTEGER, NOT_BLANK, Clean, Page, Strict, Whole, clean_text

_MAX_JSON_BYTES = 65_536
_MAX_JSON_DEPTH = 16
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _written_time(value: Any) -> Any:
    """Refuse numbers, also written as text, which pydantic would take for seconds since 1970."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE.match(value)):
        raise ValueError("it has to be a time such as 2026-11-21T10:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it is before the year 1 or after the year 9999") from None


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    clean = _clean_json(value, depth=1)
    assert isinstance(clean, dict)
    if len(json.dumps(clean).encode()) > _MAX_JSON_BYTES:
        raise ValueError(f"it has more than {_MAX_JSON_BYTES} bytes as JSON")
    return clean


def _clean_json(value: JsonValue, *, depth: int) -> JsonValue:
    if depth > _MAX_JSON_DEPTH:
        raise ValueError(f"it is nested deeper than {_MAX_JSON_DEPTH}")
    if isinstance(value, dict):
        clean = {clean_text(key): _clean_json(each, depth=depth + 1) for key, each in value.items()}
        if len(clean) < len(value):
            raise ValueError("two of its keys are the same without their markup")
        return clean
    if isinstance(value, list):
        return [_clean_json(each, depth=depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has a number that is not finite")
    return clean_text(value) if isinstance(value, str) else value


Version = Annotated[str, Field(min_length=1, max_length=20, json_schema_extra=NOT_BLANK), Clean]
Key = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra=NOT_BLANK), Clean]
Signal = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra=NOT_BLANK), Clean]
Namespace = Annotated[str, Field(min_length=1, max_length=253, json_schema_extra=NOT_BLANK), Clean]
Target = Annotated[str, Field(min_length=1, max_length=512, json_schema_extra=NOT_BLANK), Clean]
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER, description="Milliseconds"), Whole]
Time = Annotated[AwareDatetime, BeforeValidator(_written_time), AfterValidator(_in_utc)]
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_storable)]


class Span(Strict):
    """A span of time: from `since` on, to before `until`."""

    since: Time | None = Field(default=None, description="At this time or after")
    until: Time | None = Field(default=None, description="Before this time")

    @field_validator("until")
    @classmethod
    def _after_since(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if value is not None and since is not None and value <= since:
            raise ValueError("it is not after since")
        return value


class Paging(Page, Span):
    """Which part of a list, and of which span of time."""
