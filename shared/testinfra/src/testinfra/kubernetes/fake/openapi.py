"""OpenAPI v3, as much as clients read: schemas, and the operations by which kubectl tells what the server can do.

kubectl finds a kind's schema by the operations' and schemas' `x-kubernetes-group-version-kind`, asks an operation's
parameters whether the server validates fields and knows dry runs, and which patches it takes.

Rule 1: documents have no descriptions (a difference: `kubectl explain` shows types and no texts).
Rule 2: there is no OpenAPI v2: every client that can ask for v3 does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from testinfra.kubernetes.fake import builtin
from testinfra.kubernetes.fake.kinds import Kind, Kinds
from testinfra.kubernetes.fake.schema import EMBEDDED, INT_OR_STRING

_REF = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_GVK = "x-kubernetes-group-version-kind"
_WRITE = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_READ = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
_DELETE = (
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)
# verb -> (method, query parameters, on a single object)
_OPERATIONS: Mapping[str, tuple[str, tuple[tuple[str, str], ...], bool]] = {
    "list": ("get", _READ, False),
    "create": ("post", _WRITE, False),
    "deletecollection": ("delete", _DELETE + _READ, False),
    "get": ("get", (), True),
    "update": ("put", _WRITE, True),
    "patch": ("patch", (*_WRITE, ("force", "boolean")), True),
    "delete": ("delete", _DELETE, True),
}
_PATCHES = ("application/json-patch+json", "application/merge-patch+json")
STRATEGIC = "application/strategic-merge-patch+json"


def _keys(kinds: Kinds) -> Iterator[tuple[str, str, str]]:
    for group in kinds.groups():
        for version in kinds.versions(group):
            yield (f"apis/{group}/{version}" if group else f"api/{version}"), group, version


def index(kinds: Kinds) -> dict[str, Any]:
    """Answer `/openapi/v3`: the address of each group and version's document, with a hash that says when it changed."""
    paths = {}
    for key, group, version in _keys(kinds):
        told = [repr((kind.crd_version, kind.kind, kind.plural)) for kind in kinds.in_version(group, version)]
        digest = hashlib.sha512("".join(told).encode()).hexdigest().upper()
        paths[key] = {"serverRelativeURL": f"/openapi/v3/{key}?hash={digest}"}
    return {"paths": paths}


def document(kinds: Kinds, key: str) -> dict[str, Any] | None:
    """Answer `/openapi/v3/<key>` (`api/v1`, `apis/apps/v1`); None for one that is not served."""
    served = {key: (group, version) for key, group, version in _keys(kinds)}.get(key)
    if served is None:
        return None
    of_version = kinds.in_version(*served)
    schemas: dict[str, Any] = {}
    for kind in of_version:
        schemas |= _custom_schemas(kind) if kind.crd else {}
    builtins = builtin.definitions()
    wanted = {name for name, one in builtins.items() if _is_of(one, *served)}
    wanted |= {_META + name for name in ("ObjectMeta", "ListMeta", "DeleteOptions", "Status")}
    schemas |= _reachable(builtins, wanted)
    schemas[_META + "Patch"] = {"type": "object"}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "{major}.{minor}".format(**builtin.version())},
        "paths": {path: item for kind in of_version for path, item in _paths(kind).items()},
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _is_of(definition: Mapping[str, Any], group: str, version: str) -> bool:
    return any((of["group"], of["version"]) == (group, version) for of in definition.get(_GVK, ()))


def _reachable(definitions: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in definitions and name not in found:
            found[name] = definitions[name]
            wanted.update(_references(definitions[name]))
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REF)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _name(kind: Kind) -> str:
    if kind.crd:
        return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
    named = builtin.schema_of(kind.group, kind.version, kind.kind)["$id"]
    return str(named)


def _gvk(kind: Kind, name: str) -> list[dict[str, str]]:
    return [{"group": kind.group, "kind": name, "version": kind.version}]


def _custom_schemas(kind: Kind) -> dict[str, Any]:
    text = {"type": "string"}
    typed = {"apiVersion": text, "kind": text}
    own = _published(json.loads(json.dumps(kind.schema)))
    own["properties"] = {
        **own.get("properties", {}),
        **typed,
        "metadata": {"allOf": [{"$ref": f"{_REF}{_META}ObjectMeta"}]},
    }
    own[_GVK] = _gvk(kind, kind.kind)
    if kind.selectable:
        own["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in kind.selectable]
    many = {
        "type": "object",
        "required": ["items"],
        "properties": {
            **typed,
            "items": {"type": "array", "items": {"$ref": _REF + _name(kind)}},
            "metadata": {"allOf": [{"$ref": f"{_REF}{_META}ListMeta"}]},
        },
        _GVK: _gvk(kind, kind.list_kind),
    }
    return {_name(kind): own, _name(kind) + "List": many}


def _published(schema: Any) -> Any:
    """Say a CRD's schema in OpenAPI's own words where it uses Kubernetes'."""
    if isinstance(schema, list):
        return [_published(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _published(value) for key, value in schema.items()}
    if schema.get(INT_OR_STRING) is True and "type" not in schema:
        told["oneOf"] = [{"type": "integer"}, {"type": "string"}]
    if schema.get(EMBEDDED) is True:
        reference = {"allOf": [{"$ref": f"{_REF}{_META}ObjectMeta"}]}
        told["properties"] = {**told.get("properties", {}), "metadata": reference}
    return told


def _paths(kind: Kind) -> dict[str, Any]:
    scoped = kind.path("{namespace}" if kind.namespaced else "")
    paths: dict[str, Any] = {}
    for verb, (method, query, single) in _OPERATIONS.items():
        if verb in kind.verbs:
            path = scoped + ("/{name}" if single else "")
            paths.setdefault(path, {})[method] = _operation(kind, verb, query, _name(kind), _gvk(kind, kind.kind)[0])
    if kind.namespaced and "list" in kind.verbs:
        paths[kind.path()] = {"get": _operation(kind, "list", _READ, _name(kind), _gvk(kind, kind.kind)[0])}
    for sub in kind.subresources.values():
        of = {"group": sub.group, "version": sub.version, "kind": sub.kind}
        item = paths.setdefault(f"{scoped}/{{name}}/{sub.name}", {})
        for verb in sub.verbs:
            method, query, _ = _OPERATIONS[verb]
            item[method] = _operation(kind, verb, query, _name(kind), of)
    return paths


def _operation(
    kind: Kind, verb: str, query: tuple[tuple[str, str], ...], schema: str, of: Mapping[str, str]
) -> dict[str, Any]:
    answer = {"$ref": _REF + schema + ("List" if verb == "list" else "")}
    told: dict[str, Any] = {
        "operationId": f"{verb}{kind.group.title().replace('.', '')}{kind.version.title()}{kind.kind}",
        "parameters": [{"name": name, "in": "query", "schema": {"type": one}} for name, one in query],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}},
        "x-kubernetes-action": {"create": "post", "update": "put"}.get(verb, verb),
        _GVK: dict(of),
    }
    if verb == "patch":
        forms = _PATCHES if kind.crd else (*_PATCHES, STRATEGIC)
        told["requestBody"] = {"content": {form: {"schema": {"$ref": f"{_REF}{_META}Patch"}} for form in forms}}
    elif verb in {"create", "update"}:
        told["requestBody"] = {"content": {"application/json": {"schema": {"$ref": _REF + schema}}}}
    return told
