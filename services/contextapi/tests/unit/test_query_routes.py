"""A question out of a query string: what it says, and what is wrong with it."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError

from contextapi.models import IncidentFilter
from contextapi.query_routes import read


def wrong(query: str) -> dict[tuple[str, ...], str]:
    with pytest.raises(RequestValidationError) as caught:
        read(IncidentFilter, query.encode())
    return {error["loc"]: error["type"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", {}),
        ("limit=5&offset=7", {"limit": 5, "offset": 7}),
        ("limit=5&limit=6", {"limit": 6}),
        ("namespace=a%20b+c%26d", {"namespace": "a b c&d"}),
        ("namespace=%E6%97%A5", {"namespace": "日"}),
        ("namespace=<b>pay</b>ments", {"namespace": "payments"}),
        ("phase=failed&severity=info&status=x", {"phase": "failed", "severity": "info", "status": "x"}),
    ],
)
def test_a_question_is_what_the_query_string_says(query: str, said: dict[str, object]) -> None:
    """Decoded, with its defaults, the last of a repeated parameter counting."""
    assert read(IncidentFilter, query.encode()) == IncidentFilter.model_validate(said)


def test_every_wrong_parameter_is_told_as_fastapi_tells_it() -> None:
    """Where it was, what it was, and why; blank and unknown ones are wrong."""
    assert wrong("limit=x&offset=-1&phase=&other=1") == {
        ("query", "limit"): "int_parsing",
        ("query", "offset"): "greater_than_equal",
        ("query", "phase"): "literal_error",
        ("query", "other"): "extra_forbidden",
    }
