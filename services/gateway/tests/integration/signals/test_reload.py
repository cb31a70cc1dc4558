"""Settings that are read again: what takes effect, what does not, and that nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import GatewaySettings, create_app
from gateway.app import GatewayApp
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Cluster
from testinfra.servers.ready import wait_until

PROMETHEUS = "/api/v1/signals/prometheus"
Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def file(tmp_path: Path, settings: GatewaySettings) -> Path:
    """Give the YAML file of the gateway's settings."""
    path = tmp_path / "gateway.yaml"
    keep = ("kubeconfig", "fallback_namespace", "flush_interval", "auth")
    lines = [f"{name}: {getattr(settings, name)!r}" for name in keep]
    path.write_text("\n".join([*lines, f"namespaces: {list(settings.namespaces)!r}", "shutdown_grace: 0\n"]))
    return path


@pytest.fixture
def served(file: Path) -> Any:
    """Give a gateway that reads its settings from the file."""

    def load() -> GatewaySettings:
        return GatewaySettings.load({"GATEWAY_CONFIG": str(file)})

    with serve_in_thread(create_app(load(), load)) as running:
        url = f"{running.url}/readyz"
        wait_until(lambda: httpx.get(url).status_code == 200, what="the gateway is ready", timeout=30)
        yield running


def _reload(served: Served) -> bool:
    assert isinstance(served.app, GatewayApp)
    return served.app.parts.reload()


def test_a_changed_setting_takes_effect(
    served: Served, file: Path, connect: Callable[..., httpx.Client], alert: Make
) -> None:
    """X-Timestamp becomes mandatory without a restart."""
    client = connect(served)
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    file.write_text(file.read_text() + "require_timestamp: true\n")
    assert _reload(served)
    assert client.post(PROMETHEUS, json=alert()).status_code == 400
    assert 'gateway_config_reloads_total{result="taken"} 1.0' in client.get("/metrics").text


def test_wrong_settings_change_nothing(
    served: Served,
    file: Path,
    connect: Callable[..., httpx.Client],
    alert: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The old ones stay, and the log says what is wrong."""
    file.write_text(file.read_text() + "retry_attempts: 99\nrequire_timestamp: true\n")
    assert not _reload(served)
    assert "GATEWAY_RETRY_ATTEMPTS" in caplog.text
    client = connect(served)
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    assert 'gateway_config_reloads_total{result="refused"} 1.0' in client.get("/metrics").text


def test_a_setting_that_needs_a_new_process_is_named(
    served: Served, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays as it was, and the log names it; what can change does."""
    file.write_text(file.read_text() + "watch_timeout: 7\nretry_attempts: 4\n")
    assert _reload(served)
    settings: Any = served.app.parts.live.settings if isinstance(served.app, GatewayApp) else None
    assert (settings.watch_timeout, settings.retry_attempts) == (30, 4)
    assert "watch_timeout" in caplog.text


def test_no_request_notices(
    served: Served, file: Path, connect: Callable[..., httpx.Client], alert: Make, namespace: Cluster, only: Any
) -> None:
    """While the settings are read again fifty times, every request of ten senders is taken."""
    client = connect(served)
    done = threading.Event()

    def send() -> list[int]:
        codes = [client.post(PROMETHEUS, json=alert()).status_code]
        while not done.is_set():
            codes.append(client.post(PROMETHEUS, json=alert()).status_code)
        return codes

    with ThreadPoolExecutor(10) as pool:
        senders = [pool.submit(send) for _ in range(10)]
        for number in range(50):
            file.write_text(file.read_text() + f"max_waiting: {100 + number}\n")
            assert _reload(served)
        done.set()
        codes = [code for sender in senders for code in sender.result()]
    assert sorted(set(codes)) in ([201, 202], [202])
    assert codes.count(201) == 1
    only()
