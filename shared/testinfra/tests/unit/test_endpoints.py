"""What endpoints hand to clients and what they hide."""

from __future__ import annotations

import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from testinfra.endpoints import Postgres, Redis

SECRET = "p@ss/wörd:?#"
PLAIN = Postgres(host="127.0.0.1", port=5432, user="me@home", password=SECRET, database="a b")


def test_libpq_reads_the_dsn_as_it_was_meant() -> None:
    """Odd characters survive."""
    read = conninfo_to_dict(PLAIN.dsn)
    assert (read["host"], read["port"], read["user"], read["password"], read["dbname"]) == (
        "127.0.0.1", "5432", "me@home", SECRET, "a b",
    )  # fmt: skip


def test_the_dsn_of_a_schema_carries_search_path_settings_and_parameters() -> None:
    """`options` of the given DSN come first, ours after."""
    endpoint = Postgres(
        host="h", port=1, user="u", password="", database="d", schema="s_1", application_name="s_1",
        settings=(("default_transaction_read_only", "on"),),
        parameters=(("sslmode", "require"), ("options", "-cjit=off")),
    )  # fmt: skip
    read = conninfo_to_dict(endpoint.dsn)
    assert read["options"] == "-cjit=off -csearch_path=s_1,public -cdefault_transaction_read_only=on"
    assert (read["sslmode"], read["application_name"]) == ("require", "s_1")
    assert endpoint.env()["PGSSLMODE"] == "require"


@pytest.mark.parametrize("host", ["/var/run/postgresql", "::1", "db.example"])
def test_sockets_and_ipv6_addresses_are_hosts_too(host: str) -> None:
    """The URL form of each is one that libpq takes."""
    endpoint = Postgres(host=host, port=5433, user="u", password="p", database="d")
    read = conninfo_to_dict(endpoint.dsn)
    assert (read["host"], read["port"]) == (host, "5433")


def test_no_repr_and_no_safe_address_shows_a_password() -> None:
    """They end up in logs."""
    cache = Redis(host="h", port=1, password=SECRET, username="u")
    for text in (repr(PLAIN), PLAIN.safe_dsn, repr(cache), cache.safe_url):
        assert SECRET not in text
        assert "w%C3%B6rd" not in text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_redis_py_reads_the_url_as_it_was_meant(host: str) -> None:
    """Odd characters survive here too."""
    url = Redis(host=host, port=7, database=9, username="u", password=SECRET).url
    read = redis.connection.parse_url(url)  # type: ignore[no-untyped-call]  # its own gap
    assert (read["host"], read["port"], read["db"], read["username"], read["password"]) == (host, 7, 9, "u", SECRET)
