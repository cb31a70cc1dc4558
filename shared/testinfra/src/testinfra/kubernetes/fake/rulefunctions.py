"""What Kubernetes adds to CEL for a CRD's rules, as far as the fake has it: strings, lists, regular expressions.

Rule 1: names and meanings are those of k8s.io/apiserver's `pkg/cel/library` and cel-go's `ext/strings`.
Rule 2: a function that is neither here nor in `CORE` makes a rule unreadable: quantity, url, ip, cidr, optionals and
        the two-variable macros are not evaluated here, and the CRD is refused with the function's name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from testinfra.kubernetes.fake import formats

# What the CEL library itself answers; operators (`_&&_`, `@in`, ...) have names of other characters.
CORE = frozenset(
    [
        "bool",
        "bytes",
        "contains",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "int",
        "matches",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
    ]
)


def _substring(text: str, start: int, end: int | None = None) -> str:
    return text[start:end]


def _index(value: str | list[Any], wanted: Any, start: int = 0) -> int:
    if isinstance(value, str):
        return value.find(wanted, start)
    return value.index(wanted) if wanted in value else -1


def _last_index(value: str | list[Any], wanted: Any) -> int:
    if isinstance(value, str):
        return value.rfind(wanted)
    return len(value) - 1 - value[::-1].index(wanted) if wanted in value else -1


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = text.split(separator) if separator else list(text)
    return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], separator.join(parts[limit - 1 :])]


def _join(parts: Sequence[str], separator: str = "") -> str:
    return separator.join(parts)


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.ASCII)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [one[0] for one in re.finditer(pattern, text, re.ASCII)]
    return found if limit < 0 else found[:limit]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "charAt": lambda text, at: text[at : at + 1],
    "find": _find,
    "findAll": _find_all,
    "indexOf": _index,
    "isCIDR": lambda text: formats.fits("cidr", text),
    "isIP": _is_ip,
    "isSorted": lambda values: list(values) == sorted(values),
    "isURL": lambda text: formats.fits("uri", text),
    "join": _join,
    "lastIndexOf": _last_index,
    "lowerAscii": str.lower,
    "max": max,
    "min": min,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "sum": sum,
    "trim": str.strip,
    "upperAscii": str.upper,
}
