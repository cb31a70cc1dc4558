"""Intercepted requests: what is ordered happens to the requests that fit, all others pass, and each order is proved."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from shared.testinfra.tests.kubernetes.faults.objects import a_map, kubectl
from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.requests import Attempt
from testinfra.faults.rules import NotSeen
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest


def test_what_is_not_ordered_passes_unchanged(through: Rest, maps: str, kubernetes: Kubernetes) -> None:
    """Create, read, patch and delete work through the proxy, under the same identity, and are seen by others."""
    made = through.post(maps, a_map("one", key="value"))
    assert kubernetes.rest().get(f"{maps}/one")["metadata"]["uid"] == made["metadata"]["uid"]
    assert through.patch(f"{maps}/one", {"data": {"key": "other"}})["data"] == {"key": "other"}
    through.delete(f"{maps}/one")
    with pytest.raises(ApiError, match="NotFound"):
        through.get(f"{maps}/one")


def test_the_next_so_many_get_429_and_are_told_when_to_come_back(api: Interceptor, through: Rest, maps: str) -> None:
    """Retry-After is in the header and in the Status; the third request passes, and so does what does not fit."""
    with api.answer(429, retry_after=3, times=2, verb="create", resource="configmaps") as rule:
        assert through.get(maps)["items"] is not None
        for _ in range(2):
            with pytest.raises(ApiError) as caught:
                through.post(maps, a_map("one"))
            assert (caught.value.status, caught.value.reason) == (429, "TooManyRequests")
            assert caught.value.details == {"retryAfterSeconds": 3}
        through.post(maps, a_map("one"))
    assert rule.fired == 2
    assert [attempt.code for attempt in api.attempts(verb="create")] == [429, 429, 201]


def test_the_header_is_what_clients_read(api: Interceptor, maps: str) -> None:
    """`Retry-After` as the server would send it."""
    endpoint = api.endpoint
    with (
        api.answer(429, retry_after=7),
        urllib3.PoolManager(
            ca_certs=endpoint.ca_file, cert_file=endpoint.cert_file, key_file=endpoint.key_file, retries=False
        ) as pool,
    ):
        assert pool.request("GET", endpoint.server + maps).headers["Retry-After"] == "7"


@pytest.mark.parametrize(("status", "reason"), [(503, "ServiceUnavailable"), (504, "Timeout"), (500, "InternalError")])
def test_any_refusal_can_be_answered(api: Interceptor, through: Rest, maps: str, status: int, reason: str) -> None:
    """With the reason that the server would give, and the message of the test."""
    with api.answer(status, message="out to lunch"), pytest.raises(ApiError, match="out to lunch") as caught:
        through.get(maps)
    assert (caught.value.status, caught.value.reason) == (status, reason)


def test_what_is_no_refusal_is_no_answer(api: Interceptor) -> None:
    """And no times at all are no order."""
    with pytest.raises(Misconfigured, match="answer\\(200\\) is no refusal"):
        api.answer(200)
    with pytest.raises(Misconfigured, match="times=0"):
        api.reset(times=0)


def test_orders_are_carried_out_one_after_another(api: Interceptor, through: Rest, maps: str) -> None:
    """Two 503, then one 429, then the server."""
    api.answer(503, times=2)
    api.answer(429)
    codes = []
    for _ in range(4):
        with contextlib.suppress(ApiError):
            through.get(maps)
        codes.append(api.attempts()[-1].code)
    assert codes == [503, 503, 429, 200]


def test_a_request_is_delayed_before_the_server_gets_it(api: Interceptor, through: Rest, maps: str) -> None:
    """The second one is not."""
    with api.delay(0.4, resource="configmaps"):
        begin = time.monotonic()
        through.get(maps)
        first = time.monotonic() - begin
        through.get(maps)
        second = time.monotonic() - begin - first
    assert 0.4 <= first < 5
    assert second < first


def test_a_client_may_give_up_in_a_delay(api: Interceptor, maps: str, kubernetes: Kubernetes) -> None:
    """It has met the fault, and the server never sees the request."""
    with Rest(api.endpoint, timeout=0.3) as rest, api.delay(30), pytest.raises(urllib3.exceptions.HTTPError):
        rest.post(maps, a_map("one"))
    assert kubernetes.rest().get(maps)["items"] == []


def test_an_answer_is_lost_after_the_work_was_done(
    api: Interceptor, through: Rest, maps: str, kubernetes: Kubernetes
) -> None:
    """The client's connection breaks, the object is there, and the client's second try meets it."""
    with api.lose_answer(verb="create", name="one"):
        with pytest.raises(urllib3.exceptions.ProtocolError):
            through.post(maps, a_map("one"))
        assert kubernetes.rest().get(f"{maps}/one")["metadata"]["name"] == "one"
    with pytest.raises(ApiError, match="AlreadyExists"):
        through.post(maps, a_map("one"))


def test_a_refusal_is_not_lost(api: Interceptor, through: Rest, maps: str) -> None:
    """The server did no work for it: it passes, and the order stands for the next."""
    through.post(maps, a_map("one"))
    with api.lose_answer(verb="create") as rule:
        with pytest.raises(ApiError, match="AlreadyExists"):
            through.post(maps, a_map("one"))
        assert rule.fired == 0
        with pytest.raises(urllib3.exceptions.ProtocolError):
            through.post(maps, a_map("two"))


def test_a_reset_request_never_reaches_the_server(
    api: Interceptor, through: Rest, maps: str, kubernetes: Kubernetes
) -> None:
    """The client's connection breaks, and nothing was made."""
    with api.reset(verb="create"), pytest.raises(urllib3.exceptions.ProtocolError):
        through.post(maps, a_map("one"))
    assert kubernetes.rest().get(maps)["items"] == []
    through.post(maps, a_map("one"))


def test_a_reset_is_one_on_the_wire(api: Interceptor) -> None:
    """RST, by the words of the C library that kubectl passes on."""
    with api.reset(verb="create"):
        said = kubectl(api.endpoint, "create", "configmap", "one")
    assert said.returncode == 1
    assert "connection reset by peer" in said.stderr


def test_requests_are_chosen_by_what_they_are(api: Interceptor, through: Rest, maps: str) -> None:
    """Name patterns, a subresource, a path, and a function of the test that sees the body."""
    api.answer(503, times=None, resource="configmaps", name="bad-*")
    api.answer(504, resource="serviceaccounts/token")
    api.answer(500, path="/version")
    api.answer(429, when=lambda attempt: b'"poison"' in attempt.body)
    core = maps.removesuffix("configmaps")
    asked: list[tuple[str, dict[str, object] | None]] = [
        (f"{maps}/bad-one", None),
        (f"{maps}/good", None),
        (f"{core}serviceaccounts/default/token", {"spec": {}}),
        ("/version", None),
        (maps, a_map("good", key="poison")),
        (f"{maps}/bad-two", None),
    ]
    met = []
    for path, body in asked:
        with pytest.raises(ApiError) as caught:
            through.request("POST" if body else "GET", path, body)
        met.append(caught.value.status)
    assert met == [503, 404, 504, 500, 429, 503]


def test_an_order_that_is_not_used_up_fails_the_block(api: Interceptor, through: Rest, maps: str) -> None:
    """The message says what came by."""
    rule = api.answer(429, times=2, verb="list")
    with pytest.raises(ApiError):
        through.get(maps)
    with pytest.raises(ApiError):
        through.get(f"{maps}/none")
    happened = r"the fault 'answer 429' happened to 1 of 2 requests \(verb='list'\)"
    with pytest.raises(NotSeen, match=happened) as caught, rule:
        pass
    said = str(caught.value)
    assert f"list {maps} -> 429 [answer 429]" in said
    assert f"get {maps}/none -> 404" in said


def test_a_block_that_raises_says_what_the_order_lacks_too(api: Interceptor) -> None:
    """As a note on the exception of the test, which it does not hide."""
    with pytest.raises(ZeroDivisionError) as caught, api.reset(verb="create"):
        raise ZeroDivisionError
    assert "no request at all came to" in caught.value.__notes__[0]


def test_an_order_can_be_waited_for(api: Interceptor, maps: str) -> None:
    """A service does its work in its own time."""
    with ThreadPoolExecutor(1) as pool, Rest(api.endpoint) as rest:
        with api.answer(503) as rule:
            asked = pool.submit(rest.get, maps)
            rule.wait(within=5)
        assert isinstance(asked.exception(), ApiError)
    with api.answer(503) as rule:
        with pytest.raises(NotSeen, match="0 of 1"):
            rule.wait(within=0.1)
        with Rest(api.endpoint) as rest, pytest.raises(ApiError):
            rest.get(maps)


def test_a_choice_that_raises_fails_the_test_and_not_the_client(namespace: Cluster, tmp_path: Path, maps: str) -> None:
    """The exception of the test's own function comes out where the interceptor ends."""

    def choose(attempt: Attempt) -> bool:
        raise LookupError(attempt.name)

    api = Interceptor(namespace, tmp_path)
    api.answer(503, when=choose)
    with Rest(api.endpoint) as rest:
        assert rest.get(maps)["items"] is not None
    with pytest.raises(LookupError), api:
        pass
