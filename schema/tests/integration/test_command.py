"""`python -m dbschema` for a service that runs outside the tests."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from dbschema import Migrations
from dbschema.__main__ import main
from testinfra.endpoints import Postgres


def test_the_command_migrates_and_says_so(postgres_schema: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    """It applies everything, also where the extension exists, and prints the schema and the digest."""
    assert main(["--create-extension", postgres_schema.dsn]) == 0
    said = capsys.readouterr().out
    assert f"{postgres_schema.database}.{postgres_schema.schema} is up to date" in said
    assert Migrations().digest()[:12] in said
    with psycopg.connect(postgres_schema.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM remediation_audit").fetchone() == (0,)


def test_the_command_tells_a_refusal_in_one_line(postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    """A database that is not there gives exit code 1 and the server's own sentence, no traceback."""
    assert main([replace(postgres, database="no_such_database").dsn]) == 1
    assert 'database "no_such_database" does not exist' in capsys.readouterr().err


def test_the_command_asks_for_a_database(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a DSN and without DATABASE_URL it says what to give."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "set DATABASE_URL" in capsys.readouterr().err
