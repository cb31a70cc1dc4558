"""`python -m contextapi` as a process: its exit codes, its log and its signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from contextapi import ContextapiSettings
from testinfra.serving import Service


@pytest.fixture
def environment(settings: ContextapiSettings, tmp_path: Path) -> dict[str, str]:
    """Give the variables of a contextapi on the test's servers, its DSN in a file."""
    dsn = tmp_path / "dsn"
    dsn.write_text(settings.postgres_dsn.get_secret_value() + "\n", encoding="utf-8")
    return {
        "CONTEXTAPI_POSTGRES_DSN_FILE": str(dsn),
        "CONTEXTAPI_REDIS_URL": settings.redis_url.get_secret_value(),
        "CONTEXTAPI_REDIS_KEY_PREFIX": settings.redis_key_prefix,
        "CONTEXTAPI_POOL_MIN": "1",
        "CONTEXTAPI_POOL_MAX": "2",
        "CONTEXTAPI_SHUTDOWN_GRACE": "0",
    }


def test_it_answers_and_ends_with_0_on_sigterm(
    environment: dict[str, str], start_service: Callable[..., Service], settings: ContextapiSettings
) -> None:
    """Every line it wrote is one JSON object, and no secret is in any."""
    program = start_service("contextapi", environment, socket_variable="CONTEXTAPI_SOCKET_FD")
    answer = httpx.get(f"{program.url}/api/v1/incidents", headers={"X-Request-ID": "own-1"})
    assert answer.json()["total"] == 0
    assert program.stop() == 0
    said = program.log.read_text()
    assert "own-1" in [json.loads(line).get("request_id") for line in said.splitlines()]
    for secret in (settings.postgres_dsn, settings.redis_url):
        assert secret.get_secret_value() not in said


def test_wrong_settings_end_it_with_2_and_a_sentence_each(environment: dict[str, str]) -> None:
    """All of them at once, and what would be right."""
    wrong = {"CONTEXTAPI_CACHE_TTL": "0", "CONTEXTAPI_PORT": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "contextapi"],
        env={**os.environ, **environment, **wrong},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["CONTEXTAPI_PORT", "CONTEXTAPI_CACHE_TTL"]
    assert all("Right would be" in line for line in done.stderr.splitlines())
