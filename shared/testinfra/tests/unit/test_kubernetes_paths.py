"""The fake's reading of requests: what authorization and the audit log see."""

from __future__ import annotations

import pytest

from testinfra.kubernetes.paths import read, selected_name


@pytest.mark.parametrize(
    ("method", "path", "seen"),
    [
        ("GET", "/api/v1/namespaces", ("list", "", "v1", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "v1", "namespaces", "a", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "v1", "namespaces", "a", "a", "finalize")),
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("deletecollection", "", "v1", "pods", "a", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods/p", ("delete", "", "v1", "pods", "a", "p", "")),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            ("patch", "apps", "v1", "deployments", "a", "d", "scale"),
        ),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", ("create", "apps", "v1", "deployments", "a", "", "")),
        ("GET", "/apis/apps/v1", ("get", "", "", "", "", "", "")),
        ("GET", "/readyz", ("get", "", "", "", "", "", "")),
    ],
)
def test_a_request_is_for(method: str, path: str, seen: tuple[str, ...]) -> None:
    """Verb, group, version, resource, namespace, name and subresource."""
    found = read(method, path, {})
    assert (
        found.verb,
        found.group,
        found.version,
        found.resource,
        found.namespace,
        found.name,
        found.subresource,
    ) == seen


def test_a_list_that_watches_is_a_watch() -> None:
    """By its query."""
    assert read("GET", "/api/v1/pods", {"watch": "true"}).verb == "watch"
    assert read("GET", "/api/v1/pods", {"watch": "0"}).verb == "list"


def test_a_list_of_one_name_needs_the_right_to_that_name_alone() -> None:
    """The name is in the field selector."""
    target = read("GET", "/api/v1/namespaces/a/pods", {})
    assert selected_name(target, {"fieldSelector": "status.phase=Running,metadata.name=p"}) == "p"
    assert selected_name(target, {"fieldSelector": "metadata.name!=p"}) == ""
