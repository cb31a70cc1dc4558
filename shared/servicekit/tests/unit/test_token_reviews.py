"""Tokens are reviewed once, and what was said is kept no longer than it may be."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.token_reviews import KeptReviews, bearer_token


class Reviewer:
    """Says the token backwards; fails while it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failing = False

    async def __call__(self, token: str, question: str) -> str:
        self.asked.append((token, question))
        await asyncio.sleep(0)
        if self.failing:
            raise ConnectionError("nobody there")
        return token[::-1]


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", ""),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("", ""),
        ("Bearer " + "x" * 16_385, ""),
    ],
)
def test_the_token_of_a_header(header: str, token: str) -> None:
    """The scheme in any case; a token that no API server would take is none."""
    assert bearer_token(header) == token


def test_a_review_is_asked_for_once() -> None:
    """Ten callers at once and one afterwards: one review; another question is another review."""
    reviewer = Reviewer()

    async def ask() -> None:
        kept = KeptReviews(reviewer, kept_for=lambda: 60.0)
        assert await asyncio.gather(*(kept.of("abc", "/a") for _ in range(10))) == [("cba", False)] * 10
        assert await kept.of("abc", "/a") == ("cba", True)
        assert await kept.of("abc", "/b") == ("cba", False)

    asyncio.run(ask())
    assert reviewer.asked == [("abc", "/a"), ("abc", "/b")]


def test_a_review_is_not_kept_for_longer() -> None:
    """Kept for no time, each is asked for."""
    reviewer = Reviewer()

    async def ask() -> None:
        kept = KeptReviews(reviewer, kept_for=lambda: 0.0)
        for _ in range(3):
            assert await kept.of("abc") == ("cba", False)

    asyncio.run(ask())
    assert len(reviewer.asked) == 3


def test_a_failure_is_not_kept() -> None:
    """All who waited are told, and the next one asks again."""
    reviewer = Reviewer()

    async def ask() -> None:
        kept = KeptReviews(reviewer, kept_for=lambda: 60.0)
        reviewer.failing = True
        said = await asyncio.gather(kept.of("abc"), kept.of("abc"), return_exceptions=True)
        assert [type(each) for each in said] == [ConnectionError, ConnectionError]
        reviewer.failing = False
        assert await kept.of("abc") == ("cba", False)

    asyncio.run(ask())
