"""The tier in this process: the answers that were used last, by number and by bytes."""

from __future__ import annotations

from math import inf

from cachetools import LRUCache

from contextapi.cache.entries import Entry

MAX_BYTES = 64 * 2**20
"""What all entries together may take: a thousand of the largest would be 5 GB."""


class MemoryTier:
    """An LRU of answers, each with the time at which this process last got it; not for several threads."""

    def __init__(self, *, entries: int, max_bytes: int = MAX_BYTES) -> None:
        """Keep at most `entries` answers, and `max_bytes` of them together."""
        self._entries = entries
        self._kept: LRUCache[str, tuple[Entry, float]] = LRUCache(max_bytes, getsizeof=lambda kept: len(kept[0].body))

    def __repr__(self) -> str:
        """Show how much is kept."""
        return f"<MemoryTier of {len(self._kept)} answers, {self._kept.currsize} bytes>"

    def __len__(self) -> int:
        """Count the answers that are kept."""
        return len(self._kept)

    def get(self, key: str, *, since: float = -inf) -> Entry | None:
        """Return what is kept under `key`, however old, if this process got it after `since`."""
        kept = self._kept.get(key)
        return kept[0] if kept is not None and kept[1] > since else None

    def put(self, key: str, entry: Entry, *, at: float) -> None:
        """Keep `entry`, which this process got now, in place of those that were used least recently."""
        if len(entry.body) > self._kept.maxsize:
            self._kept.pop(key, None)  # what was there is older than what cannot be kept
            return
        self._kept[key] = (entry, at)
        while len(self._kept) > self._entries:
            self._kept.popitem()
