"""The string formats that a CRD's schema can ask for, checked as strictly as a real server does for everyday values.

Rule 1: an unknown format is not checked: so does a real server (go-openapi/strfmt, the list in
        apiextensions-apiserver's `pkg/apiserver/validation/formats.go`).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

_DURATION_PARTS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "hr": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "wk": 604800,
    "week": 604800,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z\u00b5]+)\s*")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PATTERNS = {
    "bsonobjectid": r"[0-9a-fA-F]{24}",
    "email": r"[^@\s]+@[^@\s]+",
    "hexcolor": r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})",
    "hostname": r"(?=.{1,253}$)[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*\.?",
    "k8s-long-name": rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
    "k8s-short-name": rf"(?=.{{1,63}}$){_LABEL}",
    "mac": r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}",
    "ssn": r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}",
    "uuid": r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
    "uuid3": r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?3[0-9a-fA-F]{3}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
    "uuid4": r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?4[0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}",
    "uuid5": r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?5[0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}",
}


def instant(text: str) -> datetime:
    """Read an RFC 3339 time. Raises ValueError."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        raise ValueError(f"no RFC 3339 time: {text}")
    date, time, fraction, zone = found.groups()
    return datetime.fromisoformat(f"{date}T{time}{(fraction or '')[:7]}{'+00:00' if zone in 'Zz' else zone}")


def duration(text: str) -> timedelta:
    """Read `1h30m`, `1.5s`, `3 days`. Raises ValueError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    total, at = 0.0, 0
    for part in _PART.finditer(rest):
        unit = part[2] if part[2] in _DURATION_PARTS else part[2].removesuffix("s")
        if part.start() != at or unit not in _DURATION_PARTS:
            break
        total, at = total + float(part[1]) * _DURATION_PARTS[unit], part.end()
    if rest == "0":
        return timedelta()
    if not rest or at != len(rest):
        raise ValueError(f"no duration: {text}")
    return timedelta(seconds=sign * total)


def _uri(text: str) -> None:
    if re.search(r"[\x00-\x20\x7f]", text) or not (urlsplit(text).scheme or text.startswith("/")):
        raise ValueError(f"no absolute URI or path: {text}")


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(f"no prefix length: {text}")
    ipaddress.ip_network(text, strict=False)


_READERS: Mapping[str, Callable[[str], object]] = {
    "byte": lambda text: base64.b64decode(text, validate=True),
    "cidr": _cidr,
    "date": lambda text: datetime.strptime(text, "%Y-%m-%d"),  # noqa: DTZ007 - a day has no zone
    "date-time": instant,
    "datetime": instant,
    "duration": duration,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uri": _uri,
}


def fits(name: str, text: str) -> bool:
    """Tell whether a string has a format; True for a format that is not checked."""
    if name in _PATTERNS:
        return re.fullmatch(_PATTERNS[name], text, re.ASCII) is not None
    try:
        _READERS.get(name, str)(text)
    except (ValueError, binascii.Error):
        return False
    return True
