"""One kept answer, and how it lies in Redis.

Rule 1: the checksum covers key, time and body. What was cut short, overwritten, or stored under another key does not
        unpack, so it is a miss and never a wrong answer.
Rule 2: the time is the clock's before the answer was read from Postgres, so an age is never told too short.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_HEAD = struct.Struct("!2sId")
_MAGIC = b"C1"


@dataclass(frozen=True)
class Entry:
    """The JSON object that was answered, and when it was read (seconds since 1970)."""

    body: bytes
    read_at: float

    def packed(self, key: str) -> bytes:
        """Return the bytes that are stored under `key`."""
        return _HEAD.pack(_MAGIC, _checksum(key, self.read_at, self.body), self.read_at) + self.body


def unpacked(key: str, stored: bytes) -> Entry | None:
    """Return the entry that was stored under `key`; None where these bytes are not one."""
    if len(stored) < _HEAD.size:
        return None
    magic, checksum, read_at = _HEAD.unpack_from(stored)
    body = stored[_HEAD.size :]
    if magic != _MAGIC or checksum != _checksum(key, read_at, body):
        return None
    return Entry(body, read_at)


def _checksum(key: str, read_at: float, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("!d", read_at), zlib.crc32(key.encode())))
