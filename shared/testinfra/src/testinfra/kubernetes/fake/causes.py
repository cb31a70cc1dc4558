"""Why an object is refused: the causes of a 422, worded as a real server words them.

Rule 1: `details.causes` and the message are made of the same causes, in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong: `field: message` is what the Status says of it."""

    reason: str
    """`FieldValueRequired`, `FieldValueInvalid`, ...: the machine's word."""
    message: str
    """`Required value`, `Invalid value: "x": must be ...`"""
    field: str
    """Path of the field: `spec.versions[0].name`, `metadata.labels`."""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> dict[str, Any]:
    """Give the Status (422, `Invalid`) of an object that is refused for these causes."""
    unique = list(dict.fromkeys(map(str, causes)))
    told = unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
    qualified = f"{kind}.{group}" if group else kind
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'{qualified} "{name}" is invalid: {told}',
        "reason": "Invalid",
        "details": {
            "name": name,
            "group": group,
            "kind": kind,
            "causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
        },
        "code": 422,
    }


def shown(value: Any) -> str:
    """Write a value as messages do: strings quoted, numbers plain, objects as compact JSON."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
