"""The System V segment of a Postgres that was killed: the one thing of it that is not in its data directory.

Every postmaster has one of 56 bytes, by which a second one finds out that a data directory is in use; a postmaster that
ends in order removes it. Line 7 of postmaster.pid holds its key and its id (PostgreSQL, src/include/utils/pidfile.h).
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_LINE_OF_SEGMENT = 6
_IPC_RMID = 0
_IPC_STAT = 2
_KEY_SIZE = 4


def remove_segment_of(data: Path) -> None:
    """Remove the segment that a killed postmaster of this data directory left; nothing if it left none."""
    try:
        key, number = (data / "postmaster.pid").read_text().splitlines()[_LINE_OF_SEGMENT].split()
    except (OSError, IndexError, ValueError):
        return  # it ended in order, or died before it had one
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        status = ctypes.create_string_buffer(512)  # struct shmid_ds begins with the key
        found = libc.shmctl(int(number), _IPC_STAT, status) == 0
        if found and int.from_bytes(status.raw[:_KEY_SIZE], sys.byteorder) == int(key):
            libc.shmctl(int(number), _IPC_RMID, None)
