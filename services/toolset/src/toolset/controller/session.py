"""kopf's talk with Kubernetes, over a session that says what became of each request.

Problem: kopf tries again for ever (as it is told to) and tells nobody, so a right that is missing, or a server that is
away, would be lines in a log of its own.
Solution: it is given a session, which reports every list and watch by aiohttp's tracing.
Cost: logging in is servicekit's, by the official client's files.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf
from kubernetes.aio.client import ApiClient
from yarl import URL

from servicekit.cluster import log_in
from servicekit.cluster_errors import ClusterError, from_answer, from_exception
from servicekit.sockets import Sockets

_PAUSE = 1.0
"""Seconds between logins at least: a token that is refused would else be asked for in a circle."""
Report = Callable[[str, str, str, ClusterError | None], None]
"""Is told of each request: verb (list, watch, get), resource, namespace, and why it failed (None where it did not)."""


class Sessions:
    """Makes sessions, each logged in anew; kopf asks for another when one is refused."""

    def __init__(self, kubeconfig: str, *, agent: str, report: Report) -> None:
        """Log in by the file `kubeconfig`, or ("") as the pod."""
        self._kubeconfig = kubeconfig
        self._agent = agent
        self._report = report
        self._sockets = Sockets()
        self._last = 0.0

    async def log_in(self, **_: Any) -> kopf.AiohttpSession:
        """Return a session; raise kopf's TemporaryError where there is no way to log in now."""
        await asyncio.sleep(max(0.0, self._last + _PAUSE - time.monotonic()))
        self._last = time.monotonic()
        try:
            configuration = await log_in(self._kubeconfig)
        except ClusterError as exc:
            self._report("login", "", "", exc)
            raise kopf.TemporaryError(f"no login to Kubernetes: {exc.said['message']}", delay=_PAUSE) from exc
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        tls = ApiClient(configuration).rest_client.ssl_context
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=self._sockets),
            headers={"User-Agent": self._agent, **({"Authorization": token} if token else {})},
            trace_configs=[self._tracing()],
        )
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session)

    async def closed(self) -> None:
        """Return when all connections are."""
        await self._sockets.closed()

    def _tracing(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._ended)
        config.on_request_exception.append(self._broke)
        return config

    async def _ended(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        error = None
        if params.response.status >= HTTPStatus.BAD_REQUEST:
            error = from_answer(params.response.status, params.response.headers, {})
        self._report(*_meant(params.url), error)

    async def _broke(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if not isinstance(params.exception, asyncio.CancelledError):
            self._report(*_meant(params.url), from_exception(params.exception))


def _meant(url: URL) -> tuple[str, str, str]:
    """Return verb, resource and namespace of a request: of /api/v1/namespaces/a/services?watch=true, watch services a.

    What asks the server for its groups and kinds is `get`, without a resource.
    """
    parts = [part for part in url.path.split("/") if part]
    start = 2 if parts[:1] == ["api"] else 3
    rest = parts[start:]
    if not rest:
        return "get", "", ""
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""  # noqa: PLR2004 - namespaces/a/services
    return ("watch" if "watch" in url.query else "list"), rest[-1], namespace
