"""Who may post: bearer tokens, reviewed by the API server itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster

PROMETHEUS = "/api/v1/signals/prometheus"
EVENT = "/api/v1/signals/kubernetes-event"
MAY_POST = [{"nonResourceURLs": ["/api/v1/signals/*"], "verbs": ["post"]}]
Json = dict[str, Any]
Make = Callable[..., Json]
Accounts = Callable[..., Cluster]


@pytest.fixture
def guarded(serve: Callable[..., Served]) -> Served:
    """Give a gateway that asks for tokens."""
    return serve(auth="token")


@pytest.fixture
def caller(guarded: Served, connect: Callable[..., httpx.Client]) -> httpx.Client:
    """Give a client of it, without a token."""
    return connect(guarded)


def bearer(account: Cluster) -> dict[str, str]:
    """Return the header of an account."""
    return {"Authorization": f"Bearer {account.token}"}


def test_an_account_that_may_is_let_in(caller: httpx.Client, alert: Make, service_account: Accounts) -> None:
    """A service account with the verb `post` on the path is let in."""
    sender = service_account(cluster_rules=MAY_POST)
    assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).status_code == 201


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Bearer not-a-token", "Token abc", "Bearer a.b.c"],
    ids=str,
)
def test_who_is_nobody_is_turned_away(
    caller: httpx.Client, alert: Make, found: Callable[..., list[Json]], header: str | None
) -> None:
    """401 with the scheme, and nothing is made."""
    headers = {} if header is None else {"Authorization": header}
    answer = caller.post(PROMETHEUS, json=alert(), headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert found() == []


def test_a_token_too_long_to_be_one_is_nobodys(caller: httpx.Client, alert: Make) -> None:
    """Twenty thousand characters are not even asked about."""
    headers = {"Authorization": "Bearer " + "a" * 20_000}
    assert caller.post(PROMETHEUS, json=alert(), headers=headers).status_code == 401


def test_the_scheme_is_read_in_any_case(caller: httpx.Client, alert: Make, service_account: Accounts) -> None:
    """`bearer` is Bearer (RFC 9110, 11.1)."""
    sender = service_account(cluster_rules=MAY_POST)
    assert caller.post(PROMETHEUS, json=alert(), headers={"Authorization": f"bearer {sender.token}"}).status_code == 201


def test_an_account_that_may_not_is_refused(
    caller: httpx.Client, alert: Make, service_account: Accounts, found: Any
) -> None:
    """403 that names it, and nothing is made."""
    answer = caller.post(PROMETHEUS, json=alert(), headers=bearer(service_account()))
    assert answer.status_code == 403
    assert "system:serviceaccount:" in answer.json()["detail"]
    assert found() == []


def test_each_path_is_a_right_of_its_own(
    caller: httpx.Client, alert: Make, event: Make, service_account: Accounts
) -> None:
    """Who may post alerts may not therefore post events."""
    rules = [{"nonResourceURLs": [PROMETHEUS], "verbs": ["post"]}]
    sender = service_account(cluster_rules=rules)
    assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).status_code == 201
    assert caller.post(EVENT, json=event(), headers=bearer(sender)).status_code == 403


def test_another_verb_does_not_do(caller: httpx.Client, alert: Make, service_account: Accounts) -> None:
    """The right to `get` the path is no right to post."""
    sender = service_account(cluster_rules=[{"nonResourceURLs": [PROMETHEUS], "verbs": ["get"]}])
    assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).status_code == 403


def test_a_review_is_relied_on(caller: httpx.Client, alert: Make, service_account: Accounts) -> None:
    """Ten requests are one review, and nine that remember it."""
    sender = service_account(cluster_rules=MAY_POST)
    for _ in range(10):
        assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).is_success
    text = caller.get("/metrics").text
    assert 'gateway_token_reviews_total{result="allowed"} 1.0' in text
    assert 'gateway_token_reviews_total{result="cached"} 9.0' in text


def test_one_token_at_once_is_reviewed_once(
    caller: httpx.Client, alert: Make, service_account: Accounts, guarded: Served
) -> None:
    """Twenty requests at once wait for one review."""
    sender = service_account(cluster_rules=MAY_POST)
    with ThreadPoolExecutor(20) as pool:
        send = lambda _: caller.post(PROMETHEUS, json=alert(), headers=bearer(sender))  # noqa: E731 - for map
        assert all(answer.is_success for answer in pool.map(send, range(20)))
    text = caller.get("/metrics").text
    assert 'gateway_token_reviews_total{result="allowed"} 1.0' in text


def test_a_refusal_is_relied_on_too(caller: httpx.Client, alert: Make) -> None:
    """Somebody who guesses tokens costs the server one review each, and a repeated guess none."""
    for _ in range(5):
        caller.post(PROMETHEUS, json=alert(), headers={"Authorization": "Bearer guess"})
    text = caller.get("/metrics").text
    assert 'gateway_token_reviews_total{result="unauthenticated"} 1.0' in text
    assert 'gateway_token_reviews_total{result="cached"} 4.0' in text


def test_a_review_is_asked_for_anew_when_it_is_old(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client], alert: Make, service_account: Accounts
) -> None:
    """With auth_cache 0 each request is reviewed."""
    caller = connect(serve(auth="token", auth_cache=0.0))
    sender = service_account(cluster_rules=MAY_POST)
    for _ in range(3):
        assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).is_success
    assert 'gateway_token_reviews_total{result="allowed"} 3.0' in caller.get("/metrics").text


def test_a_right_that_is_taken_is_noticed(
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    service_account: Accounts,
    revoke: Any,
) -> None:
    """Without a cache the next request is 403, and is let in again when the right is given back."""
    caller = connect(serve(auth="token", auth_cache=0.0))
    sender = service_account(cluster_rules=MAY_POST)
    assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).is_success
    with revoke(sender):
        assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).status_code == 403
    assert caller.post(PROMETHEUS, json=alert(), headers=bearer(sender)).is_success


def test_nobody_is_asked_before_the_content_type(caller: httpx.Client) -> None:
    """415 comes before 401: nothing is reviewed for what is no signal."""
    assert caller.post(PROMETHEUS, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_a_body_is_not_read_for_nobody(caller: httpx.Client) -> None:
    """401 comes before 400: nobody's body is parsed who may not post."""
    answer = caller.post(PROMETHEUS, content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json"])
def test_health_and_metrics_need_no_token(caller: httpx.Client, path: str) -> None:
    """Probes and scrapers have none."""
    assert caller.get(path).status_code == 200


def test_no_token_is_in_the_log(
    caller: httpx.Client, alert: Make, service_account: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a right nor a wrong one."""
    caplog.set_level("DEBUG")
    sender = service_account(cluster_rules=MAY_POST)
    caller.post(PROMETHEUS, json=alert(), headers=bearer(sender))
    caller.post(PROMETHEUS, json=alert(), headers={"Authorization": "Bearer wrong-secret"})
    assert caplog.text
    assert sender.token not in caplog.text
    assert "wrong-secret" not in caplog.text
