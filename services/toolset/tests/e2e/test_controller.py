"""`python -m toolset controller` as a process: its exit codes, its logs, SIGTERM, and SIGKILL of the one that leads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from servicekit.testing import sample
from testinfra.endpoints import Cluster
from testinfra.serving import Service
from toolset.controller.resources import path

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Environment = dict[str, str]
Start = Callable[..., Service]
CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
def environment(namespace: Cluster, endpoints: Any, install_crds: Callable[[Path], list[str]]) -> Environment:
    """Give the variables of a controller for this test's namespace."""
    install_crds(CRDS)
    return {
        "TOOLSET_KUBECONFIG": namespace.kubeconfig,
        "TOOLSET_NAMESPACES": namespace.namespace,
        "TOOLSET_OWN_NAMESPACE": namespace.namespace,
        "TOOLSET_CONNECT_TO": ",".join(endpoints.connect_to),
        "TOOLSET_DEBOUNCE": "0.02",
        "TOOLSET_LEASE_DURATION": "2",
        "TOOLSET_WEBHOOK_PORT": "0",
        "TOOLSET_SHUTDOWN_GRACE": "0",
    }


@pytest.fixture
def configure(rest: Rest, namespace: Cluster) -> Callable[..., None]:
    """Give a function that makes a ToolsetConfig."""

    def make(**spec: Any) -> None:
        body = {
            "apiVersion": "toolset.kubernaut.io/v1alpha1",
            "kind": "ToolsetConfig",
            "metadata": {"name": "tools"},
            "spec": {"namespaces": [namespace.namespace], **spec},
        }
        rest.post(path(namespace.namespace), body)

    return make


@pytest.fixture
def names(rest: Rest, namespace: Cluster) -> Callable[[], list[str]]:
    """Give a function that reads the names of the tools that the status has."""

    def read() -> list[str]:
        status = rest.get(path(namespace.namespace, "tools")).get("status") or {}
        return [each["name"] for each in status.get("discoveredServices", ())]

    return read


@pytest.fixture
def holder(rest: Rest, namespace: Cluster) -> Callable[[], str]:
    """Give a function that reads who holds the lease."""
    own = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.namespace}/leases/toolset-controller"
    return lambda: str(rest.get(own)["spec"]["holderIdentity"])


def _leads(program: Service) -> bool:
    with httpx.Client(base_url=program.url, timeout=60) as client:
        return sample(client.get("/metrics").text, "dynamic_toolset_controller_leader") == 1


def _run(environment: Environment, **wrong: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toolset", "controller"],
        env={**os.environ, **environment, **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_works_logs_json_and_ends_with_0(
    environment: Environment,
    start_verb: Start,
    add: Callable[..., Json],
    configure: Callable[..., None],
    names: Callable[[], list[str]],
    holder: Callable[[], str],
    eventually: Callable[..., None],
) -> None:
    """A tool is found; SIGTERM ends it with 0, the lease given back; every line of the log is one JSON object."""
    program = start_verb("controller", environment)
    add("prometheus", 9090)
    configure()
    eventually("the tool is found", lambda: names() == ["prometheus"])
    assert program.stop() == 0
    assert holder() == ""
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    assert {"listening", "leading", "shutting down"} <= {line["event"] for line in lines}
    assert [line for line in lines if line["level"] in {"error", "critical"}] == []


def test_sigterm_in_the_midst_of_a_discovery(
    environment: Environment,
    start_verb: Start,
    add: Callable[..., Json],
    configure: Callable[..., None],
    endpoints: Any,
    namespace: Cluster,
    holder: Callable[[], str],
    eventually: Callable[..., None],
) -> None:
    """A health check that would take half a minute is broken off: it ends with 0 in less, and gives the lease back."""
    slow = f"prometheus.{namespace.namespace}"
    endpoints.behave(slow, endpoints.SILENCE)
    add("prometheus", 9090)
    configure(healthCheck={"timeout": "30s"})
    program = start_verb("controller", environment)
    eventually("it is asked", lambda: bool(endpoints.asked(slow)))
    assert program.stop(timeout=15) == 0
    assert holder() == ""


def test_another_goes_on_when_the_leader_is_killed(
    environment: Environment,
    start_verb: Start,
    add: Callable[..., Json],
    configure: Callable[..., None],
    names: Callable[[], list[str]],
    eventually: Callable[..., None],
) -> None:
    """`kill -9`: the lease of two seconds runs out, the other replica leads, and finds what came meanwhile."""
    first = start_verb("controller", environment)
    eventually("the first leads", lambda: _leads(first))
    second = start_verb("controller", environment)
    configure()
    add("prometheus", 9090)
    eventually("the tool is found", lambda: names() == ["prometheus"])
    assert not _leads(second)
    first.kill()
    add("grafana", 3000)
    eventually("the second leads", lambda: _leads(second), deadline=10)
    eventually("the other tool is found", lambda: names() == ["grafana", "prometheus"])
    assert second.stop() == 0


def test_wrong_settings_end_the_start_with_2(environment: Environment, tmp_path: Path) -> None:
    """With one sentence for each, on stderr."""
    file = tmp_path / "tls.crt"
    file.touch()
    wrong = {
        "TOOLSET_LEASE_DURATION": "0",
        "TOOLSET_NAMESPACES": "Upper",
        "TOOLSET_CONNECT_TO": "nowhere",
        "TOOLSET_WEBHOOK_URL": "http://plain",
        "TOOLSET_WEBHOOK_CERTIFICATE": str(file),
        "TOOLSET_WEBHOOK_KEY": "/no/such/file",
    }
    ended = _run(environment, **wrong)
    assert ended.returncode == 2
    told = sorted(line.partition(":")[0] for line in ended.stderr.splitlines())
    assert told == sorted({*wrong, "TOOLSET_WEBHOOK_CA"} - {"TOOLSET_WEBHOOK_CERTIFICATE"})


def test_a_taken_address_is_told(environment: Environment) -> None:
    """Of the webhook: exit code 1, and one sentence with what to type."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = _run(environment, TOOLSET_WEBHOOK_PORT=port, TOOLSET_PORT="0")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "TOOLSET_WEBHOOK_PORT" in ended.stderr


def test_a_cluster_that_is_away_does_not_end_it(
    environment: Environment, namespace: Cluster, intercept: Any, start_verb: Start, eventually: Callable[..., None]
) -> None:
    """It starts, is not ready, and becomes ready when the cluster answers."""
    between = intercept(namespace)
    away = {**environment, "TOOLSET_KUBECONFIG": between.endpoint.kubeconfig}
    with between.reset(times=None) as fault:
        program = start_verb("controller", away, wait=False)
        eventually("it lives", lambda: program.status("/livez") == 200)
        assert program.status("/readyz") == 503
        fault.wait(30)
    program.await_ready()
    assert program.stop() == 0
