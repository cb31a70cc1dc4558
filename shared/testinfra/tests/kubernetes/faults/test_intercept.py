"""Intercepted requests: what is ordered happens to the requests that fit, all others pass, and each order is proved."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured
from testinfra.faults.audit import AuditLog
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.kubernetes_fixtures import Intercept
from testinfra.faults.requests import Attempt
from testinfra.faults.rules import NotSeen
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest

WATCHERS = 100


def a_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


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


def test_watches_stream_through(api: Interceptor, through: Rest, maps: str, kubernetes: Kubernetes) -> None:
    """An event is with the client long before the watch ends, and not a second after the change."""
    through.post(maps, a_map("one"))
    events = cast("Generator[Any]", through.watch(maps, within=30))
    assert next(events)["object"]["metadata"]["name"] == "one"
    delays = []
    for number in range(5):
        begin = time.monotonic()
        kubernetes.rest().patch(f"{maps}/one", {"data": {"n": str(number)}})
        assert next(events)["object"]["data"]["n"] == str(number)
        delays.append(time.monotonic() - begin)
    assert min(delays) < 0.2
    assert max(delays) < 5
    events.close()
    assert [attempt.verb for attempt in api.attempts(verb="watch")] == ["watch"]


def first_seen(rest: Rest, maps: str) -> str:
    """Watch until one event is there; gives the name of its object."""
    with contextlib.closing(cast("Generator[Any]", rest.watch(maps, within=60))) as events:
        return str(next(events)["object"]["metadata"]["name"])


def test_a_hundred_watchers_at_once(api: Interceptor, through: Rest, maps: str, kubernetes: Kubernetes) -> None:
    """All hear of one change."""
    with ThreadPoolExecutor(WATCHERS) as pool:
        watching = [pool.submit(first_seen, through, maps) for _ in range(WATCHERS)]
        api.attempts(verb="watch", at_least=WATCHERS, within=30)
        assert not any(watcher.done() for watcher in watching)
        kubernetes.rest().post(maps, a_map("one"))
        assert [watcher.result(30) for watcher in watching] == ["one"] * WATCHERS


def test_it_ends_at_once_with_clients_connected(namespace: Cluster, tmp_path: Path, maps: str) -> None:
    """Whoever watches sees the connection break; no thread is left."""
    api = Interceptor(namespace, tmp_path)
    ended: list[BaseException] = []

    def watch() -> None:
        with Rest(api.endpoint) as rest:
            try:
                list(rest.watch(maps, within=60))
            except urllib3.exceptions.HTTPError as exc:
                ended.append(exc)

    watchers = [threading.Thread(target=watch) for _ in range(20)]
    for watcher in watchers:
        watcher.start()
    api.attempts(verb="watch", at_least=20, within=20)
    begin = time.monotonic()
    with api:
        pass
    took = time.monotonic() - begin
    for watcher in watchers:
        watcher.join(5)
    assert len(ended) == 20
    assert took < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "testinfra-proxy"]


def test_large_bodies_pass_both_ways(through: Rest, maps: str) -> None:
    """One of 900 kB; a server takes 1 MB in a ConfigMap."""
    text = "x" * 900_000
    assert through.post(maps, a_map("large", text=text))["data"]["text"] == text
    assert through.get(f"{maps}/large")["data"]["text"] == text


def test_connections_are_kept_open(api: Interceptor, maps: str) -> None:
    """Ten requests over one connection."""
    endpoint = api.endpoint
    host, port = endpoint.server.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=endpoint.ca_file)
    context.load_cert_chain(endpoint.cert_file, endpoint.key_file)
    with urllib3.HTTPSConnectionPool(host, int(port), ssl_context=context, retries=False) as pool:
        assert [pool.request("GET", maps).status for _ in range(10)] == [200] * 10
        assert pool.num_connections == 1


def test_a_token_is_passed_on(intercept: Intercept, service_account: object, kubernetes: Kubernetes, maps: str) -> None:
    """The server knows the account behind the proxy: it may what it may, and nothing else."""
    assert callable(service_account)
    account = service_account([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
    with Rest(intercept(account).endpoint) as rest:
        assert rest.get(maps)["items"] is not None
        with pytest.raises(ApiError, match="Forbidden"):
            rest.post(maps, a_map("one"))


def test_without_credentials_nobody_is_somebody(api: Interceptor, maps: str) -> None:
    """The proxy lends its certificate only to who presents the one that it gave out."""
    with (
        urllib3.PoolManager(ca_certs=api.endpoint.ca_file, retries=False) as pool,
    ):
        assert pool.request("GET", api.endpoint.server + maps).status in (401, 403)


def test_a_server_whose_certificate_is_not_to_be_checked(intercept: Intercept, namespace: Cluster, maps: str) -> None:
    """As some kubeconfigs ask for: the proxy does not check it either, and has one of its own that clients check."""
    endpoint = intercept(dataclasses.replace(namespace, ca_file="")).endpoint
    with Rest(endpoint) as rest:
        assert rest.get(maps)["items"] == []
    assert endpoint.ca_file


def test_an_upgrade_is_refused_in_words(api: Interceptor, through: Rest, maps: str) -> None:
    """exec, attach and port-forward are not for the proxy."""
    path = maps.replace("configmaps", "pods/one/exec")
    with pytest.raises(ApiError, match="passes no upgraded connection on") as caught:
        through.request("GET", path, headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert caught.value.status == 501


def kubectl(endpoint: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **endpoint.env()}
    return subprocess.run(
        ["kubectl", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_kubectl_works_through_it(api: Interceptor, through: Rest, maps: str) -> None:
    """By the kubeconfig alone; the namespace is the default one."""
    through.post(maps, a_map("one"))
    said = kubectl(api.endpoint, "get", "configmap", "one", "-o", "jsonpath={.metadata.namespace}")
    assert said.stdout == api.endpoint.namespace, said.stderr
    assert any("kubectl" in attempt.user_agent for attempt in api.attempts(resource="configmaps", verb="get"))


def test_a_watcher_that_leaves_ends_its_watch_at_the_server(through: Rest, maps: str, attempts: AuditLog) -> None:
    """Nothing is kept open behind a client's back: the server logs the end of the watch."""
    through.post(maps, a_map("one"))
    with contextlib.closing(cast("Generator[Any]", through.watch(maps, within=60))) as events:
        next(events)
        assert attempts(verb="watch")[0].code == 0
    attempts(verb="watch", when=lambda attempt: attempt.code == 200, at_least=1)
