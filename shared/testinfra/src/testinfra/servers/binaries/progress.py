"""What a long fetch tells while it lasts: a bar on a terminal, single lines elsewhere, anything in other hands.

Rule: standard output stays clean, for it may be read by a program (`testinfra binaries path etcd`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Reporter(Protocol):
    """Who is told. `close` is called when all is over, also after a failure; the reporter may be used again."""

    def say(self, line: str) -> None:
        """Take one line about what begins, or has ended."""

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        """Take how far `what` is: bytes `done` of `total`, or, with total 0, in the words of `note`. Called often."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Lines:
    """Single lines through `write`, and one about what lasts every `interval` seconds."""

    def __init__(self, write: Callable[[str], object], *, interval: float = 10.0) -> None:
        self._write = write
        self._interval = interval
        self._next = time.monotonic() + interval

    def say(self, line: str) -> None:
        """See `Reporter`."""
        self._write(line)
        self._next = time.monotonic() + self._interval

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        if time.monotonic() >= self._next:
            self.say(f"{what}: {note or f'{megabytes(done)} of {megabytes(total)}'}")

    def close(self) -> None:
        """See `Reporter`."""


class Bar:
    """A moving bar on the terminal behind standard error."""

    def __init__(self) -> None:
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def say(self, line: str) -> None:
        """See `Reporter`."""
        self.close()
        print(f"testinfra: {line}", file=sys.stderr, flush=True)  # noqa: T201 - this is its work

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        if self._live is None:
            self._live = _live()
            self._live.start()
        if what not in self._tasks:
            self._tasks[what] = self._live.add_task(what, total=total or None, note="")
        amount = f"{megabytes(done)} of {megabytes(total)}" if total else ""
        self._live.update(self._tasks[what], completed=done, total=total or None, note=note or amount)

    def close(self) -> None:
        """See `Reporter`."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._tasks.clear()


def _live() -> Progress:
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal and something to wait for
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    left = TimeRemainingColumn(compact=True)
    texts = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[note]}", markup=False))
    return Progress(
        texts[0], BarColumn(), texts[1], TimeElapsedColumn(), left, console=Console(stderr=True), transient=True
    )


def megabytes(size: int) -> str:
    """Give a size in words."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"  # noqa: PLR2004 - a megabyte


def default() -> Reporter:
    """Give the bar where standard error is a terminal, else lines on standard error."""
    if sys.stderr.isatty():
        return Bar()
    return Lines(lambda line: print(f"testinfra: {line}", file=sys.stderr, flush=True))  # noqa: T201 - as above
