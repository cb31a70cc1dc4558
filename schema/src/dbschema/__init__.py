"""The one authoritative SQL schema: numbered plain-SQL migrations, found, hashed and applied.

`Migrations().apply(connection)` brings the first schema of the connection's `search_path` up to date;
`Migrations().digest()` names the whole, so that a template made from it can be recognised.
"""

from dbschema.migration import (
    BadMigrationError,
    ChangedMigrationError,
    Migration,
    Migrations,
    SchemaError,
    VectorMissingError,
)

__all__ = [
    "BadMigrationError",
    "ChangedMigrationError",
    "Migration",
    "Migrations",
    "SchemaError",
    "VectorMissingError",
]
