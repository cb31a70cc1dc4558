"""Discovery: the same kinds, told group by group and all at once."""

from __future__ import annotations

from typing import Any

import pytest

from testinfra.kubernetes.fake import discovery
from testinfra.kubernetes.fake.kinds import Kinds


def _kinds() -> Kinds:
    kinds = Kinds()
    version = {"served": True, "storage": False, "subresources": {"status": {}, "scale": {}}, "schema": {}}
    versions = [{**version, "name": name} for name in ("v1beta1", "v1")]
    names = {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gd"], "categories": ["all"]}
    spec = {"group": "example.com", "scope": "Cluster", "names": names, "versions": versions}
    kinds.add({"metadata": {"name": "gadgets.example.com"}, "spec": spec})
    return kinds


def _flat(kinds: Kinds) -> set[tuple[str, str, str]]:
    """All (group version, resource, verbs) as told group by group."""
    found = set()
    for group in kinds.groups():
        for version in kinds.versions(group):
            listed = discovery.resource_list(kinds, group, version)
            assert listed
            found |= {(listed["groupVersion"], one["name"], " ".join(one["verbs"])) for one in listed["resources"]}
    return found


def _told_at_once(kinds: Kinds) -> set[tuple[str, str, str]]:
    found = set()
    for core in (True, False):
        for group in discovery.aggregated(kinds, core=core)["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                where = f"{name}/{version['version']}".lstrip("/")
                for one in version["resources"]:
                    found.add((where, one["resource"], " ".join(one["verbs"])))
                    found |= {
                        (where, f"{one['resource']}/{sub['subresource']}", " ".join(sub["verbs"]))
                        for sub in one.get("subresources", ())
                    }
    return found


def test_both_ways_tell_the_same() -> None:
    """Whichever a client asks, it sees the same resources and verbs."""
    kinds = _kinds()
    assert _flat(kinds) == _told_at_once(kinds)
    assert len(_flat(kinds)) > 80


def test_a_custom_kind_is_told_with_its_names_and_subresources() -> None:
    """Short names, categories and scope are read from there."""
    listed = discovery.resource_list(_kinds(), "example.com", "v1")
    assert listed
    main, status, scale = listed["resources"]
    assert {key: main[key] for key in ("name", "singularName", "namespaced", "kind", "shortNames", "categories")} == {
        "name": "gadgets",
        "singularName": "gadget",
        "namespaced": False,
        "kind": "Gadget",
        "shortNames": ["gd"],
        "categories": ["all"],
    }
    assert (status["name"], status["kind"]) == ("gadgets/status", "Gadget")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


def test_the_stable_version_is_preferred() -> None:
    """Whatever the order in the CRD."""
    found = discovery.group(_kinds(), "example.com")
    assert found
    assert found["preferredVersion"]["version"] == "v1"
    assert [one["version"] for one in found["versions"]] == ["v1", "v1beta1"]


def test_what_is_not_served_is_none() -> None:
    """Neither a group, nor a version of one that is."""
    kinds = _kinds()
    assert discovery.group(kinds, "nope.io") is None
    assert discovery.group(kinds, "") is None
    assert discovery.resource_list(kinds, "apps", "v1beta1") is None


def test_core_is_no_group_among_the_groups() -> None:
    """It has an address of its own, `/api`."""
    kinds = _kinds()
    assert "" not in [group["name"] for group in discovery.group_list(kinds)["groups"]]
    assert discovery.group_list(kinds)["groups"][-1]["name"] == "example.com"
    assert [group["metadata"] for group in discovery.aggregated(kinds, core=True)["items"]] == [{}]


_ASKED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (f"{_ASKED},application/json", "v2"),
        (f"{_ASKED.replace('v=v2', 'v=v2beta1')},{_ASKED},application/json", "v2"),
        (f"{_ASKED.replace('v=v2', 'v=v2beta1')},application/json", ""),
        (f"application/json,{_ASKED}", ""),
        ("application/json", ""),
        ("*/*", ""),
        ("", ""),
    ],
)
def test_the_first_form_that_is_known_is_taken(accept: str, version: str) -> None:
    """1.36 answers v2 alone."""
    assert discovery.wants_aggregated(accept) == version


def test_built_in_kinds_have_the_servers_own_storage_hash() -> None:
    """Clients take another hash as another store."""
    listed: Any = discovery.resource_list(Kinds(), "", "v1")
    (config_maps,) = [one for one in listed["resources"] if one["name"] == "configmaps"]
    assert config_maps["storageVersionHash"] == "qFsyl6wFWjQ="
