"""Reading one object and many: selectors, pages, versions of lists."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, names_of, refused, widget
from testinfra.kubernetes.rest import Rest


@pytest.fixture
def labelled(room: Room) -> Room:
    """A namespace with five config maps of different labels."""
    room.create("configmaps", named("none"))
    room.create("configmaps", named("red-a", labels={"color": "red", "tier": "a"}))
    room.create("configmaps", named("red-b", labels={"color": "red", "tier": "b"}))
    room.create("configmaps", named("blue-a", labels={"color": "blue", "tier": "a"}))
    room.create("configmaps", named("empty", labels={"color": ""}))
    return room


def test_what_is_not_there_is_404_with_its_name(room: Room) -> None:
    """And its resource, in message and details."""
    with refused(404, "NotFound") as said:
        room.get("configmaps", "a")
    assert said.value.message == 'configmaps "a" not found'
    assert said.value.details == {"name": "a", "kind": "configmaps"}


def test_a_custom_object_that_is_not_there_is_404_with_its_group(custom: Room) -> None:
    """The group is in the message."""
    with refused(404, "NotFound") as said:
        custom.get("widgets", "a")
    assert said.value.message == 'widgets.contract.example.com "a" not found'


def test_an_object_says_its_type(custom: Room) -> None:
    """Read alone; in a list of built-in objects the items leave it out."""
    custom.create("configmaps", named("a"))
    custom.create("widgets", widget("a"))
    read = custom.get("configmaps", "a")
    assert (read["apiVersion"], read["kind"]) == ("v1", "ConfigMap")
    assert "kind" not in custom.listed("configmaps", fieldSelector="metadata.name=a")["items"][0]
    assert custom.listed("widgets")["items"][0]["kind"] == "Widget"


def test_a_list_has_its_kind_and_a_version(custom: Room) -> None:
    """From which a watch can start."""
    for resource, kind, version in (
        ("secrets", "SecretList", "v1"),
        ("widgets", "WidgetList", "contract.example.com/v1"),
    ):
        found = custom.listed(resource)
        assert (found["kind"], found["apiVersion"], found["items"]) == (kind, version, [])
        assert int(found["metadata"]["resourceVersion"]) > 0


def test_a_list_is_at_least_as_new_as_its_newest_object(room: Room) -> None:
    """Its version is not behind."""
    made = room.create("secrets", named("a"))
    assert int(room.listed("secrets")["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])


def test_a_list_is_ordered_by_name(room: Room) -> None:
    """However they were made."""
    for name in ("b", "c", "a"):
        room.create("secrets", named(name))
    assert names_of(room.listed("secrets")) == ["a", "b", "c"]


def test_a_list_over_all_namespaces_holds_every_namespace(room: Room, rest: Rest) -> None:
    """And each item says where it is."""
    room.create("secrets", named(room.name))
    found = rest.get("/api/v1/secrets", fieldSelector=f"metadata.name={room.name}")
    assert [item["metadata"]["namespace"] for item in found["items"]] == [room.name]


def test_a_list_in_a_namespace_that_is_not_there_is_empty(room: Room) -> None:
    """Not 404."""
    assert Room(room.rest, room.name + "-x").listed("configmaps")["items"] == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("color=red", ["red-a", "red-b"]),
        ("color==red", ["red-a", "red-b"]),
        ("color!=red", ["blue-a", "empty", "none"]),
        ("color in (red,blue)", ["blue-a", "red-a", "red-b"]),
        ("color notin (red,blue)", ["empty", "none"]),
        ("color", ["blue-a", "empty", "red-a", "red-b"]),
        ("!color", ["none"]),
        ("color=", ["empty"]),
        ("color=red,tier=b", ["red-b"]),
        ("color in (red,blue),tier!=b", ["blue-a", "red-a"]),
        ("color=green", []),
    ],
)
def test_label_selectors_choose(labelled: Room, selector: str, expected: list[str]) -> None:
    """`!=` and `notin` also choose what has no such label."""
    found = [name for name in names_of(labelled.listed("configmaps", labelSelector=selector)) if "kube" not in name]
    assert found == expected


@pytest.mark.parametrize("selector", ["color=(", "a b", "color in red", "=red"])
def test_a_label_selector_that_cannot_be_read_is_refused(room: Room, selector: str) -> None:
    """Rather than taken for all or none."""
    with refused(400, "BadRequest"):
        room.listed("configmaps", labelSelector=selector)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=red-a", ["red-a"]),
        ("metadata.name!=red-a,metadata.name!=none", ["blue-a", "empty", "red-b"]),
        ("metadata.namespace=elsewhere", []),
        ("metadata.name=red-a,metadata.name=red-b", []),
    ],
)
def test_field_selectors_choose_by_name_and_namespace(labelled: Room, selector: str, expected: list[str]) -> None:
    """The two that every kind has."""
    found = [name for name in names_of(labelled.listed("configmaps", fieldSelector=selector)) if "kube" not in name]
    assert found == expected


def test_label_and_field_selector_narrow_each_other(labelled: Room) -> None:
    """Both must hold."""
    assert names_of(labelled.listed("configmaps", labelSelector="tier=a", fieldSelector="metadata.name!=blue-a")) == [
        "red-a"
    ]


@pytest.mark.parametrize(("resource", "field"), [("configmaps", "data.k"), ("widgets", "spec.size")])
def test_a_field_selector_on_another_field_is_refused(custom: Room, resource: str, field: str) -> None:
    """The field is named."""
    with refused(400, "BadRequest") as said:
        custom.listed(resource, fieldSelector=f"{field}=1")
    assert field in said.value.message


def test_a_custom_field_that_is_declared_selectable_chooses(custom: Room) -> None:
    """`selectableFields` of its definition."""
    for name, color in (("a", "red"), ("b", "blue"), ("c", "blue")):
        custom.create("widgets", widget(name, color=color))
    assert names_of(custom.listed("widgets", fieldSelector="spec.color=blue")) == ["b", "c"]
    assert names_of(custom.listed("widgets", fieldSelector="spec.color!=blue")) == ["a"]


def test_built_in_kinds_have_selectable_fields_of_their_own(room: Room) -> None:
    """A secret's type; an event's object."""
    room.create("secrets", named("a"))
    room.create("secrets", named("b", type="example.com/own"))
    assert names_of(room.listed("secrets", fieldSelector="type=example.com/own")) == ["b"]


def pages(room: Room, size: int) -> list[Object]:
    """Every page of the secrets."""
    found = [room.listed("secrets", limit=size)]
    while token := found[-1]["metadata"].get("continue"):
        found.append(room.listed("secrets", limit=size, **{"continue": token}))
    return found


def test_pages_give_every_object_once(room: Room) -> None:
    """Seven in pages of three."""
    for number in range(7):
        room.create("secrets", named(f"s{number}"))
    found = pages(room, 3)
    assert [len(page["items"]) for page in found] == [3, 3, 1]
    assert [name for page in found for name in names_of(page)] == [f"s{number}" for number in range(7)]


def test_pages_are_of_one_moment(room: Room) -> None:
    """What is made or removed between two pages does not show; all pages have one version."""
    for number in range(4):
        room.create("secrets", named(f"s{number}"))
    first = room.listed("secrets", limit=2)
    room.create("secrets", named("s9"))
    room.delete("secrets", "s3")
    second = room.listed("secrets", limit=2, **{"continue": first["metadata"]["continue"]})
    assert names_of(first) + names_of(second) == ["s0", "s1", "s2", "s3"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_a_page_says_how_many_are_left(room: Room) -> None:
    """Where no selector is asked for."""
    for number in range(5):
        room.create("secrets", named(f"s{number}"))
    assert room.listed("secrets", limit=2)["metadata"]["remainingItemCount"] == 3


def test_a_limit_that_is_not_reached_gives_no_token(room: Room) -> None:
    """The list is whole."""
    room.create("secrets", named("a"))
    assert "continue" not in room.listed("secrets", limit=1)["metadata"]


def test_pages_and_selectors_go_together(room: Room) -> None:
    """A page holds as many as were asked for, of those that match."""
    for number in range(6):
        room.create("secrets", named(f"s{number}", labels={"even": str(number % 2 == 0)}))
    first = room.listed("secrets", limit=2, labelSelector="even=True")
    rest = room.listed("secrets", limit=2, labelSelector="even=True", **{"continue": first["metadata"]["continue"]})
    assert names_of(first) + names_of(rest) == ["s0", "s2", "s4"]


def test_a_token_that_nobody_gave_is_refused(room: Room) -> None:
    """As a bad request."""
    with refused(400, "BadRequest") as said:
        room.listed("secrets", limit=1, **{"continue": "bm90IGEgdG9rZW4"})
    assert "continue" in said.value.message


def test_a_list_of_any_version_is_given(room: Room) -> None:
    """`resourceVersion=0` asks for whatever is at hand."""
    room.create("secrets", named("a"))
    assert room.listed("secrets", resourceVersion="0")["kind"] == "SecretList"


def test_a_list_not_older_than_a_version_holds_its_object(room: Room) -> None:
    """NotOlderThan waits until it has caught up."""
    made = room.create("secrets", named("a"))["metadata"]
    found = room.listed("secrets", resourceVersion=made["resourceVersion"], resourceVersionMatch="NotOlderThan")
    assert names_of(found) == ["a"]


def test_a_list_of_an_exact_version_is_of_that_moment(room: Room) -> None:
    """What came later is not in it."""
    made = room.create("secrets", named("a"))["metadata"]
    room.create("secrets", named("b"))
    found = room.listed("secrets", resourceVersion=made["resourceVersion"], resourceVersionMatch="Exact")
    assert names_of(found) == ["a"]
    assert found["metadata"]["resourceVersion"] == made["resourceVersion"]


def test_a_version_match_without_a_version_is_refused(room: Room) -> None:
    """It would mean nothing."""
    with refused(422, "Invalid"):
        room.listed("secrets", resourceVersionMatch="Exact")


def test_a_version_that_is_no_number_is_refused(room: Room) -> None:
    """As invalid or as a bad request: it cannot be ordered."""
    with refused(400, "BadRequest"):
        room.listed("secrets", resourceVersion="abc", resourceVersionMatch="NotOlderThan")
