"""Find the numbered SQL files, hash them, and apply those that a schema does not have yet.

Rule 1: files are append-only. What was applied is written with its sha256 into the table `schema_migrations` of the
        schema itself, and a file that was edited afterwards is refused. (`IF NOT EXISTS` in every statement would be
        the alternative: it cannot express an ALTER, and it takes a wrong table of the right name for a good one.)
Rule 2: everything goes in one message to the server, so it costs one round trip and is one transaction: a schema is
        migrated entirely or not at all.
Rule 3: two that migrate the same schema at once wait for each other (an advisory lock on the schema's oid), and two
        that migrate different schemas do not. The lock is also why `schema_migrations` needs no key: an index more
        would cost every fresh schema 0.8 ms of about 5.
Rule 4: no schema name occurs in the SQL: everything lands in the first schema of the connection's `search_path`.
        The extension `vector` belongs to the database and is expected to be there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import psycopg

_FILE_NAME = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
_QUOTE = "$dbschema$"
_CHANGED = "DBM01"
"""SQLSTATE of our own, raised by the server where a stored sha256 differs from the file's."""

_HEAD = """\
SELECT pg_advisory_xact_lock(hashtext('dbschema'), hashtext(current_schema()::regnamespace::oid::text));
SET LOCAL client_min_messages = warning;
CREATE TABLE IF NOT EXISTS schema_migrations (
    name varchar(255) NOT NULL, sha256 char(64) NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
DO $dbschema_apply$
DECLARE stored text;
BEGIN
"""
_EACH = """\
    SELECT sha256 INTO stored FROM schema_migrations WHERE name = '{name}';
    IF stored IS NULL THEN
        EXECUTE {quote}{sql}{quote};
        INSERT INTO schema_migrations (name, sha256) VALUES ('{name}', '{sha256}');
    ELSIF stored <> '{sha256}' THEN
        RAISE EXCEPTION '{name} was applied with sha256 %', stored USING ERRCODE = '{changed}';
    END IF;
"""
_TAIL = "END $dbschema_apply$;"


class SchemaError(Exception):
    """What the migrations of this package can fail with; each subclass says what to do next."""


class BadMigrationError(SchemaError):
    """A file cannot be a migration: its name, its number or its text breaks a rule."""


class ChangedMigrationError(SchemaError):
    """A migration that this schema already has was edited afterwards."""


class VectorMissingError(SchemaError):
    """The database lacks the extension `vector`."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One SQL file: `name` such as `0001_remediation_audit.sql`, `sql` its text."""

    name: str
    sql: str

    @cached_property
    def sha256(self) -> str:
        """The hexadecimal sha256 of the file's text in UTF-8."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Migrations:
    """The migrations of a folder, in the order of their numbers; the package's own folder unless another is given."""

    def __init__(self, folder: Traversable | None = None) -> None:
        """Read the folder's `*.sql`; raise BadMigrationError where a name, number or text breaks a rule."""
        folder = folder if folder is not None else resources.files("dbschema") / "migrations"
        files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda file: file.name)
        self._all = tuple(Migration(name=file.name, sql=file.read_text(encoding="utf-8")) for file in files)
        for number, migration in enumerate(self._all, start=1):
            _check(migration, number)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self._all)

    def digest(self) -> str:
        """Return the hexadecimal sha256 over every name and content, in order: equal digests mean equal schemas."""
        whole = hashlib.sha256()
        for migration in self._all:
            whole.update(f"{migration.name}\0{migration.sha256}\n".encode())
        return whole.hexdigest()

    @cached_property
    def script(self) -> str:
        """The whole as one SQL text of several statements, which brings any earlier state up to date."""
        steps = (
            _EACH.format(name=each.name, sql=each.sql, sha256=each.sha256, quote=_QUOTE, changed=_CHANGED)
            for each in self._all
        )
        return _HEAD + "".join(steps) + _TAIL

    def apply(self, connection: psycopg.Connection[Any]) -> None:
        """Migrate the first schema of the connection's `search_path`, in one round trip; harmless where it is done.

        The connection is in autocommit mode, or the caller commits. Raises VectorMissingError, ChangedMigrationError,
        or what psycopg raises for anything else.
        """
        try:
            connection.execute(self.script.encode())
        except psycopg.errors.UndefinedObject as exc:
            if '"vector' not in str(exc):
                raise
            database = connection.info.dbname
            message = (
                f"the database {database!r} has no extension vector on the search_path of this connection, and the"
                ' migrations never make it; type, as a superuser of that database: psql -c "CREATE EXTENSION vector"'
            )
            raise VectorMissingError(message) from exc
        except psycopg.Error as exc:
            if exc.sqlstate != _CHANGED:
                raise
            message = (
                f"{exc.diag.message_primary}, and its text is another now: migrations are append-only. Restore the"
                " file and put the change into a new one, or drop the schema if it holds nothing of worth"
            )
            raise ChangedMigrationError(message) from exc


def _check(migration: Migration, number: int) -> None:
    match = _FILE_NAME.fullmatch(migration.name)
    if match is None:
        message = f"{migration.name!r} is no name of a migration: expected four digits and words, as 0002_add_index.sql"
        raise BadMigrationError(message)
    if int(match["number"]) != number:
        message = f"{migration.name} should have the number {number:04}: numbers start at 0001, without a gap or a twin"
        raise BadMigrationError(message)
    if _QUOTE in migration.sql:
        message = f"{migration.name} contains {_QUOTE}, which is how its text is quoted: use another dollar tag"
        raise BadMigrationError(message)
