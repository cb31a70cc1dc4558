"""The fake's store: one counter, an order, a bounded memory."""

from __future__ import annotations

import pytest

from testinfra.kubernetes.fake.store import Forgotten, Object, Store

THINGS = ("example.com", "things")


def thing(name: str, namespace: str = "", **content: object) -> Object:
    """An object to store."""
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **content}


def names(store: Store, revision: int) -> list[str]:
    """The names at a version."""
    return [stored.key[1] for stored in store.all_of_at(THINGS, None, revision)]


def test_every_change_takes_the_next_number() -> None:
    """Of all resources together, deletions too."""
    store = Store()
    assert store.put(THINGS, thing("a")).revision == 1
    assert store.put(("", "others"), thing("a")).revision == 2
    assert store.put(THINGS, thing("a", x=1)).revision == 3
    assert store.remove(THINGS, "", "a").content["metadata"]["resourceVersion"] == "4"


def test_objects_are_listed_by_namespace_and_name() -> None:
    """As etcd has its keys."""
    store = Store()
    for namespace, name in (("b", "a"), ("a", "z"), ("a", "b")):
        store.put(THINGS, thing(name, namespace))
    assert [stored.key for stored in store.all_of(THINGS)] == [("a", "b"), ("a", "z"), ("b", "a")]
    assert [stored.key for stored in store.all_of(THINGS, "b")] == [("b", "a")]


def test_a_removed_object_is_told_as_it_was_with_the_version_it_went_at() -> None:
    """What is stored elsewhere stays as it is."""
    store = Store()
    before = store.put(THINGS, thing("a", x=1))
    gone = store.remove(THINGS, "", "a")
    assert gone.content == thing("a", x=1) | {"metadata": {"name": "a", "resourceVersion": "2"}}
    assert before.content["metadata"]["resourceVersion"] == "1"


def test_an_earlier_moment_can_be_listed() -> None:
    """What was made later is not in it, what was removed later is, as it was."""
    store = Store()
    store.put(THINGS, thing("a", x=1))
    store.put(THINGS, thing("b"))
    moment = store.revision
    store.put(THINGS, thing("c"))
    store.put(THINGS, thing("a", x=2))
    store.remove(THINGS, "", "b")
    assert names(store, moment) == ["a", "b"]
    assert store.all_of_at(THINGS, None, moment)[0].content["x"] == 1
    assert names(store, store.revision) == ["a", "c"]


def test_only_so_many_changes_are_remembered() -> None:
    """The oldest are forgotten first; who asks for what came before is told how far memory goes."""
    store = Store(history=3)
    for number in range(5):
        store.put(THINGS, thing(f"t{number}"))
    assert [change.revision for change in store.changes_since(THINGS, 2)] == [3, 4, 5]
    with pytest.raises(Forgotten) as caught:
        store.changes_since(THINGS, 1)
    assert (caught.value.revision, caught.value.oldest) == (1, 2)


def test_what_others_do_does_not_push_out_the_changes_of_a_resource() -> None:
    """Each has its own memory."""
    store = Store(history=3)
    store.put(THINGS, thing("a"))
    for _ in range(10):
        store.put(("", "others"), thing("a"))
    assert len(store.changes_since(THINGS, 0)) == 1


def test_memory_can_be_cleared() -> None:
    """Then only what comes later is told."""
    store = Store()
    store.put(THINGS, thing("a"))
    store.forget()
    store.put(THINGS, thing("b"))
    assert [change.revision for change in store.changes_since(THINGS, 1)] == [2]
    with pytest.raises(Forgotten):
        store.changes_since(THINGS, 0)
