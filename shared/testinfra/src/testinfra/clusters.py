"""What one pytest process holds of API servers: the shared one, those of its own, and its namespaces on them.

Rule 1: the fake lives in this process, unless `testinfra up` keeps one; every other server is leased.
Rule 2: a server of one's own is kept for the next test that wants one: it costs seconds to start, and who broke it
        has healed it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from testinfra import specs
from testinfra.endpoints import Cluster
from testinfra.errors import Leaked, extra
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.namespaces import Namespaces
from testinfra.kubernetes.rest import ApiError
from testinfra.kubernetes.workplace import Workplace
from testinfra.leases import Leases
from testinfra.servers.places import state_root

if TYPE_CHECKING:
    from testinfra.kubernetes.fake.server import FakeServer
    from testinfra.servers.share import Lease


@dataclass(frozen=True)
class Plane:
    """One API server as this process has it: a lease on it, or the fake itself."""

    kubernetes: Kubernetes
    workplace: Workplace
    """Where kubeconfig files for it go; with a server that ends with the run, so does the folder."""
    lease: Lease | None = None
    fake: FakeServer | None = None

    @property
    def outlives(self) -> bool:
        """Whether the server is there after the run."""
        return self.lease is not None and (self.lease.warm or self.kubernetes.endpoint.backend == "external")


class Clusters:
    """The API servers of one process."""

    def __init__(self, leases: Leases) -> None:
        """Hold none yet; what is leased is leased through `leases`."""
        self._leases = leases
        self._shared: Plane | None = None
        self._lone: list[Plane] = []
        self._free: list[Plane] = []
        self._namespaces: dict[tuple[str, str], Namespaces] = {}
        self._workplace: Workplace | None = None
        self.stuck: list[Leaked] = []

    def shared(self) -> Plane:
        """Give the server that all tests share (with several control planes: this worker's)."""
        if self._shared is None:
            self._shared = self._start(exclusive=False)
        return self._shared

    def take_lone(self) -> Plane:
        """Give a server that nobody else has; give it back healthy."""
        if self._free:
            return self._free.pop()
        made = self._start(exclusive=True)
        self._lone.append(made)
        return made

    def give_back_lone(self, plane: Plane) -> None:
        """Keep it for the next test, if it is well."""
        try:
            plane.kubernetes.rest().get("/readyz")
        except (ApiError, HTTPError):
            self._lone.remove(plane)
            self._end(plane)
        else:
            self._free.append(plane)

    def _start(self, *, exclusive: bool) -> Plane:
        options = self._leases.options
        if exclusive and options.kubernetes == "external":
            options = dataclasses.replace(options, kubernetes="apiserver")  # nobody breaks somebody else's
        token = self._leases.names("lone").next() if exclusive else ""
        with self._leases.uncaptured():
            spec = specs.kubernetes(options, exclusive=token, plane=self._plane())
        if options.kubernetes != "fake":
            return self._leased(self._leases.lease(spec))
        if not exclusive and (warm := self._leases.warm(spec)):
            return self._leased(warm)
        with extra("kubernetes"):
            from testinfra.kubernetes.fake.server import FakeServer  # noqa: PLC0415 - only where the fake is asked for

        workplace = self._own_workplace()
        folder = workplace.folder / self._leases.names("fake").next()
        folder.mkdir(mode=0o700)
        server = FakeServer(folder, port=0 if exclusive else options.kubernetes_port)
        return Plane(Kubernetes(Cluster(**server.start())), workplace, fake=server)

    def _leased(self, held: Lease) -> Plane:
        kubernetes = Kubernetes(Cluster(**held.endpoint))
        if held.warm or kubernetes.endpoint.backend == "external":
            return Plane(kubernetes, self._own_workplace(), held)
        return Plane(kubernetes, Workplace(held.place.directory, self._owner), held)

    @property
    def _owner(self) -> str:
        return self._leases.names("clients").owner

    def _own_workplace(self) -> Workplace:
        """Give the folder for what is about servers that do not end with the run, or that have no place."""
        if self._workplace is None:
            self._workplace = Workplace(state_root(self._leases.options.state_dir), self._owner)
        return self._workplace

    def _plane(self) -> int:
        """Say which of several control planes is this worker's."""
        number = int(self._leases.worker[2:]) if self._leases.worker.startswith("gw") else 0
        return number % max(1, self._leases.options.kubernetes_servers)

    def namespaces(self, plane: Plane, service: str) -> Namespaces:
        """Give what makes namespaces on `plane`, called after `service`."""
        key = (plane.kubernetes.endpoint.server, service)
        if key not in self._namespaces:
            self._namespaces[key] = Namespaces(
                plane.kubernetes.rest(),
                plane.kubernetes.endpoint,
                self._leases.names(service),
                plane.workplace,
                outlives=plane.outlives,
            )
        return self._namespaces[key]

    def versions(self) -> dict[str, str]:
        """Say which shared server was used, as `Stand.versions` does; {} for none."""
        if self._shared is None:
            return {}
        endpoint = self._shared.kubernetes.endpoint
        return {"kubernetes": f"{endpoint.backend} {endpoint.version}"}

    def close(self) -> None:
        """Verify that the namespaces are gone, and give up what is held."""
        planes = [*([self._shared] if self._shared else []), *self._lone]
        try:
            for namespaces in self._namespaces.values():
                self.stuck.extend(namespaces.close())
        finally:
            for plane in planes:
                self._end(plane)
            if self._workplace:
                self._workplace.close()

    def _end(self, plane: Plane) -> None:
        plane.kubernetes.close()
        if plane.fake:
            plane.fake.stop()
        if plane.workplace is not self._workplace:
            plane.workplace.close()
        if plane.lease:
            self._leases.release(plane.lease)
