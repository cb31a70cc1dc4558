"""What the fake does of a cluster's controllers: namespaces, service accounts, definitions."""

from __future__ import annotations

import asyncio

import pytest

from shared.testinfra.tests.unit.fakeapi import CRDS, Api, definition, path

THINGS = "/apis/example.com/v1/namespaces/default/things"


@pytest.fixture
def api() -> Api:
    """A new cluster."""
    return Api()


def thing(name: str, **metadata: object) -> dict[str, object]:
    """An object of the custom kind."""
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, **metadata}}


def test_a_new_cluster_has_its_namespaces(api: Api) -> None:
    """Each with the service account `default`."""
    spaces = [one["metadata"]["name"] for one in api.said("GET", "/api/v1/namespaces")["items"]]
    assert spaces == ["default", "kube-node-lease", "kube-public", "kube-system"]
    accounts = api.said("GET", "/api/v1/serviceaccounts")["items"]
    assert [one["metadata"]["namespace"] for one in accounts if one["metadata"]["name"] == "default"] == spaces


def test_the_default_account_comes_again(api: Api) -> None:
    """With another uid."""
    before = api.said("GET", path("serviceaccounts", "default"))["metadata"]["uid"]
    api.said("DELETE", path("serviceaccounts", "default"))
    assert api.said("GET", path("serviceaccounts", "default"))["metadata"]["uid"] != before


def test_a_namespace_is_empty_and_gone_by_the_next_request(api: Api) -> None:
    """Fifty objects, some of them owners of others; its deletion is answered with the namespace, on its way."""
    api.make("room", kind="namespaces", namespace="")
    for number in range(50):
        api.make(f"c{number}", namespace="room")
    answer = api.said("DELETE", "/api/v1/namespaces/room")
    assert answer["status"]["phase"] == "Terminating"
    assert api.gone("room", kind="namespaces", namespace="")
    assert api.said("GET", path("configmaps", namespace="room"))["items"] == []


def test_a_pod_on_a_node_does_not_hold_its_namespace(api: Api) -> None:
    """There is no kubelet that would end it."""
    api.make("room", kind="namespaces", namespace="")
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    made = api.said("POST", path("pods", namespace="room"), {"metadata": {"name": "p"}, "spec": spec})
    assert made["http"] == 201, made
    api.said("DELETE", "/api/v1/namespaces/room")
    assert api.gone("room", kind="namespaces", namespace="")


def test_a_namespace_says_what_holds_it_and_goes_with_the_last_of_it(api: Api) -> None:
    """In its conditions, in the server's words."""
    api.make("room", kind="namespaces", namespace="")
    api.make("held", namespace="room", finalizers=["example.com/hold"])
    api.said("DELETE", "/api/v1/namespaces/room")
    conditions = api.said("GET", "/api/v1/namespaces/room")["status"]["conditions"]
    told = {one["type"]: one["message"] for one in conditions if one["status"] == "True"}
    assert told == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
        "NamespaceFinalizersRemaining": (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        ),
    }
    api.patch("held", {"metadata": {"finalizers": []}}, namespace="room")
    assert api.gone("room", kind="namespaces", namespace="")


def test_a_definition_is_served_by_the_next_request(api: Api) -> None:
    """And says so in its conditions."""
    api.said("POST", CRDS, definition())
    assert api.said("GET", THINGS)["kind"] == "ThingList"
    conditions = api.said("GET", f"{CRDS}/things.example.com")["status"]["conditions"]
    assert {one["type"]: one["status"] for one in conditions} == {"NamesAccepted": "True", "Established": "True"}


def test_objects_are_shown_by_the_schema_of_now(api: Api) -> None:
    """What it does not know is gone, its defaults are there; the version stays, as nobody changed them."""
    crd = api.said("POST", CRDS, definition())
    made = api.said("POST", THINGS, {**thing("a"), "spec": {"old": 1, "kept": 2}})
    spec = {"type": "object", "properties": {"kept": {"type": "integer"}, "new": {"type": "string", "default": "x"}}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {"type": "object", "properties": {"spec": spec}}
    version = api.said("GET", f"{CRDS}/things.example.com")["metadata"]["resourceVersion"]
    crd["metadata"]["resourceVersion"] = version
    assert api.said("PUT", f"{CRDS}/things.example.com", crd)["http"] == 200
    shown = api.said("GET", f"{THINGS}/a")
    assert shown["spec"] == {"kept": 2, "new": "x"}
    assert shown["metadata"] == made["metadata"]


def test_a_definition_takes_its_objects_along_and_ends_its_watches(api: Api) -> None:
    """It waits for those that are held."""

    async def go() -> None:
        api.said("POST", CRDS, definition())
        api.said("POST", THINGS, thing("free"))
        api.said("POST", THINGS, thing("held", finalizers=["example.com/hold"]))
        heard = api.watch(f"{THINGS}?watch=1")
        api.said("DELETE", f"{CRDS}/things.example.com")
        assert [one["metadata"]["name"] for one in api.said("GET", THINGS)["items"]] == ["held"]
        assert not heard.ended
        api.said("PATCH", f"{THINGS}/held", {"metadata": {"finalizers": None}}, form="application/merge-patch+json")
        assert not api.world.kinds.of_crd("things.example.com")
        assert api.said("GET", f"{CRDS}/things.example.com")["http"] == 404
        assert heard.short[-1] == ("DELETED", "held")
        assert heard.ended

    asyncio.run(go())


def test_a_definition_that_comes_again_has_no_old_objects(api: Api) -> None:
    """And nobody resumes a watch of its former life."""

    async def go() -> None:
        api.said("POST", CRDS, definition())
        version = api.said("POST", THINGS, thing("a"))["metadata"]["resourceVersion"]
        api.said("DELETE", f"{CRDS}/things.example.com")
        api.said("POST", CRDS, definition())
        assert api.said("GET", THINGS)["items"] == []
        heard = api.watch(f"{THINGS}?watch=1&resourceVersion={version}")
        assert heard.events[0]["object"]["code"] == 410
        assert heard.ended

    asyncio.run(go())
