"""What the store can fail with beyond what `servicekit.errors` has; the routes turn it into problems."""

from __future__ import annotations

from typing import Literal


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
