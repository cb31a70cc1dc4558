"""Sockets, signals and the end of a service."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicekit.serving import bind, run
from servicekit.testing import Served, serve_in_thread

Serve = Callable[[Any], tuple[Served, httpx.Client]]


def test_a_request_in_flight_is_finished_and_then_it_ends(
    demo: Any, serve: Serve, eventually: Callable[..., None]
) -> None:
    """Shutdown refuses connections, waits for the handler, answers it, and the server's thread is gone."""
    served, client = serve(demo)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/items/5/slow")
        eventually("the handler has begun", lambda: demo.begun == ["slow"])
        served.server.begin_shutdown()
        eventually("connections are refused", lambda: not served.takes_connections())
        demo.let_go()
        assert answer.result(10).json() == 5
    served.stop()
    assert demo.ended == ["finished"]


def test_a_request_that_takes_too_long_is_cancelled_and_told(
    make_demo: Any, serve: Serve, eventually: Callable[..., None]
) -> None:
    """After `shutdown_timeout` the handler is cancelled, and its client gets a 503 and not a cut connection."""
    demo = make_demo(shutdown_timeout=0.1)
    served, client = serve(demo)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/items/5/slow")
        eventually("the handler has begun", lambda: demo.begun == ["slow"])
        served.stop()
        assert answer.result(10).status_code == 503
    assert demo.ended == ["cancelled"]


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_in_the_moment_of_the_end_is_closed(make_demo: Any, turns: int) -> None:
    """Whatever has become of it as the socket closes: it was made so many turns of the loop after the end began."""
    with socket.socket() as client, serve_in_thread(make_demo(shutdown_grace=0).app) as served:
        client.setblocking(False)

        async def stop_and_connect() -> None:
            served.server._stop()
            for _ in range(turns):
                await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                client.connect((served.host, served.port))

        asyncio.run_coroutine_threadsafe(stop_and_connect(), served.server._loop).result(10)
        served.stop()
        gc.collect()  # a connection that was forgotten is told here


def test_what_fails_at_the_start_fails_the_test(make_demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource that cannot be opened is no endless wait."""
    demo = make_demo()

    @asynccontextmanager
    async def broken(_: object) -> AsyncIterator[None]:
        raise OSError("no such thing")
        yield

    monkeypatch.setattr(demo.app.router, "lifespan_context", broken)
    with pytest.raises(SystemExit), serve_in_thread(demo.app):
        pass


def test_accepted_connections_answer_without_delay() -> None:
    """The listening socket knows that it is TCP, without which asyncio leaves Nagle's delay of 40 ms on."""
    with bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


@pytest.mark.usefixtures("logs_put_back")
def test_a_taken_port_is_told_in_one_sentence(
    make_demo: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, who to ask, and which setting to change."""
    demo = make_demo()
    with bind("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        monkeypatch.setenv("DEMO_PORT", str(port))
        _exits(demo, 1)
    error = capsys.readouterr().err
    assert f"'sport = :{port}'" in error
    assert "DEMO_PORT" in error


@pytest.mark.usefixtures("logs_put_back")
def test_a_descriptor_that_is_no_socket_is_told(
    make_demo: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A number that names a file is refused with the name of the setting."""
    with (tmp_path / "file").open("w", encoding="utf-8") as file:
        monkeypatch.setenv("DEMO_SOCKET_FD", str(file.fileno()))
        _exits(make_demo(), 1)
    assert capsys.readouterr().err.startswith("DEMO_SOCKET_FD: ")


def _exits(demo: Any, code: int) -> None:
    with pytest.raises(SystemExit) as caught:
        run(lambda _: demo.app, type(demo.app.settings))
    assert caught.value.code == code


PROGRAM = """
import os, signal
from typing import ClassVar
from servicekit import ServiceApp, Settings, new_registry, run

class Own(Settings):
    prefix: ClassVar[str] = "OWN_"

run(lambda settings: ServiceApp(title="own", version="1", settings=settings, registry=new_registry()), Own)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_signals_end_the_program_with_0() -> None:
    """SIGTERM begins the shutdown; further signals while it lasts, Ctrl-C's too, and after it, change nothing."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        environ = {**os.environ, "OWN_SOCKET_FD": str(sock.fileno()), "OWN_SHUTDOWN_GRACE": "2"}
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, text=True, pass_fds=(sock.fileno(),)
        )
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    try:
        assert httpx.get(f"{url}/livez", timeout=20).status_code == 200
        program.send_signal(signal.SIGTERM)
        assert program.stdout is not None
        for line in program.stdout:
            if json.loads(line)["event"] == "shutting down":
                break
        assert httpx.get(f"{url}/readyz", timeout=20).status_code == 503
        program.send_signal(signal.SIGINT)
        program.send_signal(signal.SIGINT)
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=20)
        assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
