"""What a store can fail with, in its own words; `answers` turns them into problems."""

from __future__ import annotations

from typing import Literal


class UnavailableError(Exception):
    """Postgres did not do it: it is away, too busy, or too slow. The same request may succeed later."""

    def __init__(self, detail: str, *, reason: Literal["unavailable", "deadline"]) -> None:
        """Take a sentence, and the word that the metrics count it by."""
        super().__init__(detail)
        self.reason: Literal["unavailable", "deadline"] = reason


class NoEmbedderError(Exception):
    """A text was to be searched, and this service makes no vectors."""

    def __init__(self) -> None:
        """Say what to do instead."""
        super().__init__("this service makes no vectors of text (its setting embedder is none): give embedding instead")
