"""Serve an app from a thread of the test's own process: a real socket, a real server, real disconnects.

Rule 1: the socket is bound and listening before the server starts, on a port the kernel chose, so no two collide.
Rule 2: what fails in the thread fails the test; the thread is gone when the context is left.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from servicekit import logs
from servicekit.app import ServiceApp
from servicekit.serving import Server, bind


def sample(text: str, name: str, **labels: str) -> float:
    """Read one sample out of a page of Prometheus' text format; 0 where it was never touched."""
    named = "\n".join(line for line in text.split("\n") if line.startswith(name))  # to parse all takes 3 ms
    every = (one for family in text_string_to_metric_families(named) for one in family.samples)
    return next((one.value for one in every if one.name == name and one.labels == labels), 0.0)


_START_HAS = 30.0
_END_HAS = 40.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """An app that answers at `url`; `host` and `port` are for clients that do their own HTTP."""

    app: ServiceApp
    server: Server
    thread: threading.Thread
    host: str
    port: int

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    def takes_connections(self) -> bool:
        """Tell whether a new connection is taken now."""
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Shut down as on SIGTERM, and wait for the end; harmless where it has ended."""
        if self.thread.is_alive():
            self.server.begin_shutdown()
            self.thread.join(_END_HAS)
        assert not self.thread.is_alive(), f"the server did not end within {_END_HAS:g} s of its shutdown"


@contextmanager
def serve_in_thread(app: ServiceApp) -> Iterator[Served]:
    """Serve `app` until the context is left."""
    logs.to_standard_logging()
    sock = bind("127.0.0.1", 0)
    host, port = sock.getsockname()[:2]
    server = Server(app)
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            asyncio.run(server.serve([sock]))
        except BaseException as exc:  # noqa: BLE001 - raised below, in the thread of the test
            failures.append(exc)
        finally:
            server.ready.set()

    thread = threading.Thread(target=serve, name=f"serve-{port}", daemon=True)
    thread.start()
    if not server.ready.wait(_START_HAS):
        raise TimeoutError(f"{app.title} did not start within {_START_HAS:g} s")
    served = Served(app=app, server=server, thread=thread, host=host, port=port)
    try:
        if not failures:
            yield served
    finally:
        served.stop()
        sock.close()
    if failures:
        raise failures[0]
