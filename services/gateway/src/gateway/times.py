"""Times as they are written: RFC 3339 with an offset, in and out.

Rule: a time that has no place in UTC (before the year 1, after 9999) is the nearest that has.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_LEAP, _LAST = "60", "59"
_MICROSECONDS = 7
_FIRST, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def parse(value: Any) -> datetime:
    """Return the time that is written in `value`, in UTC; raise ValueError where none is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("it has to be a time such as 2026-11-21T10:30:00Z")
    day, minute, second, fraction, offset = match.groups()
    second = _LAST if second == _LEAP else second  # a leap second, which Python does not have
    offset = "+00:00" if offset in "Zz" else offset
    found = datetime.fromisoformat(f"{day}T{minute}:{second}{(fraction or '')[:_MICROSECONDS]}{offset}")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        return _FIRST if found.year == 1 else _END


def write(time: datetime) -> str:
    """Return a time in UTC as Kubernetes reads and writes it."""
    return time.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def now() -> datetime:
    """Return the time now, to the microsecond."""
    return datetime.now(UTC)


Time = Annotated[datetime, BeforeValidator(parse), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A field that holds a time."""
