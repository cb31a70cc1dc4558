"""The status of an object is written through a door of its own."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.room import JSON_PATCH, Room, named, refused, widget


@pytest.fixture
def one(custom: Room) -> Room:
    """A namespace with a widget."""
    custom.create("widgets", widget("a"))
    return custom


def test_a_create_drops_the_status(custom: Room) -> None:
    """It is the controller's to write."""
    assert "status" not in custom.create("widgets", {**widget("a"), "status": {"phase": "Done"}})


def test_an_update_leaves_the_status(one: Room) -> None:
    """Whatever it says of it."""
    one.patch("widgets", "a", {"status": {"phase": "Real"}}, sub="status")
    done = one.put("widgets", {**one.get("widgets", "a"), "spec": {"size": 2}, "status": {"phase": "Forged"}})
    assert (done["spec"]["size"], done["status"]) == (2, {"phase": "Real"})


def test_a_patch_leaves_the_status(one: Room) -> None:
    """A patch of the status alone changes nothing at all."""
    before = one.get("widgets", "a")
    assert one.patch("widgets", "a", {"status": {"phase": "Forged"}}) == before


def test_a_status_update_writes_the_status_alone(one: Room) -> None:
    """What it says of the spec is put aside."""
    found = one.get("widgets", "a")
    done = one.put("widgets", {**found, "spec": {"size": 9}, "status": {"phase": "Ready"}}, sub="status")
    assert (done["spec"]["size"], done["status"]) == (1, {"phase": "Ready"})
    assert done == one.get("widgets", "a")


def test_a_status_update_leaves_labels_and_finalizers(one: Room) -> None:
    """Metadata is the main resource's."""
    found = one.get("widgets", "a")
    found["metadata"] |= {"labels": {"x": "y"}, "finalizers": ["example.com/hold"]}
    done = one.put("widgets", {**found, "status": {"phase": "Ready"}}, sub="status")
    assert not {"labels", "finalizers"} & done["metadata"].keys()


def test_a_status_update_keeps_the_generation_and_gives_a_version(one: Room) -> None:
    """So a controller can tell its own writes from its user's."""
    before = one.get("widgets", "a")["metadata"]
    after = one.patch("widgets", "a", {"status": {"observedGeneration": 1}}, sub="status")["metadata"]
    assert after["generation"] == before["generation"] == 1
    assert int(after["resourceVersion"]) > int(before["resourceVersion"])


def test_a_status_update_of_an_old_version_conflicts(one: Room) -> None:
    """As any update does."""
    old = one.get("widgets", "a")
    one.patch("widgets", "a", {"status": {"phase": "Ready"}}, sub="status")
    with refused(409, "Conflict"):
        one.put("widgets", {**old, "status": {"phase": "Late"}}, sub="status")


def test_a_status_is_checked_by_its_schema(one: Room) -> None:
    """With the field's path."""
    with refused(422, "Invalid") as said:
        one.patch("widgets", "a", {"status": {"phase": 7}}, sub="status")
    assert "status.phase" in said.value.message


def test_a_status_can_be_patched_by_json_patch(one: Room) -> None:
    """The first `add` makes it."""
    steps = [{"op": "add", "path": "/status", "value": {"phase": "Ready"}}]
    assert one.patch("widgets", "a", steps, content_type=JSON_PATCH, sub="status")["status"] == {"phase": "Ready"}


def test_reading_the_status_gives_the_whole_object(one: Room) -> None:
    """The same as the main resource."""
    assert one.rest.get(one.path("widgets", "a", "status")) == one.get("widgets", "a")


def test_the_status_of_what_is_not_there_is_404(custom: Room) -> None:
    """As the object itself."""
    with refused(404, "NotFound"):
        custom.patch("widgets", "a", {"status": {"phase": "Ready"}}, sub="status")


def test_a_subresource_that_a_kind_does_not_have_is_404(one: Room) -> None:
    """Widgets declare no scale, config maps no status."""
    one.create("configmaps", named("a"))
    for path in (one.path("widgets", "a", "scale"), one.path("configmaps", "a", "status")):
        with refused(404, "NotFound"):
            one.rest.get(path)
