"""What passes through the proxy: watches, large bodies, identities, and clients that leave or stay."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import urllib3

from shared.testinfra.tests.kubernetes.faults.objects import a_map, kubectl
from testinfra.endpoints import Cluster
from testinfra.faults.audit import AuditLog
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.kubernetes_fixtures import Intercept
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import ApiError, Rest

WATCHERS = 100


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
