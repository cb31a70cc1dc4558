"""Rights taken away: the server refuses what it allowed before, and allows it again afterwards."""

from __future__ import annotations

import pytest

from shared.testinfra.tests.kubernetes.faults.objects import a_map
from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotReady
from testinfra.faults.kubernetes_fixtures import Revoke
from testinfra.kubernetes.accounts import await_right
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.kubernetes_fixtures import ServiceAccounts

MAPS = {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "create"]}
CREATE_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}
LIST_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
VERSION = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}


def code(rest: Rest, path: str, body: dict[str, object] | None = None) -> int:
    try:
        return rest.request("GET" if body is None else "POST", path, body).status
    except ApiError as exc:
        return exc.status


def test_one_right_is_taken_and_given_back(service_account: ServiceAccounts, revoke: Revoke, maps: str) -> None:
    """Three times in a row; the other rights of the same rule stay."""
    account = service_account([MAPS])
    with Rest(account) as rest:
        for number in range(3):
            assert code(rest, maps, a_map(f"before-{number}")) == 201
            with revoke(account, CREATE_MAPS):
                assert code(rest, maps, a_map("meanwhile")) == 403
                assert code(rest, maps) == 200
                assert code(rest, maps.replace("configmaps", "secrets")) == 200
        assert code(rest, maps, a_map("after")) == 201


def test_all_rights_are_taken_and_given_back(
    service_account: ServiceAccounts, revoke: Revoke, maps: str, kubernetes: Kubernetes
) -> None:
    """Those of the namespace, those of the whole cluster, and those on URLs; the role says afterwards what it said."""
    account = service_account([MAPS], cluster_rules=[NODES, VERSION], name="one")
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{account.namespace}/roles/one"
    before = kubernetes.rest().get(role)["rules"]
    with Rest(account) as rest:
        with revoke(account):
            assert [code(rest, path) for path in (maps, "/api/v1/nodes", "/metrics")] == [403, 403, 403]
        assert [code(rest, path) for path in (maps, "/api/v1/nodes")] == [200, 200]
        assert code(rest, "/metrics") != 403
    assert kubernetes.rest().get(role)["rules"] == before


def test_nobody_else_loses_anything(service_account: ServiceAccounts, revoke: Revoke, maps: str) -> None:
    """An account with the same rights keeps them."""
    account, other = service_account([MAPS]), service_account([MAPS])
    with Rest(other) as rest, revoke(account):
        assert code(rest, maps) == 200


def test_a_block_that_raises_gives_them_back(service_account: ServiceAccounts, revoke: Revoke, maps: str) -> None:
    """The next step of the test finds them."""
    account = service_account([MAPS])
    with pytest.raises(ZeroDivisionError), revoke(account):
        raise ZeroDivisionError
    with Rest(account) as rest:
        assert code(rest, maps) == 200


def test_without_a_block_it_lasts_until_it_is_restored(
    service_account: ServiceAccounts, revoke: Revoke, maps: str
) -> None:
    """Or until the end of the test."""
    account = service_account([MAPS])
    taken = revoke(account)
    with Rest(account) as rest:
        assert code(rest, maps) == 403
        taken.restore()
        taken.restore()
        assert code(rest, maps) == 200


def test_a_right_that_it_does_not_have_cannot_be_taken(service_account: ServiceAccounts, revoke: Revoke) -> None:
    """A fault that changes nothing is none; nor can a part of a `*` be taken."""
    with pytest.raises(Misconfigured, match="has no right of its own"):
        revoke(service_account([MAPS]), NODES)
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    with pytest.raises(Misconfigured, match=r"a rule with `\*`"):
        revoke(service_account([everything]), CREATE_MAPS)


def test_a_right_that_it_has_from_elsewhere_fails_the_test(
    service_account: ServiceAccounts, revoke: Revoke, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still allows it: the fault did not happen, and the role is as it was."""
    monkeypatch.setattr("testinfra.faults.rights._WITHIN", 0.3)
    account = service_account([MAPS], name="one")
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{account.namespace}"
    kubernetes.rest().post(f"{base}/roles", {"metadata": {"name": "more"}, "rules": [CREATE_MAPS, LIST_PODS]})
    before = kubernetes.rest().get(f"{base}/roles/one")["rules"]
    bind(kubernetes, account, base)
    with pytest.raises(NotReady, match="the server refuses"):
        revoke(account)
    assert kubernetes.rest().get(f"{base}/roles/one")["rules"] == before


def bind(kubernetes: Kubernetes, account: Cluster, base: str) -> None:
    """Give the account the role `more` too; what it gives is known when this returns."""
    subject = {"kind": "ServiceAccount", "name": "one", "namespace": account.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "more"}
    kubernetes.rest().post(
        f"{base}/rolebindings", {"metadata": {"name": "more"}, "roleRef": role, "subjects": [subject]}
    )
    with Rest(account) as rest:
        await_right(rest, LIST_PODS, account.namespace)


def test_an_administrator_has_no_role_to_change(revoke: Revoke, namespace: Cluster) -> None:
    """Only what `service_account` gave can be taken."""
    with pytest.raises(Misconfigured, match="and this is testinfra"):
        revoke(namespace)
