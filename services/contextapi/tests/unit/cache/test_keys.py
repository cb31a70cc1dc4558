"""Keys of answers: equal exactly where the question is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contextapi.cache.keys import _PACKAGES, Keys, canonical, code_digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
QUESTIONS = st.tuples(
    st.sampled_from(["incidents", "search"]),
    st.dictionaries(st.sampled_from(["namespace", "phase", "limit", "offset"]), VALUES, max_size=4),
)


KEYS = Keys(prefix="", source="database")


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are the same, types included: Python takes 1, 1.0 and True for equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other)))


@given(QUESTIONS, QUESTIONS)
@example(("incidents", {"limit": 1}), ("incidents", {"limit": "1"}))
@example(("incidents", {"limit": 1}), ("incidents", {"limit": True}))
@example(("incidents", {"phase": None}), ("incidents", {}))
@example(("incidents", {"phase": "null"}), ("incidents", {"phase": None}))
@example(("incidents", {"namespace": "a", "phase": "b"}), ("incidents", {"phase": "b", "namespace": "a"}))
@example(("incidents", {"namespace": 'a","phase":"b'}), ("incidents", {"namespace": "a", "phase": "b"}))
@example(("search", {}), ("incidents", {}))
def test_two_questions_have_one_key_exactly_where_they_are_the_same(
    one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]
) -> None:
    """Every parameter counts, with its type; their order does not."""
    assert (KEYS.of(*one) == KEYS.of(*other)) == (one[0] == other[0] and same(one[1], other[1]))


def test_other_data_has_other_keys() -> None:
    """Services on two databases never answer for each other."""
    one, other = Keys(prefix="", source="database one"), Keys(prefix="", source="database two")
    assert one.of("incidents", {}) != other.of("incidents", {})


def test_a_key_begins_with_the_prefix_and_shows_no_parameter() -> None:
    """A login that may only touch its prefix can use it; a text that was searched is nobody else's to read."""
    key = Keys(prefix="team-a:", source="database").of("search", {"query": "a private matter"})
    assert key.startswith("team-a:contextapi:search:")
    assert "private" not in key
    assert len(key) < 120


def test_other_code_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a release the old answers, which may look otherwise, are not found."""
    before = Keys(prefix="", source="database").of("incidents", {})
    monkeypatch.setattr("contextapi.cache.keys.code_digest", lambda: "of another release")
    assert Keys(prefix="", source="database").of("incidents", {}) != before


def test_the_digest_sees_a_change_of_any_source_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One byte more in one file of either package is another digest, and so is another name."""
    own, shared = tmp_path / "own" / "inner", tmp_path / "shared"
    own.mkdir(parents=True)
    shared.mkdir()
    (own / "module.py").write_text("A = 1\n")
    (shared / "module.py").write_text("B = 1\n")
    monkeypatch.setattr("contextapi.cache.keys._PACKAGES", (tmp_path / "own", shared))
    digests = [code_digest()]
    (own / "module.py").write_text("A = 2\n")
    digests.append(code_digest())
    (shared / "module.py").write_text("B = 2\n")
    digests.append(code_digest())
    (own / "module.py").rename(own / "other.py")
    digests.append(code_digest())
    assert len(set(digests)) == 4


def test_the_digest_is_of_this_package_and_servicekit() -> None:
    """What makes an answer is in these two."""
    assert [package.name for package in _PACKAGES] == ["contextapi", "servicekit"]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_json_has_no_key(number: float) -> None:
    """NaN is not equal to itself, so no copy could be right for it."""
    with pytest.raises(ValueError, match="JSON"):
        Keys(prefix="", source="database").of("search", {"threshold": number})


@given(VALUES)
def test_the_canonical_text_is_json_of_the_value(value: Any) -> None:
    """Nothing of the value is lost in it, lone surrogates included."""
    assert same(json.loads(canonical(value)), value)
