"""The facts of a real server that the fake stands on: its kinds, their schemas, its first roles (`data/*.json`).

Rule 1: nothing here is written by hand; the files say which server told them and which command wrote them.
Rule 2: schemas are linked, not copied: a reference is the definition itself, so a recursive type (a CRD's own schema)
        is a cyclic structure. Walk schemas along an object, never alone, and never change them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

_PREFIX = "#/components/schemas/"


@cache
def _file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data", name).read_bytes())
    return loaded


def version() -> dict[str, str]:
    """Tell `major`, `minor` and `gitVersion` of the server that the facts are of."""
    return dict(_file("kinds.json")["version"])


def resources_told() -> list[dict[str, Any]]:
    """Give what discovery told: one record for each kind, in the server's order."""
    told: list[dict[str, Any]] = _file("kinds.json")["kinds"]
    return told


def definitions() -> dict[str, Any]:
    """Give the OpenAPI v3 component schemas, by name, with their references unresolved."""
    told: dict[str, Any] = _file("kinds.json")["definitions"]
    return told


def first_objects() -> list[dict[str, Any]]:
    """Give the RBAC objects that a new cluster starts with, as they would be created. They are the caller's own."""
    copied: list[dict[str, Any]] = json.loads(json.dumps(_file("rbac.json")["objects"]))
    return copied


def field_numbers(definition: str) -> Mapping[str, str]:
    """Give a type's protobuf field numbers: `{"1": "metadata"}`.

    `name~` is one that JSON leaves out when it is zero, `@definition` one whose fields are the type's own in JSON.
    """
    told: Mapping[str, str] = _file("protobuf.json")["messages"].get(definition, {})
    return told


@cache
def dropped_when_empty(definition: str) -> frozenset[str]:
    """Give the fields of a type that Go leaves out of JSON when they are zero or empty (`omitempty`, no pointer)."""
    found: set[str] = set()
    for told in field_numbers(definition).values():
        if told.startswith("@"):
            found |= dropped_when_empty(told[1:])
        elif told.endswith("~"):
            found.add(told[:-1])
    return frozenset(found)


@cache
def _linked() -> Mapping[str, dict[str, Any]]:
    targets: dict[str, dict[str, Any]] = json.loads(json.dumps(definitions()))
    for name, target in targets.items():
        target["$id"] = name
        if target.get("type") == "object" and not target.keys() & {"properties", "additionalProperties"}:
            target["x-kubernetes-preserve-unknown-fields"] = True  # RawExtension, FieldsV1: any object
    for target in targets.values():
        _link_inside(target, targets)
    return targets


def _link_inside(schema: dict[str, Any], targets: Mapping[str, dict[str, Any]]) -> None:
    """Replace the references in a schema's parts, in place: whoever refers to the schema sees them replaced."""
    parts = schema.get("properties", {})
    for name, part in parts.items():
        parts[name] = _link(part, targets)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _link(schema[key], targets)


def _link(schema: dict[str, Any], targets: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if "$ref" in schema:
        return targets[schema["$ref"].removeprefix(_PREFIX)]
    if len(schema.get("allOf", ())) == 1 and "$ref" in schema["allOf"][0]:
        # `{"default": {}, "allOf": [ref]}`: OpenAPI's way of saying more about a reference. The copy is shallow, so
        # that it has the definition's own `properties`, linked before or after.
        more = {key: value for key, value in schema.items() if key != "allOf"}
        return {**targets[schema["allOf"][0]["$ref"].removeprefix(_PREFIX)], **more}
    _link_inside(schema, targets)
    return schema


@cache
def _by_kind() -> Mapping[tuple[str, str, str], dict[str, Any]]:
    told = "x-kubernetes-group-version-kind"
    return {
        (of["group"], of["version"], of["kind"]): schema for schema in _linked().values() for of in schema.get(told, ())
    }


def schema_of(group: str, api_version: str, kind: str) -> dict[str, Any]:
    """Give the linked schema of a built-in kind. Raises KeyError for one that there is none of."""
    return _by_kind()[group, api_version, kind]


def schema_named(definition: str) -> dict[str, Any]:
    """Give the linked schema of a definition. Raises KeyError for one that there is none of."""
    return _linked()[definition]
