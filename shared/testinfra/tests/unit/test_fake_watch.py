"""The fake's watches, without a network: what they tell, and when they end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.testinfra.tests.unit.fakeapi import Api, Object, path
from testinfra.kubernetes.fake import watch
from testinfra.kubernetes.fake.store import Change, Stored
from testinfra.kubernetes.fake.watch import seen

CONFIGMAPS = path("configmaps")


def in_a_loop(go: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it where streams can have their timers."""
    asyncio.run(go())


def state(revision: int, *, chosen: bool) -> Stored:
    """An object that a selector chooses, or does not."""
    return Stored({"metadata": {"name": "a", "resourceVersion": str(revision)}, "chosen": chosen}, revision)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, True, "ADDED"),
        (None, False, None),
        (True, True, "MODIFIED"),
        (False, True, "ADDED"),
        (True, False, "DELETED"),
        (False, False, None),
        (True, None, "DELETED"),
        (False, None, None),
    ],
)
def test_what_a_selector_sees_of_a_change(before: bool | None, after: bool | None, kind: str | None) -> None:
    """Objects come and go by matching, as by being made and removed."""
    was = None if before is None else state(1, chosen=before)
    now = None if after is None else state(2, chosen=after)
    shown = now or state(2, chosen=bool(before))
    found = seen(Change(2, was, now, shown), lambda content: bool(content["chosen"]))
    assert (found and found[0]) == kind
    if found and kind == "DELETED":
        assert found[1].content == {"metadata": {"name": "a", "resourceVersion": "2"}, "chosen": True}


def test_nothing_is_lost_between_a_list_and_the_watch_from_it() -> None:
    """Whatever happens in between is told first."""

    async def go() -> None:
        api = Api()
        version = api.said("GET", CONFIGMAPS)["metadata"]["resourceVersion"]
        api.make("a")
        api.patch("a", {"data": {"k": "v"}})
        heard = api.watch(f"{CONFIGMAPS}?watch=1&resourceVersion={version}")
        api.said("DELETE", path("configmaps", "a"))
        assert heard.short == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        heard.close()

    in_a_loop(go)


def test_a_watch_of_forgotten_changes_is_one_error() -> None:
    """410 Expired, and the stream ends."""

    async def go() -> None:
        api = Api(history=2)
        version = api.make("a")["metadata"]["resourceVersion"]
        for number in range(4):
            api.make(f"b{number}")
        heard = api.watch(f"{CONFIGMAPS}?watch=1&resourceVersion={version}")
        assert [(one["type"], one["object"]["code"], one["object"]["reason"]) for one in heard.events] == [
            ("ERROR", 410, "Expired")
        ]
        assert heard.ended

    in_a_loop(go)


def test_all_watches_of_an_object_get_one_rendering() -> None:
    """A thousand watches cost one encoding; each is told once."""

    async def go() -> None:
        api = Api()
        heard = [api.watch(f"{CONFIGMAPS}?watch=1") for _ in range(1000)]
        api.make("a")
        assert all(one.short == [("ADDED", "a")] for one in heard)
        assert len(api.world.watchers) == 1000
        for one in heard:
            one.close()
        assert len(api.world.watchers) == 0

    in_a_loop(go)


def test_a_watch_of_one_namespace_hears_nothing_of_others() -> None:
    """One of all hears everything."""

    async def go() -> None:
        api = Api()
        here, everywhere = api.watch(f"{CONFIGMAPS}?watch=1"), api.watch("/api/v1/configmaps?watch=1")
        api.make("a", namespace="kube-public")
        assert (here.short, everywhere.short) == ([], [("ADDED", "a")])
        here.close()
        everywhere.close()

    in_a_loop(go)


def test_bookmarks_tell_how_far_a_quiet_stream_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are allowed, again and again."""

    async def go() -> None:
        api = Api()
        heard = api.watch(f"{CONFIGMAPS}?watch=1&allowWatchBookmarks=true")
        plain = api.watch(f"{CONFIGMAPS}?watch=1")
        api.make("elsewhere", namespace="kube-public")
        await heard.until(2)
        version = str(api.world.store.revision)
        assert {one["object"]["metadata"]["resourceVersion"] for one in heard.events} == {version}
        assert {one["type"] for one in heard.events} == {"BOOKMARK"}
        assert plain.events == []
        heard.close()
        plain.close()

    monkeypatch.setattr(watch, "BOOKMARK_EVERY", 0.02)
    in_a_loop(go)


def test_the_initial_events_end_with_a_bookmark_that_says_so() -> None:
    """`sendInitialEvents`: the state, then what changes."""

    async def go() -> None:
        api = Api()
        api.make("a")
        asked = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        heard = api.watch(f"{CONFIGMAPS}?{asked}")
        api.make("b")
        assert heard.short == [("ADDED", "a"), ("BOOKMARK", ""), ("ADDED", "b")]
        assert heard.events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        heard.close()

    in_a_loop(go)


def test_a_table_is_watched_with_its_columns_once() -> None:
    """As kubectl reads it: the columns come with the first event."""

    async def go() -> None:
        api = Api()
        api.make("a")
        heard = api.watch(f"{CONFIGMAPS}?watch=1", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        api.make("b")
        tables = [event["object"] for event in heard.events]
        assert [bool(table["columnDefinitions"]) for table in tables] == [True, False]
        assert [table["rows"][0]["cells"][0] for table in tables] == ["a", "b"]
        heard.close()

    in_a_loop(go)


def test_a_watch_from_any_moment_leads_to_the_state_of_now() -> None:
    """Five hundred changes, a watch with a selector from fifty moments between them: all see the same in the end."""
    chance = random.Random(7)  # noqa: S311 - the same tests each time

    def change(api: Api) -> None:
        name, labels = f"c{chance.randrange(8)}", {"seen": chance.choice(["yes", "no"])}
        if api.gone(name):
            api.make(name, labels=labels)
        elif chance.random() < 0.3:
            api.said("DELETE", path("configmaps", name))
        else:
            api.patch(name, {"metadata": {"labels": labels}, "data": {"n": str(chance.random())}})

    async def go() -> None:
        api = Api()
        begun = []
        for number in range(500):
            change(api)
            if number % 10 == 0:
                listed = api.said("GET", f"{CONFIGMAPS}?labelSelector=seen%3Dyes")
                begun.append((listed, api.watch(watch_from(listed)) if chance.random() < 0.5 else None))
        now = named(api.said("GET", f"{CONFIGMAPS}?labelSelector=seen%3Dyes")["items"])
        for listed, early in begun:
            heard = early or api.watch(watch_from(listed))
            state = named(listed["items"])
            for event in heard.events:
                made = event["object"]
                assert (made["metadata"]["name"] in state) is (event["type"] != "ADDED")
                state[made["metadata"]["name"]] = {key: made[key] for key in ("metadata", "data") if key in made}
                if event["type"] == "DELETED":
                    del state[made["metadata"]["name"]]
            assert state == now
            heard.close()

    in_a_loop(go)


def watch_from(listed: Object) -> str:
    """The watch that goes on from a list."""
    return f"{CONFIGMAPS}?watch=1&labelSelector=seen%3Dyes&resourceVersion={listed['metadata']['resourceVersion']}"


def named(items: list[Object]) -> Object:
    """Objects by their names."""
    return {item["metadata"]["name"]: item for item in items}
