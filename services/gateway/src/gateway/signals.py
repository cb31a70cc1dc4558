"""A signal: what an alert or an event says, whoever sent it.

Rule: signals of one name about one resource are one problem; the fingerprint is what they have in common.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
SignalType = Literal["prometheus-alert", "kubernetes-event"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The resource that a signal is about."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal, in our own words; `namespace` may be any text, as nobody has looked whether it exists."""

    name: str
    namespace: str
    target: Target
    severity: Severity
    type: SignalType
    source: str
    firing: bool
    """False where it says that the problem is over."""
    since: datetime
    """When it began to fire; where it is over, when it ended."""
    received: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    payload: Callable[[], Any]
    """Gives the signal as it was sent, as a JSON value; asked only when a resource is made."""
    fingerprint: str = field(init=False)
    """SHA-256 in hex of `<name>:<namespace>:<kind>:<target's name>`."""

    def __post_init__(self) -> None:
        """Make the fingerprint."""
        parts = (self.name, self.namespace, self.target.kind, self.target.name)
        object.__setattr__(self, "fingerprint", hashlib.sha256(":".join(parts).encode()).hexdigest())

    def payload_text(self) -> str:
        """Return the signal as it was sent, as JSON text."""
        return json.dumps(self.payload(), ensure_ascii=False, separators=(",", ":"))


class NotTakenError(Exception):
    """A signal that is well formed and cannot be taken; `errors` has a sentence for each wrong field."""

    def __init__(self, detail: str, errors: Mapping[str, str]) -> None:
        """Take the sentence for all, and those of the fields."""
        super().__init__(detail)
        self.errors = errors
