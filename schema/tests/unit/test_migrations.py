"""What can be said of the migrations without a database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbschema import BadMigrationError, Migrations


def _folder(where: Path, **files: str) -> Migrations:
    for name, text in files.items():
        (where / f"{name.removeprefix('m')}.sql").write_text(text, encoding="utf-8")
    return Migrations(where)


def test_own_migrations_are_found_in_order_and_name_no_schema() -> None:
    """The package ships its files, numbered from 0001, and none of them qualifies a name with a schema."""
    migrations = list(Migrations())
    assert migrations[0].name == "0001_remediation_audit.sql"
    for migration in migrations:
        sql = migration.sql
        for harmless in ("SET search_path FROM CURRENT", "FROM PUBLIC"):  # the path it was made under; everybody
            sql = sql.replace(harmless, "")
        assert not re.search(r"\b(public|search_path|CREATE EXTENSION)\b", sql, re.IGNORECASE)
        assert not re.search(r"\b(TABLE|FUNCTION|ON|INTO)\s+\w+\.\w+", sql)


def test_digest_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    """Reading twice gives one digest, and it is a sha256 in hexadecimal."""
    first = _folder(tmp_path, m0001_a="SELECT 1;").digest()
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert Migrations(tmp_path).digest() == first


@pytest.mark.parametrize(
    "files",
    [
        {"m0001_a": "SELECT 2;"},
        {"m0001_b": "SELECT 1;"},
        {"m0001_a": "SELECT 1;", "m0002_b": "SELECT 2;"},
        {},
    ],
    ids=["content", "name", "one more", "none"],
)
def test_digest_changes_with_content_name_and_number_of_files(tmp_path: Path, files: dict[str, str]) -> None:
    """Any difference of content, name or count gives another digest."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = _folder(tmp_path / "one", m0001_a="SELECT 1;")
    assert _folder(tmp_path / "other", **files).digest() != one.digest()


@pytest.mark.parametrize(
    ("name", "said"),
    [("1_short", "no name of a migration"), ("0001_Upper", "no name of a migration"), ("0002_gap", "number 0001")],
)
def test_a_wrong_name_or_number_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """A file whose name is off, or whose number leaves a gap, is told by its name and what it should be."""
    with pytest.raises(BadMigrationError, match=said):
        _folder(tmp_path, **{f"m{name}": "SELECT 1;"})


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    """Two branches that both added number 0001 are told at once."""
    with pytest.raises(BadMigrationError, match=r"0001_b\.sql should have the number 0002"):
        _folder(tmp_path, m0001_a="SELECT 1;", m0001_b="SELECT 1;")


def test_text_that_would_end_its_own_quoting_is_refused(tmp_path: Path) -> None:
    """A file that contains the quoting tag cannot smuggle statements past the bookkeeping."""
    with pytest.raises(BadMigrationError, match=re.escape("$dbschema$")):
        _folder(tmp_path, m0001_a="SELECT $dbschema$ 1;")


def test_files_that_are_no_sql_are_left_alone(tmp_path: Path) -> None:
    """An editor's backup or a note in the folder changes nothing."""
    digest = _folder(tmp_path, m0001_a="SELECT 1;").digest()
    (tmp_path / "README.md").write_text("notes", encoding="utf-8")
    assert Migrations(tmp_path).digest() == digest
