"""Schemas of custom kinds, held to what a real server said."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from testinfra.kubernetes.fake import objects, schema
from testinfra.kubernetes.fake.formats import fits
from testinfra.kubernetes.fake.kinds import Kind, Kinds

_FACTS = json.loads((Path(__file__).parent / "facts/schema.json").read_text())
Kindly = dict[str, Any]


def _kind(root: Kindly) -> Kind:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root}}
    names = {"plural": "facts", "kind": "Fact"}
    spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
    return Kinds().add({"metadata": {"name": "facts.example.org"}, "spec": spec})[0]


def _sent(kind: Kind, spec: Any) -> tuple[Kindly, list[Kindly]]:
    """Give what becomes of an object with this spec, and the causes against it."""
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    if spec is not None:
        obj["spec"] = copy.deepcopy(spec)
    objects.decode(kind, obj)
    objects.default(kind, obj)
    return obj, [vars(cause) for cause in objects.validate(kind, obj)]


@pytest.mark.parametrize("case", _FACTS["cases"], ids=lambda case: json.dumps(case["sent"]))
def test_an_object_is_stored_or_refused_as_by_a_real_server(case: Kindly) -> None:
    """Defaults, pruning, and each cause with its reason, path and words."""
    obj, causes = _sent(_kind(_FACTS["schema"]), case["sent"])
    if "given" in case:
        assert (obj["spec"], causes) == (case["given"], [])
    else:
        known = [cause for cause in case["causes"] if "accessor error" not in cause["message"]]
        assert causes == known


def test_unknown_fields_are_told_by_their_paths() -> None:
    """The paths are what `fieldValidation=Strict` names."""
    spec = {"color": "red", "u1": 1, "items": [{"name": "x", "zz": 1}]}
    obj: Kindly = {"apiVersion": "example.org/v1", "kind": "Fact", "metadata": {"name": "a", "bad": 1}, "spec": spec}
    assert objects.decode(_kind(_FACTS["schema"]), obj | {"foo": 1}) == [
        "foo",
        "metadata.bad",
        "spec.items[0].zz",
        "spec.u1",
    ]
    assert obj["spec"] == {"color": "red", "items": [{"name": "x"}]}


def test_a_default_is_the_objects_own() -> None:
    """Changing one object's default changes no other's."""
    root = {"type": "object", "properties": {"l": {"type": "array", "items": {"type": "string"}, "default": []}}}
    one: Kindly = {}
    other: Kindly = {}
    schema.default(root, one)
    schema.default(root, other)
    one["l"].append("x")
    assert other == {"l": []}


def test_defaults_inside_of_defaults_are_filled_in() -> None:
    """An object that a default brings has the defaults of its own properties."""
    inner = {"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}}
    value: Kindly = {}
    schema.default({"type": "object", "properties": {"a": inner}}, value)
    assert value == {"a": {"n": 3}}


def test_fields_of_preserved_objects_stay() -> None:
    """But what the schema knows inside of one is still pruned by its own schema."""
    closed = {"type": "object", "properties": {"x": {"type": "string"}}}
    root = {"type": "object", schema.PRESERVE: True, "properties": {"closed": closed}}
    value = {"any": {"thing": 1}, "closed": {"x": "a", "y": "b"}}
    assert schema.prune(root, value, root=False) == ["closed.y"]
    assert value == {"any": {"thing": 1}, "closed": {"x": "a"}}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05.123456789+01:00", "2026-01-02 03:04"),
        ("date", "2026-01-02", "2026-13-02"),
        ("duration", "-1.5h", "1x"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "2a378a74-a049-4ebb-b5f0-a685636e11d0", "2a378a74"),
        ("hostname", "a.example.com", "-a"),
        ("mac", "01:23:45:67:89:ab", "01:23"),
        ("byte", "YQ==", "Y"),
        ("k8s-short-name", "a-b", "a.b"),
    ],
)
def test_a_format_takes_its_strings_alone(name: str, good: str, bad: str) -> None:
    """One string of it, one that is none."""
    assert (fits(name, good), fits(name, bad)) == (True, False)


def test_an_unknown_format_is_not_checked() -> None:
    """As by a real server."""
    assert fits("phone", "anything")


def _with_rule(rule: Kindly, of: Kindly) -> Kind:
    root = {"type": "object", "properties": {"spec": {**of, "x-kubernetes-validations": [rule]}}}
    return _kind(root)


def _broken(kind: Kind, new: Any, old: Any = None) -> list[str]:
    head = {"apiVersion": "example.org/v1", "kind": "Fact", "metadata": {"name": "x"}}
    before = {**head, "spec": old} if old is not None else None
    return [str(cause) for cause in objects.validate(kind, {**head, "spec": new}, before)]


def test_an_immutable_field_may_be_set_and_not_changed() -> None:
    """`self == oldSelf` is asked only where there was a value before."""
    kind = _with_rule({"rule": "self == oldSelf", "message": "is immutable"}, {"type": "string"})
    assert _broken(kind, "a") == []
    assert _broken(kind, "a", "a") == []
    assert _broken(kind, "b", "a") == ['spec: Invalid value: "b": is immutable']


def test_items_of_a_keyed_list_are_compared_by_their_keys() -> None:
    """Whatever their order."""
    number = {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "shrinks"}]}
    item = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "n": number}}
    of = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item}
    kind = _kind({"type": "object", "properties": {"spec": of}})
    old = [{"name": "a", "n": 1}, {"name": "b", "n": 5}]
    assert _broken(kind, [{"name": "b", "n": 6}, {"name": "a", "n": 1}], old) == []
    assert _broken(kind, [{"name": "b", "n": 4}], old) == ["spec[0].n: Invalid value: 4: shrinks"]


@pytest.mark.parametrize(
    ("rule", "of", "good", "bad"),
    [
        ("self.matches('^a+$')", {"type": "string"}, "aa", "b"),
        ("duration(self.d) > duration('1h')", {"type": "object"}, None, None),
        (
            "self > timestamp('2026-01-01T00:00:00Z')",
            {"type": "string", "format": "date-time"},
            "2026-06-01T00:00:00Z",
            "2025-01-01T00:00:00Z",
        ),
        ("self.all(x, x.startsWith('a'))", {"type": "array", "items": {"type": "string"}}, ["ab"], ["b"]),
        ("self.isSorted() && self.sum() < 10", {"type": "array", "items": {"type": "integer"}}, [1, 2], [2, 1]),
        ("self.split('/').size() == 2", {"type": "string"}, "a/b", "a"),
        (
            "self.a__dash__b == 1",
            {"type": "object", "properties": {"a-b": {"type": "integer"}}},
            {"a-b": 1},
            {"a-b": 2},
        ),
    ],
)
def test_rules_know_kubernetes_words(rule: str, of: Kindly, good: Any, bad: Any) -> None:
    """Times, lists, strings, and properties whose names are no identifiers."""
    if good is None:
        of = {"type": "object", "properties": {"d": {"type": "string"}}}
        good, bad = {"d": "2h"}, {"d": "1m"}
    kind = _with_rule({"rule": rule}, of)
    assert (_broken(kind, good), len(_broken(kind, bad))) == ([], 1)
