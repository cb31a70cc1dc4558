"""Options of the verbs, read from the query (and, for a delete, from the body), refused as the server refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testinfra.kubernetes.fake.causes import Cause
from testinfra.kubernetes.fake.status_errors import INTERNAL, bad_request, invalid_options, refused
from testinfra.kubernetes.paths import is_true

FOREGROUND, BACKGROUND, ORPHAN = "Foreground", "Background", "Orphan"
_WATCH_FOR = 1800.0
"""Seconds of a watch that names no timeout; the real server's least (`--min-request-timeout`)."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Of create, update and patch."""

    dry_run: bool
    field_validation: str


def write_options(query: Mapping[str, str], options: str) -> WriteOptions:
    """Read them; `options` is the name of their kind. Raises `Refused` (422)."""
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Warn", "Strict"):
        supported = '"", "Ignore", "Strict", "Warn"'
        raise _not_supported(options, "fieldValidation", f'"{validation}"', supported)
    return WriteOptions(_dry_run(query.get("dryRun"), options), validation or "Warn")


def _dry_run(asked: str | None, options: str) -> bool:
    if asked and asked != "All":
        raise _not_supported(options, "dryRun", f'["{asked}"]', '"All"')
    return bool(asked)


def _not_supported(options: str, field: str, value: str, supported: str) -> Exception:
    message = f"Unsupported value: {value}: supported values: {supported}"
    return invalid_options(options, Cause("FieldValueNotSupported", message, field))


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Of delete and deletecollection."""

    dry_run: bool
    propagation: str
    """Foreground, Background, Orphan, or "" for what the kind does by itself."""
    grace: int | None
    """Seconds."""
    uid: str
    resource_version: str
    """Preconditions; "" for none."""


def delete_options(query: Mapping[str, str], body: Mapping[str, Any]) -> DeleteOptions:
    """Read them: from the body where there is one, else from the query. Raises `Refused`."""
    given: Mapping[str, Any] = body or query
    dry = given.get("dryRun")
    propagation = given.get("propagationPolicy") or ""
    orphan = given.get("orphanDependents")
    if propagation not in ("", FOREGROUND, BACKGROUND, ORPHAN):
        supported = f'"{FOREGROUND}", "{BACKGROUND}", "{ORPHAN}", "nil"'
        raise _not_supported("DeleteOptions", "propagationPolicy", f'"{propagation}"', supported)
    if orphan is not None and not propagation:
        propagation = ORPHAN if orphan is True or is_true(str(orphan)) else BACKGROUND
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        dry_run=_dry_run(dry[0] if isinstance(dry, list) and dry else dry or None, "DeleteOptions"),
        propagation=propagation,
        grace=_grace(given.get("gracePeriodSeconds")),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
    )


def _grace(asked: Any) -> int | None:
    if asked in (None, ""):
        return None
    seconds = _integer(str(asked))
    if seconds < 0:
        return 1  # as the server: negative is at once, and at once has to be asked for by 0
    return seconds


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Of list and watch."""

    labels: str
    fields: str
    limit: int
    token: str
    revision: int | None
    """The `resourceVersion` that was asked for; None for none."""
    match: str
    bookmarks: bool
    initial_events: bool | None
    seconds: float


def list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Read them. Raises `Refused`."""
    initial = query.get("sendInitialEvents")
    found = ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=_integer(query.get("limit") or "0"),
        token=query.get("continue", ""),
        revision=_revision(query.get("resourceVersion", ""), watch=watch),
        match=query.get("resourceVersionMatch", ""),
        bookmarks=is_true(query.get("allowWatchBookmarks", "")),
        initial_events=None if initial is None else is_true(initial),
        seconds=_integer(query.get("timeoutSeconds") or "0") or _WATCH_FOR,
    )
    _check(found, watch=watch)
    return found


def _revision(text: str, *, watch: bool) -> int | None:
    if not text:
        return None
    if not text.isdigit():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise refused(INTERNAL, "", why) if watch else bad_request(f"invalid resource version: {why}")
    return int(text)


def _check(asked: ListOptions, *, watch: bool) -> None:
    if asked.initial_events is not None:
        if not watch:
            raise _forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
        if asked.match != "NotOlderThan":
            raise _forbidden(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        return
    if asked.match and watch:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch")
    if asked.match and asked.revision is None:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if asked.match and asked.token:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
    if asked.match not in ("", "Exact", "NotOlderThan"):
        raise _not_supported("ListOptions", "resourceVersionMatch", f'"{asked.match}"', '"Exact", "NotOlderThan"')
    if asked.match == "Exact" and asked.revision == 0:
        raise _forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def _forbidden(field: str, why: str) -> Exception:
    return invalid_options("ListOptions", Cause("FieldValueForbidden", f"Forbidden: {why}", field))
