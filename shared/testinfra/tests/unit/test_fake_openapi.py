"""OpenAPI v3: what kubectl looks for in it."""

from __future__ import annotations

import json
from typing import Any

from testinfra.kubernetes.fake import openapi
from testinfra.kubernetes.fake.kinds import Kinds

_GVK = "x-kubernetes-group-version-kind"


def _kinds(**properties: Any) -> Kinds:
    kinds = Kinds()
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    names = {"plural": "gadgets", "kind": "Gadget"}
    spec = {"group": "shop.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    kinds.add({"metadata": {"name": "gadgets.shop.example.com"}, "spec": spec})
    return kinds


def _document(kinds: Kinds, key: str) -> dict[str, Any]:
    found = openapi.document(kinds, key)
    assert found
    return found


def test_every_document_of_the_index_is_there_and_whole() -> None:
    """No reference in it leads nowhere."""
    kinds = _kinds(spec={"type": "object"})
    for key in openapi.index(kinds)["paths"]:
        document = _document(kinds, key)
        text = json.dumps(document)
        for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
            assert name in document["components"]["schemas"], (key, name)
        assert document["paths"], key


def test_an_operation_tells_its_kind_and_that_fields_are_validated() -> None:
    """It is sent only to a server that names it."""
    paths = _document(Kinds(), "apis/apps/v1")["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch[_GVK] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"fieldValidation", "dryRun"} <= {one["name"] for one in patch["parameters"]}
    assert openapi.STRATEGIC in patch["requestBody"]["content"]


def test_a_custom_kind_takes_no_strategic_patch() -> None:
    """So kubectl makes merge patches for it."""
    paths = _document(_kinds(), "apis/shop.example.com/v1")["paths"]
    patch = paths["/apis/shop.example.com/v1/namespaces/{namespace}/gadgets/{name}"]["patch"]
    assert set(patch["requestBody"]["content"]) == {"application/json-patch+json", "application/merge-patch+json"}
    assert "/apis/shop.example.com/v1/namespaces/{namespace}/gadgets/{name}/status" in paths


def test_a_custom_kind_has_its_schema_under_its_name() -> None:
    """With metadata of every object, and int-or-string in OpenAPI's words."""
    port = {"x-kubernetes-int-or-string": True, "description": "Where"}
    schemas = _document(_kinds(port=port), "apis/shop.example.com/v1")["components"]["schemas"]
    gadget = schemas["com.example.shop.v1.Gadget"]
    assert gadget[_GVK] == [{"group": "shop.example.com", "kind": "Gadget", "version": "v1"}]
    assert gadget["properties"]["port"] == {**port, "oneOf": [{"type": "integer"}, {"type": "string"}]}
    assert "metadata" in gadget["properties"]
    assert schemas["com.example.shop.v1.GadgetList"]["properties"]["items"]["items"]["$ref"].endswith(".Gadget")


def test_a_changed_schema_has_another_address() -> None:
    """Clients keep documents by their hash."""
    one, other = (openapi.index(_kinds(a={"type": kind}))["paths"] for kind in ("string", "integer"))
    key = "apis/shop.example.com/v1"
    assert one[key] != other[key]
    assert one["api/v1"] == other["api/v1"]


def test_what_is_not_served_has_no_document() -> None:
    """Neither before nor after its CRD."""
    assert openapi.document(Kinds(), "apis/shop.example.com/v1") is None
