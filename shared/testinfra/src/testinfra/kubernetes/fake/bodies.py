"""Bodies of requests and of patches: bytes to objects, with the server's words where they are none.

Rule 1: JSON and YAML are read, and protobuf for the built-in kinds, which Go's typed clients send. CBOR is refused.
"""

from __future__ import annotations

import json
from typing import Any

from testinfra.kubernetes.fake import protobufs
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.status_errors import Refused, bad_request, unsupported
from testinfra.kubernetes.fake.store import Object

JSON, YAML = "application/json", "application/yaml"
_QUOTED = 40
"""Characters of a body that an error quotes."""


def media_type(header: str) -> str:
    """Give the media type of a Content-Type header, JSON where there is none."""
    return header.partition(";")[0].strip().lower() or JSON


def object_of(body: bytes, content_type: str, kind: Kind) -> Object:
    """Read the object of a create or an update, which is to be of `kind`. Raises `Refused`."""
    readable = (JSON, YAML) if kind.crd else (JSON, YAML, protobufs.MEDIA_TYPE)
    if media_type(content_type) not in readable:
        raise unsupported(readable)
    found = parsed(body, content_type, f"the object provided is unrecognized (must be of type {kind.kind})")
    if not isinstance(found, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): it is no object")
    check_type(found, kind, body)
    return found


def check_type(found: Object, kind: Kind, body: bytes) -> None:
    """Refuse an object that says it is of another kind or version; what a built-in object leaves out is filled in."""
    if kind.crd:
        for key, member in (("kind", "Kind"), ("apiVersion", "apiVersion")):
            if not found.get(key):
                text = body.decode(errors="replace")
                told = f"Object '{member}' is missing in '{text}'"
                raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): {told}")
    if found.get("kind", kind.kind) != kind.kind:
        raise bad_request(
            f'{found["kind"]} in version "{kind.version}" cannot be handled as a {kind.kind}:'
            f" converting ({found['kind']}) to ({kind.kind}): unknown conversion"
        )
    if found.get("apiVersion", kind.api_version) != kind.api_version:
        raise bad_request(
            f"the API version in the data ({found['apiVersion']})"
            f" does not match the expected API version ({kind.api_version})"
        )
    found["kind"], found["apiVersion"] = kind.kind, kind.api_version
    found["metadata"] = found.get("metadata") or {}
    if not isinstance(found["metadata"], dict):
        raise bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: metadata')


def parsed(body: bytes, content_type: str, otherwise: str) -> Any:
    """Read JSON or YAML; `otherwise` begins the message of the 400."""
    try:
        if media_type(content_type) == protobufs.MEDIA_TYPE:
            return protobufs.read(body)
        if "yaml" in media_type(content_type):
            return _yaml(body)
        return json.loads(body, parse_constant=_no_constant)
    except ValueError as exc:
        raise _unreadable(body, exc, otherwise) from exc


def _no_constant(text: str) -> Any:
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


def _yaml(body: bytes) -> Any:
    import yaml  # noqa: PLC0415 - 15 ms that most servers never need

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Over JSON: YAML knows dates, which are strings to a server.
        return json.loads(json.dumps(yaml.load(body, Loader=loader), default=str))  # noqa: S506 - both are safe ones
    except yaml.YAMLError as exc:
        raise ValueError(str(exc)) from exc


def _unreadable(body: bytes, exc: ValueError, otherwise: str) -> Refused:
    text = body.decode(errors="replace")
    if not text.strip():
        return bad_request(f"{otherwise}: couldn't get version/kind; json parse error: unexpected end of JSON input")
    quoted = text if len(text) <= _QUOTED else f"{text[:_QUOTED]} ..."
    return bad_request(f"{otherwise}: couldn't get version/kind; json parse error: {exc} ({quoted})")
