"""A client that goes away takes its handler with it, and nothing else does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from servicekit.disconnects import CancelOnDisconnect
from servicekit.testing import Served

SCOPE: Scope = {"type": "http", "path": "/", "method": "POST"}
Serve = Callable[[Any], tuple[Served, httpx.Client]]


def test_a_client_that_hangs_up_cancels_its_handler(demo: Any, serve: Serve, eventually: Callable[..., None]) -> None:
    """Over a real socket: the handler that waits is cancelled, and counted as 499."""
    served, client = serve(demo)
    with socket.create_connection((served.host, served.port)) as own:
        own.sendall(b"GET /items/1/slow HTTP/1.1\r\nHost: test\r\n\r\n")
        eventually("the handler has begun", lambda: demo.begun == ["slow"])
    eventually("the handler is cancelled", lambda: demo.ended == ["cancelled"])
    eventually("it is counted", lambda: 'path="/items/{number}/slow",status="499"' in client.get("/metrics").text)


def test_a_client_that_stays_gets_its_answer(demo: Any, serve: Serve, eventually: Callable[..., None]) -> None:
    """Another client's hang-up is none of its business."""
    served, _ = serve(demo)
    request = b"GET /items/7/slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    with socket.create_connection((served.host, served.port)) as stays:
        stays.sendall(request)
        with socket.create_connection((served.host, served.port)) as leaves:
            leaves.sendall(request)
            eventually("both handlers have begun", lambda: demo.begun == ["slow", "slow"])
        eventually("one is cancelled", lambda: demo.ended == ["cancelled"])
        demo.let_go()
        with stays.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n7")
    assert demo.ended == ["cancelled", "finished"]


async def _run(
    app: Callable[[Scope, Receive, Send], Any], messages: list[Message], *, gone: asyncio.Event
) -> list[Message]:
    """Run `app` behind the middleware; the client sends `messages`, and is gone when `gone` is set."""
    waiting, sent = list(messages), []

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(CancelOnDisconnect(app)(SCOPE, receive, send), 5)
    return sent


def test_the_body_passes_in_order_and_the_end_is_told_to_who_asks() -> None:
    """A handler that reads on after the body gets the disconnect itself, and may end as it likes."""
    chunks: list[Message] = [{"type": "http.request", "body": bytes([n]), "more_body": n < 3} for n in range(4)]

    async def scenario() -> list[Message]:
        gone, seen = asyncio.Event(), []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, send
            seen.extend([await receive() for _ in range(4)])
            gone.set()

        await _run(app, chunks, gone=gone)
        return seen

    assert asyncio.run(scenario()) == chunks


def test_work_after_the_response_is_not_cancelled() -> None:
    """Once the response is complete the client may leave, and what follows it is finished."""

    async def scenario() -> tuple[list[str], list[Message]]:
        gone, done = asyncio.Event(), []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
            gone.set()
            for _ in range(10):
                await asyncio.sleep(0)
            done.append("background")

        return done, await _run(app, [], gone=gone)

    done, sent = asyncio.run(scenario())
    assert done == ["background"]
    assert len(sent) == 2


def test_a_handler_s_cleanup_is_waited_for() -> None:
    """The request ends when the cancelled handler has put its things away."""

    async def scenario() -> list[str]:
        gone, done = asyncio.Event(), []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive, send
            gone.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                done.append("put away")

        await _run(app, [], gone=gone)
        return done

    assert asyncio.run(scenario()) == ["put away"]


def test_an_exception_of_the_handler_passes() -> None:
    """It is not swallowed on its way to who answers it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(_run(app, [], gone=asyncio.Event()))
