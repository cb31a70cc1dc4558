"""Rights: what roles give, what they do not, and what a server says to who lacks them."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.contract.kubernetes.access import (
    AUTHORIZATION,
    RBAC,
    account,
    await_right,
    bind,
    grant,
    logged_in,
    may,
    rule,
    token_of,
    user_of,
)
from shared.testinfra.tests.contract.kubernetes.room import GROUP, Object, Room, named, names_of, refused, widget
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until


def test_an_account_may_do_what_its_role_says(cluster: Cluster, custom: Room) -> None:
    """In its namespace, with built-in and custom kinds."""
    custom.create("configmaps", named("a"))
    rules = rule("configmaps", "get", "list"), rule("widgets", "create", group=GROUP)
    with account(cluster, custom, "worker", *rules) as mine:
        assert mine.get("configmaps", "a")["metadata"]["name"] == "a"
        assert mine.create("widgets", widget("w"))["metadata"]["name"] == "w"


def test_an_account_may_not_do_more(cluster: Cluster, room: Room) -> None:
    """403 says who wanted what, where."""
    with account(cluster, room, "worker", rule("configmaps", "get")) as mine, refused(403, "Forbidden") as said:
        mine.delete("configmaps", "a")
    assert said.value.message == (
        f'configmaps "a" is forbidden: User "{user_of(room, "worker")}" cannot delete resource "configmaps"'
        f' in API group "" in the namespace "{room.name}"'
    )
    assert said.value.details == {"name": "a", "kind": "configmaps"}


def test_a_refused_custom_kind_is_named_with_its_group(cluster: Cluster, custom: Room) -> None:
    """So one knows what to put into the role."""
    with account(cluster, custom, "worker") as mine, refused(403, "Forbidden") as said:
        mine.listed("widgets")
    assert said.value.message.startswith(f"widgets.{GROUP} is forbidden: ")
    assert f'cannot list resource "widgets" in API group "{GROUP}"' in said.value.message


def test_a_role_is_worth_nothing_elsewhere(cluster: Cluster, room: Room) -> None:
    """Not in another namespace, nor over all."""
    with account(cluster, room, "worker", rule("configmaps", "list")) as mine:
        with refused(403, "Forbidden"):
            Room(mine.rest, "default").listed("configmaps")
        with refused(403, "Forbidden") as said:
            mine.rest.get("/api/v1/configmaps")
        assert said.value.message.endswith('in API group "" at the cluster scope')


def test_rights_are_missing_before_existence_is_told(cluster: Cluster, room: Room) -> None:
    """Who may not look does not learn that there is nothing."""
    with account(cluster, room, "worker") as mine, refused(403, "Forbidden"):
        mine.get("configmaps", "none")


@pytest.mark.parametrize("given", ["verbs", "resources"])
def test_a_star_means_all(cluster: Cluster, room: Room, given: str) -> None:
    """Of verbs, or of resources."""
    body = rule("configmaps", "get") | {given: ["*"]}
    with account(cluster, room, "worker", body) as mine:
        room.create("configmaps", named("a"))
        mine.get("configmaps", "a")
        if given == "verbs":
            mine.delete("configmaps", "a")
        else:
            with refused(404, "NotFound"):
                mine.get("secrets", "none")


def test_a_role_may_be_for_one_name(cluster: Cluster, room: Room) -> None:
    """And then not for a list, but for one of that name."""
    for name in ("a", "b"):
        room.create("configmaps", named(name))
    with account(cluster, room, "worker"):
        grant(room, "worker", rule("configmaps", "get", "list", resourceNames=["a"]))
        await_right(room, "worker", "get", "configmaps", name="a")
        with logged_in(cluster, token_of(room, "worker")["token"]) as rest:
            mine = Room(rest, room.name)
            mine.get("configmaps", "a")
            with refused(403, "Forbidden"):
                mine.get("configmaps", "b")
            with refused(403, "Forbidden"):
                mine.listed("configmaps")
            assert names_of(mine.listed("configmaps", fieldSelector="metadata.name=a")) == ["a"]


def test_the_status_is_a_right_of_its_own(cluster: Cluster, custom: Room) -> None:
    """`widgets` does not give `widgets/status`, nor the other way round."""
    custom.create("widgets", widget("a"))
    with account(cluster, custom, "worker", rule("widgets/status", "patch", group=GROUP)) as mine:
        mine.patch("widgets", "a", {"status": {"phase": "Ready"}}, sub="status")
        with refused(403, "Forbidden"):
            mine.patch("widgets", "a", {"spec": {"size": 2}})
    with account(cluster, custom, "user", rule("widgets", "patch", group=GROUP)) as mine:
        mine.patch("widgets", "a", {"spec": {"size": 2}})
        with refused(403, "Forbidden") as said:
            mine.patch("widgets", "a", {"status": {"phase": "Forged"}}, sub="status")
    assert 'cannot patch resource "widgets/status"' in said.value.message


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_watching_and_listing_are_two_rights(cluster: Cluster, room: Room, verb: str) -> None:
    """Each is refused without its own."""
    with account(cluster, room, "worker", rule("secrets", verb)) as mine:
        if verb == "list":
            mine.listed("secrets")
            with refused(403, "Forbidden"):
                next(mine.watch("secrets"))
        else:
            room.create("secrets", named("a"))
            assert mine.next_events(1, "secrets", resourceVersion="0") == [("ADDED", "a")]
            with refused(403, "Forbidden"):
                mine.listed("secrets")


def test_deleting_a_collection_is_a_right_of_its_own(cluster: Cluster, room: Room) -> None:
    """`delete` is for one."""
    room.create("secrets", named("a"))
    with account(cluster, room, "worker", rule("secrets", "delete")) as mine:
        with refused(403, "Forbidden") as said:
            mine.delete("secrets", labelSelector="x=y")
        assert "cannot deletecollection" in said.value.message
        mine.delete("secrets", "a")


def test_a_right_that_is_taken_away_is_gone(cluster: Cluster, room: Room) -> None:
    """Soon after its role or its binding is."""
    with account(cluster, room, "worker", rule("secrets", "list")) as mine:
        mine.listed("secrets")
        room.delete("rolebindings", "worker-worker")
        await_right(room, "worker", "list", "secrets", there=False)
        with refused(403, "Forbidden"):
            mine.listed("secrets")


def cluster_role(name: str, **fields: object) -> Object:
    """A cluster role."""
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, **fields}


def test_a_cluster_role_can_be_given_for_one_namespace(cluster: Cluster, room: Room) -> None:
    """By a role binding; `view` is there from the start, and shows no secrets."""
    with account(cluster, room, "viewer") as mine:
        bind(room, "viewer", "ClusterRole", "view")
        await_right(room, "viewer", "list", "configmaps")
        mine.listed("configmaps")
        with refused(403, "Forbidden"):
            mine.listed("secrets")
        with refused(403, "Forbidden"):
            mine.create("configmaps", named("a"))


def test_a_cluster_role_bound_to_the_cluster_is_for_all_of_it(cluster: Cluster, room: Room) -> None:
    """Every namespace, and what is in none."""
    role = cluster_role(room.name, rules=[rule("namespaces", "list"), rule("secrets", "list")])
    room.rest.post(f"/apis/{RBAC}/v1/clusterroles", role)
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": room.name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": room.name},
        "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": room.name}],
    }
    room.rest.post(f"/apis/{RBAC}/v1/clusterrolebindings", binding)
    with account(cluster, room, "worker") as mine:
        await_right(room, "worker", "list", "secrets", namespace="")
        assert "default" in names_of(mine.rest.get("/api/v1/namespaces"))
        Room(mine.rest, "default").listed("secrets")


def test_a_group_may_be_the_subject(cluster: Cluster, room: Room) -> None:
    """All accounts of a namespace are one."""
    room.create("roles", {"metadata": {"name": "all"}, "rules": [rule("secrets", "list")]})
    room.create(
        "rolebindings",
        {
            "metadata": {"name": "all"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "all"},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": f"system:serviceaccounts:{room.name}"}],
        },
    )
    with account(cluster, room, "worker") as mine:
        asked = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "list", "resource": "secrets", "namespace": room.name}},
        }
        wait_until(
            lambda: mine.rest.post(f"{AUTHORIZATION}/selfsubjectaccessreviews", asked)["status"]["allowed"] is True,
            what="the group's right is known",
            timeout=20,
        )
        mine.listed("secrets")


def test_nobody_gives_rights_that_he_does_not_have(cluster: Cluster, room: Room) -> None:
    """A role of more than one's own is refused, and what is too much is named."""
    with (
        account(cluster, room, "worker", rule("roles", "create", group=RBAC)) as mine,
        refused(403, "Forbidden") as said,
    ):
        mine.create("roles", {"metadata": {"name": "more"}, "rules": [rule("secrets", "get")]})
    assert "is attempting to grant RBAC permissions not currently held" in said.value.message


def test_a_cluster_role_may_be_the_sum_of_others(cluster: Cluster, room: Room) -> None:
    """By labels: its rules are filled in by the server."""
    mark = {f"aggregate.{GROUP}/{room.name}": "true"}
    whole = cluster_role(room.name, aggregationRule={"clusterRoleSelectors": [{"matchLabels": mark}]})
    part = cluster_role(f"{room.name}-part", rules=[rule("secrets", "list")])
    part["metadata"]["labels"] = mark
    for role in (whole, part):
        room.rest.post(f"/apis/{RBAC}/v1/clusterroles", role)
    with account(cluster, room, "worker") as mine:
        bind(room, "worker", "ClusterRole", room.name)
        await_right(room, "worker", "list", "secrets")
        mine.listed("secrets")


def test_a_review_tells_what_another_may(cluster: Cluster, room: Room, rest: Rest) -> None:
    """Without logging in as him, and without a request."""
    with account(cluster, room, "worker", rule("secrets", "get")):
        user = user_of(room, "worker")
        assert may(rest, user, "get", "secrets", namespace=room.name)
        assert not may(rest, user, "update", "secrets", namespace=room.name)
        assert not may(rest, user, "get", "secrets", namespace="default")
        assert not may(rest, user, "get", "secrets", namespace=room.name, subresource="status")


def test_a_review_may_name_groups(rest: Rest) -> None:
    """The administrators' may do all; a user of no group nothing."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "anyone",
            "groups": ["system:masters"],
            "resourceAttributes": {"verb": "delete", "resource": "nodes"},
        },
    }
    assert rest.post(f"{AUTHORIZATION}/subjectaccessreviews", body)["status"]["allowed"] is True
    del body["spec"]["groups"]  # type: ignore[attr-defined]  # a dict, as written above
    assert rest.post(f"{AUTHORIZATION}/subjectaccessreviews", body)["status"]["allowed"] is False


def test_a_review_of_a_path_is_for_paths(rest: Rest) -> None:
    """/healthz is anyone's who is logged in; /metrics is not."""

    def allowed(path: str) -> bool:
        spec = {
            "user": "anyone",
            "groups": ["system:authenticated"],
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return bool(rest.post(f"{AUTHORIZATION}/subjectaccessreviews", body)["status"]["allowed"])

    assert allowed("/healthz")
    assert not allowed("/metrics")


def test_anyone_may_ask_what_he_may(cluster: Cluster, room: Room) -> None:
    """All his rules of a namespace in one answer."""
    with account(cluster, room, "worker", rule("secrets", "get")) as mine:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": room.name},
        }
        rules = mine.rest.post(f"{AUTHORIZATION}/selfsubjectrulesreviews", body)["status"]["resourceRules"]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]} in rules


def test_an_administrator_may_act_as_another(cluster: Cluster, room: Room, rest: Rest) -> None:
    """`Impersonate-User`: with his rights, and no more."""
    headers = {"Impersonate-User": user_of(room, "nobody")}
    with refused(403, "Forbidden") as said:
        rest.request("GET", room.path("secrets"), headers=headers)
    assert user_of(room, "nobody") in said.value.message
