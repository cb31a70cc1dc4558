"""The controller's own metrics, beside those of discovery.

Rule: labels are few words of ours, but for a ToolsetConfig's own gauges, which go when it goes.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from servicekit.cluster_errors import ClusterError
from toolset.tools import Found, Key


class ControllerMetrics:
    """All metrics that begin with `dynamic_toolset_controller_` and `dynamic_toolset_config_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        self.leader = Gauge(
            "dynamic_toolset_controller_leader", "1 where this replica holds the lease", registry=registry
        )
        self.workers = Gauge(
            "dynamic_toolset_controller_configs", "ToolsetConfigs that this replica knows", registry=registry
        )
        self.reconciles = Counter(
            "dynamic_toolset_controller_reconciles_total", "Reconciles, by outcome", ["result"], registry=registry
        )
        self.failures = Counter(
            "dynamic_toolset_controller_failures_total",
            "Requests to Kubernetes that failed, by what they were for and why",
            ["operation", "reason"],
            registry=registry,
        )
        self.reviews = Counter(
            "dynamic_toolset_controller_reviews_total", "Admission reviews, by outcome", ["result"], registry=registry
        )
        self._services = Gauge(
            "dynamic_toolset_config_services",
            "Tools of one ToolsetConfig",
            ["namespace", "config", "state"],
            registry=registry,
        )

    def failed(self, operation: str, error: ClusterError) -> None:
        """Count a failure."""
        self.failures.labels(operation, error.reason).inc()

    def show(self, key: Key, found: Found) -> None:
        """Show what was found for one ToolsetConfig."""
        states = [health.healthy for health in found.health.values()]
        for state, word in ((True, "healthy"), (False, "unhealthy"), (None, "unchecked")):
            self._services.labels(*key, word).set(states.count(state))

    def forget(self, key: Key) -> None:
        """Show nothing of it any more."""
        self._services.remove_by_labels({"namespace": key[0], "config": key[1]})
