"""The fake API server as a process: for `testinfra up`, which keeps servers that more than one program uses.

Rule 1: it is the server that tests have in their own process otherwise, run by `python -m testinfra.kubernetes.fake`.
Rule 2: its objects are in its memory, so its outages are its own doing: told to, it ends all connections and refuses
        new ones, and comes back with everything it had. It is paused as any process is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testinfra.errors import Misconfigured
from testinfra.servers.backend import Terms
from testinfra.servers.owned import OwnedServer
from testinfra.servers.places import Place
from testinfra.servers.ports import LOOPBACK, Reservation
from testinfra.servers.process import Process
from testinfra.servers.ready import wait_until

ENDPOINT = "endpoint.json"
# What `testinfra.kubernetes.fake.__main__` does with signals.
_SIGNALS = {"stop": signal.SIGUSR1, "kill": signal.SIGUSR2}
_HEAL = signal.SIGHUP
_FAULT_WITHIN = 5.0


class Fake(OwnedServer):
    """One fake API server."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: there are none yet."""
        super().__init__()
        del settings
        self._home = Path()

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """See `Backend.start`."""
        with contextlib.ExitStack() as undo:
            self._port = Reservation(terms.port, option="--kubernetes-port")
            undo.callback(self.stop)
            self._home = place.outside(None)
            self.begin(place, terms)
            undo.pop_all()
        return self._endpoint()

    def _endpoint(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._home / ENDPOINT).read_text())
        return found

    def afterwards(self) -> None:
        """Do nothing more: it needs no cache."""

    def launch(self, place: Place) -> Process:
        """See `OwnedServer.launch`."""
        command = [sys.executable, "-m", "testinfra.kubernetes.fake"]
        return Process([*command, f"--port={self.port}", f"--directory={self._home}"], log=place.log)

    def await_ready(self, terms: Terms) -> str:
        """See `OwnedServer.await_ready`."""
        what = "the fake API server answers /readyz"
        wait_until(self._answers, what=what, timeout=terms.start_timeout, process=self._process)
        return str(self._endpoint()["version"])

    def _answers(self) -> bool:
        trusted = ssl.create_default_context(cafile=self._endpoint()["ca_file"])
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=1, context=trusted)
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK

    def fault(self, how: str) -> None:
        """See `OwnedServer.fault`."""
        if how not in _SIGNALS:
            super().fault(how)
            return
        if self._fault or self._process is None:
            raise Misconfigured(f"the server is down already ({self._fault or 'stopped'}): heal it first")
        self._fault = how
        os.kill(self._process.pid, _SIGNALS[how])
        wait_until(self._refuses, what=f"the fake API server does {how}", timeout=_FAULT_WITHIN, process=self._process)

    def _refuses(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    def heal(self, place: Place, terms: Terms) -> None:
        """See `OwnedServer.heal`."""
        if self._fault in _SIGNALS and self._process:
            os.kill(self._process.pid, _HEAL)
            self.await_ready(terms)
            self._fault = ""
        else:
            super().heal(place, terms)


def create(settings: Mapping[str, Any]) -> Fake:
    """Make the backend; see `testinfra.servers.backend`."""
    return Fake(settings)
