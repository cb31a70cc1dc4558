"""The vector that goes with a record: its own, one made of its text, or none."""

from __future__ import annotations

from typing import Protocol

import structlog

from datastorage.metrics import Write
from servicekit.embedding import Embedder, Vector

_log = structlog.get_logger(__name__)


class Embeddable(Protocol):
    """A record with a text, which may bring its vector along."""

    @property
    def embedding(self) -> Vector | None:
        """The vector that came with it."""

    @property
    def wants_vector(self) -> bool:
        """Whether a vector is to be stored."""

    def text(self) -> str:
        """Return what a vector is made from."""


class Vectors:
    """Gives vectors to records. `embedder` None: only those that bring one have one."""

    def __init__(self, embedder: Embedder | None) -> None:
        """Make vectors with `embedder`."""
        self._embedder = embedder

    async def of(self, record: Embeddable, write: Write) -> Vector | None:
        """Return the vector to store; a record without one is better than none, so an embedder that fails only warns.

        Notes in `write` whether there is to be a vector, and whether it could not be made.
        """
        if record.embedding is not None:
            write.dual = True
            return record.embedding
        if not record.wants_vector or self._embedder is None:
            return None
        write.dual = True
        try:
            return await self._embedder.embed(record.text())
        except Exception as exc:  # noqa: BLE001 - a model may raise anything, and the row is to be stored all the same
            _log.warning("no vector was made, the row is stored without", embedder=self._embedder.name, error=str(exc))
            write.without_vector = True
            return None
