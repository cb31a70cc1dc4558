"""`python -m dbschema [DSN]`: bring a database's schema up to date, for a service that runs outside the tests."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import psycopg

from dbschema.migration import Migrations, SchemaError


def main(arguments: Sequence[str] | None = None) -> int:
    """Apply the migrations; return 0 when done, 1 (with one sentence on stderr) when the database refused."""
    parser = argparse.ArgumentParser(prog="python -m dbschema", description=__doc__)
    parser.add_argument("dsn", nargs="?", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument(
        "--create-extension", action="store_true", help="first make the extension vector (needs its privilege)"
    )
    options = parser.parse_args(arguments)
    if not options.dsn:
        parser.error("no database named: give a DSN, as postgresql://user@127.0.0.1:5432/audit, or set DATABASE_URL")
    migrations = Migrations()
    try:
        with psycopg.connect(options.dsn, autocommit=True, connect_timeout=10) as connection:
            if options.create_extension:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            migrations.apply(connection)
            where = connection.execute("SELECT current_database() || '.' || current_schema()").fetchone()
    except (psycopg.Error, SchemaError) as exc:
        sys.stderr.write(f"dbschema: {exc}\n")
        return 1
    sys.stdout.write(f"{where[0] if where else options.dsn} is up to date ({migrations.digest()[:12]})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
