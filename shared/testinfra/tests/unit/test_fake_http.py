"""The fake's HTTP, over plain sockets: order, streams, and what is no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from testinfra.kubernetes.fake.http import Connection, Handler, Request, Response

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def talk(handler: Handler, say: Talk) -> None:
    """Serve with `handler`, and `say` something on one connection."""

    async def go() -> None:
        connections: set[Connection] = set()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            server = await loop.create_server(lambda: Connection(handler, connections), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await say(reader, writer)
            writer.close()
            server.close()
            for connection in list(connections):
                connection.abort()
            await server.wait_closed()

    asyncio.run(go())


def echo(request: Request) -> Response:
    """Answer with what was asked."""
    return Response(
        200, f"{request.method} {request.path} {request.query} {request.body.decode()}".encode(), "text/plain"
    )


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one whole answer: its head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(length)


class Slow:
    """A stream that a test writes to."""

    def __init__(self) -> None:
        self.head = Response(200, b"")
        self.over = False

    def opened(self, write: Callable[[Iterable[bytes]], None], end: Callable[[], None]) -> None:
        self.write, self.end = write, end

    def closed(self) -> None:
        self.over = True


def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    """Though they come at once."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(b"GET /%d?a=b%%20c&a=d HTTP/1.1\r\nHost: it\r\n\r\n" % number for number in range(20)))
        for number in range(20):
            assert (await answer(reader))[1] == f"GET /{number} {{'a': 'b c'}} ".encode()

    talk(echo, say)


def test_a_body_may_come_in_parts() -> None:
    """By length or by chunks."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /a HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        for part in (b"ab", b"cd", b"ef"):
            writer.write(part)
            await writer.drain()
        assert (await answer(reader))[1] == b"POST /a {} abcdef"
        writer.write(b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert (await answer(reader))[1] == b"POST /b {} abc"

    talk(echo, say)


def test_a_request_during_a_stream_waits_for_its_end() -> None:
    """The stream is ended in order, and the connection goes on."""
    stream = Slow()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /watch HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
        stream.write((b"one", b"two"))
        assert await reader.readexactly(11) == b"6\r\nonetwo\r\n"
        stream.end()
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        assert (await answer(reader))[1] == b"GET /next {} "
        assert stream.over

    talk(lambda request: stream if request.path == "/watch" else echo(request), say)


def test_a_stream_whose_client_goes_is_over() -> None:
    """At once, though nothing is written."""
    stream = Slow()
    over = asyncio.Event()
    stream.closed = over.set  # type: ignore[method-assign]  # to wait for it

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /watch HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await over.wait()
        stream.write((b"to nobody",))

    talk(lambda _: stream, say)


def test_a_client_that_does_not_read_is_cut_off() -> None:
    """Before it fills the memory."""
    stream = Slow()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /watch HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # a client that is busy with something else
        for _ in range(200):
            stream.write((b"x" * 2**20,))
            await asyncio.sleep(0)
            if stream.over:
                break
        assert stream.over

    talk(lambda _: stream, say)


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_no_http_is_refused_and_the_connection_ends(said: bytes) -> None:
    """400."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request")

    talk(echo, say)


def test_a_body_that_is_too_large_is_refused_and_not_kept() -> None:
    """413 as a Status, once it has been sent."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
        head, body = await answer(reader)
        assert head.startswith(b"HTTP/1.1 413")
        assert b'"RequestEntityTooLarge"' in body

    talk(echo, say)


def test_http_1_0_is_answered_and_closed() -> None:
    """As it asks for nothing else."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"Connection: close" in await reader.read()

    talk(echo, say)
