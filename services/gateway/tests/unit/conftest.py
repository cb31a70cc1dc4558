"""What unit tests need: settings of their own making, and metrics in a registry of their own."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from gateway import GatewaySettings
from gateway.live import Live
from gateway.metrics import GatewayMetrics


@pytest.fixture
def live() -> Live:
    """Give the default settings."""
    settings = GatewaySettings()
    return Live(settings, lambda: settings)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Give a registry of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> GatewayMetrics:
    """Give the gateway's metrics in `registry`."""
    return GatewayMetrics(registry)
