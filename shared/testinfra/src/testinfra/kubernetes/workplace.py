"""The folder of one process for what it writes about clusters: kubeconfig files, certificates, tokens.

Rule 1: the folder is ours alone, and is removed when the process is done; one that a killed process left is removed by
        the next that begins.
Rule 2: that a process lives is told by the flock it holds, which the kernel drops with it. Folder and lock are named as
        those of a server's place, so that every sweep of places takes them too.
Rule 3: a lock bears its name when it is held, and not a moment before: a sweep in between would take it for a dead
        one's, and with it all that its owner has on a server that others use as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path

from testinfra.endpoints import Cluster
from testinfra.kubernetes import kubeconfig
from testinfra.servers.places import is_held, make_folder, take_flock

_FOLDER = "clients"
_LOCK = ".lock"
_DRAFT = ".draft"


class Workplace:
    """One process's folder, named by `owner` (see `testinfra.names`)."""

    def __init__(self, state: Path, owner: str) -> None:
        """Make the folder under `state`, the stand's state directory, after sweeping those of the dead."""
        self._root = state / _FOLDER
        self._locks: dict[str, int] = {}
        self.claim(owner)
        self._sweep()
        self.folder = self._root / owner
        self.folder.mkdir(mode=0o700)

    def claim(self, owner: str) -> None:
        """Show that what bears the name `owner` is this process's, and in use."""
        draft = self._root / (owner + _DRAFT)
        while owner not in self._locks:
            # Who leaves at the same moment may remove the folder, and a sweep may look at the draft, or remove it.
            make_folder(self._root)
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                lock = take_flock(draft)
                try:
                    draft.rename(self._root / (owner + _LOCK))
                except FileNotFoundError:
                    os.close(lock)
                    raise
                self._locks[owner] = lock

    def written(self, endpoint: Cluster, name: str) -> Cluster:
        """Write `endpoint` as the kubeconfig `<name>.kubeconfig`; gives the endpoint with that file."""
        path = kubeconfig.write(
            self.folder / f"{name}.kubeconfig",
            server=endpoint.server,
            ca_file=endpoint.ca_file,
            cert_file=endpoint.cert_file,
            key_file=endpoint.key_file,
            token=endpoint.token,
            namespace=endpoint.namespace,
        )
        return dataclasses.replace(endpoint, kubeconfig=path)

    def is_alive(self, owner: str) -> bool:
        """Tell whether `owner`, a process of this user on this machine, lives."""
        return is_held(self._root / (owner + _LOCK))

    def _sweep(self) -> None:
        for lock in self._root.glob("*" + _LOCK):
            if not is_held(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        for draft in self._root.glob("*" + _DRAFT):
            if not is_held(draft):
                draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for owner, lock in self._locks.items():
            (self._root / (owner + _LOCK)).unlink(missing_ok=True)
            os.close(lock)
        with contextlib.suppress(OSError):
            self._root.rmdir()
