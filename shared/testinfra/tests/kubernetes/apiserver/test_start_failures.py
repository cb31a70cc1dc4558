"""A control plane that cannot start: which part it was, what it said, what to type."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.control_planes import wanted
from shared.testinfra.tests.plugin.test_start_failures import ON_A_FULL_DISK
from shared.testinfra.tests.sandbox import Sandbox
from testinfra.errors import NotAvailable, NotReady, StandError
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.share import forget_failures, lease


def refused(sandbox: Sandbox, spec: Spec, *, port: int = 0) -> StandError:
    """The error that the start of `spec` ends with."""
    with pytest.raises(StandError) as caught:
        lease(spec, root=sandbox.state, scope="planes", terms=Terms(linger=0, port=port))
    forget_failures()
    return caught.value


def with_program(name: str, path: str) -> Spec:
    spec = wanted()
    return dataclasses.replace(spec, settings={**spec.settings, "binaries": {**spec.settings["binaries"], name: path}})


def test_a_program_that_is_not_there_is_named_with_the_command_that_fetches_it(sandbox: Sandbox) -> None:
    """Before anything is started."""
    error = refused(sandbox, with_program("kube-controller-manager", "/no/such/manager"))
    assert isinstance(error, NotAvailable)
    assert error.happened.startswith("/no/such/manager is not there")
    assert "testinfra binaries" in error.next_step


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver"])
def test_a_program_that_ends_at_once_is_named_with_what_it_said(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Its own words, not the other's."""
    program = tmp_path / name
    program.write_text("#!/bin/sh\necho built for another machine\nexit 3\n")
    program.chmod(0o700)
    error = refused(sandbox, with_program(name, str(program)))
    assert isinstance(error, NotReady)
    assert "the process exited with code 3" in error.happened
    assert error.looked_at == (str(program),)
    assert error.log == "built for another machine"


def test_a_wrong_flag_is_told_in_the_servers_words_with_the_option_that_gave_it(sandbox: Sandbox) -> None:
    """And with where the right ones are listed."""
    error = refused(sandbox, wanted("--no-such-flag"))
    assert "unknown flag: --no-such-flag" in error.log
    assert "--kubernetes-args=--no-such-flag" in error.next_step
    assert "kube-apiserver --help" in error.next_step


def test_a_taken_port_is_told_with_its_option(sandbox: Sandbox) -> None:
    """And with the command that shows who has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = refused(sandbox, wanted(), port=port)
    assert f"port {port} on 127.0.0.1 is taken" in error.happened
    assert "--kubernetes-port" in error.next_step


def test_a_state_directory_with_a_long_path_is_told(sandbox: Sandbox) -> None:
    """A socket's path has its limit."""
    deep = sandbox.state / ("d" * 60)
    with pytest.raises(NotReady, match="etcd's socket is longer") as caught:
        lease(wanted(), root=deep, scope="planes", terms=Terms(linger=0))
    forget_failures()
    deep.rmdir()
    assert "TESTINFRA_STATE_DIR" in caught.value.next_step


START = """
import json, sys
from pathlib import Path
from testinfra.errors import StandError
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.share import lease

root = Path(sys.argv[2])
root.mkdir(mode=0o700)
try:
    lease(Spec(**json.loads(sys.argv[1])), root=root, scope="s", terms=Terms(linger=0, cache_dir=sys.argv[3]))
except StandError as exc:
    print(exc)
"""


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """8 MB are not enough for a first start, whose log alone takes 64."""
    disk = Path(tempfile.mkdtemp(prefix="ti-disk-"))
    spec = json.dumps(dataclasses.asdict(wanted()))
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(disk), "-c", START, spec, str(disk / "state"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    disk.rmdir()
    assert "/etcd\n" in done.stdout, done.stdout + done.stderr
    assert "likely cause: the disk is full" in done.stdout
    assert "TESTINFRA_STATE_DIR=<a directory on another disk>" in done.stdout
