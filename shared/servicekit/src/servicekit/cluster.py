"""The talk with Kubernetes: JSON over the connections of the official client's asyncio side.

Rule 1: the official client logs in (kubeconfig with its plugins, or the pod's service account) and renews tokens; what
        it generates for each kind costs more than the request itself, so paths and objects are ours.
Rule 2: every request has a deadline, and ends with an answer or with a ClusterError.
Rule 3: logging in is part of a request: a cluster that is away at the start is one that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from pydantic_core import from_json, to_json

from servicekit.cluster_errors import ClusterError, from_answer, from_exception
from servicekit.sockets import Sockets

MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_LONGEST_LINE = 2**22
"""Bytes of one watch event at most: etcd takes objects of 1.5 MB."""


async def log_in(kubeconfig: str) -> Configuration:
    """Return the official client's configuration of the file `kubeconfig`, or ("") of the pod; raise ClusterError."""
    configuration = Configuration()
    try:
        if kubeconfig:
            load: Any = load_kube_config  # untyped
            await load(config_file=kubeconfig, client_configuration=configuration)
        else:
            load = load_incluster_config
            load(client_configuration=configuration)
    except ConfigException as exc:
        raise ClusterError("login", said={"message": str(exc)}) from exc
    return configuration


class Cluster:
    """One API server, under the service's identity."""

    def __init__(self, kubeconfig: str, *, agent: str, timeout: Callable[[], float], connections: int) -> None:
        """Log in by the file `kubeconfig`, or ("") as the pod; `connections` may be open at one time.

        `agent` is the User-Agent, as `kubernaut-gateway/1.0`; `timeout` gives the seconds that one request has.
        """
        self._kubeconfig = kubeconfig
        self._agent = agent
        self._timeout = timeout
        self._connections = connections
        self._sockets = Sockets()
        self._configuration: Configuration | None = None
        self._session: aiohttp.ClientSession | None = None
        self._logging_in = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections, and return when they are: one under TLS would else outlive the event loop."""
        if self._session is None:
            return
        await self._session.close()
        await self._sockets.closed()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Read an object or a list."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object."""
        return await self._ask("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Merge `body` into an object."""
        return await self._ask("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def probe(self) -> None:
        """Return when the server answers; raise ClusterError where it does not."""
        await self.get("/version")

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> Any:
        limits = aiohttp.ClientTimeout(total=self._timeout())
        data = to_json(body) if body is not None else None
        async with self._request(method, path, query, limits=limits, data=data, content_type=content_type) as answer:
            return from_json(await answer.read())

    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncGenerator[dict[str, Any], None]:
        """Give watch events (`type`, `object`) for `seconds`; an empty one first, when the server begins to answer."""
        own = self._timeout()
        limits = aiohttp.ClientTimeout(sock_connect=own, sock_read=seconds + own)
        asked = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        async with self._request("GET", path, asked, limits=limits) as answer:
            yield {}
            while line := await answer.content.readline():
                yield from_json(line)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        limits: aiohttp.ClientTimeout,
        data: bytes | None = None,
        content_type: str = _JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            session, configuration = await self._logged_in()
            headers = {"Accept": _JSON}
            if data is not None:
                headers["Content-Type"] = content_type
            if token := await configuration.get_api_key_with_prefix("BearerToken", alias="authorization"):
                headers["Authorization"] = token
            async with session.request(
                method,
                configuration.host + path,
                params=query,
                data=data,
                headers=headers,
                timeout=limits,
                proxy=configuration.proxy,
            ) as answer:
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise await self._refusal(answer)
                try:
                    yield answer
                finally:
                    _hang_up(answer)
        except (aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
            raise from_exception(exc) from exc
        except ValueError as exc:  # no JSON, or a line that is too long
            raise ClusterError("http_error") from exc

    async def _refusal(self, answer: aiohttp.ClientResponse) -> ClusterError:
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._configuration = None  # a plugin's token is over; the next request asks it for another
        try:
            said = from_json(await answer.read())
        except ValueError:
            said = {}
        return from_answer(answer.status, answer.headers, said)

    async def _logged_in(self) -> tuple[aiohttp.ClientSession, Configuration]:
        if self._session is not None and self._configuration is not None:
            return self._session, self._configuration
        async with self._logging_in:
            if self._configuration is None:
                self._configuration = await log_in(self._kubeconfig)
            if self._session is None:
                self._session = await self._connect(self._configuration)
            return self._session, self._configuration

    async def _connect(self, configuration: Configuration) -> aiohttp.ClientSession:
        tls = ApiClient(configuration).rest_client.ssl_context
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=tls, socket_factory=self._sockets),
            headers={"User-Agent": self._agent},
            read_bufsize=_LONGEST_LINE,
        )


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """End the connection of an answer that was not read to its end; TLS would else wait 30 s for the other side."""
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()
