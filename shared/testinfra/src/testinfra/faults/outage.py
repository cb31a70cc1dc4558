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
import ssl
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import urlsplit

from testinfra.endpoints import Cluster, Postgres, Redis
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


class Breakable(Protocol):
    """What can be broken and healed: a server of this very process, as against one that a keeper owns."""

    def fault(self, how: str) -> None:
        """Break it in one of the ways of `owned.FAULTS`, its data and its address kept."""
        ...

    def heal(self) -> None:
        """Undo the fault."""
        ...


class _Kept:
    """A server that a keeper owns, by the lease on it."""

    def __init__(self, lease: Lease, heal_within: float) -> None:
        self._lease = lease
        self._heal_within = heal_within

    def __repr__(self) -> str:
        return self._lease.place.directory.name

    def fault(self, how: str) -> None:
        control.ask(self._lease.place, how)

    def heal(self) -> None:
        control.ask(self._lease.place, control.HEAL, timeout=self._heal_within)


def answers(endpoint: Postgres | Redis | Cluster, within: float = ANSWER_WITHIN) -> bool:
    """Tell whether the server at `endpoint` answers its protocol's first question within `within` seconds."""
    try:
        if isinstance(endpoint, Cluster):
            return _shakes_hands(endpoint, within)
        question, is_answer = _QUESTIONS[type(endpoint)]
        with socket.create_connection((endpoint.host, endpoint.port), timeout=within) as connection:
            connection.sendall(question)
            return is_answer(connection.recv(1))
    except OSError:
        return False


def _shakes_hands(cluster: Cluster, within: float) -> bool:
    """Do the TLS handshake: the kernel cannot do it for a server that is stopped."""
    address = urlsplit(cluster.server)
    host = address.hostname or ""
    context = ssl.create_default_context(cafile=cluster.ca_file or None)
    if not cluster.ca_file:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, address.port or 443), timeout=within) as connection,
        context.wrap_socket(connection, server_hostname=host),
    ):
        return True


class Outage:
    """What breaks one server of the test's own: `with outage("kill"): ...`, or `begin` and `end`."""

    def __init__(
        self,
        server: Lease | Breakable,
        endpoint: Postgres | Redis | Cluster,
        *,
        default: str = "kill",
        heal_within: float = 30.0,
    ) -> None:
        """Take the exclusive lease, or the server itself; `heal_within` is how many seconds the way back may take."""
        self._server: Breakable = _Kept(server, heal_within) if isinstance(server, Lease) else server
        self._endpoint = endpoint
        self._default = default
        self._heal_within = heal_within
        self.lasting = ""
        """The fault that lasts now, "" for none."""

    def __repr__(self) -> str:
        return f"<Outage of {self._server!r}, {self.lasting or 'none now'}>"

    @contextlib.contextmanager
    def __call__(self, how: str = "") -> Iterator[None]:
        """Break the server for the block: `kill` (all its processes at once), `stop` (in order) or `pause`."""
        self.begin(how)
        try:
            yield
        finally:
            self.end()

    def begin(self, how: str = "") -> None:
        """Break it; returns when it does not answer any more."""
        how = how or self._default
        if not answers(self._endpoint, 5.0):
            raise NotReady(f"{self._endpoint!r} did not answer even before the fault {how!r}")
        self._server.fault(how)
        self.lasting = how
        wait_until(lambda: not answers(self._endpoint), what=f"the fault {how!r} shows: no answer", timeout=5)

    def end(self) -> None:
        """Bring it back; returns when it answers at the same address. Harmless when nothing is broken."""
        if self.lasting:
            self._server.heal()
            wait_until(lambda: answers(self._endpoint), what="the server answers again", timeout=self._heal_within)
            self.lasting = ""
