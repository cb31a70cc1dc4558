"""A server that cannot start: told once in a run, soon, with what was looked at and what to type."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.testinfra.tests.sandbox import Finished, Sandbox

WANTS = """
import pytest
@pytest.mark.parametrize("number", range(12))
def test_wants(postgres_schema, number): raise AssertionError("it started")
"""
TOLD_ONCE = "told in full once in this run"


def refused(sandbox: Sandbox, *arguments: str) -> Finished:
    """Run twelve tests on four workers against a Postgres that cannot start; all must fail, one with the story."""
    sandbox.write(test_wants=WANTS)
    done = sandbox.pytest("-n", "4", *arguments)
    assert (done.code, done.count("tests"), done.count("errors")) == (1, 12, 12), done.output
    assert done.output.count("looked at:") == 1, done.output
    assert TOLD_ONCE in done.output
    return done


def test_a_bindir_that_is_none_is_told_once(sandbox: Sandbox) -> None:
    """With the three programs that were looked for."""
    done = refused(sandbox, "--postgres-bindir=/no/such/bin")
    for program in ("postgres", "initdb", "psql"):
        assert f"- /no/such/bin/{program}" in done.output
    assert "the folder does not exist" in done.output
    assert "--postgres-bindir=$(pg_config --bindir)" in done.output


def test_a_wrong_dsn_is_told_once_and_without_its_password(sandbox: Sandbox) -> None:
    """With the address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        done = refused(sandbox, f"--postgres-dsn=postgresql://me:hush@127.0.0.1:{port}/none")
    assert f"the external Postgres at 127.0.0.1:{port}/none cannot be used" in done.output
    assert "hush" not in done.output.replace(f"--postgres-dsn=postgresql://me:hush@127.0.0.1:{port}/none", "")


def test_a_dsn_that_cannot_be_read_is_told_once(sandbox: Sandbox) -> None:
    """With the form it should have."""
    sandbox.write(test_wants=WANTS)
    done = sandbox.pytest("-n", "2", "--postgres-dsn=host=127.0.0.1 nonsense")
    assert done.count("errors") == 12
    assert done.output.count("--postgres-dsn=postgresql://user:password@host:5432/database") == 1


def test_a_taken_port_is_told_once(sandbox: Sandbox) -> None:
    """With the command that shows who has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = refused(sandbox, f"--postgres-port={port}")
    assert f"port {port} on 127.0.0.1 is taken" in done.output


def test_a_setting_that_postgres_refuses_is_told_once_with_its_log(sandbox: Sandbox) -> None:
    """What it said before it died is the message."""
    done = refused(sandbox, "--postgres-settings=shared_buffers=plenty")
    assert 'invalid value for parameter "shared_buffers": "plenty"' in done.output


def test_an_extension_that_is_not_there_is_told_once(sandbox: Sandbox) -> None:
    """With the files that would be it."""
    done = refused(sandbox, "--postgres-extensions=vector,timetravel")
    assert "timetravel.control" in done.output


def test_a_redis_binary_that_does_not_run_is_told_once(sandbox: Sandbox) -> None:
    """The same for the other kind."""
    sandbox.write(test_wants=WANTS.replace("postgres_schema", "redis_db"))
    done = sandbox.pytest("-n", "4", "--redis-binary=/bin/false")
    assert done.count("errors") == 12
    assert done.output.count("looked at:") == 1
    assert "/bin/false does not run" in done.output


def test_the_tests_that_want_no_server_still_run(sandbox: Sandbox) -> None:
    """A missing Postgres fails those that want it and no other; nothing is skipped."""
    sandbox.write(test_wants=WANTS, test_plain="def test_plain(): pass")
    done = sandbox.pytest("--postgres-bindir=/no/such/bin")
    assert (done.count("tests"), done.count("errors"), done.count("skipped")) == (13, 12, 0)


ON_A_FULL_DISK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
new_user, new_mounts, recursive, private = 0x10000000, 0x00020000, 0x4000, 0x40000
uid, gid = os.getuid(), os.getgid()

def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

check(libc.unshare(new_mounts | (new_user if uid else 0)))
if uid:  # the right to mount, in a namespace of our own, as the user that we are
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
check(libc.mount(b"none", b"/", None, recursive | private, None))
check(libc.mount(b"tmpfs", sys.argv[1].encode(), b"tmpfs", 0, b"size=8m,mode=0711"))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
"""Runs Python with a disk of 8 MB at argv[1]: a real file system, in a mount namespace that ends with the process."""


def test_a_full_disk_is_told_once(sandbox: Sandbox) -> None:
    """Copying the data directory says so, and nothing of it stays."""
    sandbox.write(test_wants=WANTS)
    disk = Path(tempfile.mkdtemp(prefix="ti-disk-"))
    junit = sandbox.project / "junit.xml"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(disk), *sandbox.command("-n", "4", junit=junit)[1:]],
        cwd=sandbox.project,
        env=sandbox.environment | {"TESTINFRA_STATE_DIR": str(disk / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    disk.rmdir()
    assert done.stdout.count("likely cause: the disk is full") == 1, done.stdout + done.stderr
    assert "No space left on device" in done.stdout
    assert "TESTINFRA_STATE_DIR=<a directory on another disk>" in done.stdout


@pytest.mark.parametrize("package", ["urllib3", "cryptography", "httptools"])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(sandbox: Sandbox, package: str) -> None:
    """Not with a traceback of imports; a run that asks for no Kubernetes never looks for it."""
    sandbox.write(
        conftest=f"import sys; sys.modules[{package!r}] = None",
        test_wants="def test_wants(namespace): raise AssertionError('it started')",
        test_else="def test_else(testinfra_stand): pass",
    )
    done = sandbox.pytest("--kubernetes=fake")
    assert (done.count("tests"), done.count("errors")) == (2, 1), done.output
    assert f"the package {package} is not installed, which kubernetes needs" in done.output
    assert "pip install 'testinfra-stand[kubernetes]'" in done.output
