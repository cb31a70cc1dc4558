"""Which tables the measured schemas have: remediation_audit alone, or all of the real schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import cast

from dbschema import Migrations

VARIABLE = "BENCH_TABLES"
ONE, ALL = "one", "all"


class _First:
    """The folder of migrations as it would be if there were only the first: remediation_audit and its indexes."""

    def iterdir(self) -> Iterator[Traversable]:
        files = (resources.files("dbschema") / "migrations").iterdir()
        return iter(sorted((file for file in files if file.name.endswith(".sql")), key=lambda file: file.name)[:1])


def migrations() -> Migrations:
    """Give what the process that asks is to measure with."""
    if os.environ.get(VARIABLE) == ONE:
        return Migrations(cast("Traversable", _First()))  # it only lists the folder
    return Migrations()
