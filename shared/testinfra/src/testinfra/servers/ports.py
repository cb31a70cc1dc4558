"""Ports without races: a bound socket is held for as long as the port is ours.

Problem: a port that is picked, closed and used later can be picked by somebody else in between.
Solution: keep a bound, not listening, SO_REUSEADDR socket on it. Linux then gives the port to no one who asks for any
free port, and still lets the server that sets SO_REUSEADDR itself (Postgres and Redis do) bind and listen on it.
Cost: a process that asks for exactly this port with SO_REUSEADDR could take it first; the server then says so.
"""

from __future__ import annotations

import errno
import socket

from testinfra.errors import NotReady

LOOPBACK = "127.0.0.1"


class Reservation:
    """A held port on loopback; `close()` gives it back."""

    def __init__(self, port: int = 0, *, option: str = "") -> None:
        """Hold `port`, or any free one for 0. Raises `NotReady` when `port` is taken; `option` is what chose it."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            _refuse_listener(port, option)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((LOOPBACK, port))
        except OSError as exc:
            self._socket.close()
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                raise _taken(port, option, exc) from exc
            raise
        except NotReady:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _refuse_listener(port: int, option: str) -> None:
    """Binding beside a listener on another address would work and still collide: ask by connecting."""
    if port:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((LOOPBACK, port)) == 0:
                raise _taken(port, option, None)


def _taken(port: int, option: str, exc: OSError | None) -> NotReady:
    return NotReady(
        f"port {port} on {LOOPBACK} is taken" + (f" ({exc.strerror})" if exc else ": something answers there"),
        cause="another server listens there",
        looked_at=[f"{LOOPBACK}:{port}"],
        next_step=f"leave {option or 'the port'} out for a free one, or see who has it: ss -ltnp 'sport = :{port}'",
    )
