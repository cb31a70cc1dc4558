"""What tests hold of one API server: its endpoint, and clients of it under any identity.

Rule 1: no client given out here holds requests back or repeats them, so a test sees what the server does: the
        official client's own retries are off, and as many connections as asked are opened.
Rule 2: nothing of the official client is imported before a test asks for it: it costs 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from testinfra.endpoints import Cluster
from testinfra.kubernetes.crds import Crds
from testinfra.kubernetes.rest import Rest

if TYPE_CHECKING:
    from kubernetes import aio, client

_CONNECTIONS = 1000
"""Connections that one client may keep open at once; a load test has hundreds in flight."""


class Kubernetes:
    """One API server, as its administrator; every client takes another endpoint (`namespace`, an account) as well."""

    def __init__(self, endpoint: Cluster) -> None:
        """Stand on `endpoint`."""
        self.endpoint = endpoint
        self._rests: dict[Cluster, Rest] = {}
        self._clients: list[tuple[Cluster, client.ApiClient]] = []
        self._crds = Crds(self.rest())

    def __repr__(self) -> str:
        return f"<Kubernetes {self.endpoint.backend} {self.endpoint.version} at {self.endpoint.server}>"

    @property
    def kubeconfig(self) -> str:
        """Path of the administrator's kubeconfig."""
        return self.endpoint.kubeconfig

    def rest(self, endpoint: Cluster | None = None) -> Rest:
        """Give the stand's own client: JSON over kept connections, no models; the same one for the same endpoint."""
        wanted = endpoint or self.endpoint
        if wanted not in self._rests:
            self._rests[wanted] = Rest(wanted)
        return self._rests[wanted]

    def client(self, endpoint: Cluster | None = None) -> client.ApiClient:
        """Make the official `ApiClient`, for `kubernetes.client.CoreV1Api(...)`; closed with its namespace."""
        from kubernetes import client  # noqa: PLC0415 - see Rule 2

        made = client.ApiClient(self._configured(client.Configuration(), endpoint))
        self._clients.append((endpoint or self.endpoint, made))
        return made

    def async_client(self, endpoint: Cluster | None = None) -> aio.client.ApiClient:
        """Make an `ApiClient` of the official client's asyncio side: `async with kubernetes.async_client() as api`."""
        from kubernetes.aio.client import Configuration  # noqa: PLC0415 - see Rule 2

        from testinfra.kubernetes import async_clients  # noqa: PLC0415 - see Rule 2

        return async_clients.make(self._configured(Configuration(), endpoint))

    def _configured(self, configuration: Any, endpoint: Cluster | None) -> Any:
        wanted = endpoint or self.endpoint
        configuration.host = wanted.server
        configuration.ssl_ca_cert = wanted.ca_file or None
        configuration.verify_ssl = bool(wanted.ca_file)
        if wanted.token:
            configuration.api_key = {"authorization": f"Bearer {wanted.token}"}
        else:
            configuration.cert_file, configuration.key_file = wanted.cert_file or None, wanted.key_file or None
        configuration.retries = False
        configuration.connection_pool_maxsize = _CONNECTIONS
        return configuration

    def install_crds(self, path: str | Path) -> list[str]:
        """Install the CustomResourceDefinitions of a YAML file or of a folder of them; see `Crds.install`."""
        return self._crds.install(Path(path))

    def forget(self, namespace: str) -> None:
        """Close the clients of endpoints in this namespace: a session has hundreds of them, each with its sockets."""
        for endpoint in [one for one in self._rests if one.namespace == namespace]:
            self._rests.pop(endpoint).close()
        for endpoint, made in self._clients:
            if endpoint.namespace == namespace:
                made.close()  # type: ignore[no-untyped-call]  # the package has no types
        self._clients = [(endpoint, made) for endpoint, made in self._clients if endpoint.namespace != namespace]

    def close(self) -> None:
        """Close all that was given out."""
        for namespace in {one.namespace for one in [*self._rests, *(endpoint for endpoint, _ in self._clients)]}:
            self.forget(namespace)
