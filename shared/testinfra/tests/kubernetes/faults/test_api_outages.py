"""Outages of the API server: it is away, it is paused, and it is back at the same address with the same data."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any, cast

import pytest
import urllib3

from shared.testinfra.tests.kubernetes.faults.objects import a_map
from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotReady
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.kubernetes_fixtures import Intercept
from testinfra.faults.outage import Outage, answers
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import Rest

# A server that is killed between a client's connect and its TLS handshake makes CPython (`SSLSocket._create`) forget to
# close the socket.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
HOWS = ["stop", "kill", "pause"]


@pytest.mark.parametrize("how", HOWS)
def test_it_is_away_and_comes_back_with_its_data(
    exclusive_kubernetes: Kubernetes, apiserver_outage: Outage, namespace: Cluster, maps: str, how: str
) -> None:
    """Three times in a row, at the same address."""
    for number in range(3):
        exclusive_kubernetes.rest().post(maps, a_map(f"n{number}"))
        with apiserver_outage(how):
            assert not answers(namespace)
            with Rest(namespace, timeout=0.5) as rest, pytest.raises(urllib3.exceptions.HTTPError):
                rest.get("/version")
    kept = exclusive_kubernetes.rest().get(maps)["items"]
    assert [one["metadata"]["name"] for one in kept] == ["n0", "n1", "n2"]


def test_a_stop_is_the_default(apiserver_outage: Outage, exclusive_kubernetes: Kubernetes) -> None:
    """In order, as when a server is upgraded."""
    with apiserver_outage():
        assert apiserver_outage.lasting == "stop"
    assert apiserver_outage.lasting == ""
    assert answers(exclusive_kubernetes.endpoint, 5)


def test_a_request_outlives_a_pause(
    exclusive_kubernetes: Kubernetes, apiserver_pause: Outage, namespace: Cluster, maps: str
) -> None:
    """It is accepted, waits, and is answered when the server goes on."""
    answered = threading.Event()

    def ask() -> None:
        with Rest(namespace, timeout=30) as rest:
            rest.get(maps)
        answered.set()

    client = threading.Thread(target=ask)
    with apiserver_pause():
        client.start()
        assert not answered.wait(0.3)
    assert answered.wait(10)
    client.join(5)


def test_a_block_that_raises_heals_it_too(exclusive_kubernetes: Kubernetes, apiserver_outage: Outage) -> None:
    """The next step of the test finds it running."""
    with pytest.raises(ZeroDivisionError), apiserver_outage("kill"):
        raise ZeroDivisionError
    assert exclusive_kubernetes.rest().get("/version")


def test_a_fault_that_is_none_is_refused(apiserver_outage: Outage) -> None:
    """And so is a second fault on top of one."""
    with pytest.raises(Misconfigured, match="there is no fault 'melt'"):
        apiserver_outage.begin("melt")
    with apiserver_outage(), pytest.raises(NotReady, match="did not answer even before"):
        apiserver_outage.begin("kill")


def test_the_proxy_is_away_with_its_server(
    intercept: Intercept, exclusive_kubernetes: Kubernetes, apiserver_outage: Outage, namespace: Cluster, maps: str
) -> None:
    """A client of `intercept` sees its connection break, no made-up answer; and then the server again."""
    api: Interceptor = intercept(namespace)
    with Rest(api.endpoint, timeout=10) as rest:
        assert rest.get(maps)["items"] == []
        with apiserver_outage("kill"), pytest.raises(urllib3.exceptions.ProtocolError):
            rest.get(maps)
        assert rest.get(maps)["items"] == []


def first_names(rest: Rest, maps: str, count: int) -> set[str]:
    """Watch from the beginning; gives the names of the first `count` events."""
    with contextlib.closing(cast("Generator[Any]", rest.watch(maps, within=10))) as events:
        return {next(events)["object"]["metadata"]["name"] for _ in range(count)}


def test_a_watch_breaks_with_a_kill(
    exclusive_kubernetes: Kubernetes, apiserver_outage: Outage, maps: str, intercept: Intercept, namespace: Cluster
) -> None:
    """Straight and through the proxy: the stream ends, and a new one begins where there is a server again."""
    exclusive_kubernetes.rest().post(maps, a_map("one"))
    with Rest(namespace) as straight, Rest(intercept(namespace).endpoint) as through:
        streams = [rest.watch(maps, within=60) for rest in (straight, through)]
        assert [next(iter(stream))["type"] for stream in streams] == ["ADDED", "ADDED"]
        with apiserver_outage("kill"):
            for stream in streams:
                with pytest.raises((urllib3.exceptions.HTTPError, StopIteration)):
                    next(iter(stream))
        exclusive_kubernetes.rest().post(maps, a_map("two"))
        for rest in (straight, through):
            assert first_names(rest, maps, 2) == {"one", "two"}
