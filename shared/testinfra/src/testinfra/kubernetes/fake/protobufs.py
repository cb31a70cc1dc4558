"""Objects of the built-in kinds in protobuf, as Go clients send them: read into what JSON would have said.

kubectl's `create` and `auth`, and every typed Go client, send built-in objects in protobuf and take JSON as an answer.

Rule 1: only reading: the fake answers in JSON, which these clients accept.
Rule 2: names and types are those of the schemas (`builtin`); only field numbers are of their own (data/protobuf.json).
Rule 3: a zero that Go's JSON would leave out is left out; one that is set (a pointer's) stays.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from testinfra.kubernetes.fake import builtin
from testinfra.kubernetes.fake.schema import Schema

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"  # then a `runtime.Unknown`: see k8s.io/apimachinery/pkg/runtime/serializer/protobuf
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_META = "io.k8s.apimachinery.pkg."
_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_SIGN, _RANGE = 1 << 63, 1 << 64
_Raw = int | bytes


def read(body: bytes) -> dict[str, Any]:
    """Read a request's body. Raises ValueError for what is no object of a kind that is known."""
    if not body.startswith(_MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    names = {number: _bytes(value).decode() for number, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = names.get(1, ""), names.get(2, "")
    try:
        schema = _schema(api_version, kind)
    except KeyError:
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}"') from None
    return {"kind": kind, "apiVersion": api_version, **_message(schema, _bytes(envelope.get(2, b"")))}


def _schema(api_version: str, kind: str) -> Schema:
    if kind == "DeleteOptions":  # every group has it as its own
        return builtin.schema_named(_META + "apis.meta.v1.DeleteOptions")
    group, _, version = api_version.rpartition("/")
    return builtin.schema_of(group, version, kind)


def _bytes(value: _Raw) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("proto: wrong wireType for a message")  # noqa: TRY004 - what is wrong is the body
    return value


def _fields(data: bytes) -> Iterator[tuple[int, _Raw]]:
    """Give number and value of each field of a message. Raises ValueError for a message that is cut off."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif not size:
            raise ValueError(f"proto: illegal wireType {wire}")
        if at + size > len(data):
            raise ValueError("unexpected EOF")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the bit that says "more follows"
            return value, at
    raise ValueError("unexpected EOF")


def _message(schema: Schema, data: bytes, name: str = "") -> dict[str, Any]:
    """Read a message by a definition's field numbers; `name` is that of a struct which is part of the definition's."""
    numbers = builtin.field_numbers(name or schema["$id"])
    known: Mapping[str, Schema] = schema.get("properties") or {}
    found: dict[str, Any] = {}
    for number, raw in _fields(data):
        told = numbers.get(str(number), "")
        if told.startswith("@"):
            found |= _message(schema, _bytes(raw), told[1:])
            continue
        field = told.removesuffix("~")
        if field not in known:
            continue
        part = known[field]
        if part.get("type") == "array":
            found.setdefault(field, []).append(_value(part["items"], raw))
        elif part.get("type") == "object" and "additionalProperties" in part:
            key, value = _entry(part["additionalProperties"], _bytes(raw))
            found.setdefault(field, {})[key] = value
        else:
            value = _value(part, raw)
            if value is not None and (not told.endswith("~") or value not in ("", 0, False)):
                found[field] = value
    return found


def _entry(schema: Schema, data: bytes) -> tuple[str, Any]:
    """Read an entry of a map; one whose value is left out has the zero."""
    raw = dict(_fields(data))
    empty: _Raw = b"" if schema.get("type") in {"string", "object", "array", None} else 0
    value = raw.get(2, empty)
    if schema.get("type") == "array":  # a list of strings is a message of its own there
        return _bytes(raw.get(1, b"")).decode(), [_value(schema["items"], one) for _, one in _fields(_bytes(value))]
    return _bytes(raw.get(1, b"")).decode(), _value(schema, value)


def _value(schema: Schema, raw: _Raw) -> Any:
    special = _SPECIAL.get(schema.get("$id", ""))
    if special:
        return special(_bytes(raw))
    kind = schema.get("type")
    if kind == "boolean":
        return bool(raw)
    if kind == "integer":
        return _signed(raw)
    if kind == "number":
        return struct.unpack("<d", _bytes(raw))[0]
    if kind == "string":
        return base64.b64encode(_bytes(raw)).decode() if schema.get("format") == "byte" else _bytes(raw).decode()
    return _message(schema, _bytes(raw))


def _signed(raw: _Raw) -> int:
    if isinstance(raw, bytes):
        raise ValueError("proto: wrong wireType for a number")  # noqa: TRY004 - what is wrong is the body
    return raw - _RANGE if raw >= _SIGN else raw


def _text(data: bytes) -> str:
    return next((_bytes(raw).decode() for number, raw in _fields(data) if number == 1), "")


def _json(data: bytes) -> Any:
    raw = next((_bytes(raw) for number, raw in _fields(data) if number == 1), b"")
    return json.loads(raw) if raw else None


def _int_or_string(data: bytes) -> int | str:
    found = dict(_fields(data))
    return _bytes(found.get(3, b"")).decode() if found.get(1) else _signed(found.get(2, 0))


def _instant(data: bytes) -> dt.datetime | None:
    found = dict(_fields(data))
    if 1 not in found:
        return None
    seconds, nanoseconds = _signed(found[1]), _signed(found.get(2, 0))
    return dt.datetime.fromtimestamp(seconds, dt.UTC) + dt.timedelta(microseconds=nanoseconds // 1000)


def _time(data: bytes) -> str | None:
    when = _instant(data)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def _micro_time(data: bytes) -> str | None:
    when = _instant(data)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if when else None


def _props(data: bytes) -> dict[str, Any]:
    return _message(builtin.schema_named(_PROPS), data)


def _props_or_bool(data: bytes) -> Any:
    found = dict(_fields(data))
    return _props(_bytes(found[2])) if 2 in found else bool(found.get(1))  # noqa: PLR2004 - the field's number


def _props_or_array(data: bytes) -> Any:
    many = [_props(_bytes(raw)) for number, raw in _fields(data) if number == 2]  # noqa: PLR2004 - the field's number
    return many or _props(_bytes(dict(_fields(data)).get(1, b"")))


def _props_or_strings(data: bytes) -> Any:
    many = [_bytes(raw).decode() for number, raw in _fields(data) if number == 2]  # noqa: PLR2004 - the field's number
    return many or _props(_bytes(dict(_fields(data)).get(1, b"")))


_SPECIAL = {
    _META + "api.resource.Quantity": _text,
    _META + "util.intstr.IntOrString": _int_or_string,
    _META + "apis.meta.v1.Time": _time,
    _META + "apis.meta.v1.MicroTime": _micro_time,
    _META + "apis.meta.v1.FieldsV1": _json,
    _META + "runtime.RawExtension": _json,
    _PROPS.removesuffix("SchemaProps"): _json,
    _PROPS + "OrBool": _props_or_bool,
    _PROPS + "OrArray": _props_or_array,
    _PROPS + "OrStringArray": _props_or_strings,
}
