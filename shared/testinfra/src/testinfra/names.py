"""The one place that makes unique names: schemas, databases, roles, keys and namespaces all come from here.

Rule: a name is `<owner>_<counter>` and an owner is `<service>_<purpose>_<date>_<time>_<run>_<worker>`, for example
`datastorage_test_20261121_103005_1f3a_gw0` and its seventh schema `datastorage_test_20261121_103005_1f3a_gw0_7`.
An owner is one process of one run; `owner_of` gives it back from a name, so a sweep can ask whether it still lives.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets
import time
from dataclasses import dataclass, field

LONGEST = 63
"""Longest name in bytes: Postgres truncates identifiers there (NAMEDATALEN - 1) and RFC 1123 labels end there."""

_PATTERN = re.compile(r"^(?P<owner>[a-z0-9_]+_\d{8}_\d{6}_[0-9a-f]{4}_(?:main|gw\d+))_\d+$")
_LONGEST_SERVICE = 63 - len("_test_20261121_103005_1f3a_gw000_000000")


def slug(text: str) -> str:
    """Give `text` in lower case with only `[a-z0-9_]`, starting with a letter; a long one is cut and hashed."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not plain or not plain[0].isalpha():
        plain = f"s_{plain}".rstrip("_")
    if len(plain) <= _LONGEST_SERVICE:
        return plain
    return f"{plain[: _LONGEST_SERVICE - 7]}_{hashlib.sha256(plain.encode()).hexdigest()[:6]}"


def owner_of(name: str) -> str | None:
    """Give the owner part of a name made here (a label's too), or None for any other name."""
    match = _PATTERN.match(name.replace("-", "_"))
    return match["owner"] if match else None


@dataclass(frozen=True, kw_only=True)
class Names:
    """Makes the names of one service in one process of one run; `next()` never gives the same name twice."""

    service: str
    worker: str = "main"
    purpose: str = "test"
    run: str = field(default_factory=lambda: secrets.token_hex(2))
    started: float = field(default_factory=time.time)
    _counter: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False, compare=False)

    @property
    def owner(self) -> str:
        """The part that all names of this process share."""
        stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(self.started))
        return f"{slug(self.service)}_{self.purpose}_{stamp}_{self.run}_{self.worker}"

    def next(self) -> str:
        """Make the next name, at most `LONGEST` characters."""
        return f"{self.owner}_{next(self._counter)}"

    def next_label(self) -> str:
        """Make the next name as an RFC 1123 label, `-` for `_`: what Kubernetes takes for a namespace."""
        return self.next().replace("_", "-")
