"""Refusals: the Status objects of failures, worded as kube-apiserver 1.36 words them.

Rule 1: a refusal is raised where it is found and answered in one place; what it carries is the whole Status.
Rule 2: built-in kinds leave out the empty keys of `details`, as the server does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from testinfra.kubernetes.fake.causes import Cause
from testinfra.kubernetes.fake.causes import invalid as invalid_status
from testinfra.kubernetes.fake.kinds import Kind

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, CONFLICT = 400, 401, 403, 404, 405, 409
NOT_ACCEPTABLE, GONE, TOO_LARGE, UNSUPPORTED, INVALID, INTERNAL, TIMEOUT = 406, 410, 413, 415, 422, 500, 504


class Refused(Exception):  # noqa: N818 - it is an answer, not a bug
    """What is answered instead of what was asked for: a Status with `status: Failure`."""

    def __init__(self, status: dict[str, Any]) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.code: int = status["code"]


def refused(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> Refused:
    """Make a refusal; `reason` is the machine's word, "" for an error that the server has none for."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return Refused({key: value for key, value in status.items() if value not in (None, "")})


def bad_request(message: str) -> Refused:
    """400."""
    return refused(BAD_REQUEST, "BadRequest", message)


def unauthorized() -> Refused:
    """401."""
    return refused(UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Cause] = ()) -> Refused:
    """403 of an admission check."""
    told = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    details = _details(kind, name) | ({"causes": told} if told else {})
    return refused(FORBIDDEN, "Forbidden", f'{kind.resource} "{name}" is forbidden: {why}', details)


def not_found(kind: Kind, name: str) -> Refused:
    """404 of an object."""
    return refused(NOT_FOUND, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name))


def no_such_resource() -> Refused:
    """404 of a resource that is not served."""
    return refused(NOT_FOUND, "NotFound", "the server could not find the requested resource", {})


def not_allowed() -> Refused:
    """405."""
    return refused(
        NOT_ALLOWED, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def already_exists(kind: Kind, name: str, *, going: bool = False) -> Refused:
    """409 of a create; `going`: the object of that name is being deleted."""
    message = f'{"object is being deleted: " if going else ""}{kind.resource} "{name}" already exists'
    return refused(CONFLICT, "AlreadyExists", message, _details(kind, name))


def modified(kind: Kind, name: str) -> Refused:
    """409 of an update on an old version."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def conflict(kind: Kind, name: str, why: str, *, by_kind: bool = False) -> Refused:
    """409; `by_kind`: a delete's preconditions name the kind where all else names the resource."""
    called = kind.kind if by_kind else kind.resource
    details = _details(kind, name) | ({"kind": kind.kind} if by_kind else {})
    return refused(CONFLICT, "Conflict", f'Operation cannot be fulfilled on {called} "{name}": {why}', details)


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> Refused:
    """422."""
    return _pruned(invalid_status(kind.group, kind.kind, name, causes))


def invalid_patch(result: bytes, why: str) -> Refused:
    """422 of a patch whose result is no object of the kind."""
    value = json.dumps(result.decode())
    return _pruned(invalid_status("", "", "", [Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", "patch")]))


def version_missing(kind: Kind, name: str) -> Refused:
    """422 of an update that names no version; the server calls the resource where it calls the kind elsewhere."""
    cause = Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion")
    return _pruned(invalid_status(kind.group, kind.plural, name, [cause]))


def invalid_options(options: str, cause: Cause) -> Refused:
    """422 of the query: `options` is ListOptions, DeleteOptions, ..."""
    return _pruned(invalid_status("meta.k8s.io", options, "", [cause]))


def too_old(revision: int, oldest: int) -> Refused:
    """410 of a version that is no longer remembered."""
    return refused(GONE, "Expired", f"too old resource version: {revision} ({oldest})")


def from_the_future(revision: int, current: int) -> Refused:
    """504 of a version that is yet to come."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    return refused(TIMEOUT, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def unsupported(accepted: Sequence[str]) -> Refused:
    """415."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return refused(UNSUPPORTED, "UnsupportedMediaType", message + ", ".join(accepted))


def _details(kind: Kind, name: str) -> dict[str, Any]:
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


def _pruned(status: dict[str, Any]) -> Refused:
    status["details"] = {key: value for key, value in status["details"].items() if value}
    return Refused(status)
