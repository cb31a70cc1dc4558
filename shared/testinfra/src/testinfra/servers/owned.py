"""A server whose process is ours: what embedded servers of all kinds have in common.

Rule 1: the port is held from before the first start until the end, so a server that is stopped and started again has
        the same address.
Rule 2: a fault that was asked for is no death: `death` speaks only of an end that nobody wanted.
Rule 3: a server may be several processes. Clients talk to one of them, and faults concern that one alone; the others,
        its companions, are recorded, ended and missed as it is.
"""

from __future__ import annotations

import contextlib
import signal
from abc import ABC, abstractmethod
from pathlib import Path

from testinfra.errors import Misconfigured
from testinfra.servers.backend import Terms
from testinfra.servers.places import Place
from testinfra.servers.ports import Reservation
from testinfra.servers.process import Process, tail

FAULTS = ("kill", "stop", "pause")
"""What can be done to a server: all its processes killed, ended in order, or stopped where they are."""


class OwnedServer(ABC):
    """The life of one embedded server after its data is in place."""

    kept = True
    gentle_signal = signal.SIGTERM
    """What ends the server in order, with its data kept."""
    gentle_timeout = 10.0
    """Seconds it has for that; then it is killed."""

    def __init__(self) -> None:
        """Own nothing yet."""
        self._process: Process | None = None
        self._companions: list[Process] = []
        self._port: Reservation | None = None
        self._fault = ""

    @property
    def port(self) -> int:
        """The held port."""
        assert self._port is not None
        return self._port.port

    @abstractmethod
    def launch(self, place: Place) -> Process:
        """Start the process on its data and port."""

    @abstractmethod
    def await_ready(self, terms: Terms) -> str:
        """Wait until it answers a query; gives its version."""

    def begin(self, place: Place, terms: Terms) -> str:
        """Launch it and wait; gives its version."""
        self._process = self.launch(place)
        self._record(place)
        return self.await_ready(terms)

    def accompany(self, place: Place, companion: Process) -> None:
        """Count a process that was just started as part of the server."""
        self._companions.append(companion)
        self._record(place)

    def dismiss(self, companion: Process) -> None:
        """End a companion that is part of the server no more."""
        self._companions.remove(companion)
        companion.stop()

    def _record(self, place: Place) -> None:
        """Write down what runs, for who sweeps after a keeper that was killed."""
        running = [*([self._process] if self._process else []), *self._companions]
        place.update(processes=[[process.pid, process.born, int(process.stop_signal)] for process in running])

    def fault(self, how: str) -> None:
        """Do one of `FAULTS` to the running server."""
        if how not in FAULTS:
            raise Misconfigured(f"there is no fault {how!r}", next_step=f"one of {', '.join(FAULTS)}")
        if self._fault or self._process is None:
            raise Misconfigured(f"the server is down already ({self._fault or 'stopped'}): heal it first")
        self._fault = how
        if how == "kill":
            self._process.kill()
        elif how == "stop":
            self._process.stop(self.gentle_timeout, gently=self.gentle_signal)
        else:
            self._process.pause()

    def heal(self, place: Place, terms: Terms) -> None:
        """Bring it back at the same address, with its data; done when it answers a query."""
        if self._fault == "pause" and self._process:
            self._process.unpause()
            self.await_ready(terms)
        elif self._fault:
            self.begin(place, terms)
        self._fault = ""

    def stop(self) -> None:
        """End the server and give its port back."""
        if self._process:
            if self._fault == "pause":
                self._process.unpause()
            self._process.stop()
            self._process = None
        while self._companions:
            self._companions.pop().stop()
        if self._port:
            self._port.close()
            self._port = None

    def death(self) -> str:
        """See `Backend.death`; of a companion, the end of its log is added to the server's."""
        for companion in self._companions:
            if end := companion.death():
                name = Path(companion.argv[0]).name
                if self._process:
                    with contextlib.suppress(OSError), self._process.log.open("a") as log:
                        log.write(f"{name} {end}; its log ends:\n{tail(companion.log, 10)}\n")
                return f"lost its {name}, which {end},"
        if self._fault:
            return ""
        return self._process.death() if self._process else "was stopped"
