"""`python -m datastorage` as a process: its exit codes, its logs, its sockets and its signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from datastorage import DatastorageSettings

PATH = "/api/v1/audit/remediations"
Program = subprocess.Popen[str]


@pytest.fixture
def start(settings: DatastorageSettings, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Give a function that starts the program with the test's servers and these variables changed."""
    dsn = tmp_path / "dsn"
    dsn.write_text(settings.postgres_dsn.get_secret_value() + "\n", encoding="utf-8")
    own = {
        "DATASTORAGE_POSTGRES_DSN_FILE": str(dsn),
        "DATASTORAGE_REDIS_URL": settings.redis_url.get_secret_value(),
        "DATASTORAGE_REDIS_KEY_PREFIX": settings.redis_key_prefix,
        "DATASTORAGE_POOL_MIN": "1",
        "DATASTORAGE_POOL_MAX": "2",
        "DATASTORAGE_PORT": "0",
        "DATASTORAGE_SHUTDOWN_GRACE": "0",
    }
    outer = {name: value for name, value in os.environ.items() if not name.startswith("DATASTORAGE_")}
    with ExitStack() as stack:

        def run(*, pass_fds: tuple[int, ...] = (), **changes: str) -> Program:
            program = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "datastorage"],
                    env={**outer, **own, **changes},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    pass_fds=pass_fds,
                )
            )
            stack.callback(program.kill)
            return program

        yield run


def _until_listening(program: Program) -> str:
    assert program.stdout is not None
    lines = []
    for line in program.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "listening":
            return str(lines[-1]["address"])
    raise AssertionError(f"ended before it listened: {lines}")


def test_it_serves_logs_json_and_ends_with_0(start: Callable[..., Program]) -> None:
    """On a socket that is handed over it logs one JSON object a line with the request's id; SIGTERM, twice, ends it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        program = start(DATASTORAGE_SOCKET_FD=str(sock.fileno()), pass_fds=(sock.fileno(),))
        url = _until_listening(program)
        assert url == f"http://127.0.0.1:{sock.getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get(PATH, headers={"X-Request-ID": "my-id"}).headers["X-Request-ID"] == "my-id"
        assert client.get(PATH, headers={"X-Request-ID": "no id, this"}).headers["X-Request-ID"] != "no id, this"
    program.send_signal(signal.SIGTERM)
    program.send_signal(signal.SIGTERM)
    out, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines if line.get("request_id") == "my-id"] == [200]
    assert not [line for line in lines if "no id, this" in json.dumps(line)]
