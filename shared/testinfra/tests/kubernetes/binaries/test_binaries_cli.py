"""`testinfra binaries`: list, fetch, path."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.binaries.fileserver import FileServer
from shared.testinfra.tests.sandbox import Sandbox, clean_environment
from testinfra.servers.binaries import Sources, packaged


@pytest.fixture
def shell(sandbox: Sandbox, sources: Sources) -> Sandbox:
    """A sandbox on the bare machine, whose variables say what `sources` says."""
    sandbox.environment = clean_environment() | {  # again, now that the machine is bare
        "TESTINFRA_STATE_DIR": str(sandbox.state),
        "TESTINFRA_CACHE_DIR": sources.cache_dir,
        "TESTINFRA_KUBERNETES_VERSION": sources.kubernetes_version,
        "TESTINFRA_BINARIES_MIRRORS": " ".join(sources.mirrors),
        "TESTINFRA_BINARIES_BUILD": "no",
    }
    return sandbox


def test_the_list_says_where_each_is_or_how_to_get_it(shell: Sandbox, server: FileServer) -> None:
    """Every program of the catalogue, and nothing is fetched for it."""
    shown = shell.testinfra("binaries")
    assert shown.returncode == 0
    for name in packaged().programs:
        assert re.search(rf"{name} .*missing.*testinfra binaries fetch {name}: ", shown.stdout)
    assert server.requests == []
    shell.testinfra("binaries", "fetch", "etcd")
    shown = shell.testinfra("binaries")
    assert re.search(r"etcd .* 3\.6\.8 .* cache, downloaded from github\.com .*/etcd/3\.6\.8/etcd", shown.stdout)


def test_the_list_shows_a_variable_that_is_wrong(shell: Sandbox) -> None:
    """And goes on with the others."""
    shell.environment["TEST_ASSET_ETCD"] = "/no/such"
    shown = shell.testinfra("binaries")
    assert re.search(r"etcd .* wrong .*TEST_ASSET_ETCD=/no/such gives no etcd", shown.stdout)
    assert "k6" in shown.stdout


def test_fetch_without_names_gets_those_of_kubernetes(shell: Sandbox) -> None:
    """Their places are on standard output, and how it went on standard error."""
    done = shell.testinfra("binaries", "fetch")
    assert done.returncode == 0, done.stderr
    names = ["kube-apiserver", "kube-controller-manager", "kubectl", "etcd"]
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    assert "testinfra: downloading kube-apiserver, kubectl, etcd (envtest 1.35.2) from 127.0.0.1" in done.stderr


def test_path_prints_the_path_alone(shell: Sandbox) -> None:
    """For a script; what the command line says wins over the variables."""
    shell.testinfra("binaries", "fetch", "kubectl")
    path = shell.testinfra("binaries", "path", "kubectl").stdout
    assert Path(path.removesuffix("\n")).is_file()
    other = shell.testinfra("binaries", "path", "kubectl", "--kubernetes-version=1.31")
    assert (other.returncode, other.stdout) == (1, "")
    assert "has 1.35.2, and 1.30 to 1.32 is wanted" in other.stderr


def test_what_is_missing_fails_with_what_to_type(shell: Sandbox) -> None:
    """No traceback, nothing on standard output, and the command that gets it."""
    missing = shell.testinfra("binaries", "path", "etcd")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("NotAvailable: there is no etcd 3.5 or 3.6")
    assert "what to type: testinfra binaries fetch etcd" in missing.stderr
    refused = shell.testinfra("binaries", "fetch", "etcd", "--no-download")
    assert refused.returncode == 1
    assert "etcd: download is switched off" in refused.stderr
    assert "Traceback" not in missing.stderr + refused.stderr


def test_the_help_says_where_is_looked(shell: Sandbox) -> None:
    """In which order, and what each command does."""
    said = " ".join(shell.testinfra("binaries", "--help").stdout.split())
    assert "variable, PATH, cache, download, build with Go" in said
    assert "--no-download" in shell.testinfra("binaries", "fetch", "--help").stdout


def test_a_terminal_gets_a_moving_bar(shell: Sandbox, server: FileServer) -> None:
    """Which is gone in the end, when the lines stay."""
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "testinfra.cli", "binaries", "fetch", "etcd"]
    environment = shell.environment | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, env=environment, cwd=shell.project, stdout=subprocess.PIPE, stderr=terminal) as run:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(main, 65536):
                shown += piece
        except OSError:  # Linux's way of telling that the other end is closed
            pass
    os.close(main)
    assert run.returncode == 0
    assert re.search(rb"etcd \(envtest 1\.35\.2\) .*[0-9]+ kB of 3[0-9]+ kB", shown)
    assert b"\x1b[" in shown
    assert b"testinfra: etcd 3.6.8 downloaded from github.com" in shown
