"""Strategic merge patch: a merge patch that knows which lists are merged by which key.

Rule 1: what is merged how is told by the schema (`x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key`).
Rule 2: the directives are those of the API conventions: `$patch: replace|delete|merge`, `$retainKeys`,
        `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`. Neither argument is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from testinfra.kubernetes.fake.schema import Schema

_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE_FROM, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


class BadPatch(Exception):  # noqa: N818 - it is what the answer says, not a bug
    """The message of the 400."""


def merge(schema: Schema, original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an object becomes by a patch. Raises BadPatch for a directive that means nothing."""
    merged: dict[str, Any] = copy.deepcopy(_object(schema, dict(original), dict(patch)))
    return merged


def _object(schema: Schema, original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    how = patch.get(_PATCH)
    rest = {key: value for key, value in patch.items() if key != _PATCH}
    if how == "replace":
        cleaned: dict[str, Any] = _clean(rest)
        return cleaned
    if how == "delete":
        return {}
    if how not in {None, "merge"}:
        raise BadPatch(f"unknown patch type found: {how}")
    merged = dict(original)
    retained = rest.pop(_RETAIN, None)
    if retained is not None:
        _check_retained(retained, rest)
        merged = {key: value for key, value in merged.items() if key in retained}
    orders = {key.removeprefix(_ORDER): rest.pop(key) for key in list(rest) if key.startswith(_ORDER)}
    doomed = {key.removeprefix(_DELETE_FROM): rest.pop(key) for key in list(rest) if key.startswith(_DELETE_FROM)}
    for key, values in doomed.items():
        merged[key] = [value for value in merged.get(key) or [] if value not in values]
    for key, value in rest.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _value(_part(schema, key), merged.get(key), value)
    for key, order in orders.items():
        if isinstance(merged.get(key), list):
            merge_key = _part(schema, key).get("x-kubernetes-patch-merge-key")
            wanted = _wanted(merge_key, rest.get(key) or [], order)
            merged[key] = _arranged(merge_key, merged[key], wanted, original.get(key) or [])
    return merged


def _check_retained(retained: list[str], rest: Mapping[str, Any]) -> None:
    lost = [key for key, value in rest.items() if value is not None and key not in retained and not key.startswith("$")]
    if lost:
        raise BadPatch(f"{_RETAIN} and the patch do not agree: {', '.join(lost)} is set and not retained")


def _part(schema: Schema, key: str) -> Schema:
    known: Schema | None = (schema.get("properties") or {}).get(key)
    if known is not None:
        return known
    others = schema.get("additionalProperties")
    return others if isinstance(others, Mapping) else {}


def _value(schema: Schema, original: Any, patch: Any) -> Any:
    if isinstance(patch, dict):
        return _object(schema, original if isinstance(original, dict) else {}, patch)
    if isinstance(patch, list):
        return _list(schema, original if isinstance(original, list) else [], patch)
    return patch


def _strategies(schema: Schema) -> set[str]:
    return set(str(schema.get("x-kubernetes-patch-strategy", "")).split(","))


def _list(schema: Schema, original: list[Any], patch: list[Any]) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    replaced = any(isinstance(one, dict) and one.get(_PATCH) == "replace" and len(one) == 1 for one in patch)
    if "merge" not in _strategies(schema) or replaced:
        return [_clean(one) for one in patch if not (isinstance(one, dict) and one.keys() == {_PATCH})]
    if not key:
        merged = original + [one for one in patch if one not in original]
    else:
        merged = _keyed(schema.get("items") or {}, str(key), original, patch)
    return _arranged(key, merged, [_name(key, one) for one in patch], original)


def _keyed(items: Schema, key: str, original: list[Any], patch: list[Any]) -> list[Any]:
    merged = list(original)
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise BadPatch(f"map: {one} does not contain declared merge key: {key}")
        at = next((index for index, old in enumerate(merged) if old.get(key) == one[key]), None)
        if one.get(_PATCH) == "delete":
            merged = [old for old in merged if old.get(key) != one[key]]
        elif at is None:
            merged.append(_object(items, {}, one))
        else:
            merged[at] = _object(items, merged[at], one)
    return merged


def _name(key: str | None, item: Any) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item


def _arranged(key: str | None, merged: list[Any], order: list[Any], original: list[Any]) -> list[Any]:
    """Put the items that `order` names in its order among the others, which keep theirs.

    The server takes the next of the others only where it knows that it stood before the next named one: so a new item
    comes before whatever is left (`mergeSortedSlice` in apimachinery's `pkg/util/strategicpatch`).
    """
    before = [_name(key, item) for item in original]
    named = sorted(
        (item for item in merged if _name(key, item) in order), key=lambda item: order.index(_name(key, item))
    )
    others = [item for item in merged if _name(key, item) not in order]
    result: list[Any] = []
    while named and others:
        other, next_named = _name(key, others[0]), _name(key, named[0])
        known = other in before and next_named in before
        first = known and before.index(other) < before.index(next_named)
        result.append((others if first else named).pop(0))
    return result + named + others


def _wanted(key: str | None, sent: list[Any], order: list[Any]) -> list[Any]:
    """Give the names that `$setElementOrder` puts in order. Raises BadPatch where the patch sends others."""
    names = [_name(key, item) for item in order]
    kept = [item for item in sent if not (isinstance(item, dict) and item.get(_PATCH))]
    if any(_name(key, item) not in names for item in kept):
        raise BadPatch("The order in patch list doesn't match $setElementOrder list")
    return names


def _clean(value: Any) -> Any:
    """Take the directives and nulls out of what is set as it stands."""
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items() if one is not None and not key.startswith("$")}
    return [_clean(one) for one in value] if isinstance(value, list) else value
