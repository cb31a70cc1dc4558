"""The kinds of patch: JSON patch (RFC 6902), merge patch (RFC 7396), strategic merge patch.

Rule 1: a patch is read before the object is looked for, and is then applied to it as it is now.
Rule 2: server-side apply is refused with 415, and the message says so: done by halves, it would overwrite what another
        manager owns and tell nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from testinfra.kubernetes.fake import strategic
from testinfra.kubernetes.fake.bodies import media_type
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.status_errors import (
    INVALID,
    UNSUPPORTED,
    Refused,
    bad_request,
    refused,
    unsupported,
)
from testinfra.kubernetes.fake.store import Object

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
Apply = Callable[[Object], Object]


def read(body: bytes, content_type: str, kind: Kind) -> Apply:
    """Read a patch of an object of `kind`; gives what applies it. Raises `Refused`."""
    form = media_type(content_type)
    known = [JSON_PATCH, MERGE_PATCH, *([] if kind.crd else [STRATEGIC_PATCH])]
    if form.startswith("application/apply-patch"):
        raise refused(
            UNSUPPORTED,
            "UnsupportedMediaType",
            "this API server (testinfra's fake) does not do server-side apply; it accepts " + ", ".join(known),
        )
    if form not in known:
        raise unsupported(known)
    patch = _parsed(body)
    if form == JSON_PATCH:
        return _json_patch(patch)
    if not isinstance(patch, dict):
        what = "array" if isinstance(patch, list) else type(patch).__name__
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
        )
    if form == MERGE_PATCH:
        return lambda current: _merged(current, patch)
    return lambda current: _strategic(kind, current, patch)


def _parsed(body: bytes) -> Any:

    try:
        return json.loads(body)
    except ValueError as exc:
        raise bad_request(f"error decoding patch: {exc}") from exc


def _json_patch(operations: Any) -> Apply:
    import jsonpatch  # noqa: PLC0415 - only some clients send such a patch
    import jsonpointer  # noqa: PLC0415 - as above

    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )

    def apply(current: Object) -> Object:
        try:
            result = jsonpatch.JsonPatch(operations).apply(current)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as exc:
            raise _rejected() from exc
        if not isinstance(result, dict):
            raise _rejected()
        return result

    return apply


def _rejected() -> Refused:
    return refused(INVALID, "Invalid", "the server rejected our request due to an error in our request", {})


def _merged(current: Any, patch: Mapping[str, Any]) -> Object:
    """Apply a merge patch (RFC 7396, section 2)."""
    result: Object = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key), value)
        else:
            result[key] = value
    return result


def _strategic(kind: Kind, current: Object, patch: Mapping[str, Any]) -> Object:
    try:
        return strategic.merge(kind.schema, current, patch)
    except strategic.BadPatch as exc:
        raise bad_request(str(exc)) from exc
