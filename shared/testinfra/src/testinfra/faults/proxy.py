"""A proxy before an API server: what it is ordered to do it does to the requests that fit; all others pass unchanged.

Rule 1: answers stream: a watch event is passed on when it comes, and nothing is unpacked or held back.
Rule 2: who the client is, the server is told: a bearer token is passed on; a client that presents the certificate that
        the proxy gave out is logged in with the certificate that it stands for.
Rule 3: where the server is away, so is the proxy: the client's connection breaks, and no answer is made up.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from testinfra.endpoints import Cluster
from testinfra.faults.loopback import HttpsServer, cut
from testinfra.faults.requests import understand
from testinfra.faults.rules import Book, Order, Rule

# After `loopback`, which says what to install where aiohttp is missing.
import aiohttp  # isort: skip
from aiohttp import web  # isort: skip

_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
"""Headers between two neighbours, which no proxy passes on (RFC 9110, 7.6.1)."""
_ADDED_BY_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What aiohttp would add on its own."""
_IDLE = 2.0
"""Seconds that a connection to the server is kept for reuse: less than any server keeps it (uvicorn: 5)."""
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""The machine-readable reasons of `metav1.Status` by status (k8s.io/apimachinery, StatusReason)."""
_NOT_IMPLEMENTED = 501
_REFUSED = 400


class Proxy:
    """One proxy before `cluster`; what comes by is in `book`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        """Start it; its certificates go into `folder`."""
        self._upstream = cluster.server.rstrip("/")
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self.server = HttpsServer(self._handle, folder, name="testinfra-proxy", at_end=self._disconnect)
        self.book = Book(self.server.url)
        try:
            self.server.run(self._connect(cluster))
        except BaseException:
            self.server.close()
            raise

    async def _connect(self, cluster: Cluster) -> None:
        """Make one session for clients with our certificate, and one for all others."""
        for known in (True, False):
            context = ssl.create_default_context(cafile=cluster.ca_file or None)
            if not cluster.ca_file:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if known and cluster.cert_file:
                context.load_cert_chain(cluster.cert_file, cluster.key_file)
            self._sessions[known] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=_IDLE),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_ADDED_BY_CLIENT,
            )

    def close(self) -> None:
        """End it, whoever is still connected."""
        self.server.close()

    async def _disconnect(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = await request.read()
        agent = request.headers.get("User-Agent", "")
        attempt = understand(request.method, path, query, at=time.time(), user_agent=agent, body=body)
        number, rule = self.book.receive(attempt)
        if rule and rule.order.kind == "answer":
            self.book.fire(rule)
            self.book.answered(number, rule.order.status)
            return _made_up(rule.order)
        if rule and rule.order.kind == "reset":
            self.book.fire(rule)
            cut(request, reset=True)
            return web.Response()
        if rule and rule.order.kind == "delay":
            self.book.fire(rule)  # a client that gives up meanwhile has met it
            await asyncio.sleep(rule.order.seconds)
        if "upgrade" in request.headers.get("Connection", "").lower():
            self.book.answered(number, _NOT_IMPLEMENTED)
            return _no_upgrade()
        return await self._pass_on(request, body, number, rule)

    async def _pass_on(self, request: web.Request, body: bytes, number: int, rule: Rule | None) -> web.StreamResponse:
        known = bool(request.transport and request.transport.get_extra_info("peercert"))
        losing = rule if rule and rule.order.kind == "lose_answer" else None
        try:
            async with self._sessions[known].request(
                request.method,
                URL(self._upstream + request.raw_path, encoded=True),
                headers=_neighbourless(request.headers, "host", "content-length", "expect"),
                data=body or None,
                allow_redirects=False,
            ) as answer:
                self.book.answered(number, answer.status)
                if losing and answer.status < _REFUSED:
                    self.book.fire(losing)
                    losing = None
                    _abort(answer)
                    cut(request)
                    return web.Response()
                if losing:  # before the client has the refusal: its next request is to meet the rule
                    self.book.spare(number, losing)
                    losing = None
                return await _stream(request, answer)
        except aiohttp.ClientError:
            cut(request)
            return web.Response()
        finally:
            if losing:
                self.book.spare(number, losing)


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    passed = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_neighbourless(answer.headers))
    try:
        await passed.prepare(request)
        async for chunk in answer.content.iter_any():
            await passed.write(chunk)
        await passed.write_eof()
    except BaseException:  # one side is gone, or the proxy ends
        _abort(answer)
        raise
    return passed


def _abort(answer: aiohttp.ClientResponse) -> None:
    """Break the connection to the server, if the answer is not complete: TLS would wait for a farewell."""
    if answer.connection and answer.connection.transport:
        answer.connection.transport.abort()


def _neighbourless(headers: CIMultiDictProxy[str], *more: str) -> CIMultiDict[str]:
    """Give the headers that are meant for the other end."""
    named = [name.strip().lower() for name in headers.get("Connection", "").split(",")]
    left_out = {*_HOP, *named, *more}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)


def _made_up(order: Order) -> web.Response:
    """Give the answer that was ordered."""
    return _status(order.status, order.message or f"{order}, ordered by the test", order.retry_after)


def _no_upgrade() -> web.Response:
    words = "the test's proxy passes no upgraded connection on (exec, attach, port-forward): use the cluster's endpoint"
    return _status(_NOT_IMPLEMENTED, words)


def _status(code: int, message: str, retry_after: int | None = None) -> web.Response:
    """Refuse as an API server does: a `Status` object, and `Retry-After` in seconds where there is one."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body |= {"message": message, "reason": _REASONS.get(code, ""), "code": code}
    if retry_after is None:
        return web.json_response(body, status=code)
    body["details"] = {"retryAfterSeconds": retry_after}
    return web.json_response(body, status=code, headers={"Retry-After": str(retry_after)})
