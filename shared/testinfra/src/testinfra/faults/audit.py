"""The requests that a server got, from its audit log: how often a client tried, and how far apart.

Rule 1: the log is read from where it stood when the reader was made, so a test sees its own time only.
Rule 2: a request counts when the server has received it; its `code` is there when the answer is.
Rule 3: requests are told apart by the log's auditID; each stage of one adds to what is known of it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from testinfra.endpoints import Cluster
from testinfra.errors import NotAvailable, NotReady
from testinfra.faults.requests import Attempt, Attempts, Match, Which
from testinfra.faults.rules import NotSeen
from testinfra.servers.ready import wait_until


class AuditLog:
    """What the server of `cluster` has been asked since this was made; in its namespace, if it has one."""

    def __init__(self, cluster: Cluster) -> None:
        """Begin now. Raises `NotAvailable` where the server's log is not ours to read."""
        if not cluster.audit_log:
            raise NotAvailable(
                f"the audit log of the {cluster.backend} cluster at {cluster.server} is not ours to read",
                next_step="--kubernetes=apiserver or fake, or intercept(...) and its attempts(...)",
            )
        self._cluster = cluster
        self._path = Path(cluster.audit_log)
        self._offset = self._size()
        self._found: dict[str, Attempt] = {}

    def __repr__(self) -> str:
        return f"<AuditLog of {self._cluster.server}, {len(self._found)} requests read>"

    def __call__(self, *, at_least: int = 0, within: float = 5.0, **which: Unpack[Which]) -> Attempts:
        """Give the requests meant, in order, once there are `at_least` so many.

        The fields of `which` are those of `testinfra.faults.requests.Match`; without `namespace`, the test's own is
        meant (`namespace="*"` for all, `namespace=""` for what has none). Raises `NotSeen` when there are fewer after
        `within` seconds.
        """
        if self._cluster.namespace:
            which.setdefault("namespace", self._cluster.namespace)
        return await_attempts(self._read, Match(**which), at_least, within, self._cluster.server)

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _read(self) -> Attempts:
        """Take in what was written since the last time; a last line without its end is left for the next."""
        if self._size() < self._offset:  # the server began a new file
            self._offset = 0
        if self._size() > self._offset:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
            text = text[: text.rfind(b"\n") + 1]
            self._offset += len(text)
            for line in text.splitlines():
                self._take(json.loads(line))
        return Attempts(sorted(self._found.values(), key=lambda attempt: attempt.at))

    def _take(self, event: dict[str, Any]) -> None:
        known = self._found.get(event["auditID"])
        code = int(event.get("responseStatus", {}).get("code", 0))
        name = str(event.get("objectRef", {}).get("name", ""))
        if known is None:
            self._found[event["auditID"]] = _attempt(event, code)
        else:  # the name of what is created is known at the end only
            self._found[event["auditID"]] = replace(known, code=code or known.code, name=name or known.name)


def _attempt(event: dict[str, Any], code: int) -> Attempt:
    """Make an `Attempt` of one event of audit.k8s.io/v1 (Kubernetes documentation, "Auditing")."""
    target = event.get("objectRef", {})
    path, _, query = event["requestURI"].partition("?")
    resource, subresource = target.get("resource", ""), target.get("subresource", "")
    return Attempt(
        at=dt.datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
        verb=event["verb"],
        path=path,
        query=query,
        group=target.get("apiGroup", ""),
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        user=event.get("user", {}).get("username", ""),
        user_agent=event.get("userAgent", ""),
        code=code,
    )


def await_attempts(source: Callable[[], Attempts], match: Match, at_least: int, within: float, where: str) -> Attempts:
    """Give what `match` means of `source`, once there are `at_least` so many; `NotSeen` after `within` seconds."""
    found = match.among(source())

    def enough() -> bool:
        nonlocal found
        found = match.among(source())
        return len(found) >= at_least

    try:
        if len(found) < at_least:
            wait_until(enough, what=f"{at_least} requests ({match})", timeout=within)
    except NotReady as exc:
        raise NotSeen(
            f"{len(found)} of at least {at_least} requests were made within {within:g} s ({match})",
            cause="the client under test gave up, waits longer between its tries, or talks to another server",
            looked_at=_near(source(), match).lines() or [f"no request at all at {where}"],
            next_step="within=<more seconds>, or another match: verb, resource, namespace, name, user_agent, ...",
        ) from exc
    return found


def _near(all_of_them: Attempts, match: Match) -> Attempts:
    """Give the requests in the namespace that is meant, all where there are none: others fill a log that is shared."""
    return Match(namespace=match.namespace).among(all_of_them) or all_of_them
