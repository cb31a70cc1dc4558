"""What a test orders at the endpoint that it hands to the service under test: `Interceptor`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured
from testinfra.faults.audit import await_attempts
from testinfra.faults.proxy import Proxy
from testinfra.faults.requests import Attempts, Match, Which
from testinfra.faults.rules import Kind, Order, Rule
from testinfra.kubernetes import kubeconfig

_ERRORS = range(400, 600)


class Interceptor:
    """A proxy before one endpoint; its faults are ordered here. `endpoint` is what the service under test is given.

    Every order takes `times` (the next so many requests; None: every one while it lasts) and the fields of
    `testinfra.faults.requests.Match`, which say what requests are meant: `verb="create", resource="configmaps"`. It is
    in force at once, and gives a `Rule`: a block that has to be used up when it is left, else at the end of the test.
    The interceptor is a block itself; the fixture `intercept` ends it with the test.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        """Stand before `cluster`, under the same identity; files go into `folder`."""
        self._proxy = Proxy(cluster, folder)
        server = self._proxy.server
        cert, key = server.authority.client("testinfra").save(folder, "client") if cluster.cert_file else ("", "")
        self.endpoint: Cluster = dataclasses.replace(
            cluster,
            server=server.url,
            ca_file=server.ca_file,
            cert_file=cert,
            key_file=key,
            kubeconfig=kubeconfig.write(
                folder / "kubeconfig",
                server=server.url,
                ca_file=server.ca_file,
                cert_file=cert,
                key_file=key,
                token=cluster.token,
                namespace=cluster.namespace,
            ),
        )

    def __repr__(self) -> str:
        return f"<Interceptor at {self.endpoint.server}, {len(self._proxy.book.log())} requests>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if exc is None:
                self._proxy.book.check()
        finally:
            self._proxy.close()

    def answer(
        self,
        status: int,
        *,
        retry_after: int | None = None,
        message: str = "",
        times: int | None = 1,
        **which: Unpack[Which],
    ) -> Rule:
        """Answer with `status` (400 to 599) in the server's place, and with Retry-After: `retry_after` seconds."""
        if status not in _ERRORS:
            raise Misconfigured(f"answer({status}) is no refusal", next_step="answer(429, retry_after=1), or 503, 504")
        return self._order("answer", times, which, status=status, retry_after=retry_after, message=message)

    def delay(self, seconds: float, *, times: int | None = 1, **which: Unpack[Which]) -> Rule:
        """Hold a request back for so many seconds before the server gets it."""
        return self._order("delay", times, which, seconds=seconds)

    def lose_answer(self, *, times: int | None = 1, **which: Unpack[Which]) -> Rule:
        """Let the server do the work and lose its answer: the connection ends. A refusal is no work, and passes."""
        return self._order("lose_answer", times, which)

    def reset(self, *, times: int | None = 1, **which: Unpack[Which]) -> Rule:
        """Reset the connection; the server gets nothing of the request."""
        return self._order("reset", times, which)

    def _order(self, kind: Kind, times: int | None, which: Which, **how: Any) -> Rule:
        if times is not None and times < 1:
            raise Misconfigured(f"{kind}(times={times}) orders nothing", next_step="times=1, or None for always")
        return self._proxy.book.add(Order(kind=kind, times=times, match=Match(**which), **how))

    def attempts(self, *, at_least: int = 0, within: float = 5.0, **which: Unpack[Which]) -> Attempts:
        """Give the requests that came by, of all or of those meant; see `testinfra.faults.audit.AuditLog`."""
        return await_attempts(self._proxy.book.log, Match(**which), at_least, within, self.endpoint.server)
