"""The peer of the Postgres numbers: pytest-postgresql, given the same binaries, server settings and migrations."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import psycopg
from port_for import get_port
from pytest_postgresql.executors import PostgreSQLExecutor

from benchmarks.tables import migrations
from testinfra.options import Options
from testinfra.postgres.binaries import find
from testinfra.postgres.embedded import TUNING

NAME = f"pytest-postgresql {importlib.metadata.version('pytest-postgresql')}"


def _pg_ctl() -> str:
    return str(find().bindir / "pg_ctl")


def _postgres_options() -> str:
    """Give the stand's own server settings; without fsync=off and the like the comparison would be one of disks."""
    settings = {**TUNING, "max_connections": str(Options().postgres_max_connections)}
    return " ".join(f"-c {name}='{value}'" for name, value in settings.items())


def options() -> list[str]:
    """Give the command line that makes the plugin's own fixtures do the work that ours do."""
    return [
        f"--postgresql-exec={_pg_ctl()}",
        f"--postgresql-postgres-options={_postgres_options()}",
        f"--postgresql-load={load.__module__}.{load.__name__}",
    ]


def load(*, autocommit: bool, **where: Any) -> None:
    """Fill the plugin's template database (it calls this once) with the extension and the real migrations."""
    del autocommit
    with psycopg.connect(**where, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        migrations().apply(connection)


def executor(folder: Path) -> PostgreSQLExecutor:
    """Give the plugin's server, not started, with its files in `folder`."""
    port = get_port(None)
    assert port is not None
    return PostgreSQLExecutor(
        executable=_pg_ctl(),
        host="127.0.0.1",
        port=port,
        datadir=str(folder / "data"),
        unixsocketdir=str(folder),
        logfile=str(folder / "postgres.log"),
        startparams="-w",
        dbname="tests",
        postgres_options=_postgres_options(),
    )
