"""What can go wrong, by whose fault: NotAvailable (the machine), NotReady (the server), Leaked (the test).

Rule 1: every message says what happened, the likely cause, what was looked at, and what to type next.
Rule 2: an error can be written down by the process that met it and raised again, word for word, by every other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class StandError(Exception):
    """Base of the stand's errors; `str()` is the whole message, several lines long."""

    def __init__(
        self,
        happened: str,
        *,
        cause: str = "",
        looked_at: Sequence[str] = (),
        log: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(happened)
        self.happened = happened
        self.cause = cause
        self.looked_at = tuple(looked_at)
        self.log = log
        self.next_step = next_step
        self.told_in = ""
        """Path of the file whose creation claims the right to tell this error in full; "" to tell it always."""

    def __str__(self) -> str:
        lines = [self.happened]
        if self.cause:
            lines.append(f"  likely cause: {self.cause}")
        lines.extend(["  looked at:", *(f"    - {place}" for place in self.looked_at)] if self.looked_at else [])
        if self.log:
            lines.extend(["  its log ends:", *(f"    | {line}" for line in self.log.splitlines())])
        if self.next_step:
            lines.append(f"  what to type: {self.next_step}")
        return "\n".join(lines)

    def to_record(self) -> dict[str, Any]:
        """Give the error as JSON-ready data; `from_record` makes the same error of it."""
        return {
            "type": type(self).__name__,
            "happened": self.happened,
            "cause": self.cause,
            "looked_at": list(self.looked_at),
            "log": self.log,
            "next_step": self.next_step,
        }


class NotAvailable(StandError):  # noqa: N818 - the name says whose fault it is, which an "Error" behind it would not
    """The machine lacks what was asked for: a binary, an extension, a user, a right."""


class NotReady(StandError):  # noqa: N818 - see NotAvailable
    """The server was started or asked and did not come up: it died, it hung, or it refused."""


class Leaked(StandError):  # noqa: N818 - see NotAvailable
    """A test left something behind that the stand could not take away."""


class Misconfigured(StandError):  # noqa: N818 - see NotAvailable
    """An option, a variable or a marker has a value that means nothing here."""


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports that the extra `name` of this package brings: say so where one is missing."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise NotAvailable(
            f"the package {(exc.name or str(exc)).partition('.')[0]} is not installed, which {name} needs",
            next_step=f"pip install 'testinfra-stand[{name}]'",
        ) from exc


_TYPES: Mapping[str, type[StandError]] = {
    kind.__name__: kind for kind in (StandError, NotAvailable, NotReady, Leaked, Misconfigured)
}


def from_record(record: Mapping[str, Any]) -> StandError:
    """Make again the error that `StandError.to_record` wrote down."""
    kind = _TYPES.get(str(record.get("type")), StandError)
    return kind(
        str(record.get("happened", "unknown failure")),
        cause=str(record.get("cause", "")),
        looked_at=[str(place) for place in record.get("looked_at", [])],
        log=str(record.get("log", "")),
        next_step=str(record.get("next_step", "")),
    )
