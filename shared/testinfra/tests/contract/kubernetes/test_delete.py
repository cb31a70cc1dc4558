"""Deleting: conditions, finalizers, owners and what hangs on them."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, names_of, refused, widget
from testinfra.servers.ready import wait_until

HOLD = "example.com/hold"


def held(room: Room, resource: str = "configmaps") -> Object:
    """An object with a finalizer."""
    body = widget("a") if resource == "widgets" else named("a")
    body["metadata"]["finalizers"] = [HOLD]
    return room.create(resource, body)


def owned_by(owner: Object, name: str, *, block: bool = False) -> Object:
    """A config map that hangs on `owner`."""
    body = named(name)
    reference = {key: owner[key] for key in ("apiVersion", "kind")}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    body["metadata"]["ownerReferences"] = [reference | ({"blockOwnerDeletion": True} if block else {})]
    return body


def test_a_deleted_object_is_gone(custom: Room) -> None:
    """At once where nothing holds it."""
    for resource, body in (("configmaps", named("a")), ("widgets", widget("a"))):
        custom.create(resource, body)
        custom.delete(resource, "a")
        assert custom.gone(resource, "a")


def test_a_delete_is_answered_with_a_status_that_names_what_went(custom: Room) -> None:
    """Kind, name and uid in the details."""
    made = custom.create("widgets", widget("a"))
    said = custom.delete("widgets", "a")
    assert (said["kind"], said["status"]) == ("Status", "Success")
    assert said["details"] == {
        "name": "a",
        "group": "contract.example.com",
        "kind": "widgets",
        "uid": made["metadata"]["uid"],
    }


def test_deleting_what_is_not_there_is_404(room: Room) -> None:
    """A second delete too."""
    room.create("configmaps", named("a"))
    room.delete("configmaps", "a")
    with refused(404, "NotFound"):
        room.delete("configmaps", "a")


def test_a_name_can_be_used_again(room: Room) -> None:
    """It is another object then."""
    first = room.create("configmaps", named("a"))
    room.delete("configmaps", "a")
    assert room.create("configmaps", named("a"))["metadata"]["uid"] != first["metadata"]["uid"]


@pytest.mark.parametrize("condition", ["uid", "resourceVersion"])
def test_a_delete_may_name_what_it_means(room: Room, condition: str) -> None:
    """Another uid or version is a conflict; the right one goes through."""
    made = room.create("configmaps", named("a"))["metadata"]
    wrong = {"uid": "8ee2a92b-1f2f-4bbd-9b5d-4dd3be1a76b3", "resourceVersion": "1"}[condition]
    with refused(409, "Conflict") as said:
        room.delete("configmaps", "a", {"preconditions": {condition: wrong}})
    assert f"precondition ({wrong}) do" in said.value.message
    room.delete("configmaps", "a", {"preconditions": {condition: made[condition]}})
    assert room.gone("configmaps", "a")


def test_a_dry_delete_deletes_nothing(room: Room) -> None:
    """Asked by query or by body."""
    room.create("configmaps", named("a"))
    room.delete("configmaps", "a", dryRun="All")
    room.delete("configmaps", "a", {"dryRun": ["All"]})
    assert not room.gone("configmaps", "a")


@pytest.mark.parametrize("resource", ["configmaps", "widgets"])
def test_a_finalizer_holds_an_object_that_is_being_deleted(custom: Room, resource: str) -> None:
    """It is marked with the time and stays; the answer is the object."""
    made = held(custom, resource)
    said = custom.delete(resource, "a")
    assert said["kind"] == custom.body(resource, {})["kind"]
    found = custom.get(resource, "a")["metadata"]
    assert found["deletionTimestamp"] >= made["metadata"]["creationTimestamp"]
    assert found["deletionGracePeriodSeconds"] == 0
    assert found["uid"] == made["metadata"]["uid"]
    custom.patch(resource, "a", {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("resource", ["configmaps", "widgets"])
def test_removing_the_last_finalizer_deletes(custom: Room, resource: str) -> None:
    """By patch or by update, with the answer that of the change."""
    held(custom, resource)
    custom.delete(resource, "a")
    done = custom.put(
        resource, {**(found := custom.get(resource, "a")), "metadata": found["metadata"] | {"finalizers": []}}
    )
    assert done["metadata"]["name"] == "a"
    assert custom.gone(resource, "a")


def test_marking_an_object_counts_as_a_change_of_generation(custom: Room) -> None:
    """A controller that compares generations sees it."""
    held(custom, "widgets")
    custom.delete("widgets", "a")
    assert custom.get("widgets", "a")["metadata"]["generation"] == 2
    custom.patch("widgets", "a", {"metadata": {"finalizers": None}})


def test_a_second_delete_of_a_held_object_changes_nothing(room: Room) -> None:
    """Same time, same version."""
    held(room)
    room.delete("configmaps", "a")
    before = room.get("configmaps", "a")
    room.delete("configmaps", "a")
    assert room.get("configmaps", "a") == before
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})


def test_a_held_object_can_still_be_changed(room: Room) -> None:
    """Its controller writes what it has done."""
    held(room)
    room.delete("configmaps", "a")
    assert room.patch("configmaps", "a", {"data": {"done": "half"}})["data"] == {"done": "half"}
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})


def test_no_finalizer_is_added_to_what_is_being_deleted(room: Room) -> None:
    """It would never end."""
    held(room)
    room.delete("configmaps", "a")
    with refused(422, "Invalid") as said:
        room.patch("configmaps", "a", {"metadata": {"finalizers": [HOLD, "example.com/late"]}})
    assert "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted" in (
        said.value.message
    )
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})


def test_the_time_of_deletion_cannot_be_taken_back(room: Room) -> None:
    """A patch of it is put aside."""
    held(room)
    room.delete("configmaps", "a")
    done = room.patch("configmaps", "a", {"metadata": {"deletionTimestamp": None}, "data": {"k": "v"}})
    assert done["metadata"]["deletionTimestamp"]
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})


def test_a_name_that_is_being_deleted_is_taken(room: Room) -> None:
    """With a message that says so."""
    held(room)
    room.delete("configmaps", "a")
    with refused(409, "AlreadyExists") as said:
        room.create("configmaps", named("a"))
    assert said.value.message == 'object is being deleted: configmaps "a" already exists'
    room.patch("configmaps", "a", {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("resource", ["configmaps", "widgets"])
def test_what_an_object_owns_goes_with_it(custom: Room, resource: str) -> None:
    """Background, the default for both: the owner at once, the owned soon, and what they own."""
    owner = custom.create(resource, widget("owner") if resource == "widgets" else named("owner"))
    child = custom.create("configmaps", owned_by(owner, "child"))
    custom.create("configmaps", owned_by(child, "grandchild"))
    custom.create("configmaps", named("other"))
    custom.delete(resource, "owner")
    assert custom.gone(resource, "owner")
    custom.await_gone("configmaps", "child")
    custom.await_gone("configmaps", "grandchild")
    assert not custom.gone("configmaps", "other")


def test_what_has_another_owner_too_stays(room: Room) -> None:
    """Until the last one goes; the reference to the first is taken away."""
    first, second = (room.create("configmaps", named(name)) for name in ("first", "second"))
    body = owned_by(first, "child")
    body["metadata"]["ownerReferences"] += owned_by(second, "child")["metadata"]["ownerReferences"]
    room.create("configmaps", body)
    room.delete("configmaps", "first")

    def owners() -> list[str]:
        return [each["name"] for each in room.get("configmaps", "child")["metadata"]["ownerReferences"]]

    wait_until(lambda: owners() == ["second"], what="the first owner is forgotten", timeout=20)
    room.delete("configmaps", "second")
    room.await_gone("configmaps", "child")


def test_orphans_stay_without_their_owner(room: Room) -> None:
    """`propagationPolicy: Orphan`."""
    owner = room.create("configmaps", named("owner"))
    room.create("configmaps", owned_by(owner, "child"))
    # A controller cannot orphan what it has not yet seen: it has, once it removed what hangs on somebody gone.
    room.create("configmaps", owned_by({**owner, "metadata": owner["metadata"] | {"uid": "none"}}, "marker"))
    room.await_gone("configmaps", "marker")
    room.delete("configmaps", "owner", {"propagationPolicy": "Orphan"})
    room.await_gone("configmaps", "owner")
    assert "ownerReferences" not in room.get("configmaps", "child")["metadata"]


def test_in_the_foreground_the_owner_waits_for_what_blocks_it(room: Room) -> None:
    """It is marked, with a finalizer of the server's, until the blocking child is gone."""
    owner = room.create("configmaps", named("owner"))
    child = owned_by(owner, "child", block=True)
    child["metadata"]["finalizers"] = [HOLD]
    room.create("configmaps", child)
    room.delete("configmaps", "owner", propagationPolicy="Foreground")
    assert "foregroundDeletion" in room.get("configmaps", "owner")["metadata"]["finalizers"]
    wait_until(
        lambda: room.get("configmaps", "child")["metadata"].get("deletionTimestamp"),
        what="the child is being deleted",
        timeout=20,
    )
    assert not room.gone("configmaps", "owner")
    room.patch("configmaps", "child", {"metadata": {"finalizers": None}})
    room.await_gone("configmaps", "owner")


def test_an_owner_that_never_was_takes_its_object_along(room: Room) -> None:
    """A reference to a uid that nobody has is one to somebody gone."""
    nobody = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "uid": "8ee2a92b-1f2f-4bbd-9b5d-4dd3be1a76b3"},
    }
    room.create("configmaps", owned_by(nobody, "child"))
    room.await_gone("configmaps", "child")


def test_an_unknown_propagation_policy_is_refused(room: Room) -> None:
    """The right ones are listed."""
    room.create("configmaps", named("a"))
    with refused(422, "Invalid") as said:
        room.delete("configmaps", "a", {"propagationPolicy": "Sideways"})
    assert "Background" in said.value.message


def test_a_collection_is_deleted_by_selector(custom: Room) -> None:
    """What does not match stays."""
    for resource, make in (("secrets", named), ("widgets", widget)):
        for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
            custom.create(resource, make(name, labels={"color": color}))
        custom.delete(resource, labelSelector="color=red")
        assert names_of(custom.listed(resource)) == ["b"]


def test_a_whole_collection_is_deleted(custom: Room) -> None:
    """In this namespace and in no other."""
    other = Room(custom.rest, "default")
    other.create("widgets", widget(custom.name))
    for name in ("a", "b"):
        custom.create("widgets", widget(name))
    custom.delete("widgets")
    assert names_of(custom.listed("widgets")) == []
    assert not other.gone("widgets", custom.name)
    other.delete("widgets", custom.name)


def test_deleting_a_collection_marks_what_is_held(room: Room) -> None:
    """And removes the others."""
    body = named("held", labels={"x": "y"})
    body["metadata"]["finalizers"] = [HOLD]
    room.create("secrets", body)
    room.create("secrets", named("free", labels={"x": "y"}))
    room.delete("secrets", labelSelector="x=y")
    assert names_of(room.listed("secrets")) == ["held"]
    assert room.get("secrets", "held")["metadata"]["deletionTimestamp"]
    room.patch("secrets", "held", {"metadata": {"finalizers": None}})
