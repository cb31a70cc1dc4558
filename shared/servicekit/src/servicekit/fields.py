"""The fields that requests are made of, with what is checked in each.

Rule 1: every wrong field is found at once, and an unknown field is wrong: a typo loses data, or asks for too much.
Rule 2: what passes here can be stored, or compared with what is: no text has what Postgres cannot hold.
Rule 3: text is sanitised here, so nothing behind the models sees markup. Doing it twice changes nothing, so what was
        checked may be checked again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from servicekit.embedding import DIMENSIONS, Vector, checked
from servicekit.sanitise import without_markup

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser reads exactly, so also the largest that is taken."""
NOT_BLANK = {"pattern": r"\S"}
"""For the OpenAPI document; `Clean` checks it, after the markup is gone."""
_MAX_TEXT = 65_536


def clean_text(value: str) -> str:
    """Return the text without its markup; raise ValueError where Postgres cannot hold it."""
    if "\0" in value:
        raise ValueError("it has a character U+0000, which cannot be stored")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it has half a character (a lone surrogate), which cannot be stored")
    return without_markup(value)


def _clean(value: str) -> str:
    clean = clean_text(value)
    if not clean.strip():
        raise ValueError("it is blank, or nothing is left without its markup")
    return clean


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


Clean = AfterValidator(_clean)
Whole = BeforeValidator(_whole)
Short = Annotated[str, Field(min_length=1, max_length=50, json_schema_extra=NOT_BLANK), Clean]
Action = Annotated[str, Field(min_length=1, max_length=100, json_schema_extra=NOT_BLANK), Clean]
Name = Annotated[str, Field(min_length=1, max_length=255, json_schema_extra=NOT_BLANK), Clean]
Text = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT, json_schema_extra=NOT_BLANK), Clean]
Window = Annotated[
    str, Field(pattern=r"^[1-9][0-9]{0,4}[hd]$", description="How far back from now: hours or days", examples=["7d"])
]
_UNITS = {"h": "hours", "d": "days"}
_Numbers = Annotated[list[float], Field(min_length=DIMENSIONS, max_length=DIMENSIONS)]
Embedding = Annotated[Vector, BeforeValidator(_numbers, json_schema_input_type=_Numbers)]


def span(window: str) -> timedelta:
    """Return a `Window` as a length of time."""
    return timedelta(**{_UNITS[window[-1]]: int(window[:-1])})


class Strict(BaseModel):
    """What a client sends: a field that is not known is wrong."""

    model_config = ConfigDict(extra="forbid")


class Page(Strict):
    """Which part of a list; a service's own class narrows `limit`, or adds filters."""

    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=MAX_INTEGER)


class Pagination(BaseModel):
    """Where a page stands: `total` counts all rows that match."""

    limit: int
    offset: int
    total: int
