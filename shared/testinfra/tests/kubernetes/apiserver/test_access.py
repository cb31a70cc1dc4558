"""Who may do what on a control plane: certificates of its own authority, tokens of its own making, RBAC."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from testinfra.endpoints import Cluster
from testinfra.kubernetes.accounts import await_right
from testinfra.kubernetes.certs import Authority
from testinfra.kubernetes.rest import ApiError, Rest

REVIEWS = "/apis/authentication.k8s.io/v1"


@pytest.fixture
def token(rest: Rest, own: str) -> str:
    """A token of a service account that has no rights."""
    rest.post(f"{own}/serviceaccounts", {"metadata": {"name": "worker"}})
    asked = rest.post(f"{own}/serviceaccounts/worker/token", {"spec": {"expirationSeconds": 600}})
    return str(asked["status"]["token"])


@pytest.fixture
def worker(cluster: Cluster, token: str) -> Iterator[Rest]:
    """A client with that token."""
    with Rest(dataclasses.replace(cluster, token=token)) as made:
        yield made


def test_a_token_is_known_to_the_server_that_made_it(rest: Rest, own: str, token: str) -> None:
    """TokenRequest and TokenReview agree on the service account."""
    review = rest.post(f"{REVIEWS}/tokenreviews", {"spec": {"token": token}})
    namespace = own.rpartition("/")[2]
    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:worker"


def test_a_token_that_was_changed_is_known_to_nobody(cluster: Cluster, rest: Rest, token: str) -> None:
    """By review, and by use (401)."""
    forged = token[:-8] + "AAAAAAAA"
    assert not rest.post(f"{REVIEWS}/tokenreviews", {"spec": {"token": forged}})["status"].get("authenticated")
    with Rest(dataclasses.replace(cluster, token=forged)) as stranger, pytest.raises(ApiError) as caught:
        stranger.get("/api/v1/namespaces")
    assert caught.value.status == 401


def test_a_token_without_rights_is_refused_until_a_role_is_bound(rest: Rest, own: str, worker: Rest) -> None:
    """403, with what was asked for; after the binding, 200."""
    with pytest.raises(ApiError, match='cannot list resource "configmaps"') as caught:
        worker.get(f"{own}/configmaps")
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden")
    namespace = own.rpartition("/")[2]
    group = "rbac.authorization.k8s.io"
    rest.post(
        f"/apis/{group}/v1/namespaces/{namespace}/rolebindings",
        {
            "metadata": {"name": "look"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": namespace}],
        },
    )
    await_right(worker, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}, namespace)
    assert worker.get(f"{own}/configmaps")["kind"] == "ConfigMapList"


def test_a_certificate_of_another_authority_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """Whatever group it claims."""
    cert, key = Authority.create().client("mallory", ["system:masters"]).save(tmp_path, "mallory")
    with (
        Rest(dataclasses.replace(cluster, cert_file=cert, key_file=key)) as stranger,
        pytest.raises(ApiError) as caught,
    ):
        stranger.get("/api/v1/namespaces")
    assert caught.value.status == 401


def test_without_a_login_nothing_is_shown(cluster: Cluster) -> None:
    """403 for the anonymous, but for health and version."""
    with Rest(dataclasses.replace(cluster, cert_file="", key_file="")) as anonymous:
        assert anonymous.get("/version")["gitVersion"].startswith("v1.36.")
        with pytest.raises(ApiError) as caught:
            anonymous.get("/api/v1/namespaces")
    assert caught.value.status == 403


def test_keys_and_logins_are_for_our_eyes_only(cluster: Cluster) -> None:
    """Mode 0600, in a folder of mode 0700."""
    home = Path(cluster.kubeconfig).parent
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir() if path.is_file()}
    assert modes.keys() >= {"admin.key", "server.key", "service-accounts.key", "kubeconfig", "audit.log"}
    assert set(modes.values()) == {0o600}


def test_requests_pass_priority_and_fairness(rest: Rest) -> None:
    """The server says which flow schema each request fell under."""
    answer = rest.request("GET", "/api/v1/namespaces/default")
    uid = answer.headers["X-Kubernetes-PF-FlowSchema-UID"]
    schemas = rest.get("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas")["items"]
    assert "exempt" in {schema["metadata"]["name"] for schema in schemas if schema["metadata"]["uid"] == uid}


def test_an_answered_request_is_in_the_audit_log(cluster: Cluster, rest: Rest, own: str) -> None:
    """Received and completed, with who asked and how it ended; the control plane's own talk is not."""
    with pytest.raises(ApiError):
        rest.get(f"{own}/configmaps/none")
    events = [json.loads(line) for line in Path(cluster.audit_log).read_text().splitlines()]
    mine = [event for event in events if event["requestURI"] == f"{own}/configmaps/none"]
    assert [event["stage"] for event in mine] == ["RequestReceived", "ResponseComplete"]
    assert mine[0]["auditID"] == mine[1]["auditID"]
    assert mine[1]["responseStatus"]["code"] == 404
    assert {event["user"]["username"] for event in mine} == {"testinfra"}
    assert not {event["user"]["username"] for event in events} & {"system:apiserver", "system:kube-controller-manager"}
