"""`python -m contextapi` as a process: its exit codes, its log and its signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from contextapi import ContextapiSettings

Program = subprocess.Popen[str]


@pytest.fixture
def start(settings: ContextapiSettings, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Give a function that starts the program with the test's servers and these variables changed."""
    dsn = tmp_path / "dsn"
    dsn.write_text(settings.postgres_dsn.get_secret_value() + "\n", encoding="utf-8")
    own = {
        "CONTEXTAPI_POSTGRES_DSN_FILE": str(dsn),
        "CONTEXTAPI_REDIS_URL": settings.redis_url.get_secret_value(),
        "CONTEXTAPI_REDIS_KEY_PREFIX": settings.redis_key_prefix,
        "CONTEXTAPI_POOL_MIN": "1",
        "CONTEXTAPI_POOL_MAX": "2",
        "CONTEXTAPI_PORT": "0",
        "CONTEXTAPI_SHUTDOWN_GRACE": "0",
    }
    outer = {name: value for name, value in os.environ.items() if not name.startswith("CONTEXTAPI_")}
    with ExitStack() as stack:

        def run(**changes: str) -> Program:
            program = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "contextapi"],
                    env={**outer, **own, **changes},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(program.kill)
            return program

        yield run


def until_listening(program: Program) -> str:
    """Return the URL that the program's log names; fails with the log where it ends before."""
    assert program.stdout is not None
    lines = []
    for line in program.stdout:
        lines.append(line)
        logged: dict[str, Any] = json.loads(line)
        if logged["event"] == "listening":
            return str(logged["address"])
    raise AssertionError("".join(lines) + (program.stderr.read() if program.stderr else ""))


def test_it_answers_and_ends_with_0_on_sigterm(start: Callable[..., Program], settings: ContextapiSettings) -> None:
    """Every line it wrote is one JSON object, and no secret is in any."""
    program = start()
    url = until_listening(program)
    assert httpx.get(f"{url}/readyz").status_code == 200
    answer = httpx.get(f"{url}/api/v1/incidents", headers={"X-Request-ID": "own-1"})
    assert answer.json()["total"] == 0
    program.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGTERM)  # a second one does not break it
    out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    assert "own-1" in [json.loads(line).get("request_id") for line in out.splitlines()]
    for secret in (settings.postgres_dsn, settings.redis_url):
        assert secret.get_secret_value() not in out


def test_wrong_settings_end_it_with_2_and_a_sentence_each(start: Callable[..., Program]) -> None:
    """All of them at once, and what would be right."""
    program = start(CONTEXTAPI_CACHE_TTL="0", CONTEXTAPI_PORT="x")
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out) == (2, "")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["CONTEXTAPI_PORT", "CONTEXTAPI_CACHE_TTL"]
    assert all("Right would be" in line for line in err.splitlines())
