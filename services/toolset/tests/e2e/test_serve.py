"""`python -m toolset serve` as a process: its exit codes, its logs, and SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from testinfra.endpoints import Cluster
from testinfra.serving import Service

Json = dict[str, Any]
Add = Callable[..., Json]
Environment = dict[str, str]
Start = Callable[..., Service]


@pytest.fixture
def program(environment: Environment, start_verb: Start) -> Service:
    """Give the program, ready."""
    return start_verb("serve", environment)


@pytest.fixture
def caller(program: Service) -> Iterator[httpx.Client]:
    """Give a client of it."""
    with httpx.Client(base_url=program.url, timeout=60) as client:
        yield client


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "toolset", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_serves_logs_json_and_ends_with_0(
    add: Add, program: Service, caller: httpx.Client, published: Callable[[], list[Json]]
) -> None:
    """One JSON object a line, with the request's id; SIGTERM ends it with 0."""
    add("prometheus", 9090)
    answer = caller.post("/api/v1/toolsets/generate", headers={"X-Request-ID": "my-id"})
    assert (answer.status_code, answer.json()["tools"]) == (200, 1)
    assert [tool["name"] for tool in published()] == ["prometheus"]
    assert program.stop() == 0
    text = program.log.read_text()
    assert all(line.startswith("{") for line in text.splitlines()), text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines if line.get("request_id") == "my-id"] == [200]


def test_requests_in_flight_are_answered(
    add: Add, environment: Environment, start_verb: Start, intercept: Any, namespace: Cluster, published: Any
) -> None:
    """SIGTERM while a list is held back: who asked is answered, and it is written; the exit code is 0."""
    between = intercept(namespace)
    started = start_verb("serve", {**environment, "TOOLSET_KUBECONFIG": between.endpoint.kubeconfig})
    add("prometheus", 9090)
    with httpx.Client(base_url=started.url, timeout=60) as client, ThreadPoolExecutor(1) as pool:
        assert client.post("/api/v1/toolsets/generate").status_code == 200
        add("grafana", 3000)
        with between.delay(0.5, verb="list", resource="services") as held:
            asked = pool.submit(client.post, "/api/v1/toolsets/generate")
            held.wait()
            assert started.stop() == 0
        assert asked.result().json()["tools"] == 2
    assert len(published()) == 2


def test_it_is_not_ready_when_shutdown_begins(
    environment: Environment, start_verb: Start, eventually: Callable[..., None]
) -> None:
    """503 in the grace period, while it is alive and still answers."""
    started = start_verb("serve", {**environment, "TOOLSET_SHUTDOWN_GRACE": "3"})
    os.kill(started.pid, signal.SIGTERM)
    eventually("it is not ready", lambda: started.status("/readyz") == 503)
    assert started.status("/livez") == 200
    assert started.stop() == 0


def test_a_killed_service_begins_anew(
    add: Add, program: Service, caller: httpx.Client, eventually: Callable[..., None], published: Any
) -> None:
    """It has no state of its own: what was found is found again, and what was written is not written again."""
    add("prometheus", 9090)
    first = caller.post("/api/v1/toolsets/generate").json()
    program.kill()
    program.start()
    with httpx.Client(base_url=program.url, timeout=60) as anew:
        eventually("it is discovered", lambda: anew.get("/api/v1/toolsets").status_code == 200)
        again = anew.post("/api/v1/toolsets/generate").json()
    assert again == {"resource_version": first["resource_version"], "result": "unchanged", "tools": 1}
    assert program.stop() == 0


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("surf",), 2), (("serve", "now"), 2), (("--help",), 0)])
def test_the_usage_is_told(arguments: tuple[str, ...], code: int) -> None:
    """Both verbs are named."""
    ended = run(*arguments)
    assert ended.returncode == code
    assert "{serve,controller}" in ended.stdout + ended.stderr


def test_wrong_settings_end_the_start_with_2() -> None:
    """With one sentence for each, on stderr."""
    ended = run("serve", TOOLSET_INTERVAL="0", TOOLSET_KUBECONFIG="/no/such/file")
    assert ended.returncode == 2
    assert sorted(line.partition(":")[0] for line in ended.stderr.splitlines()) == [
        "TOOLSET_INTERVAL",
        "TOOLSET_KUBECONFIG",
    ]


def test_a_cluster_that_is_away_does_not_end_it(
    add: Add,
    environment: Environment,
    namespace: Cluster,
    intercept: Any,
    start_verb: Start,
    eventually: Callable[..., None],
    published: Any,
) -> None:
    """It starts, is not ready, and when the cluster answers it becomes ready and publishes by itself."""
    between = intercept(namespace)
    add("prometheus", 9090)
    away = {**environment, "TOOLSET_KUBECONFIG": between.endpoint.kubeconfig}
    with between.reset(times=None) as fault:
        started = start_verb("serve", away, wait=False)
        eventually("it lives", lambda: started.status("/livez") == 200)
        assert started.status("/readyz") == 503
        fault.wait(30)
    started.await_ready()
    eventually("it is discovered", lambda: started.status("/api/v1/toolsets") == 200)
    assert started.stop() == 0
    assert [tool["name"] for tool in published()] == ["prometheus"]


def test_a_review_that_hangs_is_503_within_five_seconds(
    environment: Environment, start_verb: Start, intercept: Any, namespace: Cluster
) -> None:
    """However long other requests to Kubernetes may take."""
    between = intercept(namespace)
    guarded = {
        **environment,
        "TOOLSET_AUTH": "token",
        "TOOLSET_KUBERNETES_TIMEOUT": "60",
        "TOOLSET_KUBECONFIG": between.endpoint.kubeconfig,
    }
    started = start_verb("serve", guarded)
    with between.delay(8, resource="tokenreviews"):
        before = time.monotonic()
        answer = httpx.get(f"{started.url}/api/v1/toolsets", headers={"Authorization": "Bearer x"}, timeout=60)
        assert (answer.status_code, time.monotonic() - before < 5) == (503, True)
