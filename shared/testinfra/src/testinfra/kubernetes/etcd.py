"""etcd, where an API server keeps its objects: one member, on a Unix socket, its data as lasting as the server.

Rule 1: no port is used: clients come by a socket in a folder of ours, and there are no peers. The flags for other
        members' eyes name addresses that nobody listens on, as etcd asks for a host and a port there.
Rule 2: nothing is synced to a disk (`--unsafe-no-fsync`); a process that is killed loses nothing by that.
Rule 3: memory is taken by what is written. etcd reserves 64 MB for the next piece of its log, which no setting changes;
        where the data lies in memory, that would be a fifth of what a whole control plane takes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from testinfra.errors import NotReady
from testinfra.servers.process import Process
from testinfra.servers.ready import wait_until

_LONGEST_SOCKET = 103
"""Bytes of a socket's path: 107 on Linux, 103 on macOS."""
_PUNCH_HOLE = 0x02 | 0x01
"""FALLOC_FL_PUNCH_HOLE, and FALLOC_FL_KEEP_SIZE, which it asks for; linux/falloc.h."""
_UNUSED = "http://127.0.0.1:2380"


class Etcd:
    """One etcd; `url` is what an API server's `--etcd-servers` takes."""

    def __init__(self, program: str, home: Path, log: Path, more: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start it in the folder `home`; its data is in `home/data`, which may be there already; `more` are flags."""
        self.data = home / "data"
        self.socket = str(home / "etcd")
        self.url = f"unix://{self.socket}"
        if len(self.socket) > _LONGEST_SOCKET:
            raise NotReady(
                f"the path of etcd's socket is longer than a socket's may be: {self.socket}",
                next_step="TESTINFRA_STATE_DIR=<a directory with a shorter path>",
            )
        flags = {
            "name": "testinfra",
            "data-dir": str(self.data),
            "listen-client-urls": self.url,
            "advertise-client-urls": _UNUSED,
            "listen-peer-urls": f"unix://{home / 'peer'}",
            "initial-advertise-peer-urls": _UNUSED,
            "initial-cluster": f"testinfra={_UNUSED}",
            # It elects itself: the sooner the better (milliseconds).
            "heartbeat-interval": "10",
            "election-timeout": "50",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
            **more,
        }
        command = [program, *(f"--{name}={value}" for name, value in flags.items())]
        # Variables are flags to it as well: those of an etcd of the user's are not for this one. And if it gives up,
        # its log is to end with the reason, not with pages of where in the code that was.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
        env["GOTRACEBACK"] = "none"
        self.process = Process(command, log=log, env=env, stop_signal=signal.SIGKILL)

    def await_ready(self, timeout: float) -> None:
        """Wait until it takes connections, which is before it has read its data: who connects is answered then.

        An API server that came before would wait a second until it tries again.
        """

        def connects() -> bool:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.socket)
            return True

        wait_until(connects, what="etcd takes connections", timeout=timeout, process=self.process)

    def give_back(self) -> None:
        """Give back the room that is reserved for a later log: its file keeps its length, and is zeros as before."""
        if sys.platform != "linux":
            return
        libc = ctypes.CDLL(None)
        for reserved in self.data.glob("member/wal/*.tmp"):
            with reserved.open("r+b") as file:
                libc.fallocate(file.fileno(), _PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(reserved.stat().st_size))
