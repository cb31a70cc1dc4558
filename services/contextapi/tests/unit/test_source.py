"""What tells the data of two services on one Redis apart."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from contextapi import ContextapiSettings
from contextapi.app import data_source

DSN = "postgresql://reader:hush@db:5432/audit"


def source(dsn: str = DSN, embedder: str = "hashing") -> str:
    settings = ContextapiSettings.model_validate({"postgres_dsn": SecretStr(dsn), "embedder": embedder})
    return data_source(settings, settings.make_embedder())


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://reader:hush@other:5432/audit",
        "postgresql://reader:hush@db:5433/audit",
        "postgresql://reader:hush@db:5432/other",
        "postgresql://other:hush@db:5432/audit",
        f"{DSN}?options=-csearch_path%3Dmine",
    ],
    ids=["host", "port", "database", "role", "search path"],
)
def test_another_place_is_another_source(dsn: str) -> None:
    """Whatever leads to other rows."""
    assert source(dsn) != source()


def test_what_libpq_takes_from_the_environment_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DSN need not say where the server is."""
    found = []
    for host in ("one", "two"):
        monkeypatch.setenv("PGHOST", host)
        found.append(source("postgresql:///audit"))
    assert found[0] != found[1]


def test_another_embedder_is_another_source() -> None:
    """The same text has another vector then, and finds other incidents."""
    assert source(embedder="none") != source()


def test_a_password_is_no_part_of_it() -> None:
    """It does not lead to other rows, and does not go to Redis."""
    assert "hush" not in source()
    assert source(DSN.replace("hush", "changed")) == source()
