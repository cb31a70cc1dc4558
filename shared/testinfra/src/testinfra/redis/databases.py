"""How tests are kept apart in Redis: a logical database each, or on an external server a login each.

Rule 1: a logical database is taken by an flock'ed file in the server's place, so two processes never share one and a
        killed one gives its own back. Database 0 is nobody's: it is what `redis` and redis-cli see.
Rule 2: a database is empty when it is taken: it is flushed before, for a killed test cannot flush after.
Rule 3: on an external server a test gets a login that may touch only the keys below its prefix. The connection that
        made it bears the owner's name; a login whose owner has no connection is swept with its keys.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from pathlib import Path

import redis

from testinfra.endpoints import Redis
from testinfra.errors import NotAvailable
from testinfra.names import Names, owner_of
from testinfra.servers.places import take_flock

_SCAN = 1000


class LogicalDatabases:
    """Databases 1..n of an embedded server."""

    def __init__(self, server: Redis, place: Path, count: int) -> None:
        """Take the server's endpoint, the folder of its place, and how many databases it has."""
        self._server = server
        self._folder = place / "databases"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._count = count
        self._next = os.getpid() % max(1, count - 1)
        self._client = redis.Redis.from_url(server.url)
        self._held: dict[int, int] = {}

    def take(self) -> Redis:
        """Give an empty database of one's own; raises `NotAvailable` when all are taken."""
        for step in range(self._count - 1):
            number = 1 + (self._next + step) % (self._count - 1)
            if number in self._held:
                continue
            try:
                self._held[number] = take_flock(self._folder / str(number))
            except BlockingIOError:
                continue
            self._next = number
            self._flush(number)
            return dataclasses.replace(self._server, database=number)
        raise NotAvailable(
            f"all {self._count - 1} logical databases of the Redis server are taken",
            cause="more tests at once than it was started for",
            looked_at=[str(self._folder)],
            next_step=f"--redis-databases={self._count * 4}",
        )

    def _flush(self, number: int) -> None:
        # One script: the connection stays in its own database, and a flush is one round trip.
        self._client.eval("redis.call('SELECT', ARGV[1]) redis.call('FLUSHDB')", 0, str(number))

    def give_back(self, taken: Redis) -> None:
        """Empty the database and let others take it."""
        try:
            self._flush(taken.database)
        finally:
            os.close(self._held.pop(taken.database))

    def close(self) -> None:
        """Leave the server."""
        self._client.close()


class PrefixedLogins:
    """Key prefixes of an external server, each with an ACL user that may touch nothing else."""

    def __init__(self, server: Redis, names: Names) -> None:
        """Log in, say who we are, and sweep dead owners."""
        self._server = server
        self._names = names
        self._client = redis.Redis.from_url(server.url, client_name=names.owner)
        try:
            self._client.acl_whoami()
            self.swept = self._sweep()
        except redis.RedisError as exc:
            raise NotAvailable(
                f"the external Redis at {server.host}:{server.port} does not let us make logins: {exc}",
                cause="tests are kept apart there by a key prefix and an ACL user, which takes the right to ACL",
                looked_at=["ACL WHOAMI", "ACL LIST", "CLIENT LIST"],
                next_step="a URL of a user with +acl +client, or leave --redis-url out for the embedded server",
            ) from exc

    def take(self) -> Redis:
        """Give a login of one's own with a fresh key prefix."""
        name, password = self._names.next(), secrets.token_urlsafe(16)
        self._client.acl_setuser(
            name, enabled=True, passwords=[f"+{password}"], keys=[f"{name}:*"], channels=[f"{name}:*"],
            categories=["+@all", "-@admin", "-@dangerous"], commands=["+info", "+keys", "+client"],
        )  # fmt: skip
        return dataclasses.replace(self._server, username=name, password=password, key_prefix=f"{name}:")

    def give_back(self, taken: Redis) -> None:
        """Remove the login and its keys."""
        self._remove(taken.username)

    def _remove(self, name: str) -> None:
        keys = list(self._client.scan_iter(match=f"{name}:*", count=_SCAN))
        for start in range(0, len(keys), _SCAN):
            self._client.unlink(*keys[start : start + _SCAN])
        self._client.acl_deluser(name)

    def _sweep(self) -> list[str]:
        living = {str(client.get("name")) for client in self._client.client_list()}
        removed = []
        for name in self._client.acl_users():
            text = name.decode() if isinstance(name, bytes) else str(name)
            owner = owner_of(text)
            if owner and owner not in living:
                self._remove(text)
                removed.append(text)
        return removed

    def close(self) -> None:
        """Leave the server."""
        self._client.close()
