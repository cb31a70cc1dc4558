"""The audit log: one JSON line (audit.k8s.io/v1, level Metadata) when a request comes, one when it is answered.

Rule 1: a line is in the file before the answer is sent: who has the answer finds its line.
Rule 2: a watch is complete when its stream ends.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from pathlib import Path
from typing import Any

from testinfra.kubernetes.fake.auth import User
from testinfra.kubernetes.fake.http import Request
from testinfra.kubernetes.fake.store import encode
from testinfra.kubernetes.paths import Target, selected_name


class Entry:
    """What is written of one request."""

    def __init__(self, log: AuditLog, request: Request, target: Target, user: User | None) -> None:
        """Write that it came."""
        self._log = log
        self.id = str(uuid.uuid4())
        about: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": self.id,
            "stage": "RequestReceived",
            "requestURI": request.target,
            "verb": target.verb,
            "user": _user(user),
            "sourceIPs": [request.client],
            "userAgent": request.headers.get("user-agent", ""),
        }
        if target.resource:
            about["objectRef"] = _object(target, selected_name(target, request.query))
        about["requestReceivedTimestamp"] = about["stageTimestamp"] = _now()
        self._about = about
        log.write(about)

    def complete(self, code: int, name: str = "") -> None:
        """Write that it was answered; `name` is that of a new object, which the request's path does not say."""
        if name and self._about.get("verb") == "create" and "objectRef" in self._about:
            self._about["objectRef"].setdefault("name", name)
        done: dict[str, Any] = {
            "stage": "ResponseComplete",
            "responseStatus": {"metadata": {}, "code": code},
            "stageTimestamp": _now(),
        }
        self._log.write(self._about | done)


class AuditLog:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Begin the file, readable by us alone."""
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, event: dict[str, Any]) -> None:
        """Add a line."""
        os.write(self._file, encode(event) + b"\n")

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _user(user: User | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"username": user.name, "groups": list(user.groups)}


def _object(target: Target, name: str) -> dict[str, str]:
    found = {
        "resource": target.resource,
        "namespace": target.namespace,
        "name": name,
        "apiGroup": target.group,
        "apiVersion": target.version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in found.items() if value}
