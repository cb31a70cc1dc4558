"""What is known of the resources."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import index as module
from gateway.index import Index
from gateway.resources import Entry

HERE = ("shop",)


@pytest.fixture
def index() -> Index:
    """Give an empty one."""
    return Index(stale_after=60.0)


def _entry(name: str = "a", **changes: Any) -> Entry:
    own: dict[str, Any] = {
        "fingerprint": "f",
        "key": ("shop", name),
        "version": 1,
        "active": True,
        "generation": 1,
        "count": 1,
        "first_seen": "",
        "last_seen": "",
        "resolved": False,
    }
    return Entry(**{**own, **changes})


def test_what_was_put_is_found(index: Index) -> None:
    """By its problem, and by its name."""
    index.put(_entry())
    assert index.active("f", HERE) == index.get(("shop", "a")) == _entry()
    assert len(index) == 1


def test_what_is_unknown_is_none(index: Index) -> None:
    """Neither a problem nor a name."""
    assert index.active("f", HERE) is None
    assert index.get(("shop", "a")) is None
    assert index.next_generation("f") == 1


def test_what_is_older_changes_nothing(index: Index) -> None:
    """An answer that overtakes a watch event stays."""
    index.put(_entry(version=5, count=5))
    index.put(_entry(version=4, count=4))
    found = index.get(("shop", "a"))
    assert found is not None
    assert found.count == 5


def test_what_has_ended_is_not_active(index: Index) -> None:
    """But its generation counts."""
    index.put(_entry(active=False, generation=4))
    assert index.active("f", HERE) is None
    assert index.next_generation("f") == 5


def test_the_newest_of_several_is_the_one(index: Index) -> None:
    """By generation."""
    for generation in (1, 3, 2):
        index.put(_entry(f"g{generation}", generation=generation))
    found = index.active("f", HERE)
    assert found is not None
    assert found.generation == 3


def test_other_namespaces_do_not_count(index: Index) -> None:
    """Only those that are asked for."""
    index.put(_entry(key=("elsewhere", "a")))
    assert index.active("f", HERE) is None
    assert index.active("f", ("shop", "elsewhere")) is not None


def test_what_was_removed_is_gone_and_its_generation_is_not(index: Index) -> None:
    """So that a replica that does not know of it yet makes the same name."""
    index.put(_entry(generation=2))
    index.remove(("shop", "a"), 9)
    assert index.active("f", HERE) is None
    assert index.next_generation("f") == 3
    assert len(index) == 0


def test_what_was_removed_does_not_come_back(index: Index) -> None:
    """A late answer about it is older than its deletion; one made anew is not."""
    index.put(_entry(version=3))
    index.remove(("shop", "a"), 9)
    index.put(_entry(version=5))
    assert index.get(("shop", "a")) is None
    index.put(_entry(version=10))
    assert index.get(("shop", "a")) is not None


def test_a_removal_that_is_older_changes_nothing(index: Index) -> None:
    """It was made anew since."""
    index.put(_entry(version=9))
    index.remove(("shop", "a"), 5)
    assert index.get(("shop", "a")) is not None


def test_removing_what_is_unknown_is_harmless(index: Index) -> None:
    """Nothing happens."""
    index.remove(("shop", "a"), 5)
    assert len(index) == 0


def test_a_list_replaces_what_was_known(index: Index) -> None:
    """What is not in it is gone, unless it was made after."""
    index.put(_entry("old", version=2))
    index.put(_entry("new", version=20))
    index.replace("", [_entry("listed", version=3)], 10)
    assert [index.get(("shop", name)) is not None for name in ("old", "new", "listed")] == [False, True, True]


def test_a_list_of_one_namespace_leaves_the_others(index: Index) -> None:
    """Each namespace has a list of its own."""
    index.put(_entry(key=("a", "x"), version=1))
    index.put(_entry(key=("b", "x"), version=1))
    index.replace("a", [], 10)
    assert (index.get(("a", "x")), index.get(("b", "x")) is not None) == (None, True)


def test_a_name_that_changes_its_problem(index: Index) -> None:
    """It is filed under the new one only."""
    index.put(_entry(version=1, fingerprint="f"))
    index.put(_entry(version=2, fingerprint="g"))
    assert index.active("f", HERE) is None
    assert index.active("g", HERE) is not None


def test_it_is_stale_until_every_scope_is_confirmed(index: Index) -> None:
    """Also with none at all."""
    assert not index.fresh
    index.expect(["a", "b"])
    index.confirm("a")
    assert not index.fresh
    index.confirm("b")
    assert index.fresh


def test_it_becomes_stale_with_time() -> None:
    """After `stale_after` seconds."""
    index = Index(stale_after=0.0)
    index.expect(["a"])
    index.confirm("a")
    assert not index.fresh


def test_the_gone_are_forgotten_in_the_end(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes nothing of them is left, so memory does not grow with every problem there ever was."""
    monkeypatch.setattr(module, "REMEMBERED", 0.0)
    for number in range(1000):
        index.put(_entry(f"n{number}", fingerprint=f"f{number}", version=2 * number + 1))
        index.remove(("shop", f"n{number}"), 2 * number + 2)
    assert (len(index._problems), len(index._deleted), len(index._to_forget)) == (0, 0, 0)
