"""Somebody's Redis, by URL: looked at, used, never started or stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

from testinfra.errors import Misconfigured, NotAvailable, NotReady
from testinfra.servers.backend import Terms
from testinfra.servers.places import Place


class External:
    """One external Redis or Valkey."""

    kept = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the setting of the spec: url."""
        self._url = str(settings.get("url", ""))

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """Look at the server; see `Backend.start`."""
        del place
        try:
            given: dict[str, Any] = redis.connection.parse_url(self._url)  # type: ignore[no-untyped-call]  # its own gap
        except ValueError as exc:
            raise Misconfigured(
                f"the URL of the external Redis cannot be read: {exc}",
                next_step="--redis-url=redis://user:password@host:6379/0",
            ) from exc
        where = f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"
        timeout = min(10.0, terms.start_timeout)
        client = redis.Redis.from_url(self._url, socket_connect_timeout=timeout, socket_timeout=timeout)
        try:
            with client:
                info: Mapping[str, Any] = client.info("server")
        except redis.RedisError as exc:
            raise NotReady(
                f"the external Redis at {where} cannot be used: {exc}",
                cause="it is not running there, or host, port, user or password are others",
                looked_at=["--redis-url", "TESTINFRA_REDIS_URL", where],
                next_step="redis-cli -u '<the URL>' ping to try it by hand, or leave it out for the embedded server",
            ) from exc
        return {
            "host": given.get("host", "localhost"),
            "port": given.get("port", 6379),
            "database": given.get("db", 0),
            "username": given.get("username") or "",
            "password": given.get("password") or "",
            "tls": self._url.startswith("rediss://"),
            "backend": "external",
            "version": str(info.get("valkey_version") or info.get("redis_version", "")),
        }

    def afterwards(self) -> None:
        """Do nothing more."""

    def stop(self) -> None:
        """Do nothing: it is not ours."""

    def death(self) -> str:
        """Say nothing: it is not ours to watch."""
        return ""

    def fault(self, how: str) -> None:
        """Refuse: it is not ours to break."""
        raise NotAvailable(f"an external Redis cannot be broken ({how}): it is not ours")

    def heal(self, place: Place, terms: Terms) -> None:
        """Do nothing: it was not broken."""


def create(settings: Mapping[str, Any]) -> External:
    """Make the backend; see `testinfra.servers.backend`."""
    return External(settings)
