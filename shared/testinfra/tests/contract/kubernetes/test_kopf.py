"""An operator written with kopf, run as it is in production: a process that holds only a kubeconfig."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testinfra.tests.contract.kubernetes.room import GROUP, Object, Room, widget
from shared.testinfra.tests.contract.kubernetes.rungs import Rungs
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until
from testinfra.stand import Stand

FINALIZER = f"{GROUP}/kopf"
OPERATOR = Path(__file__).with_name("operator_of_widgets.py")


class Operators:
    """One operator a rung, started with its first test."""

    def __init__(self, folder: Path, stand: Stand) -> None:
        self._folder = folder
        self._stand = stand
        self._rooms: dict[str, Room] = {}
        self._ends = contextlib.ExitStack()

    def on(self, cluster: Cluster, rest: Rest) -> Room:
        """Give the namespace that the operator of this server works in; a widget `old` was there before it."""
        if cluster.backend not in self._rooms:
            room = Room.made(rest, self._stand.names("contract").next_label())
            room.create("widgets", widget("old"))
            self._ends.enter_context(self._running(cluster, room.name))
            self._rooms[cluster.backend] = room
        return self._rooms[cluster.backend]

    @contextlib.contextmanager
    def _running(self, cluster: Cluster, namespace: str) -> Iterator[None]:
        log = self._folder / f"{cluster.backend}.log"
        command = [sys.executable, "-m", "kopf", "run", "--standalone", f"--namespace={namespace}", str(OPERATOR)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), **cluster.env()}
        with (
            log.open("w") as output,
            subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
        ):
            yield
            process.terminate()
            process.wait(60)
        assert process.returncode == 0, log.read_text()[-2000:]

    def close(self) -> None:
        """End them; each must end well when it is told to."""
        self._ends.close()


@pytest.fixture(scope="session")
def operators(rungs: Rungs, testinfra_stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    """The operators of all rungs."""
    found = Operators(tmp_path_factory.mktemp("operators"), testinfra_stand)
    yield found
    found.close()


@pytest.fixture
def operated(operators: Operators, cluster: Cluster, rest: Rest, widget_crd: Object) -> Room:
    """A namespace with an operator that is at work."""
    room = operators.on(cluster, rest)
    wait_until(lambda: room.gone("widgets", "old") or phase(room, "old"), what="the operator works", timeout=60)
    return room


def has(room: Room, name: str, **expected: str) -> bool:
    """Whether the config map is there with this data."""
    return not room.gone("configmaps", name) and room.get("configmaps", name).get("data", {}) == expected


def phase(room: Room, name: str) -> str:
    """What the operator wrote into the status."""
    return str(room.get("widgets", name).get("status", {}).get("phase", ""))


def test_an_operator_does_its_work_from_create_to_delete(operated: Room) -> None:
    """Create, update and delete are handled; its finalizer holds the widget until then."""
    operated.create("widgets", widget("a"))
    wait_until(lambda: phase(operated, "a") == "made", what="the create is handled", timeout=30)
    assert has(operated, "a-child", size="1")
    assert operated.get("widgets", "a")["metadata"]["finalizers"] == [FINALIZER]
    operated.patch("widgets", "a", {"spec": {"size": 2}})
    wait_until(lambda: phase(operated, "a") == "1 to 2", what="the update is handled", timeout=30)
    assert has(operated, "a-child", size="2")
    operated.delete("widgets", "a")
    operated.await_gone("widgets", "a")
    assert has(operated, "a-ended")
    operated.await_gone("configmaps", "a-child")


def test_what_was_there_before_the_operator_is_handled_too(operated: Room) -> None:
    """It lists before it watches."""
    wait_until(lambda: phase(operated, "old") == "made", what="the old widget is handled", timeout=30)
    assert has(operated, "old-child", size="1")
    operated.delete("widgets", "old")
    operated.await_gone("widgets", "old")


def test_a_timer_goes_on_while_the_object_lives(operated: Room) -> None:
    """It writes into the status each time."""
    operated.create("widgets", widget("ticking", labels={"timer": "yes"}))
    wait_until(
        lambda: operated.get("widgets", "ticking").get("status", {}).get("observedGeneration", 0) >= 3,
        what="it ticked three times",
        timeout=30,
    )


def test_a_daemon_lives_as_long_as_its_object(operated: Room) -> None:
    """It is told to end when the object is to go, and the object goes after it."""
    operated.create("widgets", widget("lasting", labels={"daemon": "yes"}))
    wait_until(lambda: has(operated, "lasting-daemon-began"), what="the daemon runs", timeout=30)
    operated.delete("widgets", "lasting")
    operated.await_gone("widgets", "lasting")
    assert has(operated, "lasting-daemon-ended")
