"""Watching: from a version on, everything in order and nothing twice."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest

from shared.testinfra.tests.contract.kubernetes.room import (
    Object,
    Room,
    closed_after,
    named,
    names_of,
    refused,
    widget,
)


def version_of(room: Room, resource: str) -> str:
    """The version of the list now."""
    return str(room.listed(resource)["metadata"]["resourceVersion"])


def events(room: Room, resource: str, **query: Any) -> list[Object]:
    """All events until the server ends the stream after a second."""
    return list(room.watch(resource, within=1, **query))


@pytest.mark.parametrize("resource", ["configmaps", "widgets"])
def test_a_watch_from_a_list_tells_what_came_after_it(custom: Room, resource: str) -> None:
    """Added, modified, deleted, in that order, whenever the watch itself starts."""
    start = version_of(custom, resource)
    custom.create(resource, widget("a") if resource == "widgets" else named("a"))
    custom.patch(resource, "a", {"metadata": {"labels": {"x": "y"}}})
    custom.delete(resource, "a")
    assert custom.next_events(3, resource, resourceVersion=start) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]


def test_an_event_holds_the_object_as_it_then_was(room: Room) -> None:
    """With the version that a watch can go on from."""
    start = version_of(room, "secrets")
    made = room.create("secrets", named("a", type="example.com/x"))
    room.delete("secrets", "a")
    added, deleted = events(room, "secrets", resourceVersion=start)
    assert added["object"] == made
    assert int(deleted["object"]["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert (deleted["object"]["kind"], deleted["object"]["type"]) == ("Secret", "example.com/x")


def test_a_watch_goes_on_live(room: Room) -> None:
    """What happens while it runs comes through it."""
    start = version_of(room, "secrets")
    stream = room.watch("secrets", resourceVersion=start)
    for number in range(3):
        room.create("secrets", named(f"s{number}"))
        event = next(stream)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", f"s{number}")


def test_a_watch_can_go_on_from_any_event(room: Room) -> None:
    """After a lost connection: the next event is the one after it."""
    start = version_of(room, "secrets")
    for number in range(4):
        room.create("secrets", named(f"s{number}"))
    with closed_after(room.watch("secrets", resourceVersion=start)) as stream:
        next(stream)
        seen = next(stream)["object"]["metadata"]["resourceVersion"]
    assert room.next_events(2, "secrets", resourceVersion=seen) == [("ADDED", "s2"), ("ADDED", "s3")]


def test_a_watch_without_a_version_starts_with_what_is_there(room: Room) -> None:
    """As if it had just been added; then it goes on."""
    room.create("secrets", named("a"))
    room.create("secrets", named("b"))
    stream = room.watch("secrets")
    first = {next(stream)["object"]["metadata"]["name"] for _ in range(2)}
    assert first == {"a", "b"}
    room.delete("secrets", "a")
    assert next(stream)["type"] == "DELETED"


def test_a_watch_ends_after_its_timeout(room: Room) -> None:
    """`timeoutSeconds` of the caller, without an error."""
    began = time.monotonic()
    assert events(room, "secrets", resourceVersion=version_of(room, "secrets")) == []
    assert 0.9 < time.monotonic() - began < 8


def test_a_watch_with_a_label_selector_tells_only_what_matches(room: Room) -> None:
    """Others are not seen."""
    start = version_of(room, "secrets")
    room.create("secrets", named("blue", labels={"color": "blue"}))
    room.create("secrets", named("red", labels={"color": "red"}))
    assert room.next_events(1, "secrets", resourceVersion=start, labelSelector="color=red") == [("ADDED", "red")]


def test_an_object_that_stops_matching_is_deleted_for_the_watch(room: Room) -> None:
    """And one that starts to is added."""
    start = version_of(room, "secrets")
    room.create("secrets", named("a", labels={"color": "red"}))
    for color in ("blue", "red"):
        room.patch("secrets", "a", {"metadata": {"labels": {"color": color}}})
    assert room.next_events(3, "secrets", resourceVersion=start, labelSelector="color=red") == [
        ("ADDED", "a"),
        ("DELETED", "a"),
        ("ADDED", "a"),
    ]


def test_a_watch_of_one_name_tells_of_that_alone(room: Room) -> None:
    """A field selector, as kubectl uses it."""
    start = version_of(room, "secrets")
    room.create("secrets", named("a"))
    room.create("secrets", named("b"))
    assert room.next_events(1, "secrets", resourceVersion=start, fieldSelector="metadata.name=b") == [("ADDED", "b")]


def test_a_watch_by_a_selectable_custom_field_follows_the_field(custom: Room) -> None:
    """It leaves and comes as the field changes."""
    start = version_of(custom, "widgets")
    custom.create("widgets", widget("a", color="blue"))
    custom.patch("widgets", "a", {"spec": {"color": "green"}})
    assert custom.next_events(2, "widgets", resourceVersion=start, fieldSelector="spec.color=blue") == [
        ("ADDED", "a"),
        ("DELETED", "a"),
    ]


def test_a_watch_over_all_namespaces_tells_where(room: Room) -> None:
    """With the selector of this test's own, for others work beside it."""
    start = version_of(room, "secrets")
    room.create("secrets", named("a", labels={"room": room.name}))
    stream = room.rest.watch("/api/v1/secrets", within=20, resourceVersion=start, labelSelector=f"room={room.name}")
    assert next(stream)["object"]["metadata"]["namespace"] == room.name


def test_a_watch_tells_nothing_of_other_namespaces(room: Room) -> None:
    """Only of its own."""
    start = version_of(room, "secrets")
    other = Room(room.rest, "default")
    other.create("secrets", named(room.name))
    room.create("secrets", named("mine"))
    other.delete("secrets", room.name)
    assert room.next_events(1, "secrets", resourceVersion=start) == [("ADDED", "mine")]


def test_marking_for_deletion_is_a_modification(room: Room) -> None:
    """The end of the finalizers is the deletion."""
    start = version_of(room, "secrets")
    body = named("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    room.create("secrets", body)
    room.delete("secrets", "a")
    room.patch("secrets", "a", {"metadata": {"finalizers": None}})
    kinds = [kind for kind, _ in room.next_events(3, "secrets", resourceVersion=start)]
    assert kinds == ["ADDED", "MODIFIED", "DELETED"]


def test_a_change_that_changes_nothing_is_no_event(room: Room) -> None:
    """The next event is the next real change."""
    made = room.create("secrets", named("a"))
    room.put("secrets", made)
    room.patch("secrets", "a", {"metadata": {"labels": {"x": "y"}}})
    (event,) = events(room, "secrets", resourceVersion=made["metadata"]["resourceVersion"])
    assert event["object"]["metadata"]["labels"] == {"x": "y"}


def test_the_start_can_be_asked_for_as_events_with_a_mark_at_its_end(room: Room) -> None:
    """`sendInitialEvents`: what informers use instead of a list."""
    room.create("secrets", named("a"))
    room.create("secrets", named("b"))
    stream = room.watch(
        "secrets",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    first = [next(stream) for _ in range(3)]
    assert [each["type"] for each in first] == ["ADDED", "ADDED", "BOOKMARK"]
    mark = first[2]["object"]
    assert mark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    assert mark["kind"] == "Secret"
    room.create("secrets", named("c"))
    assert room.next_events(1, "secrets", resourceVersion=mark["metadata"]["resourceVersion"]) == [("ADDED", "c")]


def test_initial_events_without_their_conditions_are_refused(room: Room) -> None:
    """They need bookmarks and a version match."""
    with refused(422, "Invalid"):
        next(room.watch("secrets", sendInitialEvents="true"))


def test_a_version_that_is_too_old_is_gone(custom: Room) -> None:
    """From before the server knew the kind: the first event is an error of 410, and the client must list again."""
    first = next(custom.watch("widgets", within=5, resourceVersion="1"), None)
    assert first, "nothing was said"
    assert first["type"] == "ERROR"
    assert (first["object"]["code"], first["object"]["reason"]) == (410, "Expired")
    assert first["object"]["message"].startswith("too old resource version: 1 (")


def test_a_version_that_is_no_number_cannot_be_watched_from(room: Room) -> None:
    """It is refused before any event."""
    with refused(500, "") as said:
        next(room.watch("secrets", resourceVersion="abc"))
    assert said.value.message.startswith('resourceVersion: Invalid value: "abc"')


def test_a_list_and_a_watch_miss_nothing_while_many_write(custom: Room) -> None:
    """What the list holds and what the watch tells is together every object, once."""
    writers = [
        threading.Thread(
            target=lambda who=who: [custom.create("widgets", widget(f"w{who}-{number}")) for number in range(15)]
        )
        for who in range(4)
    ]
    for writer in writers:
        writer.start()
    start = custom.listed("widgets")
    for writer in writers:
        writer.join(60)
    seen = names_of(start)
    told = custom.next_events(60 - len(seen), "widgets", resourceVersion=start["metadata"]["resourceVersion"])
    assert sorted([*seen, *(name for _, name in told)]) == sorted(f"w{w}-{n}" for w in range(4) for n in range(15))


def test_many_watch_at_once(room: Room) -> None:
    """Fifty streams, and each tells the same."""
    start = version_of(room, "secrets")
    with contextlib.ExitStack() as open_streams:
        streams = [
            open_streams.enter_context(closed_after(room.watch("secrets", resourceVersion=start))) for _ in range(50)
        ]
        made = room.create("secrets", named("a"))
        assert all(next(stream)["object"] == made for stream in streams)
