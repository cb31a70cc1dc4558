"""Where requests really go: routes as curl's --connect-to has them."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from toolset.connect_to import ConnectTo, parse
from toolset.health import _in_words


@pytest.mark.parametrize(
    ("entry", "route"),
    [
        ("a.b:80:127.0.0.1:8080", ("a.b", 80, "127.0.0.1", 8080)),
        ("A.B::c:", ("a.b", 0, "c", 0)),
        ("::[::1]:9", ("", 0, "::1", 9)),
        (":80::81", ("", 80, "", 81)),
    ],
)
def test_a_route(entry: str, route: tuple[str, int, str, int]) -> None:
    """Host, port, address, port; what is left out is any, or as it was."""
    assert parse(entry) == route


@pytest.mark.parametrize(
    "entry", ["", "a", "a:80", "a:80:b", "a:80::", "a:x:b:1", "a:80:b:99999", "a:1:b:1:c", "::1:80:b"]
)
def test_what_is_no_route(entry: str) -> None:
    """It is quoted."""
    with pytest.raises(ValueError, match=r"HOST:PORT|65535"):
        parse(entry)


def resolve(routes: list[str], host: str, port: int) -> list[tuple[str, int]]:
    """Return where a request goes."""

    async def ask() -> list[tuple[str, int]]:
        resolver = ConnectTo(routes)
        try:
            return [(found["host"], found["port"]) for found in await resolver.resolve(host, port)]
        finally:
            await resolver.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("host", "port", "goes"),
    [
        ("a", 80, ("10.0.0.1", 8080)),
        ("A", 80, ("10.0.0.1", 8080)),
        ("a", 81, ("10.0.0.2", 81)),
        ("b", 9, ("::1", 9)),
        ("127.0.0.9", 7, ("127.0.0.9", 7)),
    ],
)
def test_the_first_route_that_fits_counts(host: str, port: int, goes: tuple[str, int]) -> None:
    """A host in any case; what no route is for goes where it would."""
    assert resolve(["a:80:10.0.0.1:8080", "a::10.0.0.2:", ":9:[::1]:"], host, port) == [goes]


def test_names_are_looked_up() -> None:
    """Also those that a route leads to."""
    assert ("127.0.0.1", 5) in resolve(["a::localhost:5"], "a", 80)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(-2, "unknown"), "its name has no address"),
        (ConnectionRefusedError(), "the connection was refused"),
        (OSError(113, "No route to host"), "there is no way to its address"),
    ],
)
def test_the_same_words_for_the_same_trouble(failure: OSError, words: str) -> None:
    """The client's own would have addresses in them, and change a status at every check."""
    key = aiohttp.client_reqrep.ConnectionKey("a", 80, False, True, None, None, None)
    dns = isinstance(failure, socket.gaierror) or failure.errno == -2
    kind = aiohttp.ClientConnectorDNSError if dns else aiohttp.ClientConnectorError
    assert _in_words(kind(key, failure)) == words
    assert _in_words(aiohttp.ClientError("odd")) == "the connection failed (ClientError)"
