"""Outages: a server killed, stopped or paused, and back at the same address.

Rule 1: only a server that one test leased for itself is broken; nobody else notices.
Rule 2: a fault proves itself. The server is asked from outside, over its address; while it still answers, the fault has
        not happened, and `NotReady` says so. Leaving the block heals it, and that is proved in the same way.
Rule 3: the question is the least that the protocol knows, so it tells a paused server (the kernel accepts, nobody
        answers) from a running one within `ANSWER_WITHIN` seconds.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

from testinfra.endpoints import Postgres, Redis
from testinfra.errors import NotReady
from testinfra.servers import control
from testinfra.servers.ready import wait_until
from testinfra.servers.share import Lease

ANSWER_WITHIN = 0.25
"""Seconds after which a server on loopback that has not answered counts as not answering."""

_QUESTIONS: dict[type[Postgres | Redis], tuple[bytes, Callable[[bytes], bool]]] = {
    # SSLRequest; a server answers S or N before anything else (PostgreSQL documentation, "Message Formats").
    Postgres: ((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"), lambda said: said in (b"S", b"N")),
    # Any reply will do: without a password it is "-NOAUTH".
    Redis: (b"PING\r\n", lambda said: said[:1] in (b"+", b"-")),
}


def answers(endpoint: Postgres | Redis, within: float = ANSWER_WITHIN) -> bool:
    """Tell whether the server at `endpoint` answers its protocol's first question within `within` seconds."""
    question, is_answer = _QUESTIONS[type(endpoint)]
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=within) as connection:
            connection.sendall(question)
            return is_answer(connection.recv(1))
    except OSError:
        return False


class Outage:
    """What breaks one leased server: `with outage("kill"): ...`, or `begin` and `end`."""

    def __init__(self, lease: Lease, endpoint: Postgres | Redis, *, heal_within: float = 30.0) -> None:
        """Take the exclusive lease; `heal_within` is how many seconds the way back may take."""
        self._lease = lease
        self._endpoint = endpoint
        self._heal_within = heal_within
        self.lasting = ""
        """The fault that lasts now, "" for none."""

    def __repr__(self) -> str:
        return f"<Outage of {self._lease.place.directory.name}, {self.lasting or 'none now'}>"

    @contextlib.contextmanager
    def __call__(self, how: str = "kill") -> Iterator[None]:
        """Break the server for the block: `kill` (all its processes at once), `stop` (in order) or `pause`."""
        self.begin(how)
        try:
            yield
        finally:
            self.end()

    def begin(self, how: str = "kill") -> None:
        """Break it; returns when it does not answer any more."""
        if not answers(self._endpoint, 5.0):
            raise NotReady(f"{self._endpoint!r} did not answer even before the fault {how!r}")
        control.ask(self._lease.place, how)
        self.lasting = how
        wait_until(lambda: not answers(self._endpoint), what=f"the fault {how!r} shows: no answer", timeout=5)

    def end(self) -> None:
        """Bring it back; returns when it answers at the same address. Harmless when nothing is broken."""
        if self.lasting:
            control.ask(self._lease.place, control.HEAL, timeout=self._heal_within)
            wait_until(lambda: answers(self._endpoint), what="the server answers again", timeout=self._heal_within)
            self.lasting = ""
