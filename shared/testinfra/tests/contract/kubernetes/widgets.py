"""The custom resource of these tests, with every sort of schema that is checked; installed once for all of them."""

from __future__ import annotations

from http.client import TOO_MANY_REQUESTS
from typing import Any

from shared.testinfra.tests.contract.kubernetes.room import GROUP, Object
from testinfra.kubernetes.rest import CONFLICT, NOT_FOUND, ApiError, Rest
from testinfra.servers.ready import wait_until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

SPEC: Object = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "color": {"type": "string", "enum": ["red", "green", "blue"], "default": "red"},
        "title": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 8},
        "at": {"type": "string", "format": "date-time"},
        "port": {"x-kubernetes-int-or-string": True},
        "note": {"type": "string", "nullable": True},
        "fixed": {
            "type": "string",
            "maxLength": 20,
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}],
        },
        "low": {"type": "integer"},
        "high": {"type": "integer"},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 20}},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "protocol": {"type": "string", "default": "TCP"},
                },
            },
        },
        "options": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [
        {
            "rule": "!has(self.low) || !has(self.high) || self.low <= self.high",
            "messageExpression": "self.low > 100 ? 'low is far too high' : 'low is above high'",
            "fieldPath": ".high",
            "reason": "FieldValueForbidden",
        },
        {"rule": "!has(self.tags) || self.tags.all(tag, tag.startsWith('t'))", "message": "tags start with t"},
        {"rule": "has(self.fixed) || !has(oldSelf.fixed)", "message": "fixed stays"},
    ],
}
STATUS: Object = {
    "type": "object",
    "properties": {"phase": {"type": "string"}, "observedGeneration": {"type": "integer"}},
}


def definition(plural: str, kind: str, spec: Object, *, scope: str = "Namespaced", **version: Any) -> Object:
    """A CustomResourceDefinition of one version, v1, with the status subresource; `version` adds to that version."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "scope": scope,
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": f"{kind}, made for the contract tests",
                            "properties": {"spec": spec, "status": STATUS},
                        }
                    },
                    **version,
                }
            ],
        },
    }


def widgets() -> Object:
    """The definition of widgets: two served versions of one schema, printer columns, a selectable field."""
    found = definition(
        "widgets",
        "Widget",
        SPEC,
        additionalPrinterColumns=[
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        ],
        selectableFields=[{"jsonPath": ".spec.color"}],
    )
    found["spec"]["names"] |= {"shortNames": ["wdg"], "categories": ["contract"]}
    found["spec"]["versions"].append({**found["spec"]["versions"][0], "name": "v1beta1", "storage": False})
    return found


def install(rest: Rest, crd: Object) -> Object:
    """Create the definition, or use the one that is there; gives it once objects of its kind can be made."""
    name = crd["metadata"]["name"]
    try:
        rest.post(CRDS, crd)
    except ApiError as exc:
        if exc.status != CONFLICT:
            raise
    group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]

    paths = [f"/apis/{group}/{each['name']}/{plural}" for each in crd["spec"]["versions"] if each["served"]]
    wait_until(
        lambda: established(rest.get(f"{CRDS}/{name}")) and all(served(rest, path) for path in paths),
        what=f"{name} is established and served",
        timeout=20,
    )
    return rest.get(f"{CRDS}/{name}")


def established(crd: Object) -> bool:
    """Whether its conditions say so."""
    conditions = crd["status"].get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def served(rest: Rest, path: str) -> bool:
    """Whether the collection can be listed; a server that is just changing over says 429."""
    try:
        rest.get(path, limit=1)
    except ApiError as exc:
        if exc.status not in (NOT_FOUND, TOO_MANY_REQUESTS):
            raise
        return False
    return True
