"""Changing parts of an object: the four kinds of patch."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.room import (
    JSON_PATCH,
    STRATEGIC_PATCH,
    Object,
    Room,
    at_once,
    causes,
    named,
    refused,
    widget,
)

POD = named(
    "a",
    spec={
        "containers": [
            {"name": "main", "image": "one:1", "env": [{"name": "A", "value": "1"}]},
            {"name": "side", "image": "two:1"},
        ]
    },
)


@pytest.fixture
def config(room: Room) -> Room:
    """A namespace with a config map."""
    room.create("configmaps", named("a", labels={"app": "x"}, data={"k": "1", "l": "2"}))
    return room


def json_patch(room: Room, *steps: Object) -> Object:
    """Patch the config map."""
    return room.patch("configmaps", "a", list(steps), content_type=JSON_PATCH)


def test_a_json_patch_adds_replaces_and_removes(config: Room) -> None:
    """In order."""
    done = json_patch(
        config,
        {"op": "add", "path": "/data/m", "value": "3"},
        {"op": "replace", "path": "/data/k", "value": "10"},
        {"op": "remove", "path": "/data/l"},
    )
    assert done["data"] == {"k": "10", "m": "3"}


def test_a_json_patch_copies_and_moves(config: Room) -> None:
    """Between fields."""
    done = json_patch(
        config,
        {"op": "copy", "from": "/data/k", "path": "/data/copy"},
        {"op": "move", "from": "/data/l", "path": "/data/moved"},
    )
    assert done["data"] == {"k": "1", "copy": "1", "moved": "2"}


def test_a_json_patch_escapes_slashes_in_keys(config: Room) -> None:
    """`~1` is a slash and `~0` a tilde (RFC 6901): labels have them."""
    done = json_patch(config, {"op": "add", "path": "/metadata/labels/example.com~1a", "value": "v"})
    assert done["metadata"]["labels"] == {"app": "x", "example.com/a": "v"}


def test_a_json_patch_adds_into_arrays(custom: Room) -> None:
    """At an index, and with `-` at the end."""
    custom.create("widgets", widget("a", tags=["tb"]))
    steps = [
        {"op": "add", "path": "/spec/tags/0", "value": "ta"},
        {"op": "add", "path": "/spec/tags/-", "value": "tc"},
    ]
    assert custom.patch("widgets", "a", steps, content_type=JSON_PATCH)["spec"]["tags"] == ["ta", "tb", "tc"]


def test_a_test_that_holds_lets_the_patch_through(config: Room) -> None:
    """Compare and set, without the version."""
    done = json_patch(
        config,
        {"op": "test", "path": "/data/k", "value": "1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
    )
    assert done["data"]["k"] == "2"


def test_a_test_that_fails_refuses_the_whole_patch(config: Room) -> None:
    """422, and nothing of it is done."""
    with refused(422, "Invalid"):
        json_patch(
            config,
            {"op": "replace", "path": "/data/l", "value": "9"},
            {"op": "test", "path": "/data/k", "value": "other"},
        )
    assert config.get("configmaps", "a")["data"] == {"k": "1", "l": "2"}


@pytest.mark.parametrize(
    "step", [{"op": "remove", "path": "/data/none"}, {"op": "replace", "path": "/x/y", "value": 1}]
)
def test_a_json_patch_of_what_is_not_there_is_refused(config: Room, step: Object) -> None:
    """422, for the patch can be read and not be done."""
    with refused(422, "Invalid"):
        json_patch(config, step)


def test_a_json_patch_that_is_no_list_is_refused(config: Room) -> None:
    """As a bad request."""
    with refused(400, "BadRequest"):
        config.patch("configmaps", "a", {"op": "add"}, content_type=JSON_PATCH)


def test_a_merge_patch_changes_what_it_names(config: Room) -> None:
    """And leaves the rest."""
    assert config.patch("configmaps", "a", {"data": {"l": "3", "m": "4"}})["data"] == {"k": "1", "l": "3", "m": "4"}


def test_null_in_a_merge_patch_removes(config: Room) -> None:
    """A key, or all of a map."""
    assert config.patch("configmaps", "a", {"data": {"k": None}})["data"] == {"l": "2"}
    assert "labels" not in config.patch("configmaps", "a", {"metadata": {"labels": None}})["metadata"]


def test_a_merge_patch_replaces_lists_whole(custom: Room) -> None:
    """RFC 7386 knows no list elements."""
    custom.create("widgets", widget("a", tags=["ta", "tb"]))
    assert custom.patch("widgets", "a", {"spec": {"tags": ["tc"]}})["spec"]["tags"] == ["tc"]


def test_a_strategic_patch_merges_lists_by_their_key(room: Room) -> None:
    """Containers by name, their variables too."""
    room.create("pods", POD)
    change = {"spec": {"containers": [{"name": "main", "image": "one:2"}]}}
    done = room.patch("pods", "a", change, content_type=STRATEGIC_PATCH)
    images = {each["name"]: each["image"] for each in done["spec"]["containers"]}
    assert images == {"main": "one:2", "side": "two:1"}
    assert done["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]


def test_a_merge_patch_of_containers_loses_the_others(room: Room) -> None:
    """Which a pod does not allow: that is the difference to a strategic one."""
    room.create("pods", POD)
    with refused(422, "Invalid"):
        room.patch("pods", "a", {"spec": {"containers": [{"name": "main", "image": "one:2"}]}})


def test_a_strategic_patch_merges_maps_and_null_removes(config: Room) -> None:
    """Like a merge patch where there are no lists."""
    change = {"data": {"k": None, "m": "3"}}
    done = config.patch("configmaps", "a", change, content_type=STRATEGIC_PATCH)
    assert done["data"] == {"l": "2", "m": "3"}


def test_a_strategic_patch_adds_finalizers_without_losing_others(config: Room) -> None:
    """A list of strings that is merged as a set."""
    for word in ("example.com/one", "example.com/two"):
        config.patch("configmaps", "a", {"metadata": {"finalizers": [word]}}, content_type=STRATEGIC_PATCH)
    assert set(config.get("configmaps", "a")["metadata"]["finalizers"]) == {"example.com/one", "example.com/two"}
    config.patch("configmaps", "a", {"metadata": {"finalizers": None}})


def test_a_strategic_patch_deletes_an_element_by_directive(room: Room) -> None:
    """`$patch: delete` with the element's key: the way to let go of one owner of two."""
    body = named("a")
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "name": name,
            "uid": room.create("secrets", named(name))["metadata"]["uid"],
        }
        for name in ("one", "two")
    ]
    one, two = room.create("configmaps", body)["metadata"]["ownerReferences"]
    change = {"metadata": {"ownerReferences": [{"$patch": "delete", "uid": one["uid"]}]}}
    done = room.patch("configmaps", "a", change, content_type=STRATEGIC_PATCH)
    assert done["metadata"]["ownerReferences"] == [two]


def test_custom_objects_take_no_strategic_patch(custom: Room) -> None:
    """415 with the types that are taken."""
    custom.create("widgets", widget("a"))
    with refused(415, "UnsupportedMediaType") as said:
        custom.patch("widgets", "a", {"spec": {"size": 2}}, content_type=STRATEGIC_PATCH)
    assert "application/merge-patch+json" in said.value.message


def test_a_patch_of_an_unknown_type_is_refused(config: Room) -> None:
    """Plain JSON is no patch."""
    with refused(415, "UnsupportedMediaType"):
        config.patch("configmaps", "a", {"data": {"k": "2"}}, content_type="application/json")


def test_a_patch_of_what_is_not_there_is_404(custom: Room) -> None:
    """A merge patch makes nothing."""
    for resource in ("configmaps", "widgets"):
        with refused(404, "NotFound"):
            custom.patch(resource, "a", {"metadata": {"labels": {"app": "x"}}})


def test_a_patch_with_an_old_version_conflicts(config: Room) -> None:
    """The version in the patch is a condition."""
    old = config.get("configmaps", "a")["metadata"]["resourceVersion"]
    config.patch("configmaps", "a", {"data": {"k": "2"}})
    with refused(409, "Conflict"):
        config.patch("configmaps", "a", {"metadata": {"resourceVersion": old}, "data": {"k": "3"}})


def test_a_patch_of_the_uid_is_refused(config: Room) -> None:
    """So that it cannot hit a namesake."""
    with refused(422, "Invalid") as said:
        config.patch("configmaps", "a", {"metadata": {"uid": "8ee2a92b-1f2f-4bbd-9b5d-4dd3be1a76b3"}})
    assert causes(said.value)[0] == ("metadata.uid", "FieldValueInvalid")


def test_a_patch_that_changes_nothing_keeps_the_version(config: Room) -> None:
    """As an update does."""
    before = config.get("configmaps", "a")
    assert config.patch("configmaps", "a", {"data": {"k": "1"}}) == before


def test_a_patch_of_the_name_is_refused(config: Room) -> None:
    """Objects are not renamed."""
    with refused(400, "BadRequest"):
        config.patch("configmaps", "a", {"metadata": {"name": "b"}})


def test_a_patch_is_checked_like_an_update(custom: Room) -> None:
    """By what the object would be."""
    custom.create("widgets", widget("a"))
    with refused(422, "Invalid") as said:
        custom.patch("widgets", "a", {"spec": {"size": 11}})
    assert "spec.size" in said.value.message


def test_a_patch_raises_the_generation_like_an_update(custom: Room) -> None:
    """For the spec and not for labels."""
    custom.create("widgets", widget("a"))
    assert custom.patch("widgets", "a", {"metadata": {"labels": {"x": "y"}}})["metadata"]["generation"] == 1
    assert custom.patch("widgets", "a", {"spec": {"size": 2}})["metadata"]["generation"] == 2


def test_a_patch_with_strict_fields_refuses_unknown_ones(custom: Room) -> None:
    """As a create does."""
    custom.create("widgets", widget("a"))
    with refused(422, "Invalid"):
        custom.patch("widgets", "a", {"spec": {"surprise": 1}}, fieldValidation="Strict")


def test_a_dry_patch_answers_and_stores_nothing(config: Room) -> None:
    """The answer is what would be."""
    before = config.get("configmaps", "a")
    assert config.patch("configmaps", "a", {"data": {"k": "2"}}, dryRun="All")["data"]["k"] == "2"
    assert config.get("configmaps", "a") == before


def test_patches_without_a_version_all_get_through(config: Room) -> None:
    """The server itself tries again: twenty at once, each its own key."""
    done = at_once(20, lambda number: config.patch("configmaps", "a", {"data": {f"n{number}": "x"}}))
    assert not [each for each in done if isinstance(each, Exception)]
    assert len(config.get("configmaps", "a")["data"]) == 22
