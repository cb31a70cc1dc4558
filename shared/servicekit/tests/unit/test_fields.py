"""The fields of requests, and what a store's failures are over HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from servicekit import ProblemError
from servicekit.answers import answered, found
from servicekit.embedding import HashingEmbedder
from servicekit.errors import NoEmbedderError, UnavailableError
from servicekit.fields import Name, Page, span
from servicekit.searching import TextOrVector

NAME = TypeAdapter[str](Name)


@pytest.mark.parametrize("value", ["", " ", "<b></b>", "a\0b", "half \ud800", "x" * 256, 7, None])
def test_what_cannot_be_stored_is_no_text(value: object) -> None:
    """Blank, too long, or with characters that Postgres does not hold."""
    with pytest.raises(ValidationError):
        NAME.validate_python(value)


@pytest.mark.parametrize(
    ("value", "kept"), [("<b>pay</b>ments", "payments"), ("'; DROP TABLE x --", "'; DROP TABLE x --"), ("日本", "日本")]
)
def test_text_is_kept_without_its_markup(value: str, kept: str) -> None:
    """And all else stays as it is."""
    assert NAME.validate_python(value) == kept


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"offset": 2**53}, {"page": 1}])
def test_a_page_has_bounds(wrong: dict[str, int]) -> None:
    """And no field that is not known."""
    with pytest.raises(ValidationError):
        Page.model_validate(wrong)


@pytest.mark.parametrize(("window", "length"), [("1h", timedelta(hours=1)), ("99999d", timedelta(days=99_999))])
def test_a_window_is_hours_or_days(window: str, length: timedelta) -> None:
    """The number and its unit give the length of time."""
    assert span(window) == length


@pytest.mark.parametrize("asked", [{}, {"query": "x", "embedding": [1.0] * 384}, {"embedding": [1.0] * 383}])
def test_a_search_has_a_text_or_a_vector(asked: dict[str, Any]) -> None:
    """One of the two, and the vector whole."""
    with pytest.raises(ValidationError):
        TextOrVector.model_validate(asked)


def test_a_text_is_searched_by_its_vector() -> None:
    """The embedder makes it; a vector is taken as it is, and a text without an embedder is refused."""
    text, vector = TextOrVector(query="restart"), TextOrVector.model_validate({"embedding": [0.5] * 384})
    assert asyncio.run(text.vector(HashingEmbedder())) == asyncio.run(HashingEmbedder().embed("restart"))
    assert asyncio.run(vector.vector(None)) == (0.5,) * 384
    with pytest.raises(NoEmbedderError):
        asyncio.run(text.vector(None))


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (UnavailableError("away", reason="unavailable"), 503, "postgres-unavailable"),
        (UnavailableError("slow", reason="deadline"), 503, "postgres-deadline"),
        (NoEmbedderError(), 400, "validation-error"),
    ],
)
def test_a_failure_of_the_store_is_a_problem(failure: Exception, status: int, kind: str) -> None:
    """503 says when to come again, 400 names the field; anything else passes."""

    async def fails() -> None:
        raise failure

    with pytest.raises(ProblemError) as caught:
        asyncio.run(answered(fails()))
    assert (caught.value.status_code, caught.value.kind) == (status, kind)
    assert (caught.value.headers or {}).get("Retry-After") == ("1" if status == 503 else None)


def test_nothing_found_is_404() -> None:
    """With what was looked for; what was found is handed on."""

    async def gives(value: int | None) -> int | None:
        return value

    with pytest.raises(ProblemError, match="there is no row 7"):
        asyncio.run(found(gives(None), what="row 7"))
    assert asyncio.run(found(gives(7), what="row 7")) == 7
