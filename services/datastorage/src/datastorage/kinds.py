"""A kind of record: everything that writing it, queueing it and replaying it take, in one value.

Rule 1: what is queued is the record as it was accepted, whole: an id or a time that the service gives it is given
        before, so that a replay writes what the first try would have written.
Rule 2: `insert` writes all or nothing, and raises RepeatedError where a record of the same id is there. Together with
        `is_stored`, which then tells the same record from another one, this makes a replay harmless.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from datastorage.metrics import Write

RecordT = TypeVar("RecordT")
StoredT = TypeVar("StoredT")


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[RecordT, StoredT]):
    """One kind of record; `RecordT` is what a client sends (for a batch, the list), `StoredT` what it gets back."""

    name: str
    """What its streams and its metrics' label `type` are called, as `remediations`."""
    table: str
    ids: Callable[[RecordT], list[str]]
    """The unique ids of the record, by which a client finds it once it is stored."""
    dump: Callable[[RecordT], bytes]
    load: Callable[[bytes], RecordT]
    """Make the record of what `dump` made; raises ValueError where it cannot be."""
    insert: Callable[[RecordT, Write], Awaitable[StoredT]]
    """Write it; raises UnavailableError or RepeatedError. Notes in the Write what the metrics want to know."""
    is_stored: Callable[[RecordT], Awaitable[bool]]
    """Say whether the table has this very record: the same ids with the same content."""


def dump_record(record: BaseModel) -> bytes:
    """Return the whole record as JSON, defaults included; a vector that was left to the service stays left to it."""
    return record.model_dump_json(exclude={"embedding"} - record.model_fields_set).encode()
