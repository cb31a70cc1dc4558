"""Times, in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import times


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-21T10:30:00Z", "2026-11-21T10:30:00.000000Z"),
        ("2026-11-21t10:30:00z", "2026-11-21T10:30:00.000000Z"),
        ("2026-11-21 10:30:00Z", "2026-11-21T10:30:00.000000Z"),
        ("2026-11-21T10:30:00.5Z", "2026-11-21T10:30:00.500000Z"),
        ("2026-11-21T10:30:00.123456789Z", "2026-11-21T10:30:00.123456Z"),
        ("2026-11-21T10:30:00+02:00", "2026-11-21T08:30:00.000000Z"),
        ("2026-11-21T10:30:00-02:30", "2026-11-21T13:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_what_is_a_time(text: str, written: str) -> None:
    """RFC 3339 with an offset, to the microsecond; what has no place in UTC is the nearest that has."""
    assert times.write(times.parse(text)) == written


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T10:30:00",
        "2026-11-21T10:30Z",
        "2026-11-21T25:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-21T10:30:00+25:00",
        "٢٠٢٦-11-21T10:30:00Z",
        "1700000000",
        1_700_000_000,
        None,
        [],
    ],
    ids=repr,
)
def test_what_is_no_time(value: object) -> None:
    """Refused with ValueError, as pydantic wants it."""
    with pytest.raises(ValueError):  # noqa: PT011 - datetime's own message differs
        times.parse(value)


def test_a_datetime_is_taken_as_it_is() -> None:
    """In UTC."""
    there = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))
    assert times.parse(there) == datetime(2026, 11, 21, 10, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_can_be_read(time: datetime) -> None:
    """And is the same."""
    assert times.parse(times.write(time)) == time


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=2))
def test_written_times_sort_as_times_do(both: list[datetime]) -> None:
    """So that the later of two can be told by their texts."""
    first, second = sorted(both)
    assert times.write(first) <= times.write(second)
