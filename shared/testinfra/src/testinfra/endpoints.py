"""Frozen values that tests receive: where a server is and how to log in.

Rule 1: an endpoint says nothing about how its server was started; a test cannot tell backends apart by it.
Rule 2: a `repr` shows no password; `safe_dsn` and `safe_url` are for logs, `dsn` and `url` for clients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A Postgres to talk to; `dsn` is a libpq URL that sync and async clients take alike.

    `schema` is the test's own schema ("" for the whole database); the DSN then carries a `search_path` of that schema
    and `public`, where extensions live, and `application_name`, by which the server's log tells tests apart.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    backend: str = "embedded"
    version: str = ""
    schema: str = ""
    application_name: str = ""
    socket_directory: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    """Server settings that every connection starts with, for example `default_transaction_read_only`."""
    parameters: tuple[tuple[str, str], ...] = ()
    """More libpq parameters of an external server's DSN, for example `sslmode`."""
    connection_budget: int = 0
    """How many connections this test's process may hold at once; 0 where the server sets no limit per process."""

    def _options(self) -> str:
        settings = ([("search_path", f"{self.schema},public")] if self.schema else []) + list(self.settings)
        given = [value for name, value in self.parameters if name == "options"]
        return " ".join([*given, *(f"-c{name}={value}" for name, value in settings)])

    def _url(self, password: str) -> str:
        local = self.host.startswith("/")  # the folder of a Unix socket
        query = {
            **({"host": self.host} if local else {}),
            **dict(self.parameters),
            "options": self._options(),
            "application_name": self.application_name,
        }
        tail = urlencode({key: value for key, value in query.items() if value}, quote_via=quote)
        secret = f":{quote(password, safe='')}" if password else ""
        host = "" if local else f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        base = f"postgresql://{quote(self.user, safe='')}{secret}@{host}:{self.port}/{quote(self.database, safe='')}"
        return f"{base}?{tail}" if tail else base

    @property
    def dsn(self) -> str:
        """The libpq connection URL, password included."""
        return self._url(self.password)

    @property
    def safe_dsn(self) -> str:
        """The connection URL without its password, for logs and reports."""
        return self._url("")

    def env(self) -> dict[str, str]:
        """Give the variables that libpq programs (`psql`, `pg_dump`) and twelve-factor services read."""
        found = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGOPTIONS": self._options(),
            "DATABASE_URL": self.dsn,
        } | {f"PG{name.upper()}": value for name, value in self.parameters if name.startswith("ssl")}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, kw_only=True)
class Redis:
    """A Redis (or Valkey) to talk to: `url` names the test's own logical database.

    `key_prefix` is "" where the database is the test's own; on an external server it is the only part of the key
    space that this login may touch, and the service under test must put it before every key.
    """

    host: str
    port: int
    database: int = 0
    username: str = ""
    password: str = field(repr=False, default="")
    backend: str = "embedded"
    version: str = ""
    key_prefix: str = ""
    tls: bool = False

    def _url(self, password: str) -> str:
        login = f"{quote(self.username, safe='')}:{quote(password, safe='')}@" if password or self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{login}{host}:{self.port}/{self.database}"

    @property
    def url(self) -> str:
        """The connection URL, password included."""
        return self._url(self.password)

    @property
    def safe_url(self) -> str:
        """The connection URL without its password, for logs and reports."""
        return self._url("")

    def env(self) -> dict[str, str]:
        """Give the variables that services read; `REDISCLI_AUTH` is what `redis-cli` reads."""
        return {"REDIS_URL": self.url} | ({"REDISCLI_AUTH": self.password} if self.password else {})


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An API server to talk to, under one identity: a client certificate, or a token where there is one.

    All files are readable by this user only. `kubeconfig` says the same as the other fields, for programs that read
    such a file (`kubectl`, every client library); it names `namespace` as the default one.
    """

    server: str
    """Base URL, for example `https://127.0.0.1:36443`."""
    kubeconfig: str
    """Path of the kubeconfig file."""
    ca_file: str = ""
    """PEM file of the authority that signed the server's certificate; "" for one that is not to be checked."""
    cert_file: str = ""
    key_file: str = ""
    """PEM files of the client certificate and its key; "" for none."""
    token: str = field(repr=False, default="")
    namespace: str = ""
    """The test's own namespace; "" for the whole cluster."""
    backend: str = "apiserver"
    """The rung: fake, apiserver or external."""
    version: str = ""
    """The server's `gitVersion` without its v, for example `1.36.3`."""
    audit_log: str = ""
    """Path of the server's audit log, one JSON event (audit.k8s.io/v1) a line; "" where it is not ours to read."""

    def env(self) -> dict[str, str]:
        """Give the variable that every Kubernetes client reads."""
        return {"KUBECONFIG": self.kubeconfig}
