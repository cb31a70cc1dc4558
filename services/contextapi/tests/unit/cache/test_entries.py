"""An entry as it lies in Redis: it comes back whole, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextapi.cache.entries import Entry, unpacked

ENTRIES = st.builds(Entry, body=st.binary(max_size=200), read_at=st.floats(0, 1e10))


@given(ENTRIES, st.text())
def test_an_entry_comes_back_as_it_was(entry: Entry, key: str) -> None:
    """Body and time, to the last bit."""
    assert unpacked(key, entry.packed(key)) == entry


@given(ENTRIES, st.data())
def test_a_changed_byte_is_a_miss(entry: Entry, data: st.DataObject) -> None:
    """Whichever of the bytes it is, and whatever it becomes."""
    stored = bytearray(entry.packed("key"))
    where = data.draw(st.integers(0, len(stored) - 1))
    stored[where] ^= data.draw(st.integers(1, 255))
    assert unpacked("key", bytes(stored)) is None


@given(ENTRIES, st.data())
def test_a_part_is_a_miss(entry: Entry, data: st.DataObject) -> None:
    """A value that was cut short is none."""
    stored = entry.packed("key")
    assert unpacked("key", stored[: data.draw(st.integers(0, len(stored) - 1))]) is None


@given(st.binary(max_size=100))
def test_anything_else_is_a_miss(stored: bytes) -> None:
    """What some other program stored under the key is none."""
    assert unpacked("key", stored) is None


def test_an_entry_under_another_key_is_a_miss() -> None:
    """A copy of a value (RENAME, COPY, a mixed-up reply) never answers another question."""
    assert unpacked("two", Entry(b"{}", 1.0).packed("one")) is None
