"""The key of an answer: everything that it depends on, and nothing else.

Rule 1: every parameter is in it, as canonical JSON (sorted, no NaN), so that `1`, `"1"`, `true` and null all differ.
Rule 2: the data's name is in it, so that services on different databases never answer for each other on one Redis.
Rule 3: a digest of the code is in it, this package's and servicekit's, so that a release which answers otherwise does
        not find old answers; a version counted by hand would be forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

import servicekit

_PACKAGES = (Path(__file__).parents[1], Path(servicekit.__file__).parent)


class Keys:
    """Makes the keys of one service."""

    def __init__(self, *, prefix: str, source: str) -> None:
        """Begin every key with `prefix`; `source` names the data that is answered from."""
        self._prefix = f"{prefix}contextapi:"
        self._base = hashlib.sha256(canonical([source, code_digest()]))

    def of(self, kind: str, parameters: Mapping[str, JsonValue]) -> str:
        """Return the key of what the call `kind` answers for `parameters`; raise ValueError where one is no JSON."""
        digest = self._base.copy()
        digest.update(canonical([kind, dict(parameters)]))
        return f"{self._prefix}{kind}:{digest.hexdigest()}"


def canonical(value: JsonValue) -> bytes:
    """Return the one JSON text of `value`, in ASCII: a lone surrogate of a parameter is no reason to fail."""
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def code_digest() -> str:
    """Return a digest of the source files that answers come from."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted(package.rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
