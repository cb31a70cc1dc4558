"""Outages of the API server: the same address, the same data, and clients that come back miss nothing."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from urllib3.exceptions import HTTPError

from shared.testinfra.tests.kubernetes.control_planes import MAPS, configmap, running, watching
from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import GONE, ApiError, Rest
from testinfra.servers import control
from testinfra.servers.ready import wait_until

# A server that is killed between a client's connect and its TLS handshake makes CPython (`SSLSocket._create`) forget to
# close the socket.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


class Follower:
    """A client as every controller is one: it lists, watches from there, and after a break goes on where it was."""

    def __init__(self, cluster: Cluster) -> None:
        self._rest = Rest(cluster, timeout=5.0)
        self._ended = False
        self._thread = threading.Thread(target=self._follow)
        self.seen: set[str] = set()
        self.breaks = 0
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._rest.close()

    def _follow(self) -> None:
        version = ""
        while not self._ended:
            try:
                version = version or self._list()
                for event in self._rest.watch(MAPS, within=1, resourceVersion=version, allowWatchBookmarks="true"):
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"]["code"], event["object"], "WATCH")
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._note(event["object"])
            except ApiError as exc:
                version = "" if exc.status == GONE else version
            except HTTPError:
                self.breaks += 1

    def _list(self) -> str:
        listed = self._rest.get(MAPS)
        for found in listed["items"]:
            self._note(found)
        return str(listed["metadata"]["resourceVersion"])

    def _note(self, found: dict[str, dict[str, str]]) -> None:
        if name := found["metadata"].get("name"):  # a bookmark has none
            self.seen.add(name)


def test_twenty_outages_in_a_row_lose_nothing_and_watchers_go_on(sandbox: Sandbox) -> None:
    """Ended in order and killed by turns; the address stays, and who watches sees every object."""
    with running(sandbox.state) as (held, rest):
        follower = Follower(Cluster(**held.endpoint))
        try:
            for number in range(20):
                rest.post(MAPS, configmap(f"before-{number}"))
                control.ask(held.place, "kill" if number % 2 else "stop")
                with pytest.raises(HTTPError):
                    rest.get(MAPS)
                control.ask(held.place, control.HEAL)
                rest.post(MAPS, configmap(f"after-{number}"))
            kept = {found["metadata"]["name"] for found in rest.get(MAPS)["items"]}
            wait_until(lambda: follower.seen >= kept, what="the follower has seen all", timeout=10)
        finally:
            follower.close()
    assert kept == {f"{when}-{number}" for when in ("before", "after") for number in range(20)}
    assert follower.seen == kept
    assert follower.breaks >= 20


def test_a_paused_server_takes_connections_and_answers_nothing_until_it_goes_on(sandbox: Sandbox) -> None:
    """What was asked meanwhile is answered then."""
    with running(sandbox.state) as (held, rest):
        control.ask(held.place, "pause")
        with Rest(Cluster(**held.endpoint), timeout=0.5) as impatient, pytest.raises(HTTPError):
            impatient.get(MAPS)
        answered: list[dict[str, object]] = []
        asker = threading.Thread(target=lambda: answered.append(rest.post(MAPS, configmap("meanwhile"))))
        asker.start()
        control.ask(held.place, control.HEAL)
        asker.join()
        assert len(answered) == 1


def test_an_end_in_order_with_100_watching_clients_takes_under_3_s(sandbox: Sandbox) -> None:
    """Their watches are ended, not waited for."""
    with running(sandbox.state) as (held, _), watching(Cluster(**held.endpoint), 100):
        started = time.monotonic()
        control.ask(held.place, "stop")
        assert time.monotonic() - started < 3


def test_the_end_of_the_run_with_100_watching_clients_takes_under_3_s(sandbox: Sandbox) -> None:
    """No process and no file is left by then."""
    with contextlib.ExitStack() as stack:
        with running(sandbox.state) as (held, _):
            stack.enter_context(watching(Cluster(**held.endpoint), 100))
            started = time.monotonic()
        wait_until(sandbox.is_empty, what="nothing is left", timeout=3)
        assert time.monotonic() - started < 3
