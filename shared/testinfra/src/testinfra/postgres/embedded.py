"""The embedded Postgres: binaries from a wheel (or a folder of one's own), a copied data directory, tuned for tests.

Rule 1: it listens on loopback, with a password made for this server alone, and on a socket in a folder of mode 0700.
Rule 2: durability is off (fsync, full_page_writes, synchronous_commit): the data dies with the server anyway.
Rule 3: ready means that a query over its socket was answered, not that a log line was seen.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testinfra.errors import NotReady
from testinfra.postgres import binaries as builds
from testinfra.postgres import cluster, sharedmemory
from testinfra.servers.backend import Terms
from testinfra.servers.owned import OwnedServer
from testinfra.servers.places import Place
from testinfra.servers.ports import LOOPBACK, Reservation
from testinfra.servers.process import Process, User
from testinfra.servers.ready import wait_until

TUNING: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data directory, so nothing of it outlives a kill -9
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "512MB",  # the data may lie in memory
    "shared_buffers": "128MB",
    "max_prepared_transactions": "100",  # client libraries' own suites need it above 0
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] app=%a db=%d ",
    "unix_socket_permissions": "0700",
}
"""Settings of a server whose data need not outlive it; `--postgres-settings` wins over them."""


_KNOWS_SCRAM_ITERATIONS = "current_setting('server_version_num')::int >= 160000"


class Embedded(OwnedServer):
    """One embedded Postgres."""

    gentle_signal = signal.SIGINT  # fast shutdown: SIGTERM would wait for clients

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: bindir, run_as, extensions, settings, max_connections."""
        super().__init__()
        self._settings = settings
        self._extensions: list[str] = list(settings.get("extensions", ()))
        self._password = secrets.token_urlsafe(12)

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """See `Backend.start`."""
        self._user = builds.choose_user(str(self._settings.get("run_as", "")))
        cache = builds.cache_root(terms.cache_dir, self._user)
        found = builds.find(str(self._settings.get("bindir", "")))
        self._binaries = builds.reachable(found, self._user, cache)
        self._template = cluster.cached(self._binaries, self._user, self._extensions, cache)
        with contextlib.ExitStack() as undo:
            self._port = Reservation(terms.port, option="--postgres-port")
            undo.callback(self.stop)
            home = place.outside(self._user)
            self._data = _folder(home / "data", self._user)
            self._sockets = _folder(home / "s", self._user)
            if not builds.can_reach(self._user, home):
                raise _unreachable(home, self._user)
            if self._template.exists():
                cluster.copy(self._template, self._data)
            else:
                cluster.initialise(self._binaries, self._user, self._extensions, self._data)
            version = self.begin(place, terms)
            undo.pop_all()
        return {
            "host": LOOPBACK,
            "port": self.port,
            "user": cluster.SUPERUSER,
            "password": self._password,
            "database": cluster.DATABASE,
            "backend": "embedded",
            "version": version,
            "socket_directory": str(self._sockets),
        }

    def afterwards(self) -> None:
        """Fill the cache for the next start, if this was the first."""
        if not self._template.exists():
            cluster.fill(self._binaries, self._user, self._extensions, self._template)

    def launch(self, place: Place) -> Process:
        """See `OwnedServer.launch`."""
        own = dict(setting.split("=", 1) for setting in self._settings.get("settings", ()))
        settings = {
            **TUNING,
            **({"shared_preload_libraries": "vector"} if "vector" in self._extensions else {}),
            "max_connections": str(self._settings.get("max_connections", 500)),
            **own,
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets),
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Process(
            [self._binaries.program("postgres"), "-D", str(self._data), *arguments],
            log=place.log,
            user=self._user,
            stop_signal=signal.SIGQUIT,  # immediate shutdown: nothing of it is kept, and SIGTERM waits for clients
        )

    def stop(self) -> None:
        """See `OwnedServer.stop`; also removes the shared memory of a server that was killed."""
        super().stop()
        if hasattr(self, "_data"):
            sharedmemory.remove_segment_of(self._data)

    def await_ready(self, terms: Terms) -> str:
        """Set the password over the socket, and give the version: answered queries are the proof of readiness."""
        statements = [
            # One round of key stretching: the password is random and lives as long as the server. 3 ms a connection.
            f"SELECT set_config('scram_iterations', '1', false) WHERE {_KNOWS_SCRAM_ITERATIONS}",
            f"ALTER ROLE {cluster.SUPERUSER} PASSWORD '{self._password}'",
            "SHOW server_version",
        ]
        command = [self._binaries.program("psql"), "-XAtq", "-h", str(self._sockets), "-p", str(self.port)]
        command += ["-U", cluster.SUPERUSER, "-d", cluster.DATABASE]
        command += [part for statement in statements for part in ("-c", statement)]
        plain = {"PATH": os.environ.get("PATH", ""), "PGCONNECT_TIMEOUT": "5"}
        lock_file = self._sockets / f".s.PGSQL.{self.port}"

        def answer() -> str:
            if not lock_file.exists():
                return ""
            asked = subprocess.run(command, capture_output=True, text=True, env=plain, check=False, cwd="/")
            return "" if asked.returncode else asked.stdout

        said = wait_until(answer, what="Postgres answers a query", timeout=terms.start_timeout, process=self._process)
        return said.splitlines()[-1].split()[0]  # Debian adds its own version in brackets


def _folder(path: Path, user: User | None) -> Path:
    path.mkdir(mode=0o700)
    if user:
        os.chown(path, user.uid, user.gid)
    return path


def _unreachable(home: Path, user: User | None) -> NotReady:
    name = user.name if user else "we"
    return NotReady(
        f"the user {name}, as whom Postgres has to run because we are root, cannot reach {home}",
        looked_at=[str(parent) for parent in home.parents],
        next_step="TESTINFRA_STATE_DIR=<a directory below folders of mode 0711 or wider>",
    )


def create(settings: Mapping[str, Any]) -> Embedded:
    """Make the backend; see `testinfra.servers.backend`."""
    return Embedded(settings)
