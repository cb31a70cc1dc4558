"""`X-Timestamp`: when a request was sent, in seconds since 1970; what is too old may be a replay."""

from __future__ import annotations

import re
import time

from servicekit import ProblemError

HEADER = "X-Timestamp"
PAST, AHEAD = 300, 120
"""Seconds that it may be behind and ahead of our clock."""
_SECONDS = re.compile(r"[0-9]{1,15}")


def check(text: str | None, *, required: bool) -> None:
    """Return where the header's value `text` is right, or missing and not required; raise ProblemError 400 else."""
    if text is None:
        if required:
            raise _wrong("it is missing: seconds since 1970 have to be given")
        return
    if not _SECONDS.fullmatch(text):
        raise _wrong("it has to be seconds since 1970, in digits")
    late = time.time() - int(text)
    if late > PAST:
        raise _wrong(f"it is {late:.0f} s in the past, and {PAST} s is the limit")
    if -late > AHEAD:
        raise _wrong(f"it is {-late:.0f} s ahead, and {AHEAD} s is the limit")


def _wrong(sentence: str) -> ProblemError:
    return ProblemError(400, detail=f"1 wrong: {HEADER}", kind="validation-error", field_errors={HEADER: sentence})
