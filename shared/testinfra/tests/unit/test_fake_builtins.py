"""Built-in kinds: what a real server fills in, refuses, and reads from protobuf."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from testinfra.kubernetes.fake import objects, protobufs, scale
from testinfra.kubernetes.fake.kinds import Kind, Kinds

_FACTS = Path(__file__).parent / "facts"
_DEFAULTS = json.loads((_FACTS / "defaults.json").read_text())
_PROTOBUF = json.loads((_FACTS / "protobuf.json").read_text())
_KINDS = Kinds()
Kindly = dict[str, Any]


def _kind(name: str, api_version: str = "v1") -> Kind:
    kind = _KINDS.of(api_version, name)
    assert kind
    return kind


def _refusal(kind: Kind, body: Kindly, old: Kindly | None = None) -> list[str]:
    obj: Kindly = {"metadata": {"name": "x", "uid": "u"}, **copy.deepcopy(body), "kind": kind.kind}
    objects.decode(kind, obj)
    objects.default(kind, obj)
    return [str(cause) for cause in objects.validate(kind, obj, old)]


def _as_comparable(obj: Kindly) -> Kindly:
    """Without what every server and run gives anew."""
    copied = copy.deepcopy(obj)
    for key in ("uid", "resourceVersion", "generation", "creationTimestamp", "namespace"):
        copied["metadata"].pop(key, None)
    for key in ("clusterIP", "clusterIPs"):
        copied.get("spec", {}).pop(key, None)
    return copied


@pytest.mark.parametrize("case", _DEFAULTS, ids=lambda case: case["sent"]["kind"])
def test_the_smallest_object_comes_back_as_from_a_real_server(case: Kindly) -> None:
    """With every default, and no cause against it."""
    sent = copy.deepcopy(case["sent"])
    sent["metadata"]["uid"] = case["given"]["metadata"]["uid"]
    kind = _kind(sent["kind"], sent["apiVersion"])
    assert objects.decode(kind, sent) == []
    objects.default(kind, sent)
    assert objects.validate(kind, sent) == []
    assert objects.validate_metadata(kind, sent) == []
    assert _as_comparable(sent) == _as_comparable(case["given"])


@pytest.mark.parametrize("case", _DEFAULTS, ids=lambda case: case["sent"]["kind"])
def test_filling_in_again_changes_nothing(case: Kindly) -> None:
    """An update of a stored object is the object."""
    stored = copy.deepcopy(case["given"])
    kind = _kind(stored["kind"], stored["apiVersion"])
    objects.decode(kind, stored)
    objects.default(kind, stored)
    assert stored == case["given"] or stored["kind"] in {"Event", "HorizontalPodAutoscaler"}
    assert objects.validate(kind, stored, stored) == []


@pytest.mark.parametrize("case", _PROTOBUF, ids=lambda case: case["json"]["kind"])
def test_protobuf_says_what_json_says(case: Kindly) -> None:
    """Maps, times, numbers or texts, inlined structs, zeros of pointers, schemas."""
    assert protobufs.read(base64.b64decode(case["protobuf"])) == case["json"]


def test_options_of_a_delete_are_of_any_group() -> None:
    """A typed client says its own group's; zero seconds are told, not left out."""
    body = b"k8s\x00\x0a\x18\x0a\x07apps/v1\x12\x0dDeleteOptions\x12\x02\x08\x00"
    assert protobufs.read(body) == {"apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", "does not appear to be a protobuf message"),
        (b"k8s\x00\x0a\x0a\x0a\x02v1\x12\x04Nope", 'no kind "Nope" is registered for version "v1"'),
        (base64.b64decode(_PROTOBUF[0]["protobuf"])[:-40], "unexpected EOF"),
    ],
    ids=["json", "unknown kind", "cut off"],
)
def test_what_is_no_protobuf_is_refused(body: bytes, told: str) -> None:
    """With the reason, never half read."""
    with pytest.raises(ValueError, match=told):
        protobufs.read(body)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"data": {"a": 1}}, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ({"data": "x"}, "json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string"),
        ({"immutable": "x"}, "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool"),
        (
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        ({"binaryData": {"a": "%%"}}, "illegal base64 data at input byte 0"),
    ],
)
def test_a_value_of_a_wrong_type_is_told_as_by_go(body: Kindly, told: str) -> None:
    """The struct, the path and the Go type."""
    with pytest.raises(objects.Undecodable) as caught:
        objects.decode(_kind("ConfigMap"), {"metadata": {}, **body})
    assert str(caught.value) == told


def test_a_micro_time_needs_its_six_digits() -> None:
    """As Go's parser does: a client that writes whole seconds learns it here, not in production."""
    with pytest.raises(objects.Undecodable, match=r'cannot parse "Z" as "\.000000"'):
        objects.decode(_kind("Lease", "coordination.k8s.io/v1"), {"spec": {"renewTime": "2026-01-01T00:00:00Z"}})


def test_nulls_and_what_is_empty_are_not_set() -> None:
    """But a pointer's zero is a value."""
    obj: Kindly = {"metadata": {"labels": {}}, "data": {"a": None}, "immutable": False}
    objects.decode(_kind("ConfigMap"), obj)
    assert obj == {"metadata": {}, "data": {"a": ""}, "immutable": False}


_POD = {"containers": [{"name": "c", "image": "i"}]}
_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": _POD}


@pytest.mark.parametrize(
    ("api_version", "name", "body", "told"),
    [
        (
            "v1",
            "ConfigMap",
            {"data": {"a": "x"}, "binaryData": {"a": "YQ=="}},
            'data[a]: Invalid value: "a": duplicate of key present in binaryData',
        ),
        ("v1", "Secret", {"type": "kubernetes.io/tls"}, "data[tls.crt]: Required value"),
        ("v1", "Service", {"spec": {}}, "spec.ports: Required value"),
        (
            "v1",
            "Service",
            {"spec": {"ports": [{"port": 0}]}},
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            "v1",
            "Service",
            {"spec": {"type": "Foo", "ports": [{"port": 1}]}},
            'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName"',
        ),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [{"name": "A", "image": "i"}, {"name": "x"}]}},
            "spec.containers[1].image: Required value",
        ),
        ("apps/v1", "Deployment", {"spec": {"template": _TEMPLATE}}, "spec.selector: Required value"),
        (
            "apps/v1",
            "Deployment",
            {"spec": {"selector": {"matchLabels": {"a": "c"}}, "template": _TEMPLATE}},
            'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
        (
            "batch/v1",
            "Job",
            {"spec": {"template": {"spec": _POD}}},
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        ("batch/v1", "CronJob", {"spec": {}}, "spec.schedule: Required value"),
        (
            "coordination.k8s.io/v1",
            "Lease",
            {"spec": {"leaseDurationSeconds": 0}},
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "Role",
            {"rules": [{"apiGroups": [""], "resources": ["pods"]}]},
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {"roleRef": {"kind": "X", "name": "y"}},
            'roleRef.kind: Unsupported value: "X": supported values: "Role", ',
        ),
    ],
)
def test_everyday_mistakes_are_refused(api_version: str, name: str, body: Kindly, told: str) -> None:
    """In the server's words."""
    assert any(cause.startswith(told) for cause in _refusal(_kind(name, api_version), body))


@pytest.mark.parametrize(
    ("api_version", "name", "old", "new", "told"),
    [
        (
            "v1",
            "ConfigMap",
            {"immutable": True, "data": {"a": "b"}},
            {"immutable": True, "data": {"a": "c"}},
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        ("v1", "Secret", {"type": "Opaque"}, {"type": "x"}, 'type: Invalid value: "x": field is immutable'),
        (
            "apps/v1",
            "Deployment",
            {"spec": {"selector": {"matchLabels": {"x": "y"}}}},
            {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}},
            'spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {"roleRef": {"kind": "Role", "name": "x"}},
            {"roleRef": {"apiGroup": "g", "kind": "Role", "name": "y"}},
            'roleRef: Invalid value: {"apiGroup":"g","kind":"Role","name":"y"}: cannot change roleRef',
        ),
    ],
)
def test_what_never_changes_is_kept(api_version: str, name: str, old: Kindly, new: Kindly, told: str) -> None:
    """An update that tries is refused."""
    assert any(cause.startswith(told) for cause in _refusal(_kind(name, api_version), new, old))


@pytest.mark.parametrize(
    ("name", "meta", "told"),
    [
        ("ConfigMap", {"name": "a_b"}, "metadata.name: Invalid value"),
        ("ConfigMap", {"name": "a" * 254}, "must be no more than 253 characters"),
        ("ConfigMap", {}, "metadata.name: Required value: name or generateName is required"),
        ("Namespace", {"name": "a.b"}, 'metadata.name: Invalid value: "a.b": must not contain dots'),
        ("ConfigMap", {"name": "a", "labels": {"a b": "c"}}, "name part must consist of"),
        ("ConfigMap", {"name": "a", "labels": {"A_/x": "c"}}, "prefix part a lowercase RFC 1123 subdomain"),
        ("ConfigMap", {"name": "a", "labels": {"a": "c" * 64}}, "must be no more than 63 bytes"),
        ("ConfigMap", {"name": "a", "annotations": {"a": "c" * 270000}}, "may not be more than 262144 bytes"),
        (
            "ConfigMap",
            {"name": "a", "finalizers": ["foo"]},
            "neither a standard finalizer name nor is it fully qualified",
        ),
        (
            "ConfigMap",
            {"name": "a", "ownerReferences": [{"kind": "Pod", "name": "x", "uid": "y"}]},
            "version must not be empty",
        ),
        (
            "ConfigMap",
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "y"}]},
            "/v1, Kind=Event is disallowed from being an owner",
        ),
        (
            "ConfigMap",
            {
                "name": "a",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "xy"
                ],
            },
            "Only one reference can have Controller set to true",
        ),
    ],
    ids=range(12),
)
def test_bad_metadata_is_refused(name: str, meta: Kindly, told: str) -> None:
    """Names, labels, annotations, finalizers and owners."""
    causes = objects.validate_metadata(_kind(name), {"metadata": meta})
    assert any(told in str(cause) for cause in causes)


def test_roles_have_names_of_any_form() -> None:
    """`system:discovery` is one."""
    kind = _kind("ClusterRole", "rbac.authorization.k8s.io/v1")
    assert objects.validate_metadata(kind, {"metadata": {"name": "system:x:Y"}}) == []
    assert objects.validate_metadata(kind, {"metadata": {"name": "a/b"}})


def test_a_scale_reads_and_writes_the_replicas() -> None:
    """And tells the selector as text."""
    kind = _kind("Deployment", "apps/v1")
    obj: Kindly = {"metadata": {"name": "d"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}}}
    told = scale.read(kind, obj)
    assert (told["spec"], told["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "a=b"})
    scale.write(kind, obj, {"spec": {"replicas": 7}})
    assert obj["spec"]["replicas"] == 7
