"""Waiting for a condition, with a deadline: the stand's only sleep.

Rule: a wait ends at once when what it waits for has died, and then carries the end of its log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from testinfra.errors import NotReady
from testinfra.servers.process import Process, explain, tail

T = TypeVar("T")

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.05


def wait_until(
    probe: Callable[[], T],
    *,
    what: str,
    timeout: float,
    process: Process | None = None,
    others: Sequence[Process] = (),
) -> T:
    """Call `probe` until it gives something true and give that back.

    Raises `NotReady` when `process` dies, or one of the `others` that it stands on, or when `timeout` seconds are over
    (the last exception of `probe` is its cause). A probe that raises OSError is one that is not ready yet; anything
    else it raises is passed on.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        problem: OSError | None = None
        try:
            found = probe()
        except OSError as exc:
            problem = exc
        else:
            if found:
                return found
        for each in (*others, *([process] if process else [])):
            if death := each.death():
                end = tail(each.log)
                raise NotReady(f"{what}: the process {death}", looked_at=[each.argv[0]], log=end, **explain(end))
        if time.monotonic() >= deadline:
            raise NotReady(
                f"{what}: not so after {timeout:g} s",
                cause=f"the last attempt said: {problem}" if problem else "",
                log=tail(process.log) if process else "",
            ) from problem
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
