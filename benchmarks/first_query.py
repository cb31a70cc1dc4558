"""`python -m benchmarks.first_query ours|peer`: print the seconds from nothing running to the first answered query.

The interpreter and its imports are there before the clock starts, as they are in a test run. Stopping is not measured.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psycopg

import testinfra.servers.share  # noqa: F401 - the stand imports it when it needs it: here, before the clock starts
from benchmarks import peer
from testinfra.options import resolve
from testinfra.stand import Stand


def _ask(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def ours() -> float:
    """Lease the embedded Postgres in a scope of its own and ask it."""
    started = time.perf_counter()
    stand = Stand(resolve({"linger": 0}), scope="bench")
    try:
        _ask(stand.postgres().dsn)
        return time.perf_counter() - started
    finally:
        stand.close()


def theirs() -> float:
    """Start pytest-postgresql's server, as its fixture does, and ask it."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        server = peer.executor(Path(folder))
        try:
            server.start()
            server.wait_for_postgres()
            _ask(f"postgresql://{server.user}@{server.host}:{server.port}/{server.maintenance_dbname}")
            return time.perf_counter() - started
        finally:
            server.stop()
            server.clean_directory()


if __name__ == "__main__":
    print({"ours": ours, "peer": theirs}[sys.argv[1]]())
