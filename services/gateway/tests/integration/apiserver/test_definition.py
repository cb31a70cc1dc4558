"""The definition as a real API server enforces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gateway import resources
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Create = Callable[..., Json]


def _spec(**changes: Any) -> Json:
    own: Json = {
        "signalFingerprint": "0" * 64,
        "signalName": "A",
        "severity": "info",
        "signalType": "prometheus-alert",
        "targetType": "kubernetes",
        "targetResource": {"kind": "Pod", "name": "x"},
        "firingTime": "2026-11-21T10:00:00Z",
        "receivedTime": "2026-11-21T10:00:00Z",
    }
    return {**own, **changes}


@pytest.fixture
def create(rest: Rest, namespace: Cluster, crds: list[str]) -> Create:
    """Give a function that creates a resource with its spec changed."""

    def make(name: str = "x", **changes: Any) -> Json:
        body = {
            "apiVersion": "kubernaut.ai/v1alpha1",
            "kind": "RemediationRequest",
            "metadata": {"name": name},
            "spec": _spec(**changes),
        }
        return rest.post(resources.path(namespace.namespace), body)

    return make


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signalFingerprint", "0" * 63),
        ("signalFingerprint", "0" * 65),
        ("signalFingerprint", "G" * 64),
        ("signalFingerprint", "A" * 64),
        ("signalName", ""),
        ("signalName", "x" * 254),
        ("severity", "page"),
        ("signalType", "other"),
        ("targetType", "vm"),
        ("targetResource", {"kind": "Pod"}),
        ("targetResource", {"kind": "", "name": "x"}),
        ("signalLabels", {"a": "x" * 64}),
        ("signalAnnotations", {"a": "x" * 262_145}),
        ("firingTime", "yesterday"),
        ("receivedTime", None),
    ],
)
def test_what_the_schema_refuses(create: Create, field: str, value: Any) -> None:
    """422, and the field is named."""
    with pytest.raises(ApiError) as caught:
        create(**{field: value})
    assert caught.value.status == 422
    assert any(field in cause["field"] for cause in caught.value.details["causes"])


def test_the_fingerprint_is_immutable(create: Create, rest: Rest, namespace: Cluster) -> None:
    """By CEL; other fields may change."""
    create()
    path = resources.path(namespace.namespace, "x")
    with pytest.raises(ApiError) as caught:
        rest.patch(path, {"spec": {"signalFingerprint": "1" * 64}})
    assert caught.value.status == 422
    assert "immutable" in caught.value.message
    assert rest.patch(path, {"spec": {"severity": "critical"}})["spec"]["severity"] == "critical"


def test_the_defaults_are_in_every_answer(create: Create, rest: Rest, namespace: Cluster) -> None:
    """Of the POST, of GET, of LIST and of WATCH, though nobody wrote a status."""
    wanted = {"overallPhase": "Pending", "deduplication": {"occurrenceCount": 1}}
    made = create()
    collection = resources.path(namespace.namespace)
    listed = rest.get(collection)
    watched = next(rest.watch(collection, within=5, resourceVersion="0"))
    read = rest.get(resources.path(namespace.namespace, "x"))
    assert [each["status"] for each in (made, read, listed["items"][0], watched["object"])] == [wanted] * 4


def test_a_status_in_a_post_is_dropped(rest: Rest, namespace: Cluster, crds: list[str]) -> None:
    """It is a subresource: who makes a resource does not say how far it is."""
    body = {
        "apiVersion": "kubernaut.ai/v1alpha1",
        "kind": "RemediationRequest",
        "metadata": {"name": "x"},
        "spec": _spec(),
        "status": {"overallPhase": "Completed"},
    }
    assert rest.post(resources.path(namespace.namespace), body)["status"]["overallPhase"] == "Pending"


@pytest.mark.parametrize(
    "status",
    [
        {"overallPhase": "Done"},
        {"deduplication": {"occurrenceCount": 0}},
        {"deduplication": {"writers": {f"w{number}": 1 for number in range(9)}}},
        {"conditions": [{"type": "Ready"}]},
    ],
    ids=["phase", "count", "writers", "condition"],
)
def test_a_status_that_is_refused(create: Create, rest: Rest, namespace: Cluster, status: Json) -> None:
    """422 for each."""
    create()
    with pytest.raises(ApiError) as caught:
        rest.patch(resources.path(namespace.namespace, "x", "status"), {"status": status})
    assert caught.value.status == 422


def test_it_can_be_selected_by_its_fingerprint(create: Create, rest: Rest, namespace: Cluster) -> None:
    """A selectable field: the server filters."""
    create("a")
    create("b", signalFingerprint="b" * 64)
    found = rest.get(resources.path(namespace.namespace), fieldSelector=f"spec.signalFingerprint={'b' * 64}")
    assert [item["metadata"]["name"] for item in found["items"]] == ["b"]


def test_no_warning_is_given(crds: list[str], rest: Rest) -> None:
    """The server accepts the definition as structural, and serves it."""
    conditions = rest.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crds[0]}")["status"]["conditions"]
    states = {each["type"]: each["status"] for each in conditions}
    assert states["Established"] == states["NamesAccepted"] == "True"
    assert states.get("NonStructuralSchema", "False") == "False"
