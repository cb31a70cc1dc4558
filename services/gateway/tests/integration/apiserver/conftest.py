"""These tests are about what only a real API server does."""

from __future__ import annotations

import pytest

from testinfra.endpoints import Cluster


@pytest.fixture(autouse=True)
def _on_a_real_server(namespace: Cluster) -> None:
    """Fail where the server is the fake: a test of this folder that passes on it has shown nothing."""
    assert namespace.backend != "fake", "this folder needs a real API server; type: pytest --kubernetes=apiserver"
