"""The fake's garbage collector: what goes with its owner, and what stays."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.unit.fakeapi import Api, owner, path


@pytest.fixture
def api() -> Api:
    """A new cluster."""
    return Api()


def test_a_dependent_goes_with_its_owner(api: Api) -> None:
    """By the time the next request is looked at."""
    api.make("dependent", ownerReferences=[owner(api.make("owner"))])
    api.said("DELETE", path("configmaps", "owner"))
    assert api.gone("dependent")


def test_a_long_line_of_dependents_goes(api: Api) -> None:
    """Each the owner of the next."""
    last = api.make("c0")
    for number in range(1, 100):
        last = api.make(f"c{number}", ownerReferences=[owner(last)])
    api.said("DELETE", path("configmaps", "c0"))
    left = api.said("GET", path("configmaps"))["items"]
    assert left == []


def test_a_dependent_with_another_owner_stays_without_the_dead_reference(api: Api) -> None:
    """One owner is enough."""
    first, second = api.make("first"), api.make("second")
    api.make("dependent", ownerReferences=[owner(first), owner(second)])
    api.said("DELETE", path("configmaps", "first"))
    found = api.said("GET", path("configmaps", "dependent"))["metadata"]["ownerReferences"]
    assert [one["name"] for one in found] == ["second"]


def test_a_dependent_of_an_owner_that_never_was_goes(api: Api) -> None:
    """Its kind is known, its uid is nobody's."""
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "8ee2a92b-1f2f-4bbd-9b5d-4dd3be1a76b3"}
    api.make("dependent", ownerReferences=[nobody])
    assert api.gone("dependent")


def test_an_owner_in_another_namespace_is_none(api: Api) -> None:
    """References do not cross namespaces."""
    api.make("elsewhere", kind="namespaces", namespace="")
    api.make("dependent", ownerReferences=[owner(api.make("owner", namespace="elsewhere"))])
    assert api.gone("dependent")


def test_a_cluster_scoped_owner_is_one_everywhere(api: Api) -> None:
    """A namespaced object may belong to it."""
    node = api.make("node", kind="nodes", namespace="")
    api.make("dependent", ownerReferences=[owner(node)])
    assert not api.gone("dependent")
    api.said("DELETE", path("nodes", "node", namespace=""))
    assert api.gone("dependent")


def test_a_dependent_of_a_kind_that_is_not_served_stays(api: Api) -> None:
    """Nobody can tell whether its owner lives."""
    stranger = {"apiVersion": "example.com/v1", "kind": "Stranger", "name": "x", "uid": "1"}
    api.make("dependent", ownerReferences=[stranger])
    assert not api.gone("dependent")


def test_orphans_stay_and_forget_their_owner(api: Api) -> None:
    """`propagationPolicy: Orphan`."""
    api.make("dependent", ownerReferences=[owner(api.make("owner"))])
    api.said("DELETE", path("configmaps", "owner"), {"propagationPolicy": "Orphan"})
    assert api.gone("owner")
    assert "ownerReferences" not in api.said("GET", path("configmaps", "dependent"))["metadata"]


def test_in_the_foreground_an_owner_waits_for_those_that_block_it(api: Api) -> None:
    """A dependent's finalizer holds both; when it is taken away both are gone."""
    held = owner(api.make("owner"), blocks=True)
    api.make("dependent", ownerReferences=[held], finalizers=["example.com/hold"])
    api.said("DELETE", path("configmaps", "owner"), {"propagationPolicy": "Foreground"})
    waiting = api.said("GET", path("configmaps", "owner"))["metadata"]
    assert waiting["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in api.said("GET", path("configmaps", "dependent"))["metadata"]
    api.patch("dependent", {"metadata": {"finalizers": None}})
    assert api.gone("dependent")
    assert api.gone("owner")


def test_in_the_foreground_one_that_does_not_block_is_not_waited_for(api: Api) -> None:
    """It is deleted all the same."""
    api.make("dependent", ownerReferences=[owner(api.make("owner"))], finalizers=["example.com/hold"])
    api.said("DELETE", path("configmaps", "owner"), {"propagationPolicy": "Foreground"})
    assert api.gone("owner")
    assert "deletionTimestamp" in api.said("GET", path("configmaps", "dependent"))["metadata"]


def test_a_reference_that_is_taken_away_sets_free(api: Api) -> None:
    """The owner's end is nothing to it any more."""
    api.make("dependent", ownerReferences=[owner(api.make("owner"))])
    api.patch("dependent", {"metadata": {"ownerReferences": None}})
    api.said("DELETE", path("configmaps", "owner"))
    assert not api.gone("dependent")


def test_owners_in_a_circle_go_in_the_foreground_too(api: Api) -> None:
    """Each waits for the other; the collector finds an end."""
    first = api.make("first")
    second = api.make("second", ownerReferences=[owner(first, blocks=True)])
    api.patch("first", {"metadata": {"ownerReferences": [owner(second, blocks=True)]}})
    api.said("DELETE", path("configmaps", "first"), {"propagationPolicy": "Foreground"})
    assert api.gone("first")
    assert api.gone("second")
