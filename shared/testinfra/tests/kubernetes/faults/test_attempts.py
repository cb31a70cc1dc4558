"""Attempts: the server's own log says what a client asked, how often, and how far apart."""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest

from shared.testinfra.tests.kubernetes.faults.objects import a_map
from testinfra.endpoints import Cluster
from testinfra.errors import NotAvailable
from testinfra.faults.audit import AuditLog
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.requests import answered
from testinfra.faults.rules import NotSeen
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.kubernetes_fixtures import ServiceAccounts

READ_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


def test_each_request_is_there_with_its_answer(kubernetes: Kubernetes, maps: str, attempts: AuditLog) -> None:
    """In order, with verb, name, code, and the seconds between them."""
    rest = kubernetes.rest()
    before = time.time()
    rest.post(maps, a_map("one"))
    rest.get(f"{maps}/one")
    with pytest.raises(ApiError):
        rest.get(f"{maps}/none")
    rest.delete(f"{maps}/one")
    found = attempts(resource="configmaps", when=answered, at_least=4)
    assert [(one.verb, one.name, one.code) for one in found] == [
        ("create", "one", 201),
        ("get", "one", 200),
        ("get", "none", 404),
        ("delete", "one", 200),
    ]
    assert before - 1 <= found[0].at <= found[3].at <= time.time() + 1
    assert len(found.spacing()) == 3
    assert sum(found.spacing()) == pytest.approx(found[3].at - found[0].at)


def test_spacing_is_the_clients_pause(kubernetes: Kubernetes, maps: str, attempts: AuditLog) -> None:
    """A client that waits 0.3 s between its tries is seen to do so."""
    pause = threading.Event()
    for _ in range(3):
        kubernetes.rest().get(maps)
        assert not pause.wait(0.3)
    spacing = attempts(verb="list", resource="configmaps", at_least=3).spacing()
    assert len(spacing) == 2
    assert min(spacing) > 0.25


def test_who_asked_is_told(service_account: ServiceAccounts, maps: str, attempts: AuditLog, namespace: Cluster) -> None:
    """The account's name, and what the client calls itself."""
    account = service_account([READ_MAPS], name="asker")
    with Rest(account) as rest:
        rest.request("GET", maps, headers={"User-Agent": "the-service/7"})
    user = f"system:serviceaccount:{namespace.namespace}:asker"
    (found,) = attempts(user=user, user_agent="the-service/*", when=answered, at_least=1)
    assert (found.user, found.user_agent, found.code) == (user, "the-service/7", 200)


def test_other_namespaces_are_not_counted_unless_asked_for(
    kubernetes: Kubernetes, maps: str, attempts: AuditLog
) -> None:
    """`namespace="*"` means all, and `namespace=""` what has none."""
    kubernetes.rest().get(maps)
    kubernetes.rest().get("/api/v1/namespaces/default/configmaps", labelSelector="a=b")
    kubernetes.rest().get("/version")
    assert len(attempts(resource="configmaps")) == 1
    assert attempts(resource="configmaps", namespace="*", when=lambda one: "a%3Db" in one.query, at_least=1)
    assert attempts(path="/version", namespace="", at_least=1)[0].verb == "get"


def test_what_was_before_the_test_is_not_counted(kubernetes: Kubernetes, namespace: Cluster, maps: str) -> None:
    """A log is read from where it stood."""
    kubernetes.rest().get(maps)
    log = AuditLog(namespace)
    assert log() == ()
    kubernetes.rest().get(maps)
    assert len(log(at_least=1)) == 1


def test_a_request_under_way_counts_already(kubernetes: Kubernetes, maps: str, attempts: AuditLog) -> None:
    """A watch that lasts is an attempt without an answer."""
    kubernetes.rest().post(maps, a_map("one"))
    events = kubernetes.rest().watch(maps, within=2)
    next(iter(events))
    assert [one.code for one in attempts(verb="watch", at_least=1)] == [0]
    assert list(events) == []
    assert attempts(verb="watch", when=lambda one: one.code == 200, at_least=1)


def test_fewer_than_asked_fail_with_what_was_seen(kubernetes: Kubernetes, maps: str, attempts: AuditLog) -> None:
    """The message lists the requests that were made."""
    kubernetes.rest().get(maps)
    attempts(verb="list", when=answered, at_least=1)
    with pytest.raises(NotSeen, match=r"1 of at least 2 requests were made within 0.2 s") as caught:
        attempts(verb="list", at_least=2, within=0.2)
    assert f"list {maps} -> 200" in str(caught.value)


def test_a_log_that_is_not_ours_is_not_read(namespace: Cluster) -> None:
    """An external cluster's: the proxy of `intercept` has one."""
    with pytest.raises(NotAvailable, match="intercept"):
        AuditLog(dataclasses.replace(namespace, audit_log="", backend="external"))


def test_the_proxys_log_tells_the_same(api: Interceptor, through: Rest, maps: str, attempts: AuditLog) -> None:
    """But for the user, whom only the server knows; and it knows what was answered in the server's place."""
    through.post(maps, a_map("one"))
    through.get(f"{maps}/one")
    through.patch(f"{maps}/one", {"data": {"a": "b"}})
    through.get(maps, fieldSelector="metadata.name=one")
    with pytest.raises(ApiError):
        through.get(f"/apis/apps/v1/namespaces/{api.endpoint.namespace}/deployments/none/status")
    told = [dataclasses.replace(one, at=0, user="") for one in attempts(at_least=5)]
    assert [dataclasses.replace(one, at=0) for one in api.attempts(at_least=5)] == told
    with api.answer(503), pytest.raises(ApiError):
        through.get(maps)
    assert (api.attempts()[-1].code, api.attempts()[-1].fault) == (503, "answer 503")
    assert len(attempts()) == 5
