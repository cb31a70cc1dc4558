"""Reading an object of a built-in kind as Go would: a value of the wrong type is an error of the whole request (400).

Rule 1: the first wrong value ends it, and is told as Go's `encoding/json` tells it: the struct that has the field, the
        path without indexes, the Go type.
Rule 2: a null means "not set", in a map of strings ""; what is zero or empty is not set either, where Go leaves it out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake import builtin, formats
from testinfra.kubernetes.fake.schema import Schema, parts, type_of

_ID = "$id"
_META = "io.k8s.apimachinery.pkg."
_QUANTITY = _META + "api.resource.Quantity"
_INT_OR_STRING = _META + "util.intstr.IntOrString"
_JSON_WORDS = {"boolean": "bool", "integer": "number"}
_INT_RANGES = {"int32": 2**31, "int64": 2**63}
_MICRO_TIME = _META + "apis.meta.v1.MicroTime"
_LAYOUT, _MICRO_LAYOUT = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"


class Undecodable(Exception):  # noqa: N818 - it is what the answer says, not a bug
    """The message of the 400: `json: cannot unmarshal number into Go struct field ConfigMap.data of type string`."""


def read(schema: Schema, value: Any, *, kind: str) -> Any:
    """Give a value as the server holds it (nulls gone, quantities as strings). Raises Undecodable."""
    return _read(schema, value, kind, "")


def _read(schema: Schema, value: Any, struct: str, at: str) -> Any:
    named = schema.get(_ID, "")
    if named == _QUANTITY and type_of(value) in {"integer", "number"}:
        return str(value)
    if named in {_QUANTITY, _INT_OR_STRING} or not schema.get("type"):
        return value
    _check(schema, value, struct, at)
    inside = named.rpartition(".")[2] or struct
    known = {key: (part, step) for key, part, step in parts(schema, value)}
    if isinstance(value, dict):
        read_in = {}
        dropped = builtin.dropped_when_empty(named)
        for key, one in value.items():
            part, step = known.get(key, ({}, ""))
            below = f"{at}{step}".removeprefix(".") if key in (schema.get("properties") or {}) else at
            if one is not None:
                read = _read(part, one, inside, below)
                if key not in dropped or not _is_empty(part, read):
                    read_in[key] = read
            elif part.get("type") == "string" and "properties" not in schema:
                read_in[key] = ""
        return read_in
    if isinstance(value, list):
        return [_read(known[index][0], one, inside, at) if known else one for index, one in enumerate(value)]
    return value


def _is_empty(schema: Schema, value: Any) -> bool:
    """Tell whether a value is what Go calls empty: a struct never is."""
    return value in ("", 0, False, []) or (value == {} and "additionalProperties" in schema)


def _check(schema: Schema, value: Any, struct: str, at: str) -> None:
    wanted, given = schema["type"], type_of(value)
    if wanted == "integer" and given == "number" and value.is_integer():
        given = "integer"
    if given != wanted and not (wanted == "number" and given == "integer"):
        told = f"number {value}" if (wanted, given) == ("integer", "number") else _JSON_WORDS.get(given, given)
        raise Undecodable(_cannot(told, schema, struct, at))
    form = schema.get("format")
    if wanted == "integer" and not -_INT_RANGES.get(form or "int64", 2**63) <= value < _INT_RANGES.get(
        form or "", 2**63
    ):
        raise Undecodable(_cannot(f"number {value}", schema, struct, at))
    if form == "byte":
        _check_base64(value)
    if form == "date-time":
        _check_time(value, _MICRO_LAYOUT if schema.get(_ID) == _MICRO_TIME else _LAYOUT)


def _cannot(told: str, schema: Schema, struct: str, at: str) -> str:
    where = f"Go struct field {struct}.{at}" if at else "Go value"
    return f"json: cannot unmarshal {told} into {where} of type {_go_type(schema)}"


def _check_time(value: str, layout: str) -> None:
    told, rest = f'parsing time "{value}" as "{layout}": cannot parse', value[len("2006-01-02T15:04:05") :]
    if not formats.fits("date-time", value):
        raise Undecodable(f'{told} "{value}" as "2006"')
    if layout == _MICRO_LAYOUT and not re.match(r"\.[0-9]{6}(?![0-9])", rest):
        raise Undecodable(f'{told} "{rest}" as ".000000"')


def _check_base64(value: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n"
        wrong = next((index for index, char in enumerate(value.rstrip("=")) if char not in alphabet), len(value))
        raise Undecodable(f"illegal base64 data at input byte {wrong}") from None


def _go_type(schema: Schema) -> str:
    if schema.get(_ID):
        version, _, name = schema[_ID].rpartition(".")
        return f"{version.rpartition('.')[2]}.{name}"
    kind = schema.get("type")
    if kind == "array":
        return f"[]{_go_type(schema.get('items', {}))}"
    if kind == "object":
        others = schema.get("additionalProperties")
        return f"map[string]{_go_type(others) if isinstance(others, Mapping) else 'interface {}'}"
    if kind == "integer":
        return str(schema.get("format", "int64"))
    return {"boolean": "bool", "number": "float64"}.get(str(kind), str(kind))
