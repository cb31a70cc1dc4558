"""Structural schemas: fill in defaults, drop what is unknown, and say what is wrong as a real server says it.

The order of a request is: `drop_nulls`, `prune`, `default`, `validate`; rules in CEL are in `rules`.

Rule 1: schemas are walked along an object and never changed; objects are changed in place.
Rule 2: messages and paths are those of kube-openapi's validator, as a 1.36 server gave them.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from testinfra.kubernetes.fake import builtin, formats
from testinfra.kubernetes.fake.causes import Cause, shown

Schema = Mapping[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
_INT_RANGES = {"int32": 2**31, "int64": 2**63}
_TYPED = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}


def type_of(value: Any) -> str:
    """Name the JSON type of a value: `string`, `integer`, `number`, `boolean`, `array`, `object` or `null`."""
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def properties(schema: Schema, *, root: bool = False) -> Mapping[str, Schema]:
    """Give a schema's properties; those of every object (apiVersion, kind, metadata) too where it describes one."""
    own: Mapping[str, Schema] = schema.get("properties") or {}
    if root or schema.get(EMBEDDED):
        return {**own, **_TYPED, "metadata": _metadata()}
    return own


@cache
def _metadata() -> Schema:
    """The metadata of any object, without the defaults that OpenAPI tells and no server writes."""
    found: Schema = builtin.schema_of("", "v1", "ConfigMap")["properties"]["metadata"]
    return {key: value for key, value in found.items() if key != "default"}


def parts(schema: Schema, value: Any, *, root: bool = False) -> Iterator[tuple[Any, Schema, str]]:
    """Give (key or index, schema, what the path says of it) for each part of a value that the schema knows."""
    if isinstance(value, dict):
        known = properties(schema, root=root)
        others = schema.get("additionalProperties")
        for key in list(value):
            if key in known:
                yield key, known[key], f".{key}"
            elif isinstance(others, Mapping):
                yield key, others, f".{key}"
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index in range(len(value)):
            yield index, schema["items"], f"[{index}]"


def drop_nulls(schema: Schema, value: Any, *, root: bool = True) -> None:
    """Drop the nulls that stand for "not set": a property's whose schema is not nullable."""
    for key, part, _ in parts(schema, value, root=root):
        if isinstance(value, dict) and value[key] is None:
            if not part.get("nullable") and part.get("type"):
                del value[key]
        else:
            drop_nulls(part, value[key], root=False)


def prune(schema: Schema, value: Any, *, root: bool = True) -> list[str]:
    """Drop the fields that the schema does not know; gives their paths, sorted: `spec.items[0].x`."""
    return sorted(path.removeprefix(".") for path in _pruned(schema, value, "", root=root))


def _pruned(schema: Schema, value: Any, at: str, *, root: bool) -> Iterator[str]:
    closed = not schema.get(PRESERVE) and schema.get("additionalProperties") is None
    if isinstance(value, dict) and closed and (schema.get("type") == "object" or schema.get("properties")):
        for key in value.keys() - properties(schema, root=root).keys():
            del value[key]
            yield f"{at}.{key}"
    for key, part, step in parts(schema, value, root=root):
        yield from _pruned(part, value[key], at + step, root=False)


def default(schema: Schema, value: Any) -> None:
    """Fill in the defaults of properties that are absent."""
    if isinstance(value, dict):
        for key, part in (schema.get("properties") or {}).items():
            if "default" in part and (key not in value or (value[key] is None and not part.get("nullable"))):
                value[key] = copy.deepcopy(part["default"])
    for key, part, _ in parts(schema, value):
        default(part, value[key])


def validate(schema: Schema, value: Any, at: str = "") -> list[Cause]:
    """Say what is wrong with a value at a path ("" for a whole object); CEL rules are not part of this."""
    if value is None and schema.get("nullable"):
        return []
    found = _type_causes(schema, value, at)
    found += _combined(schema, value, at)
    if isinstance(value, str):
        found += _string_causes(schema, value, at, typed=not found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found += _number_causes(schema, value, at)
    elif isinstance(value, list):
        found += _list_causes(schema, value, at)
    if schema.get("enum") and value not in schema["enum"]:
        supported = ", ".join(shown(one) for one in schema["enum"])
        found.append(
            Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {supported}", at)
        )
    if isinstance(value, dict):
        found += _object_causes(schema, value, at)
    return found


def _invalid(value: Any, told: str, at: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {told}", at)


def _nowhere(told: str) -> Cause:
    """What the validator says of a schema as a whole: it names no field."""
    return Cause("FieldValueInvalid", f'Invalid value: "": {told}', "<nil>")


def _type_causes(schema: Schema, value: Any, at: str) -> list[Cause]:
    wanted = ["integer", "string"] if schema.get(INT_OR_STRING) else [schema["type"]] if schema.get("type") else []
    given = type_of(value)
    fits = given in wanted or (given == "integer" and "number" in wanted)
    whole = given == "number" and float(value).is_integer() and "integer" in wanted
    if not wanted or fits or whole:
        return []
    names = ",".join(wanted)
    told = f'Invalid value: "{given}": {at} in body must be of type {names}: "{given}"'
    return [Cause("FieldValueTypeInvalid", told, at)]


def _combined(schema: Schema, value: Any, at: str) -> list[Cause]:
    found: list[Cause] = []
    if schema.get("anyOf"):
        tried = [validate(one, value, at) for one in schema["anyOf"]]
        if all(tried):
            found.append(_nowhere(f'"{at}" must validate at least one schema (anyOf)'))
            found += _best(tried)
    if schema.get("oneOf"):
        tried = [validate(one, value, at) for one in schema["oneOf"]]
        good = sum(not causes for causes in tried)
        if good != 1:
            how = "Found none valid" if not good else f"Found {good} valid alternatives"
            found.append(_nowhere(f'"{at}" must validate one and only one schema (oneOf). {how}'))
            found += _best(tried)
    if schema.get("allOf"):
        tried = [validate(one, value, at) for one in schema["allOf"]]
        if any(tried):
            found += [cause for causes in tried for cause in causes]
            how = ". None validated" if all(tried) else ""
            found.append(_nowhere(f'"{at}" must validate all the schemas (allOf){how}'))
    if schema.get("not") is not None and not validate(schema["not"], value, at):
        found.append(_nowhere(f'"{at}" must not validate the schema (not)'))
    return found


def _best(tried: Sequence[list[Cause]]) -> list[Cause]:
    """The alternative that failed by the least."""
    return min(tried, key=list.__len__)


def _string_causes(schema: Schema, value: str, at: str, *, typed: bool) -> list[Cause]:
    """The first of length and pattern that a string breaks, and its format."""
    most, least, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    found = []
    if most is not None and len(value) > most:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", at))
    elif least is not None and len(value) < least:
        found.append(_invalid(value, f"{at} in body should be at least {least} chars long", at))
    elif pattern and not re.search(pattern, value, re.ASCII):
        found.append(_invalid(value, f"{at} in body should match '{pattern}'", at))
    name = schema.get("format")
    if typed and name and not schema.get(INT_OR_STRING) and not formats.fits(name, value):
        told = f"Invalid value: {shown(value)}: {at} in body must be of type {name}: {shown(value)}"
        found.append(Cause("FieldValueTypeInvalid", told, at))
    return found


def _number_causes(schema: Schema, value: float, at: str) -> list[Cause]:
    found = []
    width = _INT_RANGES.get(schema.get("format", ""))
    if schema.get("type") == "integer" and not float(value).is_integer():
        found.append(_nowhere(f"Checked value must be of type integer (default format) in {at}"))
    elif schema.get("type") == "integer" and width and not -width <= value < width:
        found.append(_nowhere(f"Checked value must be of type integer with format {schema['format']} in {at}"))
    step = schema.get("multipleOf")
    if step and isinstance(value, int) and not int(step):  # a real server counts in whole numbers then
        told = f"Invalid value: 0: factor MultipleOf declared for {at} must be positive: 0"
        found.append(Cause("FieldValueInvalid", told, at))
    elif step and not math.isclose(value / step, round(value / step), rel_tol=1e-9, abs_tol=1e-12):
        found.append(_invalid(value, f"{at} in body should be a multiple of {shown(step)}", at))
    return found + _range_causes(schema, value, at)


def _range_causes(schema: Schema, value: float, at: str) -> list[Cause]:
    most, least = schema.get("maximum"), schema.get("minimum")
    told = ""
    if most is not None and value == most and schema.get("exclusiveMaximum"):
        told = f"less than {shown(most)}"
    elif most is not None and value > most:
        told = f"less than {'' if schema.get('exclusiveMaximum') else 'or equal to '}{shown(most)}"
    elif least is not None and value == least and schema.get("exclusiveMinimum"):
        told = f"greater than {shown(least)}"
    elif least is not None and value < least:
        told = f"greater than {'' if schema.get('exclusiveMinimum') else 'or equal to '}{shown(least)}"
    return [_invalid(value, f"{at} in body should be {told}", at)] if told else []


def _too_many(count: int, most: int, at: str) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", at)


def _list_causes(schema: Schema, value: Sequence[Any], at: str) -> list[Cause]:
    found = []
    for index, part, step in parts(schema, value):
        found += validate(part, value[index], at + step)
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        found.append(_invalid(len(value), f"{at} in body should have at least {least} items", at))
    if most is not None and len(value) > most:
        found.append(_too_many(len(value), most, at))
    return found


def _object_causes(schema: Schema, value: Mapping[str, Any], at: str) -> list[Cause]:
    found = []
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        found.append(_invalid(len(value), f"{at} in body should have at least {least} properties", at))
    if most is not None and len(value) > most:
        found.append(_too_many(len(value), most, at))
    for key, part, step in parts(schema, value):
        found += validate(part, value[key], f"{at}{step}".removeprefix("."))
    required = [*(schema.get("required") or ()), *(("apiVersion", "kind") if schema.get(EMBEDDED) else ())]
    found += [
        Cause("FieldValueRequired", "Required value", f"{at}.{name}".removeprefix("."))
        for name in dict.fromkeys(required)
        if name not in value
    ]
    return found


def duplicates(schema: Schema, value: Any, at: str = "") -> list[Cause]:
    """Find the doubles in lists that are sets or maps (`x-kubernetes-list-type`)."""
    found = []
    kind = schema.get(LIST_TYPE)
    if isinstance(value, list) and kind in {"set", "map"}:
        seen: list[Any] = []
        for index, item in enumerate(value):
            key = item if kind == "set" or not isinstance(item, dict) else _key_of(schema, item)
            if key in seen:
                found.append(Cause("FieldValueDuplicate", f"Duplicate value: {shown(key)}", f"{at}[{index}]"))
            seen.append(key)
    for key, part, step in parts(schema, value):
        found += duplicates(part, value[key], f"{at}{step}".removeprefix("."))
    return found


def _key_of(schema: Schema, item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in schema.get(LIST_KEYS, ()) if name in item}
