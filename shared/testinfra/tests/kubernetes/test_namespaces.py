"""A namespace of its own for every test, really deleted; what keeps one is named, and fails the run."""

from __future__ import annotations

import json
import re

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until

SUITE = """
import json, pytest
from pathlib import Path

@pytest.mark.parametrize("number", range(12))
def test_work(namespace, kubernetes, number):
    rest = kubernetes.rest(namespace)
    path = f"/api/v1/namespaces/{namespace.namespace}/configmaps"
    rest.post(path, {"metadata": {"name": "one"}, "data": {"number": str(number)}})
    assert [found["data"]["number"] for found in rest.get(path)["items"]] == [str(number)]
    context = json.loads(Path(namespace.kubeconfig).read_text())["contexts"][0]["context"]
    assert context["namespace"] == namespace.namespace
"""
STUCK = """
def test_stuck(namespace, kubernetes):
    path = f"/api/v1/namespaces/{namespace.namespace}/configmaps"
    kubernetes.rest().post(path, {"metadata": {"name": "held", "finalizers": ["example.test/hold"]}})
"""
WAITING = """
from pathlib import Path
from testinfra.servers.ready import wait_until

def test_waiting(namespace, kubernetes):
    Path("has-one").touch()
    wait_until(Path("go-on").exists, what="the other run is done", timeout=60)
    found = kubernetes.rest().get(f"/api/v1/namespaces/{namespace.namespace}")
    assert "deletionTimestamp" not in found["metadata"]
"""
KILLED = """
import os, signal

def test_killed(namespace):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def warm_cluster(sandbox: Sandbox) -> Cluster:
    """The endpoint of the API server that `testinfra up` keeps."""
    record = next((sandbox.state / "up").glob("kubernetes-*/record.json"))
    return Cluster(**json.loads(record.read_text())["endpoint"])


def ours(cluster: Cluster) -> list[str]:
    """Names of the namespaces there that a test was given."""
    with Rest(cluster) as rest:
        found = rest.get("/api/v1/namespaces", labelSelector="app.kubernetes.io/managed-by=testinfra")
        return [one["metadata"]["name"] for one in found["items"]]


def test_every_test_has_a_namespace_of_its_own(sandbox: Sandbox, rung: str) -> None:
    """The same object fits twelve times, in two workers at once; the kubeconfig names the namespace."""
    sandbox.write(test_suite=SUITE)
    done = sandbox.pytest(f"--kubernetes={rung}", "-n", "2")
    assert (done.code, done.count("tests")) == (0, 12), done.output


def test_a_run_leaves_no_namespace_on_a_warm_server(sandbox: Sandbox, rung: str) -> None:
    """The end of the run has seen all of them go."""
    sandbox.testinfra("up", f"--kubernetes={rung}")
    sandbox.write(test_suite=SUITE)
    done = sandbox.pytest(f"--kubernetes={rung}", "-n", "2")
    assert (done.code, done.count("tests")) == (0, 12), done.output
    assert ours(warm_cluster(sandbox)) == []
    sandbox.testinfra("down")


def test_what_keeps_a_namespace_is_named_and_fails_the_run(sandbox: Sandbox, rung: str) -> None:
    """The object and its finalizer, though every test passed; in a worker's run as well."""
    sandbox.write(test_stuck=STUCK)
    done = sandbox.pytest(f"--kubernetes={rung}", "-n", "1")
    assert (done.code, done.count("failures"), done.count("errors")) == (1, 0, 0), done.output
    assert "left behind by tests, and still there" in done.output
    assert re.search(r"the namespace sample-test-\S+ cannot be deleted", done.output)
    assert "configmaps/held has the finalizer example.test/hold" in done.output


def test_namespaces_of_a_killed_run_are_swept_by_the_next(sandbox: Sandbox, rung: str) -> None:
    """Told by the lock that the killed process held; the server is a warm one, so they outlived it."""
    sandbox.testinfra("up", f"--kubernetes={rung}")
    cluster = warm_cluster(sandbox)
    sandbox.write(test_killed=KILLED)
    assert sandbox.pytest(f"--kubernetes={rung}", "test_killed.py").code == -9
    assert len(ours(cluster)) == 1
    sandbox.write(test_suite=SUITE)
    assert sandbox.pytest(f"--kubernetes={rung}", "test_suite.py").code == 0
    wait_until(lambda: ours(cluster) == [], what="the dead run's namespace is gone", timeout=10)
    sandbox.testinfra("down")


def test_a_run_leaves_the_namespaces_of_a_living_one_alone(sandbox: Sandbox, rung: str) -> None:
    """Two runs at once on one warm server: the second sweeps nothing of the first."""
    sandbox.testinfra("up", f"--kubernetes={rung}")
    sandbox.write(test_suite=SUITE, test_waiting=WAITING)
    first = sandbox.start(f"--kubernetes={rung}", "test_waiting.py")
    wait_until((sandbox.project / "has-one").exists, what="the first run has its namespace", timeout=30)
    assert sandbox.pytest(f"--kubernetes={rung}", "test_suite.py").code == 0
    (sandbox.project / "go-on").touch()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    sandbox.testinfra("down")


def test_a_failed_test_says_what_was_asked_of_its_namespace(sandbox: Sandbox, rung: str) -> None:
    """Request, answer and who asked, out of the server's audit log; in the report and in the JUnit file."""
    sandbox.write(
        test_bad="""
        def test_bad(namespace, kubernetes):
            path = f"/api/v1/namespaces/{namespace.namespace}/configmaps"
            kubernetes.rest().post(path, {"metadata": {"name": "evidence"}})
            kubernetes.rest().get(path + "/absent")
        """
    )
    done = sandbox.pytest(f"--kubernetes={rung}")
    assert done.code == 1
    assert re.search(r"testinfra: create /api/v1/namespaces/sample-test-\S+/configmaps -> 201", done.output), (
        done.output
    )
    assert re.search(r"testinfra: get /api/v1/\S+/absent -> 404", done.output), done.output


def test_no_kubeconfig_is_left_behind(sandbox: Sandbox, rung: str) -> None:
    """Not even by a killed process, once somebody looked after it."""
    sandbox.write(test_killed=KILLED)
    sandbox.pytest(f"--kubernetes={rung}")
    wait_until(lambda: not sandbox.processes(), what="the server is gone", timeout=10)
    assert sandbox.testinfra("status").returncode == 0
    assert sandbox.leftovers() == []
