"""Namespaces: they come with an account, go with all they hold, and are not to be written to meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, refused, widget
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.servers.ready import wait_until


def namespace(name: str) -> Object:
    """Its body."""
    return {"apiVersion": "v1", "kind": "Namespace", **named(name)}


@pytest.fixture
def lasting(custom: Room) -> Room:
    """A namespace that is being deleted, and held by an object with a finalizer."""
    body = widget("held")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    custom.create("widgets", body)
    custom.create("configmaps", named("free"))
    custom.rest.delete(f"/api/v1/namespaces/{custom.name}")
    return custom


def release(room: Room) -> None:
    """Let the held object go."""
    room.patch("widgets", "held", {"metadata": {"finalizers": None}})


def gone(rest: Rest, name: str) -> bool:
    """Whether the namespace is."""
    try:
        rest.get(f"/api/v1/namespaces/{name}")
    except ApiError as exc:
        return exc.status == 404
    return False


def test_a_namespace_is_active_and_labelled_with_its_name(room: Room) -> None:
    """A label that selectors of network policies use."""
    found = room.rest.get(f"/api/v1/namespaces/{room.name}")
    assert found["status"]["phase"] == "Active"
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == room.name


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_the_four_namespaces_of_every_cluster_are_there(rest: Rest, name: str) -> None:
    """Clients take them for granted."""
    assert rest.get(f"/api/v1/namespaces/{name}")["status"]["phase"] == "Active"


def test_a_namespace_gets_a_default_service_account(room: Room) -> None:
    """Soon after it was made."""
    wait_until(lambda: not room.gone("serviceaccounts", "default"), what="the default account is there", timeout=20)


def test_a_deleted_default_service_account_comes_back(room: Room) -> None:
    """With another uid."""
    wait_until(lambda: not room.gone("serviceaccounts", "default"), what="the default account is there", timeout=20)
    first = room.get("serviceaccounts", "default")["metadata"]["uid"]
    room.delete("serviceaccounts", "default")

    def again() -> bool:
        return not room.gone("serviceaccounts", "default") and (
            bool(room.get("serviceaccounts", "default")["metadata"]["uid"] != first)
        )

    wait_until(again, what="the default account is there again", timeout=20)


def test_a_namespaces_name_is_a_label(rest: Rest) -> None:
    """At most 63 characters and no dots."""
    for name in ("a" * 64, "a.b"):
        with refused(422, "Invalid"):
            rest.post("/api/v1/namespaces", namespace(name))


def test_a_namespace_goes_with_all_it_holds(custom: Room, record_property: Callable[[str, object], None]) -> None:
    """Fifty objects, some owned by others; then its name is free again, and empty.

    The report says how long it took: less than 7 s where nothing else runs, 5 of which the controller waits.
    """
    owner = custom.create("widgets", widget("owner"))
    reference = {key: owner[key] for key in ("apiVersion", "kind")}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    for number in range(49):
        body = named(f"c{number}")
        if number % 2:
            body["metadata"]["ownerReferences"] = [reference]
        custom.create("configmaps", body)
    asked = time.monotonic()
    answer = custom.rest.delete(f"/api/v1/namespaces/{custom.name}")
    assert answer["status"]["phase"] == "Terminating"
    wait_until(lambda: gone(custom.rest, custom.name), what=f"{custom.name} is gone", timeout=30)
    record_property("seconds until it was gone", round(time.monotonic() - asked, 2))
    custom.rest.post("/api/v1/namespaces", namespace(custom.name))
    assert custom.listed("configmaps", fieldSelector="metadata.name!=kube-root-ca.crt")["items"] == []
    assert custom.listed("widgets")["items"] == []


def test_nothing_is_made_in_a_namespace_that_is_going(lasting: Room) -> None:
    """403 with a cause that clients look for."""
    with refused(403, "Forbidden") as said:
        lasting.create("configmaps", named("late"))
    assert said.value.message == (
        f'configmaps "late" is forbidden: unable to create new content in namespace {lasting.name}'
        " because it is being terminated"
    )
    first = said.value.details["causes"][0]
    assert (first["reason"], first["field"]) == ("NamespaceTerminating", "metadata.namespace")
    release(lasting)


def test_a_namespace_says_what_holds_it(lasting: Room) -> None:
    """In its conditions: the finalizer and how many have it, while the rest is gone."""

    def conditions() -> dict[str, str]:
        status = lasting.rest.get(f"/api/v1/namespaces/{lasting.name}")["status"]
        return {each["type"]: each["message"] for each in status.get("conditions", []) if each["status"] == "True"}

    wait_until(
        lambda: "example.com/hold in 1 resource instances" in conditions().get("NamespaceFinalizersRemaining", ""),
        what="the namespace names the finalizer",
        timeout=20,
    )
    assert "widgets.contract.example.com has 1 resource instances" in conditions()["NamespaceContentRemaining"]
    assert lasting.gone("configmaps", "free")
    assert lasting.get("widgets", "held")["metadata"]["deletionTimestamp"]
    release(lasting)


def test_what_is_in_a_namespace_that_is_going_can_be_changed(lasting: Room) -> None:
    """So that a controller can finish its work."""
    assert lasting.patch("widgets", "held", {"spec": {"size": 2}})["spec"]["size"] == 2
    release(lasting)


def test_a_second_delete_of_a_namespace_changes_nothing(lasting: Room) -> None:
    """It is answered with the namespace as it is."""
    path = f"/api/v1/namespaces/{lasting.name}"
    before = lasting.rest.get(path)["metadata"]
    again = lasting.rest.delete(path)
    assert again["kind"] == "Namespace"
    assert (again["metadata"]["uid"], again["metadata"]["deletionTimestamp"]) == (
        before["uid"],
        before["deletionTimestamp"],
    )
    release(lasting)


def test_a_namespace_with_a_finalizer_of_its_own_waits_for_it(room: Room) -> None:
    """As any object does."""
    path = f"/api/v1/namespaces/{room.name}"
    room.rest.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})
    room.rest.delete(path)
    wait_until(lambda: not room.rest.get(path)["spec"].get("finalizers"), what="it is empty", timeout=20)
    room.rest.patch(path, {"metadata": {"finalizers": None}})
    wait_until(lambda: gone(room.rest, room.name), what=f"{room.name} is gone", timeout=20)
    room.rest.post("/api/v1/namespaces", namespace(room.name))
