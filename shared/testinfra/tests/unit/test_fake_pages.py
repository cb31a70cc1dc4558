"""The fake's pages: of one moment for as long as it is remembered."""

from __future__ import annotations

from shared.testinfra.tests.unit.fakeapi import Api, path

CONFIGMAPS = path("configmaps")


def test_a_page_of_a_forgotten_moment_is_gone_and_says_how_to_go_on() -> None:
    """410 with a token by which the rest can be had, of a later moment."""
    api = Api(history=2)
    for number in range(4):
        api.make(f"c{number}")
    first = api.said("GET", f"{CONFIGMAPS}?limit=2")
    for number in range(3):
        api.patch("c3", {"data": {"n": str(number)}})
    refused = api.said("GET", f"{CONFIGMAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (refused["http"], refused["reason"]) == (410, "Expired")
    rest = api.said("GET", f"{CONFIGMAPS}?limit=2&continue={refused['metadata']['continue']}")
    assert [one["metadata"]["name"] for one in rest["items"]] == ["c2", "c3"]
    assert rest["items"][1]["data"] == {"n": "2"}


def test_a_collection_is_deleted_by_selector() -> None:
    """What is not chosen stays."""
    api = Api()
    for number in range(4):
        api.make(f"c{number}", labels={"even": str(number % 2 == 0)})
    done = api.said("DELETE", f"{CONFIGMAPS}?labelSelector=even%3DTrue")
    assert [one["metadata"]["name"] for one in done["items"]] == ["c0", "c2"]
    assert [one["metadata"]["name"] for one in api.said("GET", CONFIGMAPS)["items"]] == ["c1", "c3"]
