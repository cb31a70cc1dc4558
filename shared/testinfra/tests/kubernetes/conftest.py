"""What the tests of the Kubernetes fixtures share: they run pytest in a sandbox, on one rung after the other."""

from __future__ import annotations

import pytest

RUNGS = ("fake", "apiserver")


@pytest.fixture(params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    """The rung of this test."""
    return str(request.param)
