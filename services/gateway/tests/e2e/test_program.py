"""`python -m gateway` as a process: its exit codes, its logs, SIGHUP and SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import GatewaySettings
from testinfra.endpoints import Cluster
from testinfra.serving import Service

PROMETHEUS = "/api/v1/signals/prometheus"
Json = dict[str, Any]
Make = Callable[..., Json]
Environment = dict[str, str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the YAML file of settings that can be changed."""
    path = tmp_path / "gateway.yaml"
    path.write_text("retry_attempts: 3\n")
    return path


@pytest.fixture
def environment(settings: GatewaySettings, file: Path) -> Environment:
    """Give the variables of a gateway for this test's namespace."""
    return {
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_KUBECONFIG": settings.kubeconfig,
        "GATEWAY_NAMESPACES": ",".join(settings.namespaces),
        "GATEWAY_FALLBACK_NAMESPACE": settings.fallback_namespace,
        "GATEWAY_AUTH": "off",
        "GATEWAY_FLUSH_INTERVAL": "60",
        "GATEWAY_SHUTDOWN_GRACE": "0",
    }


@pytest.fixture
def program(environment: Environment, start_service: Callable[..., Service]) -> Service:
    """Give the program, ready."""
    started: Service = start_service("gateway", environment, socket_variable="GATEWAY_SOCKET_FD")
    return started


@pytest.fixture
def sender(program: Service) -> Iterator[httpx.Client]:
    """Give a client of it."""
    with httpx.Client(base_url=program.url, timeout=60) as client:
        yield client


def _lines(program: Service) -> list[Json]:
    return [json.loads(line) for line in program.log.read_text().splitlines() if line.startswith("{")]


def test_it_serves_logs_json_and_ends_with_0(program: Service, sender: httpx.Client, alert: Make) -> None:
    """One JSON object a line, with the request's id; SIGTERM ends it with 0."""
    assert sender.post(PROMETHEUS, json=alert(), headers={"X-Request-ID": "my-id"}).status_code == 201
    assert program.stop() == 0
    text = program.log.read_text()
    assert all(line.startswith("{") for line in text.splitlines()), text
    assert [line["status"] for line in _lines(program) if line.get("request_id") == "my-id"] == [201]


def test_sigterm_writes_what_was_counted(
    program: Service, sender: httpx.Client, alert: Make, occurrences: Callable[[], int]
) -> None:
    """Repetitions that were gathered for a minute are written before the process ends."""
    for _ in range(25):
        assert sender.post(PROMETHEUS, json=alert()).is_success
    assert occurrences() == 1
    assert program.stop() == 0
    assert occurrences() == 25


def test_a_killed_gateway_loses_counts_and_no_resource(
    program: Service, sender: httpx.Client, alert: Make, occurrences: Callable[[], int], only: Callable[[], Json]
) -> None:
    """After SIGKILL the resource is there, and the next process knows of it."""
    assert [sender.post(PROMETHEUS, json=alert()).status_code for _ in range(3)] == [201, 202, 202]
    program.kill()
    program.start()
    with httpx.Client(base_url=program.url, timeout=60) as anew:
        assert anew.post(PROMETHEUS, json=alert()).status_code == 202
    only()
    assert program.stop() == 0
    assert occurrences() == 2


def test_sighup_reads_the_settings_again(
    program: Service, sender: httpx.Client, alert: Make, file: Path, eventually: Callable[..., None]
) -> None:
    """Not a request of eight senders is dropped, and what the file says holds."""
    done = threading.Event()

    def send() -> set[int]:
        codes = {sender.post(PROMETHEUS, json=alert()).status_code}
        while not done.is_set():
            codes.add(sender.post(PROMETHEUS, json=alert()).status_code)
        return codes

    with ThreadPoolExecutor(8) as pool:
        senders = [pool.submit(send) for _ in range(8)]
        file.write_text("retry_attempts: 4\nmax_waiting: 300\n")
        os.kill(program.pid, signal.SIGHUP)
        eventually(
            "the settings are read", lambda: any(line["event"] == "settings reloaded" for line in _lines(program))
        )
        done.set()
        assert set().union(*(each.result() for each in senders)) <= {201, 202}
    file.write_text("require_timestamp: true\n")
    os.kill(program.pid, signal.SIGHUP)
    eventually("a timestamp is asked for", lambda: sender.post(PROMETHEUS, json=alert()).status_code == 400)


def test_sighup_with_a_wrong_file_changes_nothing(
    program: Service, sender: httpx.Client, alert: Make, file: Path, eventually: Callable[..., None]
) -> None:
    """The process lives on with what it had."""
    file.write_text("retry_attempts: many\n")
    os.kill(program.pid, signal.SIGHUP)
    wrong = "settings are wrong, the old ones stay"
    eventually("it is told", lambda: any(line["event"] == wrong for line in _lines(program)))
    assert sender.post(PROMETHEUS, json=alert()).status_code == 201


def test_wrong_settings_end_the_start_with_2(environment: Environment) -> None:
    """With one sentence for each, on stderr."""
    wrong = {"GATEWAY_RETRY_ATTEMPTS": "0", "GATEWAY_KUBECONFIG": "/no/such/file"}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env={**os.environ, **environment, **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert sorted(line.partition(":")[0] for line in ended.stderr.splitlines()) == [
        "GATEWAY_KUBECONFIG",
        "GATEWAY_RETRY_ATTEMPTS",
    ]


def test_a_cluster_that_is_away_does_not_end_it(
    environment: Environment,
    namespace: Cluster,
    intercept: Any,
    start_service: Callable[..., Service],
    eventually: Callable[..., None],
) -> None:
    """It starts, is not ready, and becomes ready when the cluster answers."""
    between = intercept(namespace)
    away = {**environment, "GATEWAY_KUBECONFIG": between.endpoint.kubeconfig}
    with between.reset(times=None) as fault:
        started: Service = start_service("gateway", away, socket_variable="GATEWAY_SOCKET_FD", wait=False)
        eventually("it lives", lambda: started.status("/livez") == 200)
        assert started.status("/readyz") == 503
        fault.wait(30)
    started.await_ready()
    assert started.stop() == 0
