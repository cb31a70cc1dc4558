"""The fake as a process: the backend of `testinfra up`, and by hand."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from testinfra.endpoints import Cluster
from testinfra.kubernetes import fakes
from testinfra.kubernetes.rest import Rest
from testinfra.servers.backend import Terms
from testinfra.servers.places import Place

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
TERMS = Terms(start_timeout=30)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where it lives."""
    made = Place(tmp_path / "kubernetes-1")
    made.prepare()
    return made


@pytest.fixture
def backend(place: Place) -> Iterator[fakes.Fake]:
    """One that is to be started."""
    made = fakes.create({})
    yield made
    made.stop()


def test_a_process_serves_until_it_is_stopped(backend: fakes.Fake, place: Place) -> None:
    """Its endpoint says all that a client needs."""
    endpoint = Cluster(**backend.start(place, TERMS))
    with Rest(endpoint, timeout=5) as rest:
        assert rest.post(CONFIGMAPS, {"metadata": {"name": "a"}})["metadata"]["uid"]
        assert not backend.death()
        backend.stop()
        with pytest.raises(urllib3.exceptions.HTTPError):
            rest.get(CONFIGMAPS)


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
def test_its_outages_keep_address_and_objects(backend: fakes.Fake, place: Place, how: str) -> None:
    """Down it answers nobody, healed it has everything."""
    endpoint = Cluster(**backend.start(place, TERMS))
    with Rest(endpoint, timeout=1) as rest:
        made = rest.post(CONFIGMAPS, {"metadata": {"name": "a"}})
        backend.fault(how)
        with pytest.raises(urllib3.exceptions.HTTPError):
            rest.get(CONFIGMAPS)
        assert not backend.death()
        backend.heal(place, TERMS)
        assert rest.get(f"{CONFIGMAPS}/a")["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.parametrize(("option", "said"), [("--port={port}", "port {port} "), ("--directory=/nowhere", "/nowhere")])
def test_a_process_that_cannot_start_says_why(option: str, said: str) -> None:
    """In a few lines, and ends with a code that is not 0."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "testinfra.kubernetes.fake", option.format(port=port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert said.format(port=port) in done.stderr
    assert "Traceback" not in done.stderr


def test_by_hand_it_writes_a_kubeconfig_and_ends_on_request(tmp_path: Path) -> None:
    """`python -m testinfra.kubernetes.fake --kubeconfig=FILE`."""
    config = tmp_path / "kubeconfig"
    command = [sys.executable, "-m", "testinfra.kubernetes.fake", f"--kubeconfig={config}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = process.stdout.readline()
        server = json.loads(config.read_text())["clusters"][0]["cluster"]["server"]
        assert printed == f"{server}  KUBECONFIG={config}\n"
        process.terminate()
        assert process.wait(10) == 0


def test_its_help_tells_all_options() -> None:
    """And what it is."""
    command = [sys.executable, "-m", "testinfra.kubernetes.fake", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(option in said for option in ("--port", "--kubeconfig", "--directory", "--history"))
    assert "fake Kubernetes API server" in said
