"""A machine without any of the programs, and a server that has them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.binaries import releases
from shared.testinfra.tests.kubernetes.binaries.fileserver import FileServer, running
from testinfra.servers.binaries import Sources, packaged

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No variable is set, and PATH is one empty folder, which is given."""
    names = {program.variable for program in packaged().programs.values()} | {"KUBEBUILDER_ASSETS"}
    for name in [*names, *(name for name in os.environ if name.lower() in PROXIES)]:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server with Kubernetes 1.35.2, where the real ones have it."""
    server = FileServer(releases.release("1.35.2"))
    with running(server):
        yield server


@pytest.fixture
def sources(server: FileServer, tmp_path: Path, bare_machine: Path) -> Sources:
    """The bare machine may download 1.35.2 from that server, and nothing else."""
    cache = tmp_path / "cache"
    return Sources(kubernetes_version="1.35.2", cache_dir=str(cache), mirrors=[server.url], build=False)


@pytest.fixture
def offline(sources: Sources) -> Sources:
    """The same without download."""
    return dataclasses.replace(sources, download=False)
