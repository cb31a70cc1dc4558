"""Where requests really go: as with curl's --connect-to, "HOST:PORT:ADDRESS:PORT2" sends those for HOST:PORT elsewhere.

Who runs outside of the cluster has no `*.svc.cluster.local`, but may have port-forwards. An empty HOST or PORT stands
for any, an empty ADDRESS or PORT2 for what it was; the first that fits counts. The URL and its Host header stay.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_ENTRY = re.compile(r"(\[[^]]*\]|[^:]*):(\d{0,5}):(\[[^]]*\]|[^:]*):(\d{0,5})")
Route = tuple[str, int, str, int]


def parse(entry: str) -> Route:
    """Return (host, port, address, port2), where "" and 0 stand for what was left out; raise ValueError."""
    found = _ENTRY.fullmatch(entry)
    if not found or not (found[3] or found[4]):
        raise ValueError(f"{entry!r} is not of the form HOST:PORT:ADDRESS:PORT2")
    host, port, address, port2 = found.groups()
    return host.lower(), _port(entry, port), address.strip("[]"), _port(entry, port2)


def _port(entry: str, text: str) -> int:
    port = int(text or "0")
    if port > 65535:  # noqa: PLR2004 - the largest there is
        raise ValueError(f"{entry!r} has a port above 65535")
    return port


class ConnectTo(AbstractResolver):
    """Looks names up, after the routes were looked at; addresses in URLs never get here."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Take entries that `parse` takes; without any, names are looked up as ever."""
        self._routes = [parse(entry) for entry in entries]
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses, each with the port to connect to; raise OSError where there are none."""
        address, port2 = self._routed(host, port)
        try:
            version = ipaddress.ip_address(address).version
        except ValueError:
            return await self._system.resolve(address, port2, family)
        own = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        return [ResolveResult(hostname=host, host=address, port=port2, family=own, proto=socket.IPPROTO_TCP, flags=0)]

    def _routed(self, host: str, port: int) -> tuple[str, int]:
        for for_host, for_port, address, port2 in self._routes:
            if for_host in {"", host.lower()} and for_port in {0, port}:
                return address or host, port2 or port
        return host, port

    async def close(self) -> None:
        """Release what looks names up."""
        await self._system.close()
