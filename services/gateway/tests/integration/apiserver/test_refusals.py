"""Refusals of a real API server: too many requests by priority and fairness, rights taken away, the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.faults.requests import answered

PROMETHEUS = "/api/v1/signals/prometheus"
CREATE: dict[str, Any] = {"verb": "create", "resource": "remediationrequests"}
OURS: dict[str, Any] = {"apiGroups": ["kubernaut.ai"], "resources": ["remediationrequests"]}
STATUS: dict[str, Any] = {"apiGroups": ["kubernaut.ai"], "resources": ["remediationrequests/status"]}
RIGHTS = [{**OURS, "verbs": ["get", "list", "watch", "create"]}, {**STATUS, "verbs": ["patch"]}]
MAKE = {**OURS, "verbs": ["create"]}
COUNT = {**STATUS, "verbs": ["patch"]}
REVIEWS = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]
Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def account(service_account: Callable[..., Cluster]) -> Cluster:
    """Give the gateway's own account, with just the rights that the example gives it."""
    return service_account(RIGHTS, cluster_rules=REVIEWS)


@pytest.fixture
def service(account: Cluster, serve: Callable[..., Served]) -> Served:
    """Give a gateway under that account, in place of the administrator's."""
    return serve(kubeconfig=account.kubeconfig)


def test_the_rights_of_the_example_are_enough(
    client: httpx.Client, alert: Make, occurrences: Callable[[], int], eventually: Callable[..., None]
) -> None:
    """With these and no others signals are made, counted and ended."""
    assert [client.post(PROMETHEUS, json=alert()).status_code for _ in range(3)] == [201, 202, 202]
    assert client.post(PROMETHEUS, json=alert(status="resolved")).status_code == 202
    eventually("all are counted", lambda: occurrences() == 3)


def test_the_rights_of_the_example_are_enough_to_review(
    account: Cluster,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    service_account: Callable[..., Cluster],
    alert: Make,
) -> None:
    """A sender's token is reviewed under them."""
    sender = service_account(cluster_rules=[{"nonResourceURLs": ["/api/v1/signals/*"], "verbs": ["post"]}])
    client = connect(serve(kubeconfig=account.kubeconfig, auth="token"))
    headers = {"Authorization": f"Bearer {sender.token}"}
    assert client.post(PROMETHEUS, json=alert(), headers=headers).status_code == 201


def test_a_throttled_gateway_obeys(
    client: httpx.Client, account: Cluster, alert: Make, throttle: Any, attempts: Any, only: Callable[[], Json]
) -> None:
    """The server's own 429s with Retry-After: three attempts a second apart, then 503; afterwards it is made."""
    with throttle(account):
        answer = client.post(PROMETHEUS, json=alert())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    refused = attempts(**CREATE, when=answered, at_least=3)
    assert [each.code for each in refused] == [429] * 3
    assert all(pause >= 1.0 for pause in refused.spacing())
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    only()


def test_a_right_taken_away_is_not_repeated(
    client: httpx.Client, account: Cluster, alert: Make, revoke: Any, attempts: Any, only: Callable[[], Json]
) -> None:
    """403 from the server: one attempt, 503 to the sender; given back, the repetition is made."""
    with revoke(account, MAKE):
        answer = client.post(PROMETHEUS, json=alert())
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem-type:kubernetes-forbidden")
    assert [each.code for each in attempts(**CREATE, when=answered, at_least=1)] == [403]
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    only()


def test_counts_wait_for_their_right(
    client: httpx.Client,
    account: Cluster,
    alert: Make,
    revoke: Any,
    attempts: Any,
    occurrences: Callable[[], int],
    eventually: Callable[..., None],
) -> None:
    """While patching is forbidden duplicates are taken; their count is written when it is allowed again."""
    client.post(PROMETHEUS, json=alert())
    with revoke(account, COUNT):
        assert [client.post(PROMETHEUS, json=alert()).status_code for _ in range(5)] == [202] * 5
        refused = attempts(verb="patch", resource="remediationrequests/status", at_least=1)
        assert {each.code for each in refused} <= {0, 403}
    eventually("all are counted", lambda: occurrences() == 6)


def test_an_object_that_the_schema_refuses(
    service: Served, client: httpx.Client, alert: Make, attempts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """422 from the server: one attempt, and 400 to the sender, as no repetition will ever do.

    The gateway makes no such object; here its limit for labels is lifted, so that the definition's own speaks.
    """
    monkeypatch.setattr("gateway.resources.LABEL_LIMIT", 1000)
    answer = client.post(PROMETHEUS, json=alert(labels={"long": "x" * 64}))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem-type:refused-by-kubernetes")
    assert [each.code for each in attempts(**CREATE, when=answered, at_least=1)] == [422]
    assert "gateway_retry_attempts_total{" not in client.get("/metrics").text
