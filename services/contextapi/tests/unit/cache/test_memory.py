"""The tier in the process: bounded by number and by bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextapi.cache.entries import Entry
from contextapi.cache.memory import MemoryTier


def test_what_was_used_last_stays() -> None:
    """With one too many, the entry goes whose last use is the oldest."""
    memory = MemoryTier(entries=2)
    for key in ("a", "b"):
        memory.put(key, Entry(key.encode(), 0), at=1)
    assert memory.get("a") is not None
    memory.put("c", Entry(b"c", 0), at=1)
    assert [memory.get(key) is not None for key in "abc"] == [True, False, True]


def test_it_knows_what_this_process_got_since_a_time() -> None:
    """When it was got here counts, and not when it was read from Postgres."""
    memory = MemoryTier(entries=2)
    memory.put("a", Entry(b"{}", 0), at=5)
    assert memory.get("a", since=4.9) == Entry(b"{}", 0)
    assert memory.get("a", since=5) is None
    assert memory.get("a") == Entry(b"{}", 0)


def test_an_entry_that_can_not_be_kept_takes_the_old_one_with_it() -> None:
    """A copy that is known to be outdated is not left to answer."""
    memory = MemoryTier(entries=2, max_bytes=10)
    memory.put("a", Entry(b"old", 0), at=1)
    memory.put("a", Entry(b"much too long", 1), at=2)
    assert memory.get("a") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=60))
def test_it_never_keeps_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    """Neither entries nor bytes, whatever comes; and what it has is what was put last."""
    memory = MemoryTier(entries=4, max_bytes=20)
    last: dict[str, Entry] = {}
    for number, (name, size) in enumerate(puts):
        key = str(name)
        last[key] = Entry(b"x" * size, number)
        memory.put(key, last[key], at=number)
        kept = {other: entry for other in last if (entry := memory.get(other))}
        assert len(memory) == len(kept) <= 4
        assert sum(len(entry.body) for entry in kept.values()) <= 20
        assert all(last[other] == entry for other, entry in kept.items())
        assert key in kept
