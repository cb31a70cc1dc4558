"""What the store can fail with, in its own words; the routes turn them into problems."""

from __future__ import annotations

from typing import Literal


class UnavailableError(Exception):
    """Postgres did not do it: it is away, too busy, or too slow. The same request may succeed later."""

    def __init__(self, detail: str, *, reason: Literal["unavailable", "deadline"]) -> None:
        """Take a sentence, and the word that the metrics count it by."""
        super().__init__(detail)
        self.reason: Literal["unavailable", "deadline"] = reason


class QueueError(Exception):
    """The dead letter queue did not take a record: Redis is away or too slow, or the queue is full."""

    def __init__(self, detail: str, *, reason: Literal["unavailable", "deadline", "full"]) -> None:
        """Take a sentence and a word."""
        super().__init__(detail)
        self.reason: Literal["unavailable", "deadline", "full"] = reason


class RepeatedError(Exception):
    """A record with this value of a unique field is stored already."""

    def __init__(self, field: str, value: str) -> None:
        """Take the field and the value that is there."""
        super().__init__(f"{field} {value!r} is stored already")
        self.field = field
        self.value = value


class NoEmbedderError(Exception):
    """A text was to be searched, and this service makes no vectors."""

    def __init__(self) -> None:
        """Say what to do instead."""
        super().__init__("this service makes no vectors of text (DATASTORAGE_EMBEDDER=none): give embedding instead")
