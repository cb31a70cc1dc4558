"""A pytest plugin: `postgres_schema` of a suite is a database each from pytest-postgresql, everything else stays.

Problem: fixtures of a `-p` plugin lose against those of installed plugins, which are registered later.
Solution: an object with the fixture is registered last of all, when everybody is configured.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from testinfra.endpoints import Postgres


class _Rooms:
    @pytest.fixture
    def postgres_schema(self, postgresql: psycopg.Connection[Any]) -> Postgres:
        """The peer's database for this test, whole; its server is this worker's own, as the peer has it."""
        info = postgresql.info
        return Postgres(
            host=info.host,
            port=info.port,
            user=info.user,
            password=info.password,
            database=info.dbname,
            schema="public",
            application_name="bench",
        )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the fixture."""
    config.pluginmanager.register(_Rooms())
