"""The service under test as a real process: on a socket handed over, its log kept, ended with the test.

Rule 1: the port is bound before the service starts and stays bound when it dies, so a restarted service has the same
        address, and no two tests race for a port.
Rule 2: ready means that its readiness path says 200; a service that dies before is told at once, with its log.
Rule 3: the socket stays open while the service is down: a client that connects then waits for the next start, or for
        its own deadline, and is not refused.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from testinfra.servers.ports import LOOPBACK
from testinfra.servers.process import Process, tail
from testinfra.servers.ready import wait_until

_BACKLOG = 2048


class Service:
    """One service, started as often as wanted at one address."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        socket_variable: str,
        log: Path,
        ready_path: str = "/readyz",
        start_timeout: float = 30.0,
    ) -> None:
        """Say how it is started; `socket_variable` is the variable that tells it the number of its socket."""
        self._command = list(command)
        self._environment = dict(environment)
        self._socket_variable = socket_variable
        self._ready_path = ready_path
        self._start_timeout = start_timeout
        self.log = log
        self._process: Process | None = None
        # Made anew from its descriptor: what create_server makes does not know its protocol, and asyncio then leaves
        # Nagle's algorithm on, which costs 40 ms an answer.
        self._socket = socket.socket(fileno=socket.create_server((LOOPBACK, 0), backlog=_BACKLOG).detach())
        self.host, self.port = LOOPBACK, int(self._socket.getsockname()[1])

    def __repr__(self) -> str:
        return f"<Service {' '.join(self._command[1:])} at {self.url}, {self.state}>"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{self.host}:{self.port}"

    @property
    def state(self) -> str:
        """`runs`, `not started`, or how it ended."""
        return (self._process.death() or "runs") if self._process else "not started"

    @property
    def pid(self) -> int:
        """The process id of the running service."""
        if self._process is None:
            raise RuntimeError(f"{self!r} has no process")
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it is ready unless told not to."""
        number = self._socket.fileno()
        self._process = Process(
            self._command,
            log=self.log,
            env={**os.environ, **self._environment, self._socket_variable: str(number)},
            pass_fds=(number,),
        )
        if wait:
            self.await_ready()

    def await_ready(self) -> None:
        """Wait until its readiness path says 200; raises `NotReady` with the log when it dies or takes too long."""
        wait_until(
            lambda: self.status(self._ready_path) == http.HTTPStatus.OK,
            what=f"{self.url}{self._ready_path} says 200",
            timeout=self._start_timeout,
            process=self._process,
        )

    def status(self, path: str) -> int:
        """Give the status code of a GET; raises OSError when there is no answer within 5 s."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except http.client.HTTPException as exc:
            raise ConnectionError(f"no HTTP answer: {exc!r}") from exc
        finally:
            connection.close()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self._process:
            self._process.kill()

    def stop(self, timeout: float = 40.0) -> int:
        """End it with SIGTERM and give its exit code."""
        if self._process is None:
            return 0
        self._process.stop(timeout, gently=signal.SIGTERM)
        return self._process.exit_code() or 0

    def close(self) -> None:
        """End it and give its port back."""
        self.kill()
        self._socket.close()

    def describe(self) -> str:
        """Say for a report where it is, how it is, and how its log ends."""
        return f"{self!r}\nits log ends:\n{tail(self.log, 40)}"


def python_module(name: str) -> list[str]:
    """Give the command that runs a module with this interpreter."""
    return [sys.executable, "-m", name]
