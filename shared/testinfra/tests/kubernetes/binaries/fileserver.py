"""A real file server for tests, which misbehaves on request, and a real forward proxy in front of it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import select
import socket
import ssl
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What the next matching request gets instead of the file."""

    status: int = 0
    """This status, and no file."""
    cut: int = -1
    """The connection ends after so many bytes."""
    stall: int = -1
    """After so many bytes nothing comes, until `go_on` is set; then the rest."""
    redirect: str = ""
    """This other address."""
    no_range: bool = False
    """The whole file, whatever part was asked for."""
    path: str = ""
    """Requests that it is for: those whose path has this in it."""
    go_on: threading.Event = field(default_factory=threading.Event)


class FileServer(ThreadingHTTPServer):
    """Serves `files` (path -> content); `requests` has (path, Range) of each request."""

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _FileHandler)
        self.files = dict(files)
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Its address."""
        scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.server_port}"

    def asked(self, part: str) -> list[str]:
        """The Range headers of the requests whose path has this in it."""
        return [header for path, header in self.requests if part in path]

    def take_fault(self, path: str) -> Fault:
        """The fault that this request gets."""
        found = next((fault for fault in self.faults if fault.path in path), None)
        if found:
            self.faults.remove(found)
        return found or Fault()


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread; at the end what stalls is let go."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _FileHandler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.close_connection = True
        self.server.requests.append((path, self.headers.get("Range", "")))
        fault = self.server.take_fault(path)
        if fault.redirect:
            self.send_response(302)
            self.send_header("Location", fault.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.server.files.get(path)
        if fault.status or content is None:
            self.send_error(fault.status or 404)
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found and not fault.no_range else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self._send(content[start:], fault)

    def _send(self, content: bytes, fault: Fault) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the client may have gone
            if fault.cut >= 0:
                self.wfile.write(content[: fault.cut])
                return
            if fault.stall >= 0:
                self.wfile.write(content[: fault.stall])
                self.wfile.flush()
                fault.go_on.wait(60)
                content = content[fault.stall :]
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


class ForwardProxy(ThreadingHTTPServer):
    """A forward proxy: relays plain requests, and tunnels for CONNECT; every name leads to `target`."""

    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.target = target
        self.passed: list[str] = []
        """Method and authority of each request."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _ProxyHandler(BaseHTTPRequestHandler):
    server: ForwardProxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.server.passed.append(f"CONNECT {self.path}")
        self.close_connection = True
        with socket.create_connection(self.server.target) as origin:
            self.send_response(200)
            self.end_headers()
            _join(self.connection, origin)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.passed.append(f"GET {parts.netloc}")
        self.close_connection = True
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items() if name != "Connection")
        with socket.create_connection(self.server.target) as origin:
            origin.sendall(f"GET {parts.path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
            while piece := origin.recv(65536):
                self.wfile.write(piece)

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    ways = {one: other, other: one}
    while True:
        readable, _, _ = select.select(list(ways), [], [], 60)
        for end in readable:
            piece = end.recv(65536)
            if not piece:
                return
            ways[end].sendall(piece)


def sha512(content: bytes) -> str:
    """The checksum as the projects publish it."""
    return hashlib.sha512(content).hexdigest()


def script(line: str, size: int = 200_000) -> bytes:
    """A program that prints a line, made as long as a test needs."""
    noise = hashlib.shake_256(line.encode()).hexdigest(size // 2)  # no archive makes this small
    return f"#!/bin/sh\necho '{line}'\nexit 0\n#{noise}\n".encode()


def archive(members: Mapping[str, bytes]) -> bytes:
    """A .tar.gz in the form of the envtest archives."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo("controller-tools/envtest")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            info.size = len(content)
            info.mode = 0o755
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
