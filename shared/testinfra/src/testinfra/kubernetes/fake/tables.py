"""Tables: what `kubectl get` asks for, a row for each object (`as=Table;v=v1;g=meta.k8s.io`).

Rule 1: a kind's columns are the server's own (`printed`), or its CRD's `additionalPrinterColumns`; any other kind has
        its name and its age.
Rule 2: a cell that a broken object gives nothing for is "<unknown>" or empty: a table never fails.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from testinfra.kubernetes.fake import formats, jsonpaths, printed
from testinfra.kubernetes.fake.columns import NAME, Column, age
from testinfra.kubernetes.fake.kinds import Kind
from testinfra.kubernetes.fake.schema import type_of

_GROUP = "meta.k8s.io"
_CELLS = {"integer": {"integer"}, "number": {"integer", "number"}, "boolean": {"boolean"}}


def wants_table(accept: str) -> bool:
    """Tell whether an Accept header asks for a table before it asks for the objects themselves."""
    for asked in accept.split(","):
        name, *parameters = [part.strip() for part in asked.split(";")]
        given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if name == "application/json":
            return given.get("as") == "Table" and given.get("g") == _GROUP and given.get("v") == "v1"
    return False


def table(
    kind: Kind,
    objects: Sequence[Mapping[str, Any]],
    *,
    list_metadata: Mapping[str, Any] | None = None,
    include_object: str = "Metadata",
    columns: bool = True,
    now: dt.datetime | None = None,
) -> dict[str, Any]:
    """Give the Table of some objects of a kind.

    `include_object` is the query parameter includeObject (None, Metadata, Object); `list_metadata` is a list's
    metadata, where the objects come from a list; `columns` is False from a watch's second event on.
    """
    at = now or dt.datetime.now(dt.UTC)
    shown = _columns(kind)
    rows = [
        {"cells": [column.cell(one, at) for column in shown], "object": _included(one, include_object)}
        for one in objects
    ]
    version = objects[0]["metadata"].get("resourceVersion", "") if len(objects) == 1 else ""
    definitions = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in shown
    ]
    return {
        "kind": "Table",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": dict(list_metadata) if list_metadata is not None else {"resourceVersion": version},
        "columnDefinitions": definitions if columns else None,
        "rows": rows,
    }


def _included(one: Mapping[str, Any], how: str) -> Mapping[str, Any] | None:
    if how == "None":
        return None
    if how == "Object":
        return one
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{_GROUP}/v1", "metadata": one["metadata"]}


def _columns(kind: Kind) -> Sequence[Column]:
    if not kind.crd:
        return printed.of(kind)
    told = kind.columns or ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)
    return (NAME, *map(_custom, told))


def _custom(told: Mapping[str, Any]) -> Column:
    def cell(one: Mapping[str, Any], now: dt.datetime) -> Any:
        found = jsonpaths.find(told["jsonPath"], one)
        return _cell(told["type"], found, now) if found else None

    description = (
        told.get("description") or f"Custom resource definition column (in JSONPath format): {told['jsonPath']}"
    )
    return Column(
        name=told["name"],
        type=told["type"],
        format=told.get("format", ""),
        description=description,
        priority=told.get("priority", 0),
        cell=cell,
    )


def _cell(kind: str, found: Sequence[Any], now: dt.datetime) -> Any:
    value = found[0]
    if kind == "string":
        return str(value) if not isinstance(value, bool) else str(value).lower()
    if kind == "date":
        try:
            return age(formats.instant(value), now)
        except (ValueError, TypeError):
            return "<invalid>"
    return value if type_of(value) in _CELLS[kind] else None
