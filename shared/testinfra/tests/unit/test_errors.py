"""What the stand's errors say, and that they survive being written down."""

from __future__ import annotations

import json

import pytest

from testinfra.errors import Leaked, Misconfigured, NotAvailable, NotReady, StandError, from_record


def test_an_error_says_what_why_where_and_what_to_type() -> None:
    """All four parts are in the text, the log indented."""
    error = NotReady("it died", cause="no space", looked_at=["/a", "/b"], log="one\ntwo", next_step="free some")
    assert str(error).splitlines() == [
        "it died",
        "  likely cause: no space",
        "  looked at:",
        "    - /a",
        "    - /b",
        "  its log ends:",
        "    | one",
        "    | two",
        "  what to type: free some",
    ]


def test_parts_that_are_not_known_leave_no_empty_lines() -> None:
    """An error of one sentence is one line."""
    assert str(NotAvailable("there is none")) == "there is none"


@pytest.mark.parametrize("kind", [StandError, NotAvailable, NotReady, Leaked, Misconfigured])
def test_an_error_read_back_from_json_is_the_same(kind: type[StandError]) -> None:
    """Type and text survive, so every process raises what one of them met."""
    error = kind("it died", cause="c", looked_at=["x"], log="l", next_step="n")
    again = from_record(json.loads(json.dumps(error.to_record())))
    assert type(again) is kind
    assert str(again) == str(error)
