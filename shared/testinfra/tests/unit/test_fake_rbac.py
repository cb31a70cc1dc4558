"""Who is who, and who may do what."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from testinfra.kubernetes.fake import builtin, rbac, reviews
from testinfra.kubernetes.fake.auth import ANONYMOUS, Authenticator, User
from testinfra.kubernetes.fake.rbac import Attributes, Authorizer
from testinfra.kubernetes.fake.status_errors import Refused

_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
_ACCOUNT: dict[str, Any] = {"metadata": {"name": "bot", "namespace": "team", "uid": "u1"}}
ALICE = User(name="alice", groups=("devs", "system:authenticated"))
BOT = User(name="system:serviceaccount:team:bot", groups=("system:serviceaccounts", "system:authenticated"))


class Objects:
    """A store of a few objects, as both an authenticator and an authorizer ask it."""

    def __init__(self, *more: dict[str, Any]) -> None:
        self.objects = [*builtin.first_objects(), *more]
        self.others = {("", "serviceaccounts", "team", "bot"): _ACCOUNT}

    def list(self, group: str, plural: str, namespace: str | None) -> Iterator[Mapping[str, Any]]:
        assert group == "rbac.authorization.k8s.io"
        for one in self.objects:
            if _PLURALS[one["kind"]] == plural and namespace in {None, one["metadata"].get("namespace", "")}:
                yield one

    def get(self, group: str, plural: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self.others.get((group, plural, namespace, name))


def _role(name: str, *rules: dict[str, Any], kind: str = "Role") -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": "team"} if kind == "Role" else {})
    return {"kind": kind, "metadata": meta, "rules": list(rules)}


def _bind(role: str, subject: dict[str, str], *, kind: str = "RoleBinding", to: str = "Role") -> dict[str, Any]:
    meta = {"name": f"{role}-binding"} | ({"namespace": "team"} if kind == "RoleBinding" else {})
    return {"kind": kind, "metadata": meta, "roleRef": {"kind": to, "name": role}, "subjects": [subject]}


_READ_PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}
_USER = {"kind": "User", "name": "alice"}


def _may(objects: Objects, user: User, **asked: str) -> bool:
    return Authorizer(objects.list).allowed(Attributes(user=user, **asked))


def test_a_master_may_do_everything() -> None:
    """Without any role."""
    master = User(name="x", groups=("system:masters",))
    assert _may(Objects(), master, verb="delete", resource="nodes", name="n")
    assert _may(Objects(), master, verb="get", path="/anything")


def test_nobody_else_may_do_anything_at_first() -> None:
    """But discovery and the version, for who is known; the version alone for who is not."""
    assert not _may(Objects(), ALICE, verb="get", resource="pods", namespace="team")
    assert _may(Objects(), ALICE, verb="get", path="/apis/apps/v1")
    assert _may(Objects(), ALICE, verb="create", group="authorization.k8s.io", resource="selfsubjectaccessreviews")
    assert not _may(Objects(), ANONYMOUS, verb="get", path="/apis/apps/v1")
    assert _may(Objects(), ANONYMOUS, verb="get", path="/version")


def test_a_role_holds_in_its_namespace_alone() -> None:
    """For the verbs and resources that it names."""
    objects = Objects(_role("reader", _READ_PODS), _bind("reader", _USER))
    assert _may(objects, ALICE, verb="list", resource="pods", namespace="team")
    assert not _may(objects, ALICE, verb="list", resource="pods", namespace="other")
    assert not _may(objects, ALICE, verb="list", resource="pods")
    assert not _may(objects, ALICE, verb="delete", resource="pods", namespace="team")
    assert not _may(objects, ALICE, verb="get", resource="pods", subresource="log", namespace="team")
    assert not _may(objects, ALICE, verb="get", group="apps", resource="pods", namespace="team")


@pytest.mark.parametrize(
    ("rule", "asked", "may"),
    [
        ({"resources": ["pods/log"]}, {"resource": "pods", "subresource": "log"}, True),
        ({"resources": ["*/status"]}, {"resource": "pods", "subresource": "status"}, True),
        ({"resources": ["*/status"]}, {"resource": "pods"}, False),
        ({"resources": ["*"]}, {"resource": "pods", "subresource": "exec"}, True),
        ({"resources": ["pods"], "resourceNames": ["a"]}, {"resource": "pods", "name": "a"}, True),
        ({"resources": ["pods"], "resourceNames": ["a"]}, {"resource": "pods", "name": "b"}, False),
        ({"resources": ["pods"], "resourceNames": ["a"]}, {"resource": "pods"}, False),
    ],
)
def test_a_rule_names_resources_subresources_and_names(rule: dict[str, Any], asked: dict[str, str], may: bool) -> None:
    """With `*` for all."""
    objects = Objects(_role("r", {"verbs": ["*"], "apiGroups": ["*"], **rule}), _bind("r", _USER))
    assert _may(objects, ALICE, verb="get", namespace="team", **asked) is may


def test_a_service_account_and_a_group_are_subjects_too() -> None:
    """By namespace and name, by the group's name."""
    account = {"kind": "ServiceAccount", "name": "bot", "namespace": "team"}
    for subject, user in ((account, BOT), ({"kind": "Group", "name": "devs"}, ALICE)):
        objects = Objects(_role("r", _READ_PODS), _bind("r", subject))
        assert _may(objects, user, verb="get", resource="pods", namespace="team")
    of_the_bot = Objects(_role("r", _READ_PODS), _bind("r", account))
    assert not _may(of_the_bot, ALICE, verb="get", resource="pods", namespace="team")


def test_a_cluster_role_bound_in_a_namespace_holds_there() -> None:
    """And `view` is at once the roles that it aggregates."""
    objects = Objects(_bind("view", _USER, to="ClusterRole"))
    assert _may(objects, ALICE, verb="watch", resource="configmaps", namespace="team")
    assert not _may(objects, ALICE, verb="watch", resource="secrets", namespace="team")
    assert not _may(objects, ALICE, verb="watch", resource="configmaps", namespace="other")


def test_a_refusal_is_worded_as_the_servers() -> None:
    """By object, by collection, by path."""
    asked = Attributes(user=ALICE, verb="get", resource="pods", subresource="log", namespace="team", name="x")
    status = rbac.forbidden(asked)
    assert status["message"] == (
        'pods "x" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace "team"'
    )
    assert (status["code"], status["details"]) == (403, {"name": "x", "kind": "pods"})
    cluster = rbac.forbidden(Attributes(user=ALICE, verb="list", group="apps", resource="deployments"))
    assert cluster["message"].endswith('cannot list resource "deployments" in API group "apps" at the cluster scope')
    path = rbac.forbidden(Attributes(user=ALICE, verb="get", path="/metrics"))
    assert path["message"] == 'forbidden: User "alice" cannot get path "/metrics"'


def test_what_a_user_does_not_hold_he_cannot_grant() -> None:
    """The rules that are not covered are given back."""
    objects = Objects(_role("r", _READ_PODS), _bind("r", _USER))
    more = {"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods"]}
    named = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"]}
    every = {"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}
    held = Authorizer(objects.list).ungranted(ALICE, "team", [_READ_PODS, more, named, every])
    assert held == [more, every]


def _token(objects: Objects, **spec: Any) -> tuple[Authenticator, str]:
    authenticator = Authenticator(objects.get)
    return authenticator, authenticator.issue(_ACCOUNT, {"spec": spec})["status"]["token"]


def test_a_token_stands_for_its_account() -> None:
    """With its groups and the token's id."""
    authenticator, token = _token(Objects())
    user = authenticator.bearer(token)
    assert user
    assert (user.name, user.uid) == ("system:serviceaccount:team:bot", "u1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated")
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_a_token_dies_with_its_account() -> None:
    """And an account of the same name is another one."""
    objects = Objects()
    authenticator, token = _token(objects)
    objects.others["", "serviceaccounts", "team", "bot"] = {"metadata": {**_ACCOUNT["metadata"], "uid": "u2"}}
    assert authenticator.bearer(token) is None
    objects.others.clear()
    assert authenticator.bearer(token) is None


def test_a_token_dies_with_what_it_is_bound_to() -> None:
    """A secret here."""
    objects = Objects()
    objects.others["", "secrets", "team", "s"] = {"metadata": {"name": "s", "namespace": "team", "uid": "s1"}}
    authenticator, token = _token(objects, boundObjectRef={"kind": "Secret", "apiVersion": "v1", "name": "s"})
    assert authenticator.bearer(token)
    del objects.others["", "secrets", "team", "s"]
    assert authenticator.bearer(token) is None


def test_a_token_is_good_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a second longer."""
    authenticator, token = _token(Objects(), expirationSeconds=600)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 600
    monkeypatch.setattr("testinfra.kubernetes.fake.auth.time.time", lambda: claims["exp"] - 1)
    assert authenticator.bearer(token)
    monkeypatch.setattr("testinfra.kubernetes.fake.auth.time.time", lambda: claims["exp"])
    assert authenticator.bearer(token) is None


def test_a_token_of_another_server_or_audience_is_none() -> None:
    """Nor is one that was changed."""
    authenticator, token = _token(Objects(), audiences=["vault"])
    assert authenticator.bearer(token) is None
    assert authenticator.bearer(token, ["vault", "x"])
    assert Authenticator(Objects().get).bearer(token, ["vault"]) is None
    head, body, signature = token.split(".")
    assert authenticator.bearer(f"{head}.{body[:-2]}AA.{signature}", ["vault"]) is None
    assert authenticator.bearer("bad") is None


@pytest.mark.parametrize(("seconds", "told"), [(5, "less than 10 minutes"), (2**33, "larger than 2^32 seconds")])
def test_a_token_lives_at_least_ten_minutes(seconds: int, told: str) -> None:
    """And not for ever."""
    with pytest.raises(Refused, match=told.replace("^", r"\^")) as caught:
        _token(Objects(), expirationSeconds=seconds)
    assert caught.value.code == 422


def test_a_token_cannot_be_bound_to_nothing() -> None:
    """404, as for the object itself."""
    with pytest.raises(Refused, match='pods "nope" not found'):
        _token(Objects(), boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "nope"})


def _review(kind: str, spec: dict[str, Any], user: User = ALICE, namespace: str = "", *more: dict[str, Any]) -> Any:
    objects = Objects(*more)
    authenticator = Authenticator(objects.get)
    authenticator.declare("secret", User(name="carol", groups=("devs",)))
    asked = {"kind": kind, "spec": spec}
    return reviews.answer(
        asked, user=user, authenticator=authenticator, authorizer=Authorizer(objects.list), namespace=namespace
    )["status"]


def test_a_token_review_tells_who_it_is() -> None:
    """Or what is wrong."""
    assert _review("TokenReview", {"token": "secret"}) == {
        "authenticated": True,
        "user": {"username": "carol", "groups": ["devs", "system:authenticated"]},
        "audiences": ["https://kubernetes.default.svc"],
    }
    assert _review("TokenReview", {"token": "bad"}) == {"user": {}, "error": "invalid bearer token"}
    with pytest.raises(Refused, match="token is required"):
        _review("TokenReview", {})


def test_access_reviews_decide_as_requests_do() -> None:
    """For oneself, and for another; with the binding that allows it."""
    more = (_role("r", _READ_PODS), _bind("r", _USER))
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "team"}}
    why = 'RBAC: allowed by RoleBinding "r-binding/team" of Role "r" to User "alice"'
    assert _review("SelfSubjectAccessReview", spec, ALICE, "", *more) == {"allowed": True, "reason": why}
    assert _review("SubjectAccessReview", {**spec, "user": "bob"}, ALICE, "", *more) == {"allowed": False}
    local = {**spec, "user": "alice"}
    assert _review("LocalSubjectAccessReview", local, BOT, "team", *more)["allowed"]
    with pytest.raises(Refused, match=r"must match metadata\.namespace"):
        _review("LocalSubjectAccessReview", local, BOT, "other", *more)


def test_an_access_review_asks_about_one_thing_and_somebody() -> None:
    """Else it is refused."""
    with pytest.raises(Refused, match="exactly one of nonResourceAttributes or resourceAttributes"):
        _review("SubjectAccessReview", {"user": "x"})
    with pytest.raises(Refused, match="at least one of user or group"):
        _review("SubjectAccessReview", {"resourceAttributes": {"verb": "get"}})
    with pytest.raises(Refused, match="cannot be specified in combination"):
        _review("SelfSubjectAccessReview", {"resourceAttributes": {}, "nonResourceAttributes": {"verb": "get"}})


def test_who_am_i_and_what_may_i() -> None:
    """The identity; the rules, of resources and of paths apart."""
    assert _review("SelfSubjectReview", {}) == {"userInfo": {"username": "alice", "groups": list(ALICE.groups)}}
    more = (_role("r", _READ_PODS), _bind("r", _USER))
    found = _review("SelfSubjectRulesReview", {"namespace": "team"}, ALICE, "", *more)
    assert _READ_PODS in found["resourceRules"]
    assert any("/version" in rule["nonResourceURLs"] for rule in found["nonResourceRules"])
    with pytest.raises(Refused, match="no namespace on request"):
        _review("SelfSubjectRulesReview", {})
