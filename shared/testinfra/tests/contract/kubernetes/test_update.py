"""Replacing an object: versions, generations, what may not change."""

from __future__ import annotations

import uuid

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, at_once, named, refused, widget
from testinfra.kubernetes.rest import CONFLICT, ApiError


def test_an_update_gives_a_new_version_and_keeps_the_uid(room: Room) -> None:
    """And the time of creation."""
    made = room.create("configmaps", named("a", data={"k": "1"}))
    done = room.put("configmaps", {**made, "data": {"k": "2"}})
    assert int(done["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert done["metadata"]["uid"] == made["metadata"]["uid"]
    assert done["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    assert done == room.get("configmaps", "a")


def test_an_update_replaces_the_whole_object(room: Room) -> None:
    """Labels and data that are left out are gone."""
    made = room.create("configmaps", named("a", labels={"app": "x"}, data={"k": "1"}))
    del made["data"], made["metadata"]["labels"]
    done = room.put("configmaps", made)
    assert "data" not in done
    assert "labels" not in done["metadata"]


def test_an_update_of_an_old_version_conflicts(room: Room) -> None:
    """Somebody else was first."""
    made = room.create("configmaps", named("a"))
    room.put("configmaps", {**made, "data": {"by": "first"}})
    with refused(409, "Conflict") as said:
        room.put("configmaps", {**made, "data": {"by": "second"}})
    assert said.value.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified;'
        " please apply your changes to the latest version and try again"
    )
    assert room.get("configmaps", "a")["data"] == {"by": "first"}


def test_an_update_of_an_old_custom_object_conflicts(custom: Room) -> None:
    """The same, with the group in the name."""
    made = custom.create("widgets", widget("a"))
    custom.put("widgets", {**made, "spec": {"size": 2}})
    with refused(409, "Conflict") as said:
        custom.put("widgets", {**made, "spec": {"size": 3}})
    assert 'widgets.contract.example.com "a"' in said.value.message


def test_an_update_without_a_version_is_unconditional(room: Room) -> None:
    """For built-in kinds like config maps: the last one wins."""
    room.create("configmaps", named("a", data={"by": "first"}))
    room.put("configmaps", named("a", data={"by": "second"}))
    assert room.get("configmaps", "a")["data"] == {"by": "second"}


def test_a_custom_object_is_not_updated_without_a_version(custom: Room) -> None:
    """Custom resources ask for it."""
    custom.create("widgets", widget("a"))
    with refused(422, "Invalid") as said:
        custom.put("widgets", widget("a", size=2))
    assert "metadata.resourceVersion" in said.value.message
    assert "must be specified for an update" in said.value.message


def test_an_update_of_what_is_not_there_is_404(custom: Room) -> None:
    """PUT does not create it where a version or uid is named, nor for custom objects."""
    made = custom.create("widgets", widget("a"))
    custom.delete("widgets", "a")
    with refused(404, "NotFound"):
        custom.put("widgets", made)


def test_the_uid_cannot_change(room: Room) -> None:
    """Another uid is another object."""
    made = room.create("configmaps", named("a"))
    made["metadata"]["uid"] = str(uuid.uuid4())
    with refused(409, "Conflict") as said:
        room.put("configmaps", made)
    assert "UID" in said.value.message


def test_a_recreated_object_is_not_updated_by_its_old_self(room: Room) -> None:
    """The uid tells them apart."""
    old = room.create("configmaps", named("a"))
    room.delete("configmaps", "a")
    room.create("configmaps", named("a", data={"k": "new"}))
    with refused(409, "Conflict"):
        room.put("configmaps", old)
    assert room.get("configmaps", "a")["data"] == {"k": "new"}


def test_the_name_in_the_body_must_be_that_of_the_path(room: Room) -> None:
    """A slip, told at once."""
    made = room.create("configmaps", named("a"))
    made["metadata"]["name"] = "b"
    with refused(400, "BadRequest") as said:
        room.rest.put(room.path("configmaps", "a"), made)
    assert said.value.message == "the name of the object (b) does not match the name on the URL (a)"


def test_the_time_of_creation_cannot_change(room: Room) -> None:
    """What is sent is put aside."""
    made = room.create("configmaps", named("a"))
    then = made["metadata"]["creationTimestamp"]
    made["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    assert room.put("configmaps", made)["metadata"]["creationTimestamp"] == then


def test_an_update_that_changes_nothing_keeps_the_version(custom: Room) -> None:
    """No event, no new version, for built-in and custom objects."""
    for resource, body in (("configmaps", named("a", data={"k": "v"})), ("widgets", widget("a"))):
        made = custom.create(resource, body)
        assert custom.put(resource, made)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_the_generation_starts_at_one_and_counts_changes_of_the_spec(custom: Room) -> None:
    """Each change one."""
    made = custom.create("widgets", widget("a"))
    assert made["metadata"]["generation"] == 1
    for size in (2, 3):
        made = custom.put("widgets", {**made, "spec": {"size": size}})
        assert made["metadata"]["generation"] == size


def test_labels_and_annotations_leave_the_generation(custom: Room) -> None:
    """They are not what is wanted of the object."""
    made = custom.create("widgets", widget("a"))
    made["metadata"] |= {"labels": {"app": "x"}, "annotations": {"note": "y"}, "finalizers": ["example.com/hold"]}
    done = custom.put("widgets", made)
    custom.patch("widgets", "a", {"metadata": {"finalizers": None}})
    assert done["metadata"]["generation"] == 1
    assert done["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


def test_a_generation_of_the_callers_is_put_aside(custom: Room) -> None:
    """Only the server counts."""
    made = custom.create("widgets", widget("a"))
    made["metadata"]["generation"] = 7
    assert custom.put("widgets", {**made, "spec": {"size": 2}})["metadata"]["generation"] == 2


def test_an_update_is_checked_like_a_create(custom: Room) -> None:
    """And leaves the object as it was."""
    made = custom.create("widgets", widget("a"))
    with refused(422, "Invalid"):
        custom.put("widgets", {**made, "spec": {"size": 11}})
    assert custom.get("widgets", "a") == made


def test_a_dry_update_answers_and_stores_nothing(custom: Room) -> None:
    """The answer is what would be."""
    made = custom.create("widgets", widget("a"))
    done = custom.put("widgets", {**made, "spec": {"size": 2}}, dryRun="All")
    assert done["spec"]["size"] == 2
    assert custom.get("widgets", "a") == made


def count_up(room: Room, resource: str, read: str, times: int) -> None:
    """Add one `times` times, each time from what is there, again where somebody was first."""
    for _ in range(times):
        while True:
            found: Object = room.get(resource, "counter")
            annotations = found["metadata"].setdefault("annotations", {read: "0"})
            annotations[read] = str(int(annotations[read]) + 1)
            try:
                room.put(resource, found)
            except ApiError as exc:
                if exc.status != CONFLICT:
                    raise
                continue
            break


@pytest.mark.parametrize("resource", ["configmaps", "widgets"])
def test_twenty_writers_that_retry_on_conflict_lose_no_update(custom: Room, resource: str) -> None:
    """Exactly as many as were counted."""
    body = widget("counter") if resource == "widgets" else named("counter")
    custom.create(resource, body)
    assert at_once(20, lambda _: count_up(custom, resource, "n", 3)) == [None] * 20
    assert custom.get(resource, "counter")["metadata"]["annotations"]["n"] == "60"
