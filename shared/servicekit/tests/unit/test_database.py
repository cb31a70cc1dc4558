"""What is added to a DSN, and a server that is away; a real one is in the services' own tests."""

from __future__ import annotations

import asyncio
import socket

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from servicekit.database import Database, conninfo
from servicekit.errors import UnavailableError


def test_the_settings_that_queries_rely_on_are_in_the_connection() -> None:
    """The search's settings and the deadline travel with the connection's start."""
    options = str(conninfo_to_dict(conninfo("postgresql://db/audit", name="echo", timeout=2.5))["options"])
    assert "-chnsw.iterative_scan=strict_order" in options
    assert "-cstatement_timeout=2500" in options
    assert "read_only" not in options


def test_what_the_dsn_says_comes_last_and_wins() -> None:
    """Options, name and connect_timeout of the DSN are kept."""
    dsn = "postgresql://db/audit?options=-csearch_path%3Dmine&application_name=me&connect_timeout=7"
    parts = conninfo_to_dict(conninfo(dsn, name="echo", timeout=10))
    assert str(parts["options"]).endswith("-csearch_path=mine")
    assert (parts["application_name"], str(parts["connect_timeout"])) == ("me", "7")


def test_a_service_that_only_reads_says_so_to_the_server() -> None:
    """Every transaction of its connections is read-only, and they have its name."""
    parts = conninfo_to_dict(conninfo("postgresql://db/audit", name="echo", timeout=1, read_only=True))
    assert "-cdefault_transaction_read_only=on" in str(parts["options"])
    assert parts["application_name"] == "echo"


def test_a_server_that_refuses_connections_is_unavailable() -> None:
    """Opening waits for nothing; a query is told within its deadline, and the probe has the server's own words."""

    async def ask(port: int) -> None:
        dsn = f"postgresql://user:hush@127.0.0.1:{port}/audit"
        database = Database(dsn, name="echo", pool_min=1, pool_max=1, timeout=0.2)
        async with database.opened():
            with pytest.raises(UnavailableError) as caught:
                await database.rows(b"SELECT 1")
            with pytest.raises(psycopg.OperationalError, match=str(port)):
                await database.probe()
        assert caught.value.reason == "unavailable"

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        asyncio.run(ask(held.getsockname()[1]))
