"""A namespace of its own for every test, really deleted.

Rule 1: giving one back asks the server to delete it and does not wait: the namespace controller begins 5 s later, by
        its own design. `close` verifies, and names what stands in the way of one that stays.
Rule 2: deletion is believed only from a server that answers; no answer, or a refusal, proves nothing.
Rule 3: where the server outlives the run, namespaces of dead runs are swept. Who made one is written on it; whether
        the maker lives is told by an flock on this machine, and by its age on any other.
"""

from __future__ import annotations

import calendar
import contextlib
import dataclasses
import re
import socket
import time
from typing import Any

from urllib3.exceptions import HTTPError

from testinfra.endpoints import Cluster
from testinfra.errors import Leaked, NotReady, StandError
from testinfra.kubernetes import blockers
from testinfra.kubernetes.rest import CONFLICT, NOT_FOUND, ApiError, Rest
from testinfra.kubernetes.workplace import Workplace
from testinfra.names import Names, owner_of
from testinfra.servers.ready import wait_until

_PATH = "/api/v1/namespaces"
_LABEL, _US = "app.kubernetes.io/managed-by", "testinfra"
_OURS = f"{_LABEL}={_US}"
_HOST = "testinfra/host"
_OLD_SECONDS = 24 * 3600
"""Age at which a namespace made on another machine counts as left behind: no run lasts that long."""


class Namespaces:
    """The namespaces of one process on one server."""

    def __init__(
        self, rest: Rest, endpoint: Cluster, names: Names, workplace: Workplace, *, outlives: bool, within: float = 30.0
    ) -> None:
        """Make namespaces on `endpoint`, called by `names`; their kubeconfig files go into `workplace`.

        `outlives`: the server is there after the run, so at the end they are waited for, `within` seconds at most.
        """
        self._rest = rest
        self._endpoint = endpoint
        self._names = names
        self._workplace = workplace
        self._outlives = outlives
        self._within = within
        self._given_back: list[str] = []
        workplace.claim(names.owner)
        if outlives:
            self._sweep()

    def take(self) -> Cluster:
        """Make a fresh namespace; gives the endpoint with it, and a kubeconfig that has it as the default one."""
        name = self._names.next_label()
        metadata = {
            "name": name,
            "labels": {_LABEL: _US},
            "annotations": {_HOST: socket.gethostname()},
        }
        self._rest.post(_PATH, {"metadata": metadata})
        return self._workplace.written(dataclasses.replace(self._endpoint, namespace=name), name)

    def give_back(self, given: Cluster) -> None:
        """Ask for its deletion."""
        for file in self._workplace.folder.iterdir():
            if file.name.partition(".")[0] == given.namespace:  # its own, and its accounts'
                file.unlink(missing_ok=True)
        self._delete(given.namespace)
        self._given_back.append(given.namespace)

    def _delete(self, name: str) -> None:
        try:
            self._rest.delete(f"{_PATH}/{name}", {"propagationPolicy": "Background"})
        except ApiError as exc:
            if exc.status not in {NOT_FOUND, CONFLICT}:  # a conflict says that it is being deleted already
                raise

    def remaining(self) -> list[str]:
        """Give those that were given back and are still there."""
        if not self._given_back:
            return []
        found = self._rest.get(_PATH, labelSelector=_OURS)["items"]
        return sorted({one["metadata"]["name"] for one in found} & set(self._given_back))

    def close(self) -> list[Leaked]:
        """Verify that all are gone, or, on a server that ends with the run, that nothing would keep them.

        Gives a `Leaked` for each one that stays, with what blocks it.
        """
        try:
            if self._outlives:
                with contextlib.suppress(NotReady):
                    wait_until(lambda: not self.remaining(), what="namespaces are gone", timeout=self._within)
            stuck = self.remaining()
            found = blockers.find(self._rest, stuck)
        except (ApiError, HTTPError) as exc:
            return [self._unproved(exc)] if self._given_back and self._outlives else []
        return [self._leaked(name, found.get(name, [])) for name in stuck if self._outlives or found.get(name)]

    def _unproved(self, exc: Exception) -> Leaked:
        return Leaked(
            f"whether {len(self._given_back)} namespaces are gone is not known: the server gives no answer",
            cause=str(exc),
            looked_at=[f"{self._endpoint.server}{_PATH}"],
            next_step=f"kubectl get namespaces -l {_OURS}",
        )

    def _leaked(self, name: str, blocking: list[str]) -> Leaked:
        return Leaked(
            f"the namespace {name} cannot be deleted",
            cause="; ".join(blocking) or f"not told by the server; it was asked for {self._within:.0f} s",
            looked_at=[f"{self._endpoint.server}{_PATH}/{name}"],
            next_step=f"kubectl get namespace {name} -o jsonpath='{{.status.conditions}}', and have the test remove"
            " the finalizers of what it makes, or run what removes them",
        )

    def _sweep(self) -> None:
        """Ask for the deletion of what dead runs left."""
        for found in self._rest.get(_PATH, labelSelector=_OURS)["items"]:
            name = str(found["metadata"]["name"])
            owner = owner_of(name)
            if owner is None or owner == self._names.owner or not self._is_dead(owner, found["metadata"]):
                continue
            with contextlib.suppress(ApiError):  # another run sweeps too
                self._delete(name)

    def _is_dead(self, owner: str, metadata: dict[str, Any]) -> bool:
        if metadata.get("annotations", {}).get(_HOST) == socket.gethostname():
            return not self._workplace.is_alive(owner)
        return time.time() - _made_at(owner) > _OLD_SECONDS


def _made_at(owner: str) -> float:
    """Give when `owner` began, seconds since the epoch, out of its name."""
    stamp = re.search(r"_(\d{8}_\d{6})_", owner)
    if stamp is None:
        raise StandError(f"{owner} bears no time")
    return calendar.timegm(time.strptime(stamp[1], "%Y%m%d_%H%M%S"))
