"""What one pytest process has of the stand: its servers, and what makes a place of its own in each for every test.

Rule: nothing is started, leased or imported before a test asks for it; all of it is given up in `close`.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testinfra import specs
from testinfra.endpoints import Postgres, Redis
from testinfra.errors import extra
from testinfra.leases import Leases
from testinfra.options import Options

if TYPE_CHECKING:
    from testinfra.clusters import Clusters
    from testinfra.postgres.migrations import Migrations
    from testinfra.postgres.schemas import Isolation
    from testinfra.postgres.tenant import Tenant
    from testinfra.redis.databases import LogicalDatabases, PrefixedLogins
    from testinfra.servers.share import Lease

_SPARE_CONNECTIONS = 20
"""Connections of the server that no budget gives away: administrators, makers, janitors."""


@functools.lru_cache(maxsize=256)
def project_of(folder: Path) -> str:
    """Give the name of the nearest project at or above `folder` (its pyproject.toml), else the folder's own name."""
    for parent in [folder, *folder.parents]:
        try:
            project = tomllib.loads((parent / "pyproject.toml").read_text()).get("project", {})
        except (OSError, tomllib.TOMLDecodeError):
            continue
        if "name" in project:
            return str(project["name"])
    return folder.name or "test"


class Stand(Leases):
    """The stand as one process sees it."""

    def __init__(self, options: Options, *, scope: str, worker: str = "main", workers: int = 1) -> None:
        """Take what was asked for; `scope` is what all processes of the run share."""
        super().__init__(options, scope=scope, worker=worker)
        self.workers = workers
        self._tenants: dict[str, Tenant] = {}
        self._isolations: dict[tuple[str, str], Isolation] = {}
        self._databases: dict[str, LogicalDatabases | PrefixedLogins] = {}
        self._clusters: Clusters | None = None

    def clusters(self) -> Clusters:
        """Give the API servers of this process."""
        if self._clusters is None:
            with extra("kubernetes"):
                from testinfra.clusters import Clusters  # noqa: PLC0415 - imports urllib3

            self._clusters = Clusters(self)
        return self._clusters

    def postgres(self) -> Postgres:
        """Give the shared Postgres, as its administrator."""
        found: dict[str, Any] = dict(self.lease(specs.postgres(self.options)).endpoint)
        found["parameters"] = tuple((name, value) for name, value in found.get("parameters", ()))
        return Postgres(**found)

    @property
    def _embedded(self) -> Options:
        """The same options for servers of our own: nobody breaks a server that is somebody else's."""
        return dataclasses.replace(self.options, postgres="embedded", redis="embedded")

    def lone_postgres(self) -> tuple[Lease, Postgres]:
        """Lease a Postgres that nobody else has, as its administrator; give it back with `release`."""
        held = self.lease(specs.postgres(self._embedded, exclusive=self.names("lone").next()))
        return held, Postgres(**held.endpoint)

    def lone_redis(self) -> tuple[Lease, Redis]:
        """Lease a Redis that nobody else has; give it back with `release`."""
        held = self.lease(specs.redis(self._embedded, exclusive=self.names("lone").next()))
        return held, Redis(**held.endpoint)

    def redis(self) -> Redis:
        """Give the shared Redis, logical database 0."""
        return Redis(**self.lease(specs.redis(self.options)).endpoint)

    def isolation(self, service: str, migrations: Migrations) -> Isolation:
        """Give what makes fresh schemas and databases with `migrations`."""
        from testinfra.postgres.schemas import Isolation  # noqa: PLC0415 - imports psycopg
        from testinfra.postgres.tenant import Tenant  # noqa: PLC0415 - imports psycopg

        if service not in self._tenants:
            admin, held = self.postgres(), self.lease(specs.postgres(self.options))
            budget = (self.options.postgres_max_connections - _SPARE_CONNECTIONS) // max(1, self.workers)
            outlives = held.warm or admin.backend == "external"
            self._tenants[service] = Tenant(admin, self.names(service), budget=budget, outlives=outlives)
        key = (service, migrations.digest())
        if key not in self._isolations:
            self._isolations[key] = Isolation(self._tenants[service], migrations, self.options.postgres_extensions)
        return self._isolations[key]

    def redis_databases(self, service: str) -> LogicalDatabases | PrefixedLogins:
        """Give what makes a Redis of one's own for a test."""
        from testinfra.redis.databases import LogicalDatabases, PrefixedLogins  # noqa: PLC0415 - imports redis

        if service not in self._databases:
            server = self.redis()
            self._databases[service] = (
                PrefixedLogins(server, self.names(service))
                if server.backend == "external"
                else LogicalDatabases(
                    server, self.lease(specs.redis(self.options)).place.directory, self.options.redis_databases
                )
            )
        return self._databases[service]

    def versions(self) -> dict[str, str]:
        """Say what was used, kind -> `backend version`."""
        used = {
            held.place.directory.name.partition("-")[0]: f"{held.endpoint['backend']} {held.endpoint['version']}"
            for held in self.leases.values()
            if not held.exclusive
        }
        return used | (self._clusters.versions() if self._clusters else {})

    def leaks(self) -> list[str]:
        """Say what tests left behind and the janitor had to force."""
        return [leak for tenant in self._tenants.values() for leak in tenant.leaks]

    def stuck(self) -> list[str]:
        """Say what tests left behind and nobody could take away."""
        return [str(leaked) for leaked in self._clusters.stuck] if self._clusters else []

    def close(self) -> None:
        """Give everything up, the servers last."""
        from testinfra.servers.share import forget_failures  # noqa: PLC0415 - cheap when a lease was ever taken

        if self._clusters:
            self._clusters.close()
        for isolation in self._isolations.values():
            isolation.close()
        for tenant in self._tenants.values():
            tenant.close()
        for databases in self._databases.values():
            databases.close()
        for held in self.leases.values():
            held.release()
        self.leases.clear()
        forget_failures()
