"""The local embedder and what a vector has to be."""

from __future__ import annotations

import asyncio
import math

import pytest

from servicekit.embedding import DIMENSIONS, HashingEmbedder, Vector, checked, literal, packed, unpacked


def embed(text: str) -> Vector:
    return asyncio.run(HashingEmbedder().embed(text))


def similarity(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


@pytest.mark.parametrize("text", ["restart payment api", "x", "!!!", "", "日本語", "word " * 10_000])
def test_every_text_has_384_finite_numbers_of_unit_length(text: str) -> None:
    """Also a text without a word in it."""
    vector = embed(text)
    assert len(vector) == DIMENSIONS
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)


def test_the_same_text_has_the_same_vector_everywhere() -> None:
    """The numbers are fixed: another release or machine that made others would break the stored ones."""
    assert {index: round(number, 4) for index, number in enumerate(embed("ok")) if number} == {
        30: -0.8165,
        63: -0.4082,
        189: -0.4082,
    }


def test_alike_texts_are_alike() -> None:
    """Shared words count most, shared stems some, nothing shared nearly nothing; case does not matter."""
    base = "restart payment api after memory leak"
    assert similarity(base, base.upper()) == pytest.approx(1, abs=1e-5)
    assert similarity(base, "restart payment api after crash") > 0.5
    assert similarity(base, "restarted payments apis") > similarity(base, "renew wildcard certificate") + 0.1
    assert abs(similarity(base, "renew wildcard certificate")) < 0.25


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([0.1, 0.2, 0.3], "expected 384 dimensions, got 3"),
        ([], "expected 384 dimensions, got 0"),
        ([1.0] * 385, "expected 384 dimensions, got 385"),
        ([math.nan] + [1.0] * 383, "finite"),
        ([math.inf] + [1.0] * 383, "finite"),
        ([0.0] * 384, "all numbers are zero"),
        ([1e-50] * 384, "its length is 0"),
        ([1e39] * 384, "its length is inf"),
        ([1e20] * 384, "between 1e-12 and 1e[+]18"),
    ],
    ids=["three", "none", "one more", "nan", "infinite", "zero", "tiny", "huge", "too long"],
)
def test_what_cannot_be_compared_is_no_vector(numbers: list[float], said: str) -> None:
    """The count is checked first; then numbers and length, as single precision sees them."""
    with pytest.raises(ValueError, match=said):
        checked(numbers)


def test_a_vector_survives_packing_and_writing() -> None:
    """What the cache and the SQL text hold is the vector itself, to the last bit."""
    vector = embed("restart payment api")
    assert unpacked(packed(vector)) == vector
    assert checked([float(number) for number in literal(vector)[1:-1].split(",")]) == vector


@pytest.mark.parametrize("data", [b"", b"x" * 1535, b"\0" * 1536])
def test_bytes_that_are_no_vector_are_refused(data: bytes) -> None:
    """A cache with something else under the key is noticed."""
    with pytest.raises(ValueError, match=r"packed vector has 1536 bytes|all numbers are zero"):
        unpacked(data)
