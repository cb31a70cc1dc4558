"""A small service on servicekit, served from a thread on a socket of its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from servicekit import Dependency, JsonRoute, ServiceApp, Settings, logs, new_registry
from servicekit.testing import Served, serve_in_thread

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the system's certificates takes longer than a test


@pytest.fixture
def logs_put_back() -> Iterator[None]:
    """Put the process's logs back to what they were: those of a program go to a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logs.to_standard_logging()


class DemoSettings(Settings):
    """Settings with a secret."""

    prefix: ClassVar[str] = "DEMO_"
    token: SecretStr | None = None


class Item(BaseModel):
    """A body with two fields to get wrong."""

    name: str
    size: int


class Demo:
    """The small service: what its handlers saw, and switches for its tests."""

    def __init__(self, **settings: Any) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.closed = False
        self.field_errors: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        self.release = asyncio.Event()
        needs = [
            Dependency(name="store", probe=lambda: self._probe("store"), deadline=0.2),
            Dependency(name="cache", probe=lambda: self._probe("cache"), required=False),
        ]
        self.app = ServiceApp(
            title="demo",
            version="1",
            settings=DemoSettings(**{"shutdown_grace": 0, "max_body_bytes": 1000, **settings}),
            registry=new_registry(),
            needs=needs,
            on_field_error=lambda field, reason: self.field_errors.append((field, reason)),
        )
        router = APIRouter(prefix="/items", route_class=JsonRoute)
        router.post("", status_code=201)(self.create)
        router.get("")(self.list)
        router.get("/{number}")(self.get)
        router.get("/{number}/slow")(self.slow)
        self.app.include_router(router)

    async def _probe(self, name: str) -> None:
        if self.failing.get(name) == "hangs":
            await asyncio.Event().wait()
        if name in self.failing:
            raise RuntimeError(self.failing[name])

    async def create(self, item: Item) -> Item:
        return item

    async def list(self) -> list[str]:
        raise ValueError("hush: a secret of the code")

    async def get(self, number: int) -> int:
        return number

    async def slow(self, number: int) -> int:
        """Wait until released; note how it ended."""
        self._loop = asyncio.get_running_loop()
        self.begun.append("slow")
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("finished")
        return number

    def let_go(self) -> None:
        """Release the slow handlers, from the test's thread."""
        self._loop.call_soon_threadsafe(self.release.set)


@pytest.fixture
def demo() -> Demo:
    """Give the small service."""
    return Demo()


@pytest.fixture
def make_demo() -> Callable[..., Demo]:
    """Give a function that makes the small service with other settings."""
    return Demo


@pytest.fixture
def serve() -> Iterator[Callable[[Any], tuple[Served, httpx.Client]]]:
    """Give a function that serves it and makes a client."""
    with ExitStack() as stack:

        def start(demo: Demo) -> tuple[Served, httpx.Client]:
            served = stack.enter_context(serve_in_thread(demo.app))
            return served, stack.enter_context(httpx.Client(base_url=served.url, verify=_NO_TLS, timeout=20))

        yield start


@pytest.fixture
def client(demo: Demo, serve: Callable[[Any], tuple[Served, httpx.Client]]) -> httpx.Client:
    """Give a client of the running small service."""
    return serve(demo)[1]


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Give a function that waits until a condition holds, and fails with its name when the deadline passes."""

    def wait(what: str, holds: Callable[[], bool], *, deadline: float = 5.0) -> None:
        end = time.monotonic() + deadline
        while not holds():
            assert time.monotonic() < end, f"not within {deadline:g} s: {what}"
            time.sleep(0.005)

    return wait
