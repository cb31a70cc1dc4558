"""CustomResourceDefinitions, held to what a real server said."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from testinfra.kubernetes.fake import crds, objects
from testinfra.kubernetes.fake.kinds import Kinds, version_order

_FACTS = json.loads((Path(__file__).parent / "facts/crds.json").read_text())
_NOW = "2026-01-02T03:04:05Z"
Kindly = dict[str, Any]


def _crd(plural: str = "gadgets", kind: str = "Gadget", **names: Any) -> Kindly:
    schema = {"openAPIV3Schema": {"type": "object"}}
    crd: Kindly = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    crds.default(crd)
    return crd


def _conditions(crd: Kindly) -> dict[str, str]:
    return {one["type"]: one["status"] for one in crd["status"]["conditions"]}


@pytest.mark.parametrize("case", _FACTS, ids=lambda case: case["fact"])
def test_a_definition_is_stored_or_refused_as_by_a_real_server(case: Kindly) -> None:
    """Each cause with its reason, path and words."""
    kind = Kinds().of("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert kind
    crd = copy.deepcopy(case["crd"])
    objects.decode(kind, crd)
    objects.default(kind, crd)
    causes = [vars(cause) for cause in objects.validate(kind, crd)]
    assert causes == case.get("causes", [])
    if "given" in case:
        assert crd["spec"] == case["given"]


def test_names_are_accepted_and_the_definition_established() -> None:
    """With the conditions that `kubectl wait` waits for."""
    crd = _crd(shortNames=["gd"])
    crds.conditions(crd, Kinds(), _NOW)
    assert _conditions(crd) == {"NamesAccepted": "True", "Established": "True"}
    assert crd["status"]["acceptedNames"]["shortNames"] == ["gd"]
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crds.established(crd)


def test_a_taken_name_keeps_a_definition_from_being_served() -> None:
    """The condition names the name."""
    kinds, first, second = Kinds(), _crd(), _crd("widgets", "Gadget", singular="widget")
    kinds.add(first)
    crds.conditions(second, kinds, _NOW)
    assert _conditions(second) == {"NamesAccepted": "False", "Established": "False"}
    assert second["status"]["conditions"][0]["message"] == '"Gadget" is already in use'
    assert not crds.established(second)


def test_a_condition_that_stands_keeps_its_time() -> None:
    """Looking again changes nothing."""
    crd = _crd()
    crds.conditions(crd, Kinds(), _NOW)
    before = copy.deepcopy(crd)
    crds.conditions(crd, Kinds(), "2027-01-01T00:00:00Z")
    assert crd == before


def test_a_new_storage_version_is_remembered_beside_the_old() -> None:
    """The status tells in which versions objects may lie in the store."""
    crd = _crd()
    crds.conditions(crd, Kinds(), _NOW)
    crd["spec"]["versions"][0]["storage"] = False
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": True})
    crds.conditions(crd, Kinds(), _NOW)
    assert crd["status"]["storedVersions"] == ["v1", "v2"]


def test_scope_and_group_never_change() -> None:
    """A definition of another scope is another definition."""
    new = _crd()
    new["spec"]["scope"] = "Cluster"
    assert [str(cause) for cause in crds.validate(new, _crd())] == [
        'spec.scope: Invalid value: "Cluster": field is immutable'
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("self ==", "Syntax error"),
        ("foo == 'x'", "undeclared reference to 'foo'"),
        ("quantity(self).isGreaterThan(quantity('1'))", "no CEL function 'isGreaterThan'"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_refused_at_once(rule: str, told: str) -> None:
    """It is not passed over when an object comes."""
    crd = _crd()
    text = {"type": "string", "x-kubernetes-validations": [{"rule": rule}]}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] = {"a": text}
    (cause,) = crds.validate(crd)
    assert cause.field == "spec.validation.openAPIV3Schema.properties[a].x-kubernetes-validations[0].rule"
    assert told in cause.message


def test_kinds_come_and_go_with_their_definition() -> None:
    """Only served versions are kinds; each change has a revision of its own."""
    kinds, crd = Kinds(), _crd()
    crd["spec"]["versions"] += [{**crd["spec"]["versions"][0], "name": "v2", "storage": False, "served": False}]
    before = kinds.revision
    (kind,) = kinds.add(crd)
    assert kinds.find("example.com", "v1", "gadgets") is kind
    assert kinds.of("example.com/v1", "Gadget") is kind
    assert kinds.revision == before + 1
    assert kinds.remove("gadgets.example.com") == [kind]
    assert kinds.find("example.com", "v1", "gadgets") is None
    assert kinds.remove("gadgets.example.com") == []


def test_versions_are_ordered_as_kubernetes_does() -> None:
    """Stable before beta before alpha, the higher number first, other names last."""
    names = ["v1alpha1", "foo1", "v1", "v10", "v2beta1", "v2", "v11beta2", "v3alpha2"]
    assert sorted(names, key=version_order) == [
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v2beta1",
        "v3alpha2",
        "v1alpha1",
        "foo1",
    ]
