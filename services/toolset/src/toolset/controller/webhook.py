"""The HTTPS server of the admission webhook, as kopf wants one: it is given what answers, and says where it listens.

Rule 1: its socket is bound once and outlives kopf's operators, so its port stays the same and calls wait meanwhile.
Rule 2: a new certificate is taken for the next connection; nothing is closed for it.
Rule 3: one path; what is called at another is 404 and not, as with kopf's own server, allowed unseen.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp.web
from kopf import WebhookClientConfig, WebhookFn

from servicekit.serving import accept_no_more, bind
from toolset.controller.certificates import Certificate

PATH = "/review"
HANDLER = "review"
_LONGEST = 4 * 2**20
"""Bytes of a review: it has two objects, and etcd takes one of 1.5 MB."""


class AddressTakenError(Exception):
    """The webhook's address is not to be had."""


class WebhookServer:
    """The server; `port` is known when it is made, and calls are taken when it has a certificate."""

    def __init__(self, host: str, port: int) -> None:
        """Take the address; raise AddressTakenError where it is not to be had."""
        try:
            self._listener = bind(host, port)
        except OSError as exc:
            raise AddressTakenError(
                f"the webhook cannot listen on {host} port {port}: {exc}. Another process may hold the port (type:"
                f" ss -ltnp 'sport = :{port}'); choose one with TOOLSET_WEBHOOK_PORT, or 0 for a free one"
            ) from exc
        self.port = int(self._listener.getsockname()[1])
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certified = False
        self._serving = False

    async def is_well(self) -> None:
        """Return where calls are answered; raise ConnectionError where not."""
        if not self._certified:
            raise ConnectionError("there is no certificate yet")
        if not self._serving:
            raise ConnectionError("it is not begun yet: what is to be watched is not known")

    def use(self, certificate: Certificate) -> None:
        """Take a certificate for all further connections."""
        with tempfile.TemporaryDirectory() as folder:  # OpenSSL reads files only
            chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            chain.write_bytes(certificate.chain)
            key.touch(mode=0o600)
            key.write_bytes(certificate.key)
            self._tls.load_cert_chain(chain, key)
        self._certified = True

    async def __call__(self, answer: WebhookFn) -> AsyncIterator[WebhookClientConfig]:
        """Answer calls by `answer` until closed; kopf wants to be told an address, once."""

        async def review(request: aiohttp.web.Request) -> aiohttp.web.Response:
            try:
                said = json.loads(await request.read())
                return aiohttp.web.json_response(await answer(said, webhook=HANDLER, headers=dict(request.headers)))
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise aiohttp.web.HTTPBadRequest(text=f"no AdmissionReview: {exc!r}") from exc

        app = aiohttp.web.Application(client_max_size=_LONGEST)
        app.router.add_post(PATH, review)
        runner = aiohttp.web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        server = await loop.create_server(runner.server, sock=self._listener.dup(), ssl=self._tls)
        try:
            self._serving = True
            yield WebhookClientConfig(url=f"https://localhost:{self.port}{PATH}")
            await asyncio.Event().wait()
        finally:
            self._serving = False
            await accept_no_more([server])
            server.close()
            open_now = [connection.transport for connection in runner.server.connections]
            await runner.cleanup()
            for transport in filter(None, open_now):  # under TLS, what is closed waits for the other side
                transport.abort()
            await asyncio.sleep(0)

    def close(self) -> None:
        """Give the address back."""
        self._listener.close()
