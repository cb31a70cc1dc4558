"""Throttling: the server itself answers one identity with 429, and nothing of it remains."""

from __future__ import annotations

import threading
import time

import pytest
import urllib3

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotAvailable, NotReady
from testinfra.faults.audit import AuditLog
from testinfra.faults.kubernetes_fixtures import Throttling
from testinfra.faults.requests import answered
from testinfra.faults.throttle import _LEVELS, _SCHEMAS, _WEBHOOKS
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.kubernetes_fixtures import ServiceAccounts

ON_APISERVER = pytest.mark.parametrize("testinfra_stand", ["apiserver"], indirect=True, scope="session")
ELSEWHERE = pytest.mark.parametrize("testinfra_stand", ["fake"], indirect=True, scope="session")
READ_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


@pytest.fixture
def account(service_account: ServiceAccounts) -> Cluster:
    """An identity that may read ConfigMaps."""
    return service_account([READ_MAPS])


def raw(account: Cluster, path: str) -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": f"Bearer {account.token}"}
    with urllib3.PoolManager(ca_certs=account.ca_file, retries=False) as pool:
        return pool.request("GET", account.server + path, headers=headers)


def leftovers(kubernetes: Kubernetes, name: str) -> list[str]:
    """Everything of the whole cluster that is called `name`."""
    return [
        path
        for path in (_LEVELS, _SCHEMAS, _WEBHOOKS)
        for one in kubernetes.rest().get(path)["items"]
        if one["metadata"]["name"] == name
    ]


@ON_APISERVER
def test_every_request_is_refused_while_it_lasts(
    throttle: Throttling, account: Cluster, maps: str, kubernetes: Kubernetes, attempts: AuditLog
) -> None:
    """Ten of ten with 429, Retry-After and our FlowSchema; then they pass, and nobody else had noticed."""
    with throttle(account) as throttling:
        uid = kubernetes.rest().get(f"{_SCHEMAS}/{throttling.name}")["metadata"]["uid"]
        answers = [raw(account, maps) for _ in range(10)]
        assert [answer.status for answer in answers] == [429] * 10
        assert {answer.headers["X-Kubernetes-PF-FlowSchema-UID"] for answer in answers} == {uid}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
        assert kubernetes.rest().get(maps)["items"] is not None
    assert raw(account, maps).status == 200
    codes = [one.code for one in attempts(verb="list", user="system:serviceaccount:*", when=answered, at_least=11)]
    assert codes == [429] * 10 + [200]
    assert leftovers(kubernetes, throttling.name) == []


@ON_APISERVER
def test_it_is_released_early_and_used_again(
    throttle: Throttling, account: Cluster, maps: str, kubernetes: Kubernetes
) -> None:
    """Within the block; and a second time in the same test."""
    for _ in range(2):
        with throttle(account) as throttling:
            assert raw(account, maps).status == 429
            throttling.release()
            assert raw(account, maps).status == 200
        assert leftovers(kubernetes, throttling.name) == []


@ON_APISERVER
def test_a_busy_client_is_throttled_too(throttle: Throttling, account: Cluster, maps: str) -> None:
    """Its requests take the seat now and then while the stand is about to."""
    stop, codes = threading.Event(), list[int]()

    def ask() -> None:
        with Rest(account) as rest:
            while not stop.is_set():
                try:
                    codes.append(rest.request("GET", maps).status)
                except ApiError as exc:
                    codes.append(exc.status)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        with throttle(account):
            codes.clear()
            assert raw(account, maps).status == 429
            seen = list(codes)
    finally:
        stop.set()
        for client in clients:
            client.join(10)
    assert set(seen[len(clients) :]) <= {429}
    assert raw(account, maps).status == 200


@ON_APISERVER
def test_a_failing_test_leaves_nothing(throttle: Throttling, account: Cluster, kubernetes: Kubernetes) -> None:
    """Neither a level, nor a schema, nor a webhook, nor a thread."""
    with pytest.raises(ZeroDivisionError), throttle(account) as throttling:
        raise ZeroDivisionError
    assert leftovers(kubernetes, throttling.name) == []
    assert not [one.name for one in threading.enumerate() if one.name.startswith(("testinfra-web", "testinfra-seat"))]


@ON_APISERVER
def test_a_start_that_fails_leaves_nothing(
    account: Cluster,
    kubernetes: Kubernetes,
    throttle: Throttling,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the server would never ask the webhook, the seat is not taken: the fault fails, and is undone."""
    monkeypatch.setattr("testinfra.faults.throttle._WITHIN", 1.0)
    monkeypatch.setattr("testinfra.faults.throttle._REVIEWS", "/apis/authorization.k8s.io/v1/nothing")
    before = [kubernetes.rest().get(path)["items"] for path in (_LEVELS, _SCHEMAS, _WEBHOOKS)]
    with pytest.raises(NotReady, match="waits in the webhook"):
        throttle(account)
    after = [kubernetes.rest().get(path)["items"] for path in (_LEVELS, _SCHEMAS, _WEBHOOKS)]
    assert [names(one) for one in after] == [names(one) for one in before]


def names(items: list[dict[str, dict[str, str]]]) -> set[str]:
    return {item["metadata"]["name"] for item in items}


@ON_APISERVER
def test_its_objects_belong_to_the_tests_namespace(
    throttle: Throttling, account: Cluster, kubernetes: Kubernetes
) -> None:
    """So they go with it, even where the test is killed."""
    with throttle(account) as throttling:
        for path in (_LEVELS, _SCHEMAS, _WEBHOOKS):
            (owner,) = kubernetes.rest().get(f"{path}/{throttling.name}")["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["name"]) == ("Namespace", account.namespace)


@ON_APISERVER
def test_a_throttling_that_ended_on_its_own_fails_the_test(
    throttle: Throttling, account: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server waits for a webhook for a limited time: whoever stays longer is told."""
    monkeypatch.setattr("testinfra.faults.webhook.LONGEST", 1)
    begin = time.monotonic()
    throttling = throttle(account)
    while raw(account, "/version").status == 429:
        assert time.monotonic() - begin < 10
    with pytest.raises(NotReady, match="ended before it was to"):
        throttling.release()
    assert raw(account, "/version").status == 200


@ON_APISERVER
def test_an_administrator_cannot_be_throttled(throttle: Throttling, namespace: Cluster) -> None:
    """No server throttles system:masters."""
    with pytest.raises(Misconfigured, match="which no server throttles"):
        throttle(namespace)


@ELSEWHERE
def test_a_rung_without_fairness_says_so(throttle: Throttling, account: Cluster) -> None:
    """And what there is for it."""
    with pytest.raises(NotAvailable, match=r"--kubernetes=apiserver, or intercept"):
        throttle(account)
