"""How a control plane is shared and how it ends: nothing is left, whoever was killed; a part that dies is named."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from shared.testinfra.tests.kubernetes.control_planes import MAPS, configmap, running, server_of, wanted
from shared.testinfra.tests.sandbox import Sandbox
from testinfra.errors import NotReady
from testinfra.servers import control
from testinfra.servers.ready import wait_until
from testinfra.servers.share import forget_failures

PROGRAMS = ("kube-apiserver", "etcd", "kube-controller-manager")
LEASER = """
import json, sys
from pathlib import Path
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.share import lease

held = lease(Spec(**json.loads(sys.argv[1])), root=Path(sys.argv[2]), scope="planes", terms=Terms(linger=0))
print(held.endpoint["server"], flush=True)
sys.stdin.read()
held.release()
"""


def test_two_processes_that_ask_at_once_share_one(sandbox: Sandbox) -> None:
    """One starts it, the other waits for it; it ends when both are done."""
    spec = json.dumps(dataclasses.asdict(wanted()))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LEASER, spec, str(sandbox.state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    servers = set()
    for process in both:
        assert process.stdout
        servers.add(process.stdout.readline())
    assert len(servers) == 1
    assert servers.pop().startswith("https://127.0.0.1:")
    assert sum(Path(process.info["cmdline"][0]).name == "etcd" for process in sandbox.processes()) == 1
    for process in both:
        process.communicate(timeout=30)


def test_a_keeper_that_is_killed_takes_every_process_along(sandbox: Sandbox) -> None:
    """At once; the files go with the next start."""
    with running(sandbox.state) as (held, _):
        wait_until(lambda: len(held.place.read()["processes"]) == 3, what="the controllers run", timeout=5)
        parts = [server_of(held, program) for program in PROGRAMS]
        os.kill(int(held.place.read()["keeper"]), signal.SIGKILL)
        gone, alive = psutil.wait_procs(parts, timeout=5)
    assert (len(gone), alive) == (3, [])


@pytest.mark.parametrize("program", ["etcd", "kube-apiserver"])
def test_a_keeper_that_is_killed_while_it_starts_takes_every_process_along(sandbox: Sandbox, program: str) -> None:
    """Who waits for the server is told, and nothing is left."""

    def parts() -> list[psutil.Process]:
        return [process for process in sandbox.processes() if process.name() in PROGRAMS]

    def kill_the_keeper() -> None:
        wait_until(lambda: program in {part.name() for part in parts()}, what=f"{program} runs", timeout=20)
        (place,) = sandbox.state.glob("planes/kubernetes-*/record.json")
        os.kill(int(json.loads(place.read_text())["keeper"]), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_keeper)
    killer.start()
    with pytest.raises(NotReady, match="its keeper died"), running(sandbox.state):
        raise AssertionError("it was given out")
    killer.join()
    wait_until(lambda: not parts(), what="every process has ended", timeout=5)
    forget_failures()


def test_a_paused_server_ends_with_its_keeper_too(sandbox: Sandbox) -> None:
    """KILL reaches a process that is stopped."""
    with running(sandbox.state) as (held, _):
        control.ask(held.place, "pause")
        server = server_of(held, "kube-apiserver")
        os.kill(int(held.place.read()["keeper"]), signal.SIGKILL)
        gone, _ = psutil.wait_procs([server], timeout=5)
    assert gone


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_part_that_dies_in_use_is_named_with_the_end_of_its_log(sandbox: Sandbox, program: str) -> None:
    """To who asks for the server later."""
    with running(sandbox.state) as (held, rest):
        rest.post(MAPS, configmap("used"))
        wait_until(lambda: len(held.place.read()["processes"]) == 3, what="the controllers run", timeout=5)
        server_of(held, program).kill()
        wait_until(lambda: held.place.read()["state"] == "died", what="the keeper noticed", timeout=5)
        with pytest.raises(NotReady, match="was ended by SIGKILL") as caught, running(sandbox.state):
            raise AssertionError("it was given out")
    said = str(caught.value)
    assert (f"lost its {program}" in said) == (program != "kube-apiserver")
    assert "| " in said
    forget_failures()


def test_a_death_is_in_the_log_that_a_test_report_shows(sandbox: Sandbox) -> None:
    """The server's own log tells the end of the part that it lost."""
    with running(sandbox.state) as (held, _):
        server_of(held, "etcd").kill()
        wait_until(lambda: held.place.read()["state"] == "died", what="the keeper noticed", timeout=5)
        assert "etcd was ended by SIGKILL; its log ends:" in held.place.log.read_text()
    forget_failures()
