"""The part of a server's log that belongs to one test.

Rule: a slice starts where the log stood when the test began; of it, lines that bear another test's name are left out,
and lines that bear none (a crash, a full disk) stay, for they concern everybody.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from testinfra.names import owner_of

_APPLICATION = re.compile(r"\bapp=(\S+) ")
_MOST_BYTES = 256 * 1024
_MOST_LINES = 60


def position(path: Path) -> int:
    """Give the length of the log in bytes, 0 if there is none yet."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def since(path: Path, start: int, name: str = "") -> str:
    """Give what was logged after byte `start`, for the test whose connections are called `name`."""
    try:
        lines = _lines(path, start)
    except OSError as exc:
        return f"(the log {path} cannot be read: {exc.strerror})"
    kept: list[str] = []
    mine = True
    for line in lines:
        if not line.startswith("\t"):  # a continuation belongs to the line before
            found = _APPLICATION.search(line)
            mine = not found or found[1] == name or owner_of(found[1].split(":")[0]) is None
        if mine:
            kept.append(line)
    return _shortened(kept)


def requests(path: Path, start: int, namespace: str) -> str:
    """Give the requests about `namespace` and what is in it, out of an API server's audit log after byte `start`."""
    try:
        lines = _lines(path, start)
    except OSError as exc:
        return f"(the audit log {path} cannot be read: {exc.strerror})"
    kept: list[str] = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the first line may be cut, and the last one not yet whole
        about = event.get("objectRef", {})
        if event.get("stage") == "ResponseComplete" and about.get("namespace", about.get("name")) == namespace:
            said = event.get("responseStatus", {})
            words = f"{event['verb']} {event['requestURI']} -> {said.get('code')} {said.get('reason', '')}"
            kept.append(f"{event['requestReceivedTimestamp'][11:23]} {event['user'].get('username')}: {words}".rstrip())
    return _shortened(kept)


def _lines(path: Path, start: int) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - _MOST_BYTES))
        return file.read().decode(errors="replace").splitlines()


def _shortened(lines: list[str]) -> str:
    if len(lines) > _MOST_LINES:
        lines = [f"({len(lines) - _MOST_LINES} lines before)", *lines[-_MOST_LINES:]]
    return "\n".join(lines)
