"""The schema inside a CRD: whether it is structural, and can be used.

Rule 1: the rules are those of "structural schemas" (apiextensions-apiserver's `pkg/apiserver/schema`): a type
        everywhere outside of allOf, anyOf, oneOf and not, and nothing but value checks inside of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from testinfra.kubernetes.fake import rules, schema
from testinfra.kubernetes.fake.builtinrules import invalid, required
from testinfra.kubernetes.fake.causes import Cause, shown

_Schema = Mapping[str, Any]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_NOT_IN_LOGIC = ("description", "type", "default", "additionalProperties", "nullable", schema.PRESERVE, schema.EMBEDDED)
_META_KEYS = {"name", "generateName"}


def validate(root: _Schema, at: str) -> Iterator[Cause]:
    """Say what is wrong with a version's schema; `at` is the path that messages name it by."""
    if not root.get("type"):
        yield required(f"{at}.type", "must not be empty at the root")
    elif root["type"] != "object":
        yield invalid(f"{at}.type", root["type"], "must be object at the root")
    else:
        yield from _structural(root, at, root=True)


def _structural(one: _Schema, at: str, *, root: bool = False) -> Iterator[Cause]:
    yield from _typed(one, at)
    yield from _forbidden(one, at)
    if root:
        yield from _metadata((one.get("properties") or {}).get("metadata"), at)
    if one.get("default") is not None:
        yield from _default(one, at)
    yield from _lists(one, at)
    yield from _rules(one, at)
    for word in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(one.get(word) or []):
            if not one.get(schema.INT_OR_STRING):
                yield from _logical(part, f"{at}.{word}[{index}]")
    if one.get("not"):
        yield from _logical(one["not"], f"{at}.not")
    for name, part in (one.get("properties") or {}).items():
        yield from _structural(part, f"{at}.properties[{name}]")
    if isinstance(one.get("additionalProperties"), Mapping):
        yield from _structural(one["additionalProperties"], f"{at}.additionalProperties")
    if isinstance(one.get("items"), Mapping):
        yield from _structural(one["items"], f"{at}.items")


def _typed(one: _Schema, at: str) -> Iterator[Cause]:
    kind = one.get("type")
    free = one.get(schema.INT_OR_STRING) or one.get(schema.PRESERVE)
    if one.get("$ref"):
        yield Cause("FieldValueForbidden", "Forbidden: $ref is not supported", f"{at}.$ref")
    elif not kind and not free:
        where = "array items" if at.endswith(".items") else "object fields"
        yield required(f"{at}.type", f"must not be empty for specified {where}")
    elif kind and kind not in _TYPES:
        supported = ", ".join(map(shown, _TYPES))
        told = f"Unsupported value: {shown(kind)}: supported values: {supported}"
        yield Cause("FieldValueNotSupported", told, f"{at}.type")
    if kind == "array" and one.get("items") is None:
        yield required(f"{at}.items", "must be specified")
    if one.get(schema.EMBEDDED):
        if not one.get(schema.PRESERVE) and not one.get("properties"):
            told = (
                "must not be empty if x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields"
            )
            yield required(f"{at}.properties", told)
        if kind != "object":
            yield invalid(f"{at}.type", kind or "", "must be object if x-kubernetes-embedded-resource is true")


def _forbidden(one: _Schema, at: str) -> Iterator[Cause]:
    if one.get("properties") and one.get("additionalProperties"):
        told = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield Cause("FieldValueForbidden", told, f"{at}.additionalProperties")
    if one.get("uniqueItems"):
        told = "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield Cause("FieldValueForbidden", told, f"{at}.uniqueItems")
    if one.get("pattern"):
        try:
            re.compile(one["pattern"], re.ASCII)
        except re.error as error:
            told = f"must be a valid regular expression, but isn't: error parsing regexp: {error}"
            yield invalid(f"{at}.pattern", one["pattern"], told)


def _metadata(meta: _Schema | None, at: str) -> Iterator[Cause]:
    here = f"{at}.properties[metadata]"
    if meta is not None and meta.get("type") not in {None, "object"}:
        yield invalid(f"{here}.type", meta["type"], "must be object")
    elif meta is not None and (meta.get("properties") or {}).keys() - _META_KEYS:
        told = (
            "Forbidden: must not specify anything other than name and generateName, but metadata is implicitly "
            "specified"
        )
        yield Cause("FieldValueForbidden", told, here)


def _default(one: _Schema, at: str) -> Iterator[Cause]:
    for cause in schema.validate(one, one["default"]):
        yield Cause(cause.reason, cause.message, f"{at}.default{'.' if cause.field else ''}{cause.field}")


def _lists(one: _Schema, at: str) -> Iterator[Cause]:
    if one.get(schema.LIST_TYPE) != "map":
        return
    keys, items = one.get(schema.LIST_KEYS) or [], one.get("items") or {}
    known = items.get("properties") or {}
    if not keys:
        told = "must not be empty if x-kubernetes-list-type is map"
        yield required(f"{at}.{schema.LIST_KEYS}", told)
    elif set(keys) - known.keys():
        yield invalid(f"{at}.{schema.LIST_KEYS}", keys, "entries must all be names of item properties")
    else:
        for key in keys:
            if key not in (items.get("required") or []) and "default" not in known[key]:
                told = f"this property is in {schema.LIST_KEYS}, so it must have a default or be a required property"
                yield required(f"{at}.items.properties[{key}].default", told)


def _rules(one: _Schema, at: str) -> Iterator[Cause]:
    for index, rule in enumerate(one.get(rules.RULES) or []):
        here = f"{at}.{rules.RULES}[{index}].rule"
        if not (rule.get("rule") or "").strip():
            yield required(here, "rule is not specified")
            continue
        told = rules.unreadable(rule)
        if told:
            shape = {
                "Rule": rule["rule"],
                "Message": rule.get("message", ""),
                "MessageExpression": rule.get("messageExpression", ""),
                "Reason": rule.get("reason"),
                "FieldPath": rule.get("fieldPath", ""),
                "OptionalOldSelf": rule.get("optionalOldSelf"),
            }
            yield invalid(here, shape, told)


def _logical(one: _Schema, at: str) -> Iterator[Cause]:
    """A schema inside allOf, anyOf, oneOf or not: it may check values, and define nothing."""
    for word in _NOT_IN_LOGIC:
        if one.get(word):
            yield Cause("FieldValueForbidden", "Forbidden: must be empty to be structural", f"{at}.{word}")
    for name, part in (one.get("properties") or {}).items():
        yield from _logical(part, f"{at}.properties[{name}]")
    if isinstance(one.get("items"), Mapping):
        yield from _logical(one["items"], f"{at}.items")
