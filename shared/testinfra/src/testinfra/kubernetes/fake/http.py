"""HTTP/1.1 for the fake: one connection is one `asyncio.Protocol` over httptools' parser.

Problem: the server has to know the client's certificate, end all connections in one instant (an outage), say nothing on
a thousand streams at no cost, and be imported in a few milliseconds. uvicorn's requests carry no certificate, it wakes
ten times a second, needs 0.1 s and more to stop, closes idle connections after 5 s and wants two tasks for each stream
that is to notice its client's end; aiohttp's server takes 150 ms to import.
Solution: the parser is a library's; this is the little that is left: a request is read whole, answered by one call, and
a watch is a stream that is written to from outside.
Cost: what no client of Kubernetes needs is not there: HTTP/2, compression, uploads that are streamed, upgrades.

Rule 1: requests of one connection are answered in their order; one that comes while a stream lasts waits for its end.
Rule 2: a client that does not read what it watches is cut off (`_MOST_UNREAD`), as the real server does.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from testinfra.errors import extra

with extra("kubernetes"):
    import httptools

_MOST_UNREAD = 64 * 2**20
"""Bytes that may wait for a client to read them."""
_LARGEST_BODY = 3 * 2**20
"""Bytes of a request; the real server's limit (`--max-request-body-bytes` of its generic server)."""
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_CLOSE = "Connection: close\r\n"
JSON = "application/json"


@dataclass
class Request:
    """One request, read whole. Header names are in lower case; the values of one that is repeated are lines."""

    method: str
    target: str
    """Path and query as they were sent."""
    headers: Mapping[str, str]
    body: bytes
    peer: Mapping[str, Any] | None
    """The client's certificate as `ssl.SSLSocket.getpeercert` gives it; None for none."""
    client: str = ""
    """The address it came from."""

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        path = self.target.partition("?")[0]
        return unquote(path) if "%" in path else path

    @cached_property
    def query(self) -> dict[str, str]:
        """The query; of a name that is given twice the first, as Go's `url.Values.Get`."""
        text = self.target.partition("?")[2]
        return dict(reversed(parse_qsl(text, keep_blank_values=True))) if text else {}


@dataclass
class Response:
    """One answer, whole."""

    code: int
    body: bytes
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    about: str = ""
    """Name of the object that the answer is about, where the path may not say it: a new one's."""

    def head(self) -> bytes:
        """Give the status line and headers, up to what says how long the body is."""
        lines = [f"Content-Type: {self.content_type}\r\n", "Cache-Control: no-cache, private\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in self.headers]
        return _STATUS_LINES[self.code] + "".join(lines).encode("latin-1", "replace")


class Stream(Protocol):
    """An answer that lasts."""

    head: Response

    def opened(self, write: Callable[[Iterable[bytes]], None], end: Callable[[], None]) -> None:
        """Take what writes chunks and what ends the stream; called once, when the head is sent."""
        ...

    def closed(self) -> None:
        """The client is gone, or the stream was ended: write no more."""
        ...


def _too_large() -> Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"Request entity too large: limit is {_LARGEST_BODY}",
        "reason": "RequestEntityTooLarge",
        "code": 413,
    }
    return Response(413, json.dumps(status).encode())


Handler = Callable[[Request], "Response | Stream"]


class Connection(asyncio.Protocol):
    """One connection of one client."""

    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        """Answer with `handler`; be one of `connections` while it lasts."""
        self._handler = handler
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._stream: Stream | None = None
        self._peer: Mapping[str, Any] | None = None
        self._client = ""
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = transport.get_extra_info("peercert") or None
        self._client = (transport.get_extra_info("peername") or ("",))[0]
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        del exc
        self._connections.discard(self)
        self._transport = None
        if self._stream:
            self._stream.closed()
            self._stream = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._write_last(Response(400, b"this server knows no upgrade of a connection", "text/plain"))
        except httptools.HttpParserError as exc:
            self._write_last(Response(400, f"this is no HTTP request: {exc}".encode(), "text/plain"))

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}\n{text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._size += len(body)
        if self._size <= _LARGEST_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        request = Request(
            method=self._parser.get_method().decode(),
            target=self._target.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            peer=self._peer,
            client=self._client,
        )
        too_large = self._size > _LARGEST_BODY
        self._begin()
        if too_large:
            self._write_last(_too_large())
            return
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._answer()

    def _answer(self) -> None:
        while self._waiting and self._stream is None and self._transport:
            request, keep_alive = self._waiting.popleft()
            answer = self._handler(request)
            if isinstance(answer, Response):
                self._write(request, answer, keep_alive=keep_alive)
            else:
                self._open(answer, keep_alive=keep_alive)

    def _write(self, request: Request, answer: Response, *, keep_alive: bool) -> None:
        assert self._transport is not None
        tail = f"Content-Length: {len(answer.body)}\r\n{'' if keep_alive else _CLOSE}\r\n".encode()
        body = b"" if request.method == "HEAD" else answer.body
        self._transport.write(b"".join((answer.head(), tail, body)))
        if not keep_alive:
            self._transport.close()

    def _write_last(self, answer: Response) -> None:
        """Answer, and end the connection."""
        if self._transport:
            length = f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n".encode()
            self._transport.write(answer.head() + length + answer.body)
            self._transport.close()

    def _open(self, stream: Stream, *, keep_alive: bool) -> None:
        assert self._transport is not None
        self._stream = stream
        self._transport.write(stream.head.head() + b"Transfer-Encoding: chunked\r\n\r\n")

        def end() -> None:
            if self._stream is not stream or not self._transport:
                return
            self._stream = None
            stream.closed()
            self._transport.write(b"0\r\n\r\n")
            if not keep_alive:
                self._transport.close()
            self._answer()

        stream.opened(self._write_chunk, end)

    def _write_chunk(self, parts: Iterable[bytes]) -> None:
        """Write one chunk."""
        if self._transport:
            data = b"".join(parts)
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            if self._transport.get_write_buffer_size() > _MOST_UNREAD:
                self._transport.abort()

    def close(self) -> None:
        """End the connection in order: what is written is sent, and a stream ends as one that is over."""
        if self._transport:
            if self._stream:
                self._transport.write(b"0\r\n\r\n")
            self._transport.close()

    def abort(self) -> None:
        """End the connection where it stands."""
        if self._transport:
            self._transport.abort()
