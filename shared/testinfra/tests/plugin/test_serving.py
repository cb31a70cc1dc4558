"""The service under test as a real process: ready, restarted at the same address, told when it dies."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.errors import NotReady
from testinfra.serving import Service

HELLO = """
import http.server, os, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["GREETING"].encode())
server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["HELLO_FD"]))
print("hello serves", flush=True)
server.serve_forever()
"""
Start = Callable[..., Service]


@pytest.fixture
def hello(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that is a service, where child processes find it."""
    (tmp_path / "hello_service.py").write_text(HELLO)
    (tmp_path / "broken_service.py").write_text("raise SystemExit('no configuration')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "hello_service"


def get(service: Service) -> bytes:
    with socket.create_connection((service.host, service.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(1024), b"")).rpartition(b"\r\n")[2]


def test_a_service_is_ready_when_it_is_handed_out_and_keeps_its_address(start_service: Start, hello: str) -> None:
    """Killed and started again, stopped and started again."""
    service = start_service(hello, {"GREETING": "hi"}, socket_variable="HELLO_FD")
    url = service.url
    assert get(service) == b"hi"
    service.kill()
    assert service.state == "was ended by SIGKILL"
    service.start()
    assert get(service) == b"hi"
    service.stop()
    service.start()
    assert (get(service), service.url) == (b"hi", url)
    assert service.log.read_text().count("hello serves") == 3


def test_a_service_that_dies_at_its_start_is_told_with_its_log(start_service: Start, hello: str) -> None:
    """At once, not after the deadline."""
    with pytest.raises(NotReady, match="exited with code 1") as caught:
        start_service("broken_service", {}, socket_variable="HELLO_FD")
    assert "no configuration" in str(caught.value)


def test_a_failed_test_shows_the_log_of_its_service(sandbox: Sandbox, hello: str, tmp_path: Path) -> None:
    """Beside what the servers said."""
    sandbox.environment["PYTHONPATH"] = str(tmp_path)
    sandbox.write(
        test_bad="""
        def test_bad(start_service):
            start_service("hello_service", {"GREETING": "hi"}, socket_variable="HELLO_FD")
            assert False
        """
    )
    report = sandbox.pytest().output
    assert "service of this test" in report
    assert "hello serves" in report
