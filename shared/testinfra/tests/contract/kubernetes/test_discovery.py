"""What a server says of itself: groups, resources, schemas, version, health."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.room import GROUP, Object, Room, refused
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def resources(rest: Rest, path: str) -> dict[str, Object]:
    """Name -> what discovery says of it."""
    return {each["name"]: each for each in rest.get(path)["resources"]}


def test_the_core_group_has_version_one(rest: Rest) -> None:
    """At /api."""
    found = rest.get("/api")
    assert (found["kind"], found["versions"]) == ("APIVersions", ["v1"])


def test_groups_are_listed_with_their_versions(rest: Rest, widget_crd: Object) -> None:
    """At /apis: built-in ones, and those of custom resources, the preferred one first."""

    def groups() -> dict[str, Object]:
        found = rest.get("/apis")
        assert found["kind"] == "APIGroupList"
        named = {each["name"]: each for each in found["groups"]}
        versions = [each["version"] for each in named.get(GROUP, {"versions": []})["versions"]]
        return named if versions[:2] == ["v1", "v1beta1"] else {}  # after these, what other tests add for a while

    found = wait_until(groups, what="the custom group is listed", timeout=20)
    expected = {"apiextensions.k8s.io", "rbac.authorization.k8s.io", "coordination.k8s.io", "authentication.k8s.io"}
    assert expected <= found.keys()
    assert found[GROUP]["preferredVersion"]["groupVersion"] == f"{GROUP}/v1"


@pytest.mark.parametrize(
    ("path", "resource", "kind", "namespaced"),
    [
        ("/api/v1", "configmaps", "ConfigMap", True),
        ("/api/v1", "secrets", "Secret", True),
        ("/api/v1", "services", "Service", True),
        ("/api/v1", "events", "Event", True),
        ("/api/v1", "pods", "Pod", True),
        ("/api/v1", "serviceaccounts", "ServiceAccount", True),
        ("/api/v1", "serviceaccounts/token", "TokenRequest", True),
        ("/api/v1", "namespaces", "Namespace", False),
        ("/apis/coordination.k8s.io/v1", "leases", "Lease", True),
        ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", True),
        ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False),
        ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", False),
        ("/apis/authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", False),
    ],
)
def test_the_resources_that_the_stand_uses_are_there(
    rest: Rest, path: str, resource: str, kind: str, namespaced: bool
) -> None:
    """With kind and scope."""
    found = resources(rest, path)[resource]
    assert (found["kind"], found["namespaced"]) == (kind, namespaced)


def test_resources_say_what_can_be_done_with_them(rest: Rest) -> None:
    """Reviews can only be created."""
    assert resources(rest, "/apis/authorization.k8s.io/v1")["subjectaccessreviews"]["verbs"] == ["create"]
    assert {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} == set(
        resources(rest, "/api/v1")["configmaps"]["verbs"]
    )


def test_short_names_and_categories_are_told(rest: Rest, widget_crd: Object) -> None:
    """So `kubectl get wdg` and `kubectl get contract` work."""
    path = f"/apis/{GROUP}/v1"
    wait_until(lambda: "widgets" in resources(rest, path), what="widgets are shown", timeout=20)
    found = resources(rest, path)["widgets"]
    assert (found["shortNames"], found["categories"]) == (["wdg"], ["contract"])
    assert resources(rest, "/api/v1")["configmaps"]["shortNames"] == ["cm"]


def test_one_group_can_be_asked_for(rest: Rest, widget_crd: Object) -> None:
    """By its own path."""
    found = rest.get(f"/apis/{GROUP}")
    assert (found["kind"], found["name"]) == ("APIGroup", GROUP)


def test_all_of_discovery_can_be_had_in_two_requests(rest: Rest, widget_crd: Object) -> None:
    """Aggregated discovery, version 2: what kubectl and client-go ask first."""

    def kinds(path: str) -> dict[str, list[str]]:
        answer = rest.request("GET", path, headers={"Accept": AGGREGATED})
        assert answer.body["kind"] == "APIGroupDiscoveryList"
        return {
            group["metadata"].get("name", ""): [
                each["responseKind"]["kind"] for version in group["versions"] for each in version["resources"]
            ]
            for group in answer.body["items"]
        }

    assert "ConfigMap" in kinds("/api")[""]
    wait_until(lambda: "Widget" in kinds("/apis").get(GROUP, []), what="widgets are in it", timeout=20)


def test_the_version_is_that_of_the_endpoint(rest: Rest, cluster: Cluster) -> None:
    """With the numbers that clients compare."""
    found = rest.get("/version")
    assert found["gitVersion"].removeprefix("v") == cluster.version
    assert (found["major"], found["minor"].rstrip("+")) == tuple(cluster.version.split(".")[:2])


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/healthz"])
def test_a_server_that_is_well_says_ok(rest: Rest, path: str) -> None:
    """In plain words."""
    assert rest.get(path) == {"message": "ok"}


def test_the_root_lists_paths(rest: Rest) -> None:
    """A beginning for whoever looks around."""
    assert {"/api", "/apis", "/version", "/openapi/v3"} <= set(rest.get("/")["paths"])


def test_schemas_are_told_by_openapi(rest: Rest, widget_crd: Object) -> None:
    """Version 3, one document a group and version; the custom kind is in its own."""
    path = f"apis/{GROUP}/v1"

    def document() -> Object:
        listed = rest.get("/openapi/v3")["paths"]
        return rest.get(listed[path]["serverRelativeURL"]) if path in listed else {}

    def schema() -> Object:
        for found in document().get("components", {}).get("schemas", {}).values():
            for each in found.get("x-kubernetes-group-version-kind", []):
                if each == {"group": GROUP, "version": "v1", "kind": "Widget"}:
                    return dict(found)
        return {}

    found = wait_until(schema, what="the schema of widgets is told", timeout=20)
    assert found["properties"]["spec"]["properties"]["size"]["type"] == "integer"
    assert found["properties"]["spec"]["required"] == ["size"]


def test_the_core_group_has_a_schema_too(rest: Rest) -> None:
    """In which config maps have data."""
    listed = rest.get("/openapi/v3")["paths"]
    schemas = rest.get(listed["api/v1"]["serverRelativeURL"])["components"]["schemas"]
    assert "data" in schemas["io.k8s.api.core.v1.ConfigMap"]["properties"]


def test_an_unknown_group_is_404(rest: Rest, room: Room) -> None:
    """In discovery as well."""
    with refused(404, ""):
        rest.get("/apis/nobody.example.com/v1")
