"""The fields that records and questions are made of, with what is checked in each.

Rule 1: every wrong field is found at once, and an unknown field is wrong: in an audit store a typo loses data.
Rule 2: what passes here can be stored: lengths are those of the columns, no text has what Postgres cannot hold, and a
        time is one that Python and Postgres both have.
Rule 3: text is sanitised here, so nothing behind the models sees markup. Doing it twice changes nothing, so a record
        that was checked may be checked again.
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
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from datastorage.embedding import DIMENSIONS, Vector, checked
from datastorage.sanitise import without_markup

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser reads exactly, so also the largest that is taken."""
_MAX_JSON_BYTES = 65_536
_MAX_JSON_DEPTH = 16
_MAX_TEXT = 65_536
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
_NOT_BLANK = {"pattern": r"\S"}  # for the OpenAPI document; `_clean` checks it, after the markup is gone


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
    """Refuse numbers, also written as text, which pydantic would take for seconds since 1970."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE.match(value)):
        raise ValueError("it has to be a time such as 2026-11-21T10:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it is before the year 1 or after the year 9999") from None


def _whole(value: Any) -> Any:
    """Take 17.0 for 17, as JSON does not tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
        clean = {_clean_text(key): _clean_json(each, depth=depth + 1) for key, each in value.items()}
        if len(clean) < len(value):
            raise ValueError("two of its keys are the same without their markup")
        return clean
    if isinstance(value, list):
        return [_clean_json(each, depth=depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has a number that is not finite")
    return _clean_text(value) if isinstance(value, str) else value


Version = Annotated[str, Field(min_length=1, max_length=20, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Short = Annotated[str, Field(min_length=1, max_length=50, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Key = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Action = Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Signal = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Namespace = Annotated[str, Field(min_length=1, max_length=253, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=255, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Target = Annotated[str, Field(min_length=1, max_length=512, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Text = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT, json_schema_extra=_NOT_BLANK), AfterValidator(_clean)]
Whole = BeforeValidator(_whole)
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER, description="Milliseconds"), Whole]
Time = Annotated[AwareDatetime, BeforeValidator(_written_time), AfterValidator(_in_utc)]
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_storable)]
_Numbers = Annotated[list[float], Field(min_length=DIMENSIONS, max_length=DIMENSIONS)]
Embedding = Annotated[Vector, BeforeValidator(_numbers, json_schema_input_type=_Numbers)]


class Strict(BaseModel):
    """What a client sends: a field that is not known is wrong."""

    model_config = ConfigDict(extra="forbid")


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


class Paging(Span):
    """Which part of a list."""

    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=MAX_INTEGER)


class Pagination(BaseModel):
    """Where a page stands: `total` counts all rows that match."""

    limit: int
    offset: int
    total: int
