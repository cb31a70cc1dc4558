"""What the service adds to a DSN."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict

from datastorage.database import conninfo


def test_the_settings_that_queries_rely_on_are_in_the_connection() -> None:
    """The search's settings and the deadline travel with the connection's start."""
    options = str(conninfo_to_dict(conninfo("postgresql://db/audit", timeout=2.5))["options"])
    assert "-chnsw.iterative_scan=strict_order" in options
    assert "-cstatement_timeout=2500" in options


def test_what_the_dsn_says_comes_last_and_wins() -> None:
    """Options, name and connect_timeout of the DSN are kept."""
    dsn = "postgresql://db/audit?options=-csearch_path%3Dmine&application_name=me&connect_timeout=7"
    parts = conninfo_to_dict(conninfo(dsn, timeout=10))
    assert str(parts["options"]).endswith("-csearch_path=mine")
    assert (parts["application_name"], str(parts["connect_timeout"])) == ("me", "7")
