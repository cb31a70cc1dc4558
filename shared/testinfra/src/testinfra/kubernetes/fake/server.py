"""The fake as a server: HTTPS on loopback, in a thread of this process with an event loop of its own.

Rule 1: ready is when `start` returns: the socket listens, the first objects are there.
Rule 2: the address is held from the first start to `stop`. A fault keeps it and the data: after `heal` the same server
        answers at the same place.
Rule 3: `stop` and `kill` end every connection and refuse new ones: `stop` ends streams in order first, `kill` leaves
        answers unfinished. `pause` accepts (the kernel does) and answers nobody, as a process under SIGSTOP does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from testinfra.errors import Misconfigured, NotReady
from testinfra.kubernetes import kubeconfig
from testinfra.kubernetes.certs import Authority
from testinfra.kubernetes.fake import bootstrap, builtin
from testinfra.kubernetes.fake.app import App
from testinfra.kubernetes.fake.audit import AuditLog
from testinfra.kubernetes.fake.documents import Documents
from testinfra.kubernetes.fake.http import Connection
from testinfra.kubernetes.fake.store import HISTORY
from testinfra.kubernetes.fake.world import World
from testinfra.servers.ports import LOOPBACK, Reservation

ADMINISTRATOR, ADMINISTRATORS = "testinfra", "system:masters"
FAULTS = ("stop", "kill", "pause")
_BACKLOG = 1024
_WITHIN = 10.0
"""Seconds that the thread may take for what it is told."""
_GOODBYE = 0.05
"""Seconds that clients have to read that their connection ends."""
_TICK = 0.002
T = TypeVar("T")


class FakeServer:
    """One API server, in process."""

    def __init__(self, directory: Path, *, port: int = 0, history: int = HISTORY) -> None:
        """Prepare; its files (certificates, kubeconfig, audit log) go to `directory`, which is there and ours alone.

        `port` 0 is any free one; `history` is how many changes of each resource a watch can be resumed from.
        """
        self._directory = directory
        self._asked_port = port
        self._history = history
        self._reserved: Reservation | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._unpause = threading.Event()
        self.fault_now = ""
        """The fault that lasts now, "" for none."""

    def __repr__(self) -> str:
        state = self.fault_now or ("running" if self._thread else "stopped")
        where = f" on {LOOPBACK}:{self._reserved.port}" if self._reserved else ""
        return f"<FakeServer{where}, {state}, {len(self._connections)} connections>"

    @property
    def world(self) -> World:
        """What it serves; to be touched in its own thread alone (see `within`)."""
        return self._world

    def start(self) -> dict[str, Any]:
        """Listen; gives the keyword arguments of `testinfra.endpoints.Cluster`."""
        with contextlib.ExitStack() as undo:
            self._reserved = Reservation(self._asked_port, option="--kubernetes-port")
            undo.callback(self.stop)
            endpoint = self._prepare(self._reserved.port)
            self._begin()
            self._await(self._listen())
            undo.pop_all()
        return endpoint

    def _prepare(self, port: int) -> dict[str, Any]:
        """Make certificates, the world and what answers for it."""
        authority = Authority.create()
        ca_file = self._directory / "ca.crt"
        ca_file.write_bytes(authority.pem)
        served = authority.server([LOOPBACK, "localhost", "kubernetes.default.svc"]).save(self._directory, "server")
        cert_file, key_file = authority.client(ADMINISTRATOR, [ADMINISTRATORS]).save(self._directory, "admin")
        address = f"https://{LOOPBACK}:{port}"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*served)
        self._tls.load_verify_locations(ca_file)
        self._tls.verify_mode = ssl.CERT_OPTIONAL
        self._audit = AuditLog(self._directory / "audit.log")
        self._world = World(history=self._history)
        bootstrap.fill(self._world)
        self._app = App(self._world, Documents(self._world.kinds, f"{LOOPBACK}:{port}"), self._audit)
        files = {"ca_file": str(ca_file), "cert_file": cert_file, "key_file": key_file}
        return {
            "server": address,
            "kubeconfig": kubeconfig.write(self._directory / "kubeconfig", server=address, **files),
            **files,
            "backend": "fake",
            "version": builtin.version()["gitVersion"].removeprefix("v"),
            "audit_log": str(self._audit.path),
        }

    def _begin(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="testinfra-fake", daemon=True)
        self._thread.start()

    def within(self, work: Callable[[], T]) -> T:
        """Call `work` in the server's thread and give what it gives."""

        async def run() -> T:
            return work()

        return self._await(run())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise Misconfigured("the fake is not running", next_step="start() it first")
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result(_WITHIN)
        except TimeoutError:
            done.cancel()
            raise NotReady(f"{self!r}: its thread did nothing for {_WITHIN:g} s", cause="it is paused") from None

    async def _listen(self) -> None:
        assert self._reserved is not None
        # The protocol by name: asyncio sets TCP_NODELAY only on sockets that say theirs, and without it an answer that
        # comes in two pieces, as the first one under TLS, waits 40 ms for an acknowledgement.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, self._reserved.port))
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._app, self._connections), sock=listener, ssl=self._tls, backlog=_BACKLOG
        )

    async def _hang_up(self, *, at_once: bool) -> None:
        """End all connections; in order, those whose clients take notice soon, and the others as a crash does."""
        if self._listener:
            self._listener.close()
            self._listener = None
        if not at_once:
            for connection in list(self._connections):
                connection.close()
            await self._wait_for_ends(_GOODBYE)
        for connection in list(self._connections):
            connection.abort()
        await self._wait_for_ends(_WITHIN / 2)

    async def _wait_for_ends(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._connections and time.monotonic() < deadline:  # noqa: ASYNC110 - a set has no event, and it is soon
            await asyncio.sleep(_TICK)

    def fault(self, how: str) -> None:
        """Do one of `FAULTS`; returns when it is done."""
        if how not in FAULTS:
            raise Misconfigured(f"there is no fault {how!r}", next_step=f"one of {', '.join(FAULTS)}")
        if self.fault_now or self._loop is None:
            raise Misconfigured(f"the server is down already ({self.fault_now or 'stopped'}): heal it first")
        if how == "pause":
            self._unpause.clear()
            asleep = threading.Event()
            self._loop.call_soon_threadsafe(self._sleep, asleep)
            asleep.wait(_WITHIN)
        else:
            self._await(self._hang_up(at_once=how == "kill"))
        self.fault_now = how

    def _sleep(self, asleep: threading.Event) -> None:
        asleep.set()
        self._unpause.wait()

    def heal(self) -> None:
        """Undo the fault; returns when the server answers again. Harmless when nothing is broken."""
        if self.fault_now == "pause":
            self._unpause.set()
            self.within(lambda: None)
        elif self.fault_now:
            self._await(self._listen())
        self.fault_now = ""

    def stop(self) -> None:
        """End it for good; its data is gone. Harmless when it is stopped."""
        if self._loop and self._thread:
            self._unpause.set()
            self._await(self._hang_up(at_once=False))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_WITHIN)
            self._loop.close()
            self._audit.close()
            self._loop = self._thread = None
        if self._reserved:
            self._reserved.close()
            self._reserved = None
        self.fault_now = ""
