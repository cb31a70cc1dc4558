"""Rights as RBAC rules have them: taken apart into the least, covered by others, and put together again."""

from __future__ import annotations

import pytest

from testinfra.faults.rights import Right
from testinfra.kubernetes.accounts import question

MAPS = {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list"]}


def test_a_rule_is_all_its_combinations() -> None:
    """Two verbs on two resources are four rights; names and URLs count as well."""
    assert len(list(Right.of(MAPS))) == 4
    named = {**MAPS, "resourceNames": ["a", "b"]}
    assert len(list(Right.of(named))) == 8
    assert list(Right.of({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})) == [Right(verb="get", url="/metrics")]


@pytest.mark.parametrize(
    "rule", [MAPS, {**MAPS, "resourceNames": ["a"]}, {"nonResourceURLs": ["/a", "/b"], "verbs": ["get"]}]
)
def test_the_rules_of_all_rights_allow_what_the_rule_did(rule: dict[str, list[str]]) -> None:
    """Nothing more, nothing less."""
    rights = list(Right.of(rule))
    assert [one for right in rights for one in Right.of(right.rule())] == rights


@pytest.mark.parametrize(
    ("right", "covered"),
    [
        (Right(verb="get", resource="configmaps"), True),
        (Right(verb="get", resource="configmaps", name="a"), True),
        (Right(verb="create", resource="configmaps"), False),
        (Right(verb="get", resource="pods"), False),
        (Right(verb="get", group="apps", resource="configmaps"), False),
        (Right(verb="get", url="/metrics"), False),
        (Right(verb="*", resource="configmaps"), False),
    ],
)
def test_a_right_is_covered_by_a_rule_of_its_verb_group_and_resource(right: Right, covered: bool) -> None:
    """A `*` that was given is not covered by less than a `*`."""
    assert right.is_in([MAPS]) is covered
    assert right.is_in([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "nonResourceURLs": ["*"]}])


def test_the_server_is_asked_for_the_first_thing_that_a_rule_names() -> None:
    """Its subresource is a field of its own."""
    expected = {"verb": "get", "resource": "pods", "subresource": "log", "name": "a", "namespace": "here"}
    assert question(Right(verb="get", resource="pods/log", name="a").rule(), "here") == {"resourceAttributes": expected}
    url = Right(verb="get", url="/x").rule()
    assert question(url, "here") == {"nonResourceAttributes": {"path": "/x", "verb": "get"}}
